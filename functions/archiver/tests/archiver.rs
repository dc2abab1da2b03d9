//! Tests of the whole function: it gets batches of Kinesis, and stores objects in memory.

#![cfg(test)]

use std::sync::Arc;

use alpes_archive::Archive;
use alpes_ports::{KeyRange, LogRecord, Objects};
use archiver::App;
use aws_lambda_events::kinesis::KinesisEvent;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::executor::block_on;
use serde_json::{Value, json};
use simulation::{Fault, Faults};
use twins::{MemoryObjects, Ports, world};
use wiring::Wiring;

const BATCH: &str = include_str!("../events/lote.json");
const SHARD: &str = "shardId-000000000001";
/// 2026-01-31 at midnight, in seconds since 1970.
const MIDNIGHT: f64 = 1_769_904_000.0;

struct Fixture {
    objects: Arc<MemoryObjects>,
}

impl Fixture {
    fn new() -> Self {
        Self {
            objects: Arc::new(MemoryObjects::new()),
        }
    }

    /// The function's answer to the runtime.
    fn told(&self, batch: &Value, faults: &Faults) -> Value {
        let event: KinesisEvent = serde_json::from_value(batch.clone()).unwrap();
        let Ok(app) = App::new(&Wiring::new(Ports {
            archive: Arc::new(faults.objects(self.objects.clone())),
            ..Ports::new(world(1).0)
        }));
        serde_json::to_value(block_on(app.handle(event))).unwrap()
    }

    fn archived(&self) -> Vec<LogRecord> {
        let archive = Archive::new(self.objects.clone());
        block_on(archive.page(None, 100)).unwrap().records
    }

    fn keys(&self) -> Vec<String> {
        block_on(self.objects.list(KeyRange::new("", 100))).unwrap()
    }
}

fn batch() -> Value {
    serde_json::from_str(BATCH).unwrap()
}

fn sequence(number: u32) -> String {
    format!("49671234567890123456789012345678901234567890123456789{number:03}")
}

/// Makes records that arrived these numbers of seconds after [`MIDNIGHT`].
fn records(arrivals: &[f64]) -> Value {
    let record = |(number, seconds): (u32, &f64)| {
        let sequence = sequence(number);
        json!({
            "eventID": format!("{SHARD}:{sequence}"),
            "kinesis": {
                "partitionKey": "k",
                "sequenceNumber": sequence,
                "data": STANDARD.encode(format!("{{\"number\":{number}}}")),
                "approximateArrivalTimestamp": MIDNIGHT + seconds,
            },
        })
    };
    json!({ "Records": (1..).zip(arrivals).map(record).collect::<Vec<_>>() })
}

#[test]
fn the_sample_batch_is_archived_byte_for_byte_events_or_not() {
    let fixture = Fixture::new();
    // The second delivery of the batch is a redelivery.
    for _ in 0..2 {
        let told = fixture.told(&batch(), &Faults::none());
        assert_eq!(told, json!({"batchItemFailures": []}));
    }
    let ends = [1, 3].map(|number| format!("{:0>56}", sequence(number)));
    assert_eq!(
        fixture.keys(),
        [format!(
            "events/2026-01-31/shardId-000000000000/{}-{}.ndjson.gz",
            ends[0], ends[1]
        )]
    );
    let archived = fixture.archived();
    let batch = batch();
    let sent = batch["Records"].as_array().unwrap();
    assert_eq!(archived.len(), sent.len());
    for (record, sent) in archived.iter().zip(sent) {
        let sent = &sent["kinesis"];
        assert_eq!(STANDARD.encode(&record.data), sent["data"]);
        assert_eq!(record.sequence.0, sent["sequenceNumber"]);
        assert_eq!(record.partition_key, sent["partitionKey"]);
        assert_eq!(record.shard, "shardId-000000000000");
    }
    assert_eq!(archived[1].data, b"esto no es un evento");
    let arrived: jiff::Timestamp = "2026-01-31T10:00:00.512Z".parse().unwrap();
    assert_eq!(archived[2].arrived, arrived);
}

#[test]
fn a_batch_is_taken_whole_or_delivered_again_whole() {
    let batch = records(&[-2.0, -1.0, 0.0, 1.0]);
    // The records are of two days, and each day has one object. The first object is stored. The write of the second
    // object fails before or after it takes effect.
    for fault in [Fault::FailBefore, Fault::FailAfter] {
        let fixture = Fixture::new();
        assert_eq!(
            fixture.told(&batch, &Faults::once(1, fault)),
            json!({"batchItemFailures": [{"itemIdentifier": sequence(1)}]}),
        );
        let told = fixture.told(&batch, &Faults::none());
        assert_eq!(told, json!({"batchItemFailures": []}));
        assert_eq!(fixture.archived().len(), 4);
        assert_eq!(fixture.keys().len(), 2);
    }
}

#[test]
fn an_empty_batch_is_nothing() {
    let fixture = Fixture::new();
    let told = fixture.told(&records(&[]), &Faults::none());
    assert_eq!(told, json!({"batchItemFailures": []}));
    assert!(fixture.keys().is_empty());
}
