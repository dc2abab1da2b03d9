//! Functions' code on disk: `functions/NAME/HASH/`, one folder for each version of the code.
//!
//! New code never changes a folder that is in use: it gets a folder of its own, which is put in place whole.

use std::{
    collections::HashSet,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256, digest};
use uuid::Uuid;
use zip::{ZipArchive, result::ZipError};

use super::{known::Known, limits::invalid, spec::Code};
use crate::error::AwsError;

/// The program that a custom runtime starts.
pub(super) const BOOTSTRAP: &str = "bootstrap";

/// Code that is in place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    /// The SHA-256 of the zip file, or of the names and contents of a folder's files.
    pub(super) sha256: Vec<u8>,
    /// The bytes of the zip file, or of the folder's files.
    pub(super) size: u64,
}

/// The folder of the code of all functions.
pub(super) struct CodeFolder {
    path: PathBuf,
    known: Known,
}

impl CodeFolder {
    /// The code in this data folder. The path is absolute, because it is in the environment of processes.
    pub(super) fn new(data: &Path) -> Result<Self, AwsError> {
        let folder = data.join("functions");
        fs::create_dir_all(&folder).map_err(AwsError::internal)?;
        let folder = folder.canonicalize().map_err(AwsError::internal)?;
        let known = Known::new(data).map_err(AwsError::internal)?;
        Ok(Self {
            path: folder,
            known,
        })
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of a version of a function's code.
    pub(super) fn of(&self, function: &str, sha256: &[u8]) -> PathBuf {
        self.path.join(function).join(short_hex(sha256))
    }

    /// Puts code in place, and does nothing if it is there.
    pub(super) fn place(&self, function: &str, code: &Code) -> Result<Placed, AwsError> {
        match code {
            Code::Zip(path) => {
                let bytes = fs::read(path).map_err(|error| missing(path, &error))?;
                self.place_zip(function, &bytes)
            }
            Code::ZipBytes(bytes) => self.place_zip(function, bytes),
            Code::Folder(folder) => self.place_folder(function, folder),
        }
    }

    fn place_zip(&self, function: &str, bytes: &[u8]) -> Result<Placed, AwsError> {
        let placed = Placed {
            sha256: digest(&SHA256, bytes).as_ref().to_vec(),
            size: bytes.len() as u64,
        };
        if self.has(function, &placed) {
            return Ok(placed);
        }
        self.put_in_place(function, |part| {
            let archive = ZipArchive::new(io::Cursor::new(bytes));
            let extracted = archive.and_then(|mut archive| archive.extract(part));
            extracted.map_err(|error| bad_zip(&error))?;
            Ok(placed)
        })
    }

    fn place_folder(&self, function: &str, folder: &Path) -> Result<Placed, AwsError> {
        let mut files = Vec::new();
        list(folder, Path::new(""), &mut files).map_err(|error| missing(folder, &error))?;
        files.sort();
        let read = || hash_files(folder, &files);
        let found = self.known.or_read(function, folder, &files, read);
        let found = found.map_err(|error| unreadable(&error))?;
        if self.has(function, &found) {
            return Ok(found);
        }
        self.put_in_place(function, |part| {
            let copied = copy_files(folder, &files, part);
            // A build may have written the folder meanwhile, so the code in place is what was copied.
            let placed = copied.and_then(|()| hash_files(part, &files));
            placed.map_err(|error| unreadable(&error))
        })
    }

    fn has(&self, function: &str, placed: &Placed) -> bool {
        self.of(function, &placed.sha256).exists()
    }

    /// Fills a new folder and then gives it the name of its content, so that a folder with such a name is always whole.
    fn put_in_place(
        &self,
        function: &str,
        fill: impl FnOnce(&Path) -> Result<Placed, AwsError>,
    ) -> Result<Placed, AwsError> {
        let part = format!("part-{}", Uuid::new_v4());
        let part = self.path.join(function).join(part);
        fs::create_dir_all(&part).map_err(AwsError::internal)?;
        let placed = fill(&part).and_then(|placed| {
            check_bootstrap(&part)?;
            if !self.has(function, &placed) {
                let target = self.of(function, &placed.sha256);
                fs::rename(&part, target).map_err(AwsError::internal)?;
            }
            Ok(placed)
        });
        // The leftovers of an attempt that put nothing in place are removed with the next sweep at the latest.
        let _ = fs::remove_dir_all(&part);
        placed
    }

    /// Removes the folders of a function's code, except these.
    pub(super) fn sweep(&self, function: &str, used: &HashSet<PathBuf>) {
        let Ok(entries) = fs::read_dir(self.path.join(function)) else {
            return;
        };
        for entry in entries.flatten().map(|entry| entry.path()) {
            if !used.contains(&entry) {
                // A folder that cannot be removed costs room, and harms nothing.
                let _ = fs::remove_dir_all(entry);
            }
        }
    }

    /// The functions that have code here.
    pub(super) fn functions(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string());
        names.filter_map(Result::ok).collect()
    }
}

