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

/// Appending to the log.
#[async_trait]
pub trait Log: Send + Sync {
    /// Appends one record. Records of one `partition_key` share a shard.
    ///
    /// `after` is the sequence number of this writer's previous record with the same key. With `after`, the log places
    /// the new record after that one; without it, two appends in a row may be stored in either order.
    ///
    /// # Errors
    ///
    /// See [`LogError`]; after [`LogError::Unavailable`] the record may be in the log.
    async fn append(
        &self,
        partition_key: &str,
        data: &[u8],
        after: Option<&SequenceNumber>,
    ) -> Result<SequenceNumber, LogError>;
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
