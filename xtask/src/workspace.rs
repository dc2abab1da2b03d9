//! Where things are.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Explain, Result, fail};

/// The checkout that this tool works on.
pub struct Workspace {
    pub root: PathBuf,
}

impl Workspace {
    /// The checkout that cargo runs this in, or was compiled in.
    pub fn find() -> Result<Self> {
        match command_line::root() {
            Some(root) => Ok(Self { root }),
            None => fail(
                "This tool did not find its workspace. Run it as cargo xtask, inside the checkout.",
            ),
        }
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Everything that this tool writes is in here; deleting the folder undoes it all.
    pub fn local(&self) -> PathBuf {
        self.root.join(".local")
    }

    /// A program of the project's own virtual environment.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.local().join("venv/bin").join(name)
    }

    /// The functions, by name. A folder in `functions/` is a package, a binary and a function at once.
    pub fn functions(&self) -> Result<Vec<String>> {
        let folder = self.path("functions");
        let mut names: Vec<String> = children(&folder)?
            .into_iter()
            .filter(|path| path.join("Cargo.toml").is_file())
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        names.sort();
        Ok(names)
    }
}

/// What is in a folder, sorted; nothing when there is no such folder.
pub fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).explain(format!("Cannot read {}", folder.display()))? {
        paths.push(
            entry
                .explain(format!("Cannot read {}", folder.display()))?
                .path(),
        );
    }
    paths.sort();
    Ok(paths)
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).explain(format!("Cannot make {}", folder.display()))?;
    }
    fs::write(path, text).explain(format!("Cannot write {}", path.display()))
}