fn short_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(16);
    for byte in bytes.iter().take(8) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn hash_files(folder: &Path, files: &[PathBuf]) -> io::Result<Placed> {
    let mut context = Context::new(&SHA256);
    let mut size = 0;
    for file in files {
        let name = file.as_os_str().as_encoded_bytes();
        context.update(&(name.len() as u64).to_be_bytes());
        context.update(name);
        let mut file = File::open(folder.join(file))?;
        context.update(&file.metadata()?.len().to_be_bytes());
        size += update(&mut context, &mut file)?;
    }
    let sha256 = context.finish().as_ref().to_vec();
    Ok(Placed { sha256, size })
}

fn update(context: &mut Context, file: &mut impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(size);
        }
        context.update(buffer.get(..read).unwrap_or_default());
        size += read as u64;
    }
}

/// Lists the files below a folder, relative to it. Symbolic links are followed.
fn list(folder: &Path, below: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let path = below.join(entry?.file_name());
        if folder.join(&path).is_dir() {
            list(folder, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn copy_files(folder: &Path, files: &[PathBuf], target: &Path) -> io::Result<()> {
    for file in files {
        let to = target.join(file);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(folder.join(file), to)?;
    }
    Ok(())
}

fn check_bootstrap(folder: &Path) -> Result<(), AwsError> {
    if folder.join(BOOTSTRAP).is_file() {
        return Ok(());
    }
    Err(invalid(
        "Code: there is no file `bootstrap` at its top level",
    ))
}

fn missing(path: &Path, error: &io::Error) -> AwsError {
    invalid(format!("Code: {}: {error}", path.display()))
}

fn bad_zip(error: &ZipError) -> AwsError {
    if let ZipError::Io(error) = error {
        return unreadable(error);
    }
    invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
}

fn unreadable(error: &io::Error) -> AwsError {
    invalid(format!("Code: {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn zip(files: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, text) in files {
            let options = SimpleFileOptions::default().unix_permissions(0o755);
            writer.start_file(*name, options).unwrap();
            io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn code_is_placed_once_and_swept_when_unused() {
        let data = std::env::temp_dir().join(format!("alpes-code-{}", Uuid::new_v4()));
        let folder = CodeFolder::new(&data).unwrap();
        let first = Code::ZipBytes(zip(&[(BOOTSTRAP, "one"), ("lib/x", "y")]));
        let first = folder.place("f", &first).unwrap();
        let at = folder.of("f", &first.sha256);
        assert_eq!(fs::read_to_string(at.join("lib/x")).unwrap(), "y");
        let mode = fs::metadata(at.join(BOOTSTRAP))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o111, 0o111, "the program can be executed");

        let source = data.join("source");
        fs::create_dir_all(&source).unwrap();
        for text in ["one", "two"] {
            fs::write(source.join(BOOTSTRAP), text).unwrap();
            folder.place("f", &Code::Folder(source.clone())).unwrap();
        }
        let second = folder.place("f", &Code::Folder(source.clone())).unwrap();
        let copied = folder.of("f", &second.sha256);
        fs::write(source.join(BOOTSTRAP), "written in place").unwrap();
        assert_eq!(fs::read_to_string(copied.join(BOOTSTRAP)).unwrap(), "two");
        assert_eq!(
            folder.place("f", &Code::Folder(copied.clone())).unwrap(),
            second,
            "the name of a folder tells its content"
        );

        folder.sweep("f", &HashSet::from([copied.clone()]));
        assert!(!at.exists() && copied.exists());
        for bad in [
            Code::ZipBytes(zip(&[("main", "x")])),
            Code::ZipBytes(vec![1]),
            Code::Zip("/nowhere".into()),
        ] {
            let error = folder.place("f", &bad).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException");
        }
        assert_eq!(
            fs::read_dir(folder.path().join("f")).unwrap().count(),
            1,
            "nothing half done is left"
        );
        fs::remove_dir_all(data).unwrap();
    }
}
