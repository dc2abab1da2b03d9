//! Log groups: their names and streams in the store, their events in a file.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rusqlite::{OptionalExtension, params};

use super::{
    file::LogFile,
    invalid,
    record::{Record, last_time},
};
use crate::{
    error::AwsError,
    names::now_millis,
    store::{Store, as_i64, as_u64},
};

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS logs_groups (
        name TEXT PRIMARY KEY,
        created INTEGER NOT NULL,
        retention INTEGER
    );
    CREATE TABLE IF NOT EXISTS logs_streams (
        group_name TEXT NOT NULL,
        name TEXT NOT NULL,
        created INTEGER NOT NULL,
        PRIMARY KEY (group_name, name)
    ) WITHOUT ROWID;";

/// The longest name of a group, by the limit of file systems.
const LONGEST_NAME: usize = 250;

/// A log group.
pub(super) struct Group {
    name: String,
    /// The streams, in order of their names. Their spans are those of the indexed events.
    streams: BTreeMap<String, Stream>,
    file: LogFile,
}

/// A log stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stream {
    /// When it was made.
    pub(super) created: u64,
    /// Its events.
    pub(super) span: Option<Span>,
}

/// The span of a stream's events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The earliest event's time.
    pub(super) first: u64,
    /// The latest event's time.
    pub(super) last: u64,
    /// The last arrival.
    pub(super) ingested: u64,
    /// The bytes on disk.
    pub(super) bytes: u64,
}

impl Group {
    /// Makes a group; `false` if there is one of this name.
    pub(super) fn create(store: &Store, name: &str) -> Result<bool, AwsError> {
        check_group_name(name)?;
        let created = store.write(|transaction| {
            let mut insert = transaction.prepare_cached(
                "INSERT OR IGNORE INTO logs_groups (name, created) VALUES (?1, ?2)",
            )?;
            insert.execute(params![name, as_i64(now_millis())])
        });
        Ok(created.map_err(AwsError::from)? > 0)
    }

    /// Opens a group; `None` if there is none of this name. Its events are read only when a reader needs them.
    pub(super) fn open(store: &Store, folder: &Path, name: &str) -> Result<Option<Self>, AwsError> {
        if !Self::exists(store, name)? {
            return Ok(None);
        }
        Ok(Some(Self {
            name: name.to_owned(),
            file: LogFile::open(&path(folder, name)).map_err(AwsError::internal)?,
            streams: Self::stored_streams(store, name)?,
        }))
    }

    /// Whether there is a stream of this name.
    pub(super) fn has(&self, stream: &str) -> bool {
        self.streams.contains_key(stream)
    }

    /// The streams with the spans of their events, in order of their names.
    pub(super) fn streams(&mut self) -> Result<&BTreeMap<String, Stream>, AwsError> {
        self.index()?;
        Ok(&self.streams)
    }

    /// The events.
    pub(super) fn events(&mut self) -> Result<&LogFile, AwsError> {
        self.index()?;
        Ok(&self.file)
    }

    fn index(&mut self) -> Result<(), AwsError> {
        let streams = &mut self.streams;
        let indexed = self.file.index(|record, bytes| {
            let stream = streams.entry(record.stream.clone().into_owned());
            stream.or_default().note(record, bytes);
        });
        indexed.map_err(AwsError::internal)
    }

    /// Deletes a group and its events; `false` if there is none of this name.
    pub(super) fn delete(store: &Store, folder: &Path, name: &str) -> Result<bool, AwsError> {
        let deleted = store.write(|transaction| {
            transaction.execute("DELETE FROM logs_streams WHERE group_name = ?1", [name])?;
            transaction.execute("DELETE FROM logs_groups WHERE name = ?1", [name])
        });
        remove_file(&path(folder, name))?;
        Ok(deleted.map_err(AwsError::from)? > 0)
    }

    fn exists(store: &Store, name: &str) -> Result<bool, AwsError> {
        let found = store.read(|connection| {
            let mut select =
                connection.prepare_cached("SELECT 1 FROM logs_groups WHERE name = ?1")?;
            select.query_row([name], |_| Ok(())).optional()
        });
        Ok(found.map_err(AwsError::from)?.is_some())
    }

    fn stored_streams(store: &Store, name: &str) -> Result<BTreeMap<String, Stream>, AwsError> {
        let streams = store.read(|connection| {
            let mut select = connection
                .prepare_cached("SELECT name, created FROM logs_streams WHERE group_name = ?1")?;
            let rows = select.query_map([name], |row| {
                let (created, span) = (as_u64(row.get(1)?), None);
                Ok((row.get(0)?, Stream { created, span }))
            })?;
            rows.collect()
        });
        streams.map_err(|error: rusqlite::Error| error.into())
    }

    /// Makes a stream; `false` if there is one of this name.
    pub(super) fn add_stream(&mut self, store: &Store, stream: &str) -> Result<bool, AwsError> {
        if self.has(stream) {
            return Ok(false);
        }
        check_stream_name(stream)?;
        let created = now_millis();
        store.write(|transaction| {
            let sql = "INSERT OR IGNORE INTO logs_streams (group_name, name, created) VALUES (?1, ?2, ?3)";
            let mut insert = transaction.prepare_cached(sql)?;
            insert.execute(params![self.name, stream, as_i64(created)])
        })?;
        let span = None;
        self.streams
            .insert(stream.to_owned(), Stream { created, span });
        Ok(true)
    }

    /// Appends events to a stream that exists. When this returns, they are in the file.
    pub(super) fn append<'a>(
        &mut self,
        stream: &str,
        events: impl Iterator<Item = (u64, &'a str)>,
    ) -> Result<(), AwsError> {
        let ingested = now_millis();
        let records: Vec<_> = events
            .map(|(millis, message)| Record {
                millis: millis.min(last_time()),
                ingested,
                stream: Cow::Borrowed(stream),
                message: Cow::Borrowed(message),
            })
            .collect();
        self.file.append(&records).map_err(AwsError::internal)
    }
}

impl Stream {
    fn note(&mut self, record: &Record<'_>, bytes: u64) {
        let span = self.span.get_or_insert(Span {
            first: record.millis,
            last: record.millis,
            ingested: record.ingested,
            bytes: 0,
        });
        span.first = span.first.min(record.millis);
        span.last = span.last.max(record.millis);
        span.ingested = span.ingested.max(record.ingested);
        span.bytes += bytes;
        if self.created == 0 {
            self.created = record.ingested;
        }
    }
}

/// The file of a group. Names of groups have no `+`, so that it can stand for `/`.
pub(super) fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{}.log", name.replace('/', "+")))
}

fn remove_file(path: &Path) -> Result<(), AwsError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(AwsError::internal(error))
        }
        _ => Ok(()),
    }
}

fn check_group_name(name: &str) -> Result<(), AwsError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(known) {
        let rule = format!("1 to {LONGEST_NAME} letters, digits, and . - _ / #");
        return Err(invalid(format!("logGroupName: {name:?} must have {rule}")));
    }
    Ok(())
}

fn check_stream_name(name: &str) -> Result<(), AwsError> {
    if name.is_empty() || name.len() > 512 || name.contains([':', '*']) {
        let rule = "1 to 512 characters, without : and *";
        return Err(invalid(format!("logStreamName: {name:?} must have {rule}")));
    }
    Ok(())
}
