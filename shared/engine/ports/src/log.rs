//! The event log: a partitioned, append-only record of every event. On AWS, a Kinesis data stream.

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;

/// The place of a record in its shard.
///
/// A sequence number is opaque. Kinesis uses up to 56 decimal digits, more than any integer holds, so the number is
/// kept as text, compared for equality only, and never parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SequenceNumber(pub String);

/// Errors of the log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LogError {
    /// No answer, or throttled. The append **may have happened**. Repeating the append is safe, since consumers
    /// deduplicate on (stream, streamversion).
    #[error("the event log did not answer: {0}")]
    Unavailable(String),
    /// Refused, and refused again at every repetition (too large, no such stream, not allowed).
    #[error("the event log refused the request: {0}")]
    Refused(String),
}

/// A record to append.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// Records of one key share a shard.
    pub partition_key: &'a str,
    /// The bytes of the record.
    pub data: &'a [u8],
    /// The sequence number of this writer's previous record with the same key. The log places the new record after
    /// that one. With `None`, two appends in a row may be stored in either order.
    pub after: Option<&'a SequenceNumber>,
}

impl<'a> NewRecord<'a> {
    /// A record that need not follow another one.
    #[must_use]
    pub fn new(partition_key: &'a str, data: &'a [u8]) -> Self {
        Self {
            partition_key,
            data,
            after: None,
        }
    }
}

/// Appending to the log.
#[async_trait]
pub trait Log: Send + Sync {
    /// Appends one record.
    ///
    /// # Errors
    ///
    /// See [`LogError`]; after [`LogError::Unavailable`] the record may be in the log.
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError>;
}

/// A record as read from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// The shard that the record was read from.
    pub shard: String,
    /// Its place in that shard.
    pub sequence: SequenceNumber,
    /// The key with which the record was appended.
    pub partition_key: String,
    /// The bytes, exactly as appended.
    pub data: Vec<u8>,
    /// The time at which the log stored the record, approximately.
    pub arrived: Timestamp,
}

/// The place to read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest record that the log still has.
    Oldest,
    /// Only records that arrive from now on.
    Newest,
    /// The place where an earlier [`LogBatch`] ended. A cursor expires after some minutes; [`Position::After`] does
    /// not.
    Cursor(String),
    /// The record that follows this one in the same shard.
    After(SequenceNumber),
}

/// One read of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// The records, in shard order. May be empty although more records follow.
    pub records: Vec<LogRecord>,
    /// The place for the next read; `None` once a closed shard is read to its end.
    pub next: Option<Position>,
    /// True when the read reached the newest record of the shard.
    pub at_tip: bool,
}

/// Reading the log outside of its consumers: to verify, tail or replay it.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// The shards, open and closed, parents before their children.
    ///
    /// # Errors
    ///
    /// See [`LogError`].
    async fn shards(&self) -> Result<Vec<String>, LogError>;

    /// Reads the next records of one shard.
    ///
    /// # Errors
    ///
    /// See [`LogError`].
    async fn read(&self, shard: &str, from: &Position) -> Result<LogBatch, LogError>;
}
