//! The file of one log group: append-only, with an index in memory that leads readers to the blocks of their time range.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use super::record::Record;

/// Readers read whole blocks of about this size.
const BLOCK: u64 = 64 * 1024;

/// The place of an event among all events of its group, by time and then by arrival. It also identifies the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The event's time.
    pub(super) millis: u64,
    /// Where its line begins in the file.
    pub(super) offset: u64,
}

impl Position {
    /// The position as 56 digits, as long as an event id of AWS.
    pub(super) fn id(self) -> String {
        format!("{:020}{:036}", self.millis, self.offset)
    }

    /// Reads what [`Self::id`] wrote.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let millis = id.get(..20)?.parse().ok()?;
        let offset = id.get(20..).filter(|rest| rest.len() == 36)?.parse().ok()?;
        Some(Self { millis, offset })
    }
}

/// An append-only file of records.
pub(super) struct LogFile {
    file: File,
    length: u64,
    blocks: Vec<Block>,
}

/// A part of the file, and the times of the events in it.
struct Block {
    start: u64,
    end: u64,
    earliest: u64,
    latest: u64,
}

impl LogFile {
    /// Opens or makes the file and calls `visit` with each record and the length of its line. A last line without its
    /// end was never acknowledged, and is cut off.
    pub(super) fn open(path: &Path, mut visit: impl FnMut(&Record<'_>, u64)) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path)?;
        let mut log = Self {
            file: file.try_clone()?,
            length: 0,
            blocks: Vec::new(),
        };
        let mut reader = BufReader::with_capacity(1 << 16, &file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            if line.last() != Some(&b'\n') {
                log.file.set_len(log.length)?;
                break;
            }
            let size = line.len() as u64;
            match parse(&line) {
                Some(record) => {
                    visit(&record, size);
                    log.index(record.millis, size);
                }
                None => log.length += size,
            }
            line.clear();
        }
        Ok(log)
    }

    /// Appends records. When this returns, they are in the file; after an error none of them is. Returns the length of
    /// each line.
    pub(super) fn append(&mut self, records: &[Record<'_>]) -> io::Result<Vec<u64>> {
        let mut text = String::new();
        let mut sizes = Vec::with_capacity(records.len());
        for record in records {
            let before = text.len();
            record.encode(&mut text);
            sizes.push((text.len() - before) as u64);
        }
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        for (record, size) in records.iter().zip(&sizes) {
            self.index(record.millis, *size);
        }
        Ok(sizes)
    }

    /// Calls `visit` with each record from `earliest` to `latest`, in order of arrival.
    pub(super) fn visit(
        &self,
        earliest: u64,
        latest: u64,
        mut visit: impl FnMut(Position, &Record<'_>),
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        let within = |block: &&Block| block.earliest <= latest && earliest <= block.latest;
        for block in self.blocks.iter().filter(within) {
            bytes.resize(usize::try_from(block.end - block.start).unwrap_or(0), 0);
            self.file.read_exact_at(&mut bytes, block.start)?;
            let mut offset = block.start;
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                let record =
                    parse(line).filter(|record| (earliest..=latest).contains(&record.millis));
                if let Some(record) = record {
                    let millis = record.millis;
                    visit(Position { millis, offset }, &record);
                }
                offset += line.len() as u64;
            }
        }
        Ok(())
    }

    fn index(&mut self, millis: u64, size: u64) {
        let start = self.length;
        self.length += size;
        match self.blocks.last_mut() {
            Some(block) if block.end - block.start < BLOCK => {
                block.end = self.length;
                block.earliest = block.earliest.min(millis);
                block.latest = block.latest.max(millis);
            }
            _ => self.blocks.push(Block {
                start,
                end: self.length,
                earliest: millis,
                latest: millis,
            }),
        }
    }
}

fn parse(line: &[u8]) -> Option<Record<'_>> {
    let line = line.strip_suffix(b"\n")?;
    Record::decode(std::str::from_utf8(line).ok()?)
}
