//! The log on Kinesis.

use std::{fmt::Debug, time::Duration};

use alpes_ports::{
    Log, LogBatch, LogError, LogReader, LogRecord, NewRecord, Position, SequenceNumber,
};
use async_trait::async_trait;
use aws_sdk_kinesis::{
    Client,
    error::SdkError,
    primitives::Blob,
    types::ShardIteratorType::{self, AfterSequenceNumber, Latest, TrimHorizon},
};

use crate::{
    error::{OF_KINESIS, ServiceError, sorted},
    time::timestamp,
};

/// The number of retries of a read, besides the SDK's own retries.
const READ_ATTEMPTS: u32 = 10;
const READ_PAUSE: Duration = Duration::from_millis(500);

/// Appends records to a Kinesis data stream.
pub struct KinesisLog {
    client: Client,
    stream: String,
}

impl KinesisLog {
    /// A log that appends to the Kinesis stream named `stream`.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, stream: String) -> Self {
        Self {
            client: Client::new(config),
            stream,
        }
    }
}

fn log_error<E: ServiceError, R: Debug>(error: &SdkError<E, R>) -> LogError {
    sorted(error, OF_KINESIS, LogError::Refused, LogError::Unavailable)
}

#[async_trait]
impl Log for KinesisLog {
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        let put = self
            .client
            .put_record()
            .stream_name(&self.stream)
            .partition_key(record.partition_key);
        let put = put.data(Blob::new(record.data));
        let after = record.after.map(|after| after.0.clone());
        let put = put.set_sequence_number_for_ordering(after);
        let output = put.send().await.map_err(|error| log_error(&error))?;
        Ok(SequenceNumber(output.sequence_number))
    }
}

/// Reads a Kinesis data stream directly, without an event source mapping.
pub struct KinesisReader {
    client: Client,
    stream: String,
}

impl KinesisReader {
    /// A reader of the Kinesis stream named `stream`.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, stream: String) -> Self {
        Self {
            client: Client::new(config),
            stream,
        }
    }

    async fn iterator(
        &self,
        shard: &str,
        kind: ShardIteratorType,
        sequence: Option<&String>,
    ) -> Result<String, LogError> {
        let get = self
            .client
            .get_shard_iterator()
            .stream_name(&self.stream)
            .shard_id(shard)
            .shard_iterator_type(kind)
            .set_starting_sequence_number(sequence.cloned());
        let output = get.send().await.map_err(|error| log_error(&error))?;
        Ok(output.shard_iterator.unwrap_or_default())
    }

    /// The retention of the Kinesis stream, in hours.
    ///
    /// # Errors
    ///
    /// See [`LogError`].
    pub async fn retention_hours(&self) -> Result<i32, LogError> {
        let output = self
            .client
            .describe_stream_summary()
            .stream_name(&self.stream)
            .send()
            .await;
        let summary = output
            .map_err(|error| log_error(&error))?
            .stream_description_summary;
        Ok(summary.map_or(0, |summary| summary.retention_period_hours))
    }

    /// Extends the retention of the Kinesis stream to this number of hours. The number must be greater than the present
    /// one.
    ///
    /// # Errors
    ///
    /// See [`LogError`].
    pub async fn extend_retention(&self, hours: i32) -> Result<(), LogError> {
        let increase = self
            .client
            .increase_stream_retention_period()
            .stream_name(&self.stream);
        increase
            .retention_period_hours(hours)
            .send()
            .await
            .map_err(|error| log_error(&error))?;
        Ok(())
    }
}

#[async_trait]
impl LogReader for KinesisReader {
    async fn shards(&self) -> Result<Vec<String>, LogError> {
        let (mut found, mut next): (Vec<String>, _) = (vec![], None);
        loop {
            let list = match next.take() {
                // A page token already names the Kinesis stream, and AWS accepts only one of the two parameters.
                Some(token) => self.client.list_shards().next_token(token),
                None => self.client.list_shards().stream_name(&self.stream),
            };
            let output = list.send().await.map_err(|error| log_error(&error))?;
            // Shards are listed by id, and a child's id is greater than its parent's.
            found.extend(
                output
                    .shards
                    .unwrap_or_default()
                    .into_iter()
                    .map(|shard| shard.shard_id),
            );
            next = output.next_token;
            if next.is_none() {
                found.sort_unstable();
                return Ok(found);
            }
        }
    }

    async fn read(&self, shard: &str, from: &Position) -> Result<LogBatch, LogError> {
        let iterator = match from {
            Position::Cursor(cursor) => cursor.clone(),
            Position::Oldest => self.iterator(shard, TrimHorizon, None).await?,
            Position::Newest => self.iterator(shard, Latest, None).await?,
            Position::After(SequenceNumber(sequence)) => {
                self.iterator(shard, AfterSequenceNumber, Some(sequence))
                    .await?
            }
        };
        let mut attempts = 0;
        let output = loop {
            let get = self.client.get_records().shard_iterator(&iterator);
            match get.send().await.map_err(|error| log_error(&error)) {
                Ok(output) => break output,
                // A shard allows five reads a second for all readers together. The event source mappings need these
                // reads more than this reader does, so this reader waits.
                Err(LogError::Unavailable(_)) if attempts < READ_ATTEMPTS => {
                    attempts += 1;
                    tokio::time::sleep(READ_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        };
        let records: Vec<_> = output
            .records
            .into_iter()
            .map(|record| LogRecord {
                shard: shard.to_owned(),
                sequence: SequenceNumber(record.sequence_number),
                partition_key: record.partition_key.unwrap_or_default(),
                data: record.data.into_inner(),
                arrived: timestamp(record.approximate_arrival_timestamp.as_ref()),
            })
            .collect();
        let next = output.next_shard_iterator.map(Position::Cursor);
        // Some emulators omit `millis_behind_latest`. Then a read without records counts as having reached the tip.
        let at_tip = output
            .millis_behind_latest
            .map_or(records.is_empty(), |behind| behind == 0);
        Ok(LogBatch {
            records,
            next,
            at_tip,
        })
    }
}
