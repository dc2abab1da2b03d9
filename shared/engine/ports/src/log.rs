//! The event log: a partitioned, append-only record of every event. On AWS, a Kinesis data stream.

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;

/// Where a record stands in its shard.
///
/// Opaque: Kinesis uses up to 56 decimal digits, more than any integer holds, so it is kept as text, compared for
/// equality only, and never parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SequenceNumber(pub String);

/// What can go wrong with the log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LogError {
    /// It did not answer, or asked to slow down. The append **may have happened**: repeating it is safe, since consumers
    /// tell duplicates by (stream, streamversion).
    #[error("the event log did not answer: {0}")]
    Unavailable(String),
    /// It will refuse this request every time (too large, no such stream, not allowed).
    #[error("the event log refused the request: {0}")]
    Refused(String),
}

/// Appending to the log.
#[async_trait]
pub trait Log: Send + Sync {
    /// Appends one record. Records of one `partition_key` share a shard.
    ///
    /// `after` is the sequence number of this writer's record before it with the same key: it makes the new one stand after
    /// that, which two appends in a row do not promise by themselves.
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
    /// The shard it was read from.
    pub shard: String,
    /// Its place there.
    pub sequence: SequenceNumber,
    /// The key it was appended under.
    pub partition_key: String,
    /// The bytes, exactly as appended.
    pub data: Vec<u8>,
    /// When the log took it, about.
    pub arrived: Timestamp,
}

/// Where to read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest record kept.
    Oldest,
    /// Only what arrives from now on.
    Newest,
    /// Where an earlier [`LogBatch`] left off. Good for minutes; what is to outlive that is [`Position::After`].
    Cursor(String),
    /// The record after this one of the same shard.
    After(SequenceNumber),
}

/// One read of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// The records, in shard order; may be empty before the tip.
    pub records: Vec<LogRecord>,
    /// Where the next read goes on; `None` once a closed shard is read to its end.
    pub next: Option<Position>,
    /// True when nothing newer was there at the time of the read.
    pub at_tip: bool,
}

/// Reading the log outside of its consumers: checking, tailing, replaying.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// The shards, open and closed, parents before their children.
    ///
    /// # Errors
    ///
    /// See [`LogError`].
    async fn shards(&self) -> Result<Vec<String>, LogError>;

    /// Reads on in one shard.
    ///
    /// # Errors
    ///
    /// See [`LogError`].
    async fn read(&self, shard: &str, from: &Position) -> Result<LogBatch, LogError>;
}
