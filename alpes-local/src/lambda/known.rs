//! The digests of code that was read before, so that a start need not read hundreds of megabytes again.
//!
//! A digest is known by what the file system says of the files: names, inodes, lengths and times of change. Files that
//! were written a moment ago are always read, since a further write within the clock's tick would not show.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::code::Placed;

/// Files must be older than this for their digest to be kept.
const SETTLED: Duration = Duration::from_secs(2);

/// The digest of one folder of code.
#[derive(Serialize, Deserialize)]
struct Entry {
    /// The file system's description of the files.
    mark: Vec<u8>,
    sha256: Vec<u8>,
    size: u64,
}

/// The known digests, a file for each function.
pub(super) struct Known(PathBuf);

impl Known {
    /// The digests in this data folder.
    pub(super) fn new(data: &Path) -> io::Result<Self> {
        let folder = data.join("digests");
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// The digest of these files of a folder, which `read` computes if it is not known. A digest that cannot be kept is
    /// computed again next time.
    pub(super) fn or_read(
        &self,
        function: &str,
        folder: &Path,
        files: &[PathBuf],
        read: impl FnOnce() -> io::Result<Placed>,
    ) -> io::Result<Placed> {
        let mark = mark(folder, files)?;
        if let Some(mark) = &mark
            && let Some(entry) = self.entry(function)
            && entry.mark == *mark
        {
            let Entry { sha256, size, .. } = entry;
            return Ok(Placed { sha256, size });
        }
        let placed = read()?;
        if let Some(mark) = mark {
            let (sha256, size) = (placed.sha256.clone(), placed.size);
            let _ = self.keep(function, &Entry { mark, sha256, size });
        }
        Ok(placed)
    }

    fn entry(&self, function: &str) -> Option<Entry> {
        let text = fs::read(self.0.join(function)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the whole file before it gets its name.
    fn keep(&self, function: &str, entry: &Entry) -> io::Result<()> {
        let part = self.0.join(format!("part-{}", Uuid::new_v4()));
        fs::write(&part, serde_json::to_vec(entry)?)?;
        fs::rename(part, self.0.join(function))
    }
}

/// The file system's description of the files; `None` if one of them was written a moment ago.
fn mark(folder: &Path, files: &[PathBuf]) -> io::Result<Option<Vec<u8>>> {
    let mut context = Context::new(&SHA256);
    for file in files {
        let about = fs::metadata(folder.join(file))?;
        // A file from the future counts as new.
        let age = SystemTime::now().duration_since(about.modified()?);
        if age.unwrap_or_default() < SETTLED {
            return Ok(None);
        }
        let name = file.as_os_str().as_encoded_bytes();
        context.update(&(name.len() as u64).to_be_bytes());
        context.update(name);
        for number in [about.dev(), about.ino(), about.len()] {
            context.update(&number.to_be_bytes());
        }
        for number in [about.mtime(), about.mtime_nsec()] {
            context.update(&number.to_be_bytes());
        }
    }
    Ok(Some(context.finish().as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn only_files_that_have_changed_or_are_new_are_read() {
        let data = std::env::temp_dir().join(format!("alpes-known-{}", Uuid::new_v4()));
        let known = Known::new(&data).unwrap();
        let code = data.join("code");
        fs::create_dir_all(&code).unwrap();
        let files = [PathBuf::from("bootstrap")];
        let (file, reads) = (code.join(&files[0]), Cell::new(0_u8));
        let settle = || {
            let earlier = SystemTime::now() - Duration::from_mins(1);
            let file = fs::File::options().write(true).open(&file).unwrap();
            file.set_modified(earlier).unwrap();
        };
        let digest = |known: &Known| {
            let read = || {
                reads.set(reads.get() + 1);
                let sha256 = vec![reads.get()];
                Ok(Placed { sha256, size: 1 })
            };
            known.or_read("f", &code, &files, read).unwrap().sha256
        };
        fs::write(&file, "one").unwrap();
        assert_eq!([digest(&known), digest(&known)], [[1], [2]], "just written");
        settle();
        assert_eq!([digest(&known), digest(&known)], [[3], [3]]);
        let reopened = Known::new(&data).unwrap();
        assert_eq!(digest(&reopened), [3]);
        fs::write(&file, "two").unwrap();
        settle();
        assert_eq!(digest(&reopened), [4]);
        fs::remove_dir_all(data).unwrap();
    }
}
