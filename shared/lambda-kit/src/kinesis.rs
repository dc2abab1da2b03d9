//! Batches of an event source mapping on Kinesis.

use aws_lambda_events::kinesis::{KinesisEvent, KinesisEventRecord};
use ports::{LogRecord, SequenceNumber};

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
