//! Where mappings read: streams and queues.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use source_mapping::{Record, SequenceNumber, ShardId};
use tokio::sync::watch;

use crate::error::AwsError;

/// A shard of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardInfo {
    /// The id of the shard.
    pub id: ShardId,
    /// The shards that this shard replaced: none, one after a split, two after a merge.
    pub parents: Vec<ShardId>,
    /// True if the shard takes no more records.
    pub closed: bool,
}

/// When mappings read the shards of a stream that they do not read with enhanced fan-out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Polling {
    /// As soon as records arrive, so that nobody waits for a poll on a developer's machine.
    #[default]
    AtOnce,
    /// Once a second, as on AWS. Each mapping keeps the limits of a shard as if it were the only reader.
    EachSecond,
    /// Once a second, as on AWS, within the quota that all readers of a shard share. A read beyond it is refused, and
    /// repeated later.
    WithinQuotas,
}

/// The streams from which mappings read. `stream` is always the name of a stream, not its ARN.
pub trait StreamSource: Send + Sync {
    /// All shards that the stream still has, in the order of their creation.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` if the stream does not exist. The same holds for all other functions.
    fn topology(&self, stream: &str) -> Result<Vec<ShardInfo>, AwsError>;

    /// The records of a shard after a sequence number, or from the oldest one, in order. At most so many records and
    /// bytes; none only if the shard has none there.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` also if the shard does not exist.
    fn read_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        at_most_records: usize,
        at_most_bytes: usize,
    ) -> Result<Vec<Record>, AwsError>;

    /// As [`Self::read_after`], by one of the reads that the standard readers of a shard share.
    ///
    /// # Errors
    ///
    /// As for [`Self::read_after`], and `ProvisionedThroughputExceededException` beyond the quota.
    fn poll_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        at_most_records: usize,
        at_most_bytes: usize,
    ) -> Result<Vec<Record>, AwsError> {
        self.read_after(stream, shard, after, at_most_records, at_most_bytes)
    }

    /// A value that changes whenever records arrive or shards change.
    ///
    /// # Errors
    ///
    /// See [`Self::topology`].
    fn changes(&self, stream: &str) -> Result<watch::Receiver<u64>, AwsError>;

    /// The newest record of a shard; `None` if the shard is empty.
    ///
    /// # Errors
    ///
    /// See [`Self::topology`].
    fn latest(&self, stream: &str, shard: &ShardId) -> Result<Option<SequenceNumber>, AwsError>;

    /// The last record of a shard that arrived before a time, in milliseconds since 1970; `None` if there is none.
    ///
    /// # Errors
    ///
    /// See [`Self::topology`].
    fn before_time(
        &self,
        stream: &str,
        shard: &ShardId,
        millis: u64,
    ) -> Result<Option<SequenceNumber>, AwsError>;

    /// How long the stream keeps records.
    ///
    /// # Errors
    ///
    /// See [`Self::topology`].
    fn retention(&self, stream: &str) -> Result<Duration, AwsError>;
}

/// A message that was received from a queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The id of the message.
    pub id: String,
    /// The handle by which the message is deleted.
    pub receipt: String,
    /// The text of the message.
    pub body: String,
    /// The MD5 of the body, in hexadecimal.
    pub md5_of_body: String,
    /// The attributes that SQS itself sets, by name: `ApproximateReceiveCount`, `SentTimestamp`, `SenderId`,
    /// `ApproximateFirstReceiveTimestamp` and others.
    pub attributes: Map<String, Value>,
    /// The attributes of the sender, as `ReceiveMessage` answers them: `{"name": {"DataType": …, "StringValue": …}}`.
    pub message_attributes: Map<String, Value>,
    /// The MD5 of the sender's attributes; `None` without attributes.
    pub md5_of_message_attributes: Option<String>,
}

/// The queues from which mappings receive, by their ARNs.
#[async_trait]
pub trait QueueSource: Send + Sync {
    /// Receives visible messages at once, and hides them for the queue's visibility time-out. Returns at most `max`
    /// messages, and none only if no message is visible.
    ///
    /// # Errors
    ///
    /// If the queue does not exist. The same holds for all other functions.
    async fn receive(&self, queue: &str, max: usize) -> Result<Vec<Message>, AwsError>;

    /// Deletes messages by their receipts, all or none.
    ///
    /// # Errors
    ///
    /// See [`Self::receive`].
    async fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), AwsError>;

    /// Hides messages for so many seconds from now; 0 makes them visible at once.
    ///
    /// # Errors
    ///
    /// See [`Self::receive`].
    async fn change_visibility(
        &self,
        queue: &str,
        receipts: &[String],
        seconds: u32,
    ) -> Result<(), AwsError>;

    /// A value that changes whenever messages arrive.
    ///
    /// # Errors
    ///
    /// See [`Self::receive`].
    fn changes(&self, queue: &str) -> Result<watch::Receiver<u64>, AwsError>;
}
