//! The event log: a partitioned, append-only record of every event. On AWS, the log is a Kinesis data stream.

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;

/// The place of a record in its shard.
///
/// A sequence number is opaque. Kinesis uses up to 56 decimal digits, more than any integer holds, so the number is
/// kept as text and never parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SequenceNumber(pub String);

/// Errors of the log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LogError {
    /// The log did not answer, or throttled the request. The append **may have happened**. Repeating the append is
    /// safe, since consumers deduplicate on (stream, streamversion).
    #[error("the event log did not answer: {0}")]
    Unavailable(String),
    /// The log refuses the request, and refuses it again at every repetition (record too large, no such Kinesis stream,
    /// not allowed).
    #[error("the event log refused the request: {0}")]
    Refused(String),
}

/// A record to append.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// The partition key. Records with the same partition key share a shard.
    pub partition_key: &'a str,
    /// The bytes of the record.
    pub data: &'a [u8],
    /// The sequence number of this writer's previous record with the same key. The log stores the new record after the
    /// previous one. With `None`, the log may store two successive records in either order.
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

/// Appends records to the log.
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
    /// The place of the record in its shard.
    pub sequence: SequenceNumber,
    /// The key with which the record was appended.
    pub partition_key: String,
    /// The bytes of the record, exactly as they were appended.
    pub data: Vec<u8>,
    /// The time at which the log stored the record, approximately.
    pub arrived: Timestamp,
}

/// The place in a shard from which to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest record that the log still has.
    Oldest,
    /// Only records that arrive from now on.
    Newest,
    /// The place where an earlier [`LogBatch`] ended. A cursor expires after some minutes; [`Position::After`] does
    /// not.
    Cursor(String),
    /// The place after the record with this sequence number.
    After(SequenceNumber),
}

/// One read of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// The records, in the order of the shard. This list may be empty although more records follow.
    pub records: Vec<LogRecord>,
    /// The place for the next read; `None` once a closed shard is read to its end.
    pub next: Option<Position>,
    /// True when the read reached the newest record of the shard.
    pub at_tip: bool,
}

/// Reads the log outside of its consumers, to verify, tail or replay the log.
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
