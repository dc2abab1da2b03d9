//! Reads the project's files, for tests.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The folder of the project.
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    folder.expect("xtask lies in the root").to_owned()
}

/// Every file with this ending below a folder: its path from the root, and its text.
pub fn files(folder: &str, ending: &str) -> BTreeMap<String, String> {
    fn collect(root: &Path, folder: &Path, ending: &str, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    collect(root, &path, ending, found);
                }
            } else if name.ends_with(ending) {
                let place = path.strip_prefix(root).unwrap().to_string_lossy();
                found.insert(place.into_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(&root(), &root().join(folder), ending, &mut found);
    found
}
