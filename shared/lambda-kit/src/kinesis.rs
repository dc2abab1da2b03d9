//! Batches of an event source mapping on Kinesis.

use aws_lambda_events::{
    kinesis::{KinesisEvent, KinesisEventRecord},
    streams::KinesisEventResponse,
};
use consumer::Outcome;
use lambda_runtime::Diagnostic;
use ports::{LogRecord, SequenceNumber};
use thiserror::Error;

/// The batch must be delivered again, from a record on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("record {sequence} could not be handled now: {cause}")]
pub struct RetryBatch {
    /// The first record that was not handled.
    pub sequence: String,
    /// Why.
    pub cause: String,
}

impl From<RetryBatch> for Diagnostic {
    fn from(error: RetryBatch) -> Self {
        Self {
            error_type: "RetryBatch".into(),
            error_message: error.to_string(),
        }
    }
}

/// What the runtime is told of a batch: where to deliver it again from, if anywhere.
///
/// # Errors
///
/// [`RetryBatch`] if something must be delivered again and the runtime does not honour a partial batch response.
pub fn respond(outcome: Outcome, partial_batch: bool) -> Result<KinesisEventResponse, RetryBatch> {
    tracing::info!(
        records = outcome.records,
        parked = outcome.parked,
        failed = outcome.failed.as_ref().map(|(sequence, _)| &*sequence.0),
        "batch consumed"
    );
    let mut response = KinesisEventResponse::default();
    if let Some((SequenceNumber(sequence), cause)) = outcome.failed {
        if !partial_batch {
            return Err(RetryBatch { sequence, cause });
        }
        tracing::warn!(
            sequence,
            cause,
            "the batch is to be delivered again from here"
        );
        response.add_failure(sequence);
    }
    Ok(response)
}

/// The records of a batch, as the log's other readers see them.
#[must_use]
pub fn records(event: KinesisEvent) -> Vec<LogRecord> {
    event.records.into_iter().map(record).collect()
}

fn record(record: KinesisEventRecord) -> LogRecord {
    // An event id is the shard's and the sequence number, joined by a colon.
    let shard = record
        .event_id
        .as_deref()
        .and_then(|id| id.split_once(':'))
        .map_or("", |(shard, _)| shard);
    let arrived = record
        .kinesis
        .approximate_arrival_timestamp
        .0
        .timestamp_millis();
    LogRecord {
        shard: shard.to_owned(),
        sequence: SequenceNumber(record.kinesis.sequence_number),
        partition_key: record.kinesis.partition_key,
        data: record.kinesis.data.0,
        arrived: jiff::Timestamp::from_millisecond(arrived).unwrap_or_default(),
    }
}
