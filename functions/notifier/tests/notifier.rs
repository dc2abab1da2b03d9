//! Tests of the whole function: it gets batches of Kinesis, and publishes notices and parks records in memory.

#![cfg(test)]

use std::sync::Arc;

use alpes_consumer::{Parked, Parking, Reason};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::executor::block_on;
use notices::NOTIFIER;
use notifier::App;
use serde_json::{Value, json};
use simulation::{Fault, Faults};
use twins::{MemoryTables, MemoryTopic, Ports, world};
use wiring::Wiring;

const BATCH: &str = include_str!("../events/lote_con_ilegible.json");
const PLAIN: &str = include_str!("../events/lote.json");

struct Fixture {
    tables: Arc<MemoryTables>,
    topic: Arc<MemoryTopic>,
    app: App,
}

impl Fixture {
    fn new(faults: &Faults) -> Self {
        let (tables, topic) = (Arc::new(MemoryTables::new()), Arc::new(MemoryTopic::new()));
        let Ok(app) = App::new(&Wiring::new(Ports {
            tables: Arc::new(faults.tables(tables.clone())),
            topic: Arc::new(faults.topic(topic.clone())),
            ..Ports::new(world(1).0)
        }));
        Self { tables, topic, app }
    }

    fn told(&self, batch: &Value) -> Value {
        let event = serde_json::from_value(batch.clone()).unwrap();
        serde_json::to_value(block_on(self.app.handle(event))).unwrap()
    }

    fn bodies(&self) -> Vec<String> {
        let published = self.topic.published().into_iter();
        published.map(|notice| notice.body).collect()
    }

    fn parked(&self) -> Vec<Parked> {
        let clock = world(1).0.clock;
        let parking = Parking::new(self.tables.clone(), clock, &events::catalogue());
        block_on(parking.list()).unwrap()
    }
}

fn batch() -> Value {
    serde_json::from_str(BATCH).unwrap()
}

/// The text of a record of the sample.
fn text(place: usize) -> String {
    let data = batch()["Records"][place]["kinesis"]["data"].clone();
    let data = STANDARD.decode(data.as_str().unwrap()).unwrap();
    String::from_utf8(data).unwrap()
}

fn sequence(place: usize) -> Value {
    batch()["Records"][place]["kinesis"]["sequenceNumber"].clone()
}

fn all_taken() -> Value {
    json!({"batchItemFailures": []})
}

#[test]
fn a_sample_of_events_alone_is_announced_and_parks_nothing() {
    let fixture = Fixture::new(&Faults::none());
    let plain = serde_json::from_str(PLAIN).unwrap();
    assert_eq!(fixture.told(&plain), all_taken());
    assert_eq!(fixture.bodies(), [text(2), text(3)]);
    assert_eq!(fixture.parked(), []);
}

#[test]
fn the_sample_batch_is_announced_but_for_what_is_no_event() {
    let fixture = Fixture::new(&Faults::none());
    // The second delivery of the batch is a redelivery.
    for _ in 0..2 {
        assert_eq!(fixture.told(&batch()), all_taken());
        assert_eq!(fixture.bodies(), [text(2), text(3)]);
        let parked = fixture.parked();
        assert_eq!(parked.len(), 1);
        assert_eq!(
            (&*parked[0].owner, parked[0].reason),
            (NOTIFIER.0, Reason::Undecodable)
        );
    }
}

#[test]
fn what_could_not_be_announced_comes_again() {
    // Effect 0 parks the record that is no event, effect 1 reads the table, and effect 2 publishes the first
    // message.
    let faults = Faults::once(2, Fault::FailBefore);
    let fixture = Fixture::new(&faults);
    let failures = json!({"batchItemFailures": [{"itemIdentifier": sequence(2)}]});
    assert_eq!(fixture.told(&batch()), failures);
    assert_eq!(fixture.bodies(), [text(3)]);
    assert_eq!(fixture.told(&batch()), all_taken());
    assert_eq!(fixture.bodies(), [text(3), text(2)]);
}

#[test]
fn an_empty_batch_is_nothing() {
    let faults = Faults::none();
    let fixture = Fixture::new(&faults);
    assert_eq!(fixture.told(&json!({"Records": []})), all_taken());
    assert_eq!(faults.count(), 0);
}
