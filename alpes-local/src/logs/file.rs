//! The file of one log group: append-only, with an index in memory that leads readers to the blocks of their time range.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
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

/// An append-only file of records. Writers need its length alone; readers need its index, which [`LogFile::index`]
/// brings up to date.
pub(super) struct LogFile {
    file: File,
    /// The length of the whole lines.
    length: u64,
    /// The length of the lines in the index.
    indexed: u64,
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
    /// Opens or makes the file. A last line without its end was never acknowledged, and is cut off.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path)?;
        let length = whole_lines(&file)?;
        file.set_len(length)?;
        Ok(Self {
            file,
            length,
            indexed: 0,
            blocks: Vec::new(),
        })
    }

    /// Appends records. When this returns, they are in the file; after an error none of them is.
    pub(super) fn append(&mut self, records: &[Record<'_>]) -> io::Result<()> {
        let mut text = String::new();
        for record in records {
            record.encode(&mut text);
        }
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += text.len() as u64;
        Ok(())
    }

    /// Indexes what was appended since the last call. Calls `visit` with each new record and the length of its line.
    pub(super) fn index(&mut self, mut visit: impl FnMut(&Record<'_>, u64)) -> io::Result<()> {
        if self.indexed == self.length {
            return Ok(());
        }
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(self.indexed))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            let size = line.len() as u64;
            match parse(&line) {
                Some(record) => {
                    visit(&record, size);
                    self.note(record.millis, size);
                }
                None => self.indexed += size,
            }
            line.clear();
        }
        Ok(())
    }

    /// Calls `visit` with each indexed record from `earliest` to `latest`, in order of arrival.
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

    fn note(&mut self, millis: u64, size: u64) {
        let start = self.indexed;
        self.indexed += size;
        match self.blocks.last_mut() {
            Some(block) if block.end - block.start < BLOCK => {
                block.end = self.indexed;
                block.earliest = block.earliest.min(millis);
                block.latest = block.latest.max(millis);
            }
            _ => self.blocks.push(Block {
                start,
                end: self.indexed,
                earliest: millis,
                latest: millis,
            }),
        }
    }
}

/// The length of the file up to its last line end.
fn whole_lines(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut bytes = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        bytes.resize(usize::try_from(end - start).unwrap_or(0), 0);
        file.read_exact_at(&mut bytes, start)?;
        if let Some(place) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn parse(line: &[u8]) -> Option<Record<'_>> {
    let line = line.strip_suffix(b"\n")?;
    Record::decode(std::str::from_utf8(line).ok()?)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn record(millis: u64) -> Record<'static> {
        Record {
            millis,
            ingested: millis,
            stream: "s".into(),
            message: "m\n".into(),
        }
    }

    #[test]
    fn an_append_reads_nothing_and_each_line_is_indexed_once() {
        let path = std::env::temp_dir().join(format!("alpes-log-{}", Uuid::new_v4()));
        let mut log = LogFile::open(&path).unwrap();
        log.append(&[record(1), record(2)]).unwrap();
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(&vec![b'x'; 200_000]).unwrap();

        let mut log = LogFile::open(&path).unwrap();
        log.append(&[record(3)]).unwrap();
        assert_eq!((log.indexed, log.blocks.len()), (0, 0));
        let mut seen = Vec::new();
        for new in [4, 5] {
            log.index(|record, _| seen.push(record.millis)).unwrap();
            log.append(&[record(new)]).unwrap();
        }
        assert_eq!(seen, [1, 2, 3, 4]);
        std::fs::remove_file(path).unwrap();
    }
}
