//! Kinesis and SQS as the sources of mappings.

use std::time::Duration;

use async_trait::async_trait;
use source_mapping::{Record, SequenceNumber, ShardId};
use tokio::sync::watch;

use super::sources::{Message, QueueSource, ShardInfo, StreamSource};
use crate::{
    error::AwsError,
    kinesis::Kinesis,
    sqs::{self, Sqs},
};

impl StreamSource for Kinesis {
    fn topology(&self, stream: &str) -> Result<Vec<ShardInfo>, AwsError> {
        let shards = Self::topology(self, stream)?.into_iter();
        let shards = shards.map(|shard| ShardInfo {
            id: shard.id,
            parents: shard.parents,
            closed: shard.closed,
        });
        Ok(shards.collect())
    }

    fn read_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        at_most_records: usize,
        at_most_bytes: usize,
    ) -> Result<Vec<Record>, AwsError> {
        Self::read_after(self, stream, shard, after, at_most_records, at_most_bytes)
    }

    fn poll_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        at_most_records: usize,
        at_most_bytes: usize,
    ) -> Result<Vec<Record>, AwsError> {
        Self::poll_after(self, stream, shard, after, at_most_records, at_most_bytes)
    }

    fn changes(&self, stream: &str) -> Result<watch::Receiver<u64>, AwsError> {
        Self::changes(self, stream)
    }

    fn latest(&self, stream: &str, shard: &ShardId) -> Result<Option<SequenceNumber>, AwsError> {
        Self::latest(self, stream, shard)
    }

    fn before_time(
        &self,
        stream: &str,
        shard: &ShardId,
        millis: u64,
    ) -> Result<Option<SequenceNumber>, AwsError> {
        Self::before_time(self, stream, shard, millis)
    }

    fn retention(&self, stream: &str) -> Result<Duration, AwsError> {
        Self::retention(self, stream)
    }
}

#[async_trait]
impl QueueSource for Sqs {
    async fn receive(&self, queue: &str, max: usize) -> Result<Vec<Message>, AwsError> {
        let messages = Self::receive(self, queue, max, Duration::ZERO).await?;
        Ok(messages.into_iter().map(message).collect())
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), AwsError> {
        Self::delete(self, queue, receipts)
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipts: &[String],
        seconds: u32,
    ) -> Result<(), AwsError> {
        Self::change_visibility(self, queue, receipts, seconds.into())
    }

    fn changes(&self, queue: &str) -> Result<watch::Receiver<u64>, AwsError> {
        Self::changes(self, queue)
    }
}

fn message(message: sqs::Message) -> Message {
    let md5_of_message_attributes = message.md5_of_message_attributes();
    Message {
        md5_of_body: message.md5_of_body(),
        md5_of_message_attributes,
        message_attributes: message.shown_attributes(),
        id: message.id,
        receipt: message.receipt,
        body: message.body,
        attributes: message.attributes,
    }
}
