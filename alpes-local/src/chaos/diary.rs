//! The log of what was done: one line an act, in files of bounded size, and counts.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::Kind;
use crate::{names::now_millis, time::iso_millis};

/// At this size the file becomes `chaos.log.1`, whose predecessor is deleted.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The log.
pub(super) struct Diary {
    path: PathBuf,
    file: File,
    bytes: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl Diary {
    /// Opens `chaos.log` in this folder, and makes the folder if it is missing.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join("chaos.log");
        let file = append_to(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            bytes,
            counts: BTreeMap::new(),
        })
    }

    /// Writes a line. An act counts even if the line cannot be written.
    pub(super) fn note(&mut self, kind: Kind, place: &str, hit: &str) {
        *self.counts.entry(kind.name()).or_default() += 1;
        let time = iso_millis(now_millis());
        let line = format!("{time} {} {place}: {hit}\n", kind.name());
        if self.bytes >= MOST_BYTES {
            self.begin_anew();
        }
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.bytes += u64::try_from(line.len()).unwrap_or_default();
        }
    }

    pub(super) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    fn begin_anew(&mut self) {
        let renamed = fs::rename(&self.path, self.path.with_extension("log.1"));
        if let Ok(file) = renamed.and_then(|()| append_to(&self.path)) {
            (self.file, self.bytes) = (file, 0);
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_a_line_an_act_and_a_bounded_size() {
        let folder = std::env::temp_dir().join(format!("alpes-diary-{}", uuid::Uuid::new_v4()));
        let mut diary = Diary::open(&folder).unwrap();
        diary.note(Kind::Throttle, "dynamodb PutItem", "sell");
        let text = fs::read_to_string(folder.join("chaos.log")).unwrap();
        assert!(
            text.ends_with("Z throttle dynamodb PutItem: sell\n"),
            "{text}"
        );
        diary.bytes = MOST_BYTES;
        diary.note(Kind::Throttle, "dynamodb PutItem", "buy");
        let first = fs::read_to_string(folder.join("chaos.log.1")).unwrap();
        let second = fs::read_to_string(folder.join("chaos.log")).unwrap();
        assert_eq!(first, text);
        assert!(second.ends_with(": buy\n") && second.lines().count() == 1);
        assert_eq!(diary.counts()["throttle"], 2);
        fs::remove_dir_all(folder).unwrap();
    }
}
