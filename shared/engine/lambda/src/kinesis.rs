//! Batches from a Lambda event source mapping on Kinesis.

use alpes_consumer::Outcome;
use alpes_ports::{LogRecord, SequenceNumber};
use aws_lambda_events::{
    kinesis::{KinesisEvent, KinesisEventRecord},
    streams::KinesisEventResponse,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// The answer to the runtime. If a record failed, the answer names this record, and the runtime delivers the batch
/// again from there.
#[must_use]
pub fn respond(outcome: Outcome) -> KinesisEventResponse {
    tracing::info!(
        records = outcome.records,
        parked = outcome.parked,
        failed = outcome.failed.as_ref().map(|(sequence, _)| &*sequence.0),
        "batch consumed"
    );
    let mut response = KinesisEventResponse::default();
    if let Some((SequenceNumber(sequence), cause)) = outcome.failed {
        tracing::warn!(
            sequence,
            cause,
            "the batch must be delivered again from this record"
        );
        response.add_failure(sequence);
    }
    response
}

/// The records of a batch, in the form that all readers of the log use.
#[must_use]
pub fn records(event: KinesisEvent) -> Vec<LogRecord> {
    event.records.into_iter().map(record).collect()
}

/// A batch of records, in the form in which an event source mapping delivers it to a function.
#[must_use]
pub fn batch_of(records: &[LogRecord]) -> Value {
    let records = records.iter().map(|record| {
        let SequenceNumber(sequence) = &record.sequence;
        json!({
            "eventID": format!("{}:{sequence}", record.shard),
            "eventName": "aws:kinesis:record",
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "kinesis": {
                "approximateArrivalTimestamp": record.arrived.as_second(),
                "data": STANDARD.encode(&record.data),
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record.partition_key,
                "sequenceNumber": sequence,
            },
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

fn record(record: KinesisEventRecord) -> LogRecord {
    // An event id is the shard id and the sequence number, joined by a colon.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_is_made_is_read_as_one_that_is_delivered() {
        let record = LogRecord {
            shard: "shardId-000000000001".into(),
            sequence: SequenceNumber(
                "49590338271490256608559692538361571095921575989136588898".into(),
            ),
            partition_key: "ñ".into(),
            data: vec![0, 255, 254],
            arrived: jiff::Timestamp::from_second(1_769_853_600).unwrap(),
        };
        let another = LogRecord {
            data: vec![],
            ..record.clone()
        };
        let both = [record, another];
        let event = serde_json::from_value(batch_of(&both)).unwrap();
        assert_eq!(records(event), both);
    }
}
