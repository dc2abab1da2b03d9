//! The folders of the checkout.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Explain, Result, fail};

/// The checkout that this tool works in.
pub struct Workspace {
    pub root: PathBuf,
}

impl Workspace {
    /// Finds the checkout in which cargo runs this tool, or otherwise the checkout in which this tool was compiled.
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

    /// The folder `.local`, which has everything that this tool writes, except compiled code.
    pub fn local(&self) -> PathBuf {
        self.root.join(".local")
    }

    /// The path of a program in the project's virtual environment.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.local().join("venv/bin").join(name)
    }

    /// The names of the functions. Each folder in `functions/` is a package, a binary and a function at once.
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

/// The entries of a folder, sorted; empty if the folder does not exist.
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

/// Writes a file, and makes the folders above it.
pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).explain(format!("Cannot make {}", folder.display()))?;
    }
    fs::write(path, text).explain(format!("Cannot write {}", path.display()))
}
