//! Tests of the whole function: it gets batches of Kinesis, and writes rows and parks records, with tables in memory.

#![cfg(test)]

use std::sync::{Arc, Mutex};

use alpes_consumer::{Parked, ParkedWhat, Parking, Reason};
use alpes_ports::{
    Consistency, Found, IndexPage, IndexQuery, Key, ScanPage, SequenceNumber, TableError,
    TableName, Tables, TransactError, Write, WriteError,
};
use alpes_projections::{CONSUMER, Generations};
use async_trait::async_trait;
use aws_lambda_events::kinesis::KinesisEvent;
use base64::{Engine, engine::general_purpose::STANDARD};
use events::{IdReserva, vuelos::EstadoReserva};
use futures::executor::block_on;
use projector::App;
use serde_json::{Value, json};
use twins::{MemoryTables, Ports, world};
use uuid::Uuid;
use views::reservas;
use wiring::Wiring;

const BATCH: &str = include_str!("../events/lote_con_ilegible.json");
const PLAIN: &str = include_str!("../events/lote.json");
const CREATED: &str =
    include_str!("../../../shared/airline/events/samples/vuelos/ReservaCreada.v2.json");
const ID: &str = "019c1350-4b80-7a11-8c01-5d6e7f8091a2";

/// Tables in memory that refuse writes to some keys.
#[derive(Default)]
struct Failing {
    tables: MemoryTables,
    /// Writes to keys that contain this text fail.
    broken: Mutex<Option<String>>,
}

impl Failing {
    fn break_writes(&self, part: Option<String>) {
        *self.broken.lock().unwrap() = part;
    }

    fn check(&self, write: &Write) -> Result<(), TableError> {
        match &*self.broken.lock().unwrap() {
            Some(part) if write.key().pk.contains(part) => {
                Err(TableError::Unavailable("throttled".into()))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Tables for Failing {
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        self.tables.get(keys, consistency).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.check(write)?;
        self.tables.write(write).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        for write in writes {
            self.check(write)?;
        }
        self.tables.transact(writes).await
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.tables.query(query).await
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.tables.scan(table, after).await
    }
}

struct Fixture {
    tables: Arc<Failing>,
    world: alpes_ports::World,
    app: App,
}

impl Fixture {
    fn new() -> Self {
        let (world, _) = world(1);
        let tables = Arc::new(Failing::default());
        let app = App::new(&Wiring::new(Ports {
            tables: tables.clone(),
            ..Ports::new(world.clone())
        }));
        Self { tables, world, app }
    }

    /// The function's answer to the runtime.
    fn told(&self, batch: &Value) -> Value {
        let event: KinesisEvent = serde_json::from_value(batch.clone()).unwrap();
        serde_json::to_value(block_on(self.app.handle(event))).unwrap()
    }

    fn estado(&self, id: IdReserva) -> Option<EstadoReserva> {
        let generations = Generations::new(self.tables.clone(), self.world.clock.clone());
        let generation = block_on(generations.live(reservas::NAME)).unwrap();
        let fila = block_on(reservas::one(&*self.tables, &generation, id)).unwrap();
        fila.and_then(|fila| fila.estado)
    }

    fn parked(&self) -> Vec<Parked> {
        let parking = Parking::new(
            self.tables.clone(),
            self.world.clock.clone(),
            &events::catalogue(),
        );
        block_on(parking.list()).unwrap()
    }
}

fn batch() -> Value {
    serde_json::from_str(BATCH).unwrap()
}

fn nth(number: u128) -> IdReserva {
    IdReserva(Uuid::from_u128(number))
}

fn sequence(number: u128) -> String {
    format!("49671234567890123456789012345678901234567890123456789{number:03}")
}

/// A record with the `ReservaCreada` of the reservation with this number.
fn made(number: u128) -> Value {
    let id = nth(number).to_string();
    record(number, &id, CREATED.replace(ID, &id).as_bytes())
}

fn record(number: u128, partition_key: &str, data: &[u8]) -> Value {
    let sequence = sequence(number);
    json!({
        "eventID": format!("shardId-000000000001:{sequence}"),
        "kinesis": {
            "partitionKey": partition_key,
            "sequenceNumber": sequence,
            "data": STANDARD.encode(data),
            "approximateArrivalTimestamp": 1_769_853_600.5,
        },
    })
}

fn records(records: impl IntoIterator<Item = Value>) -> Value {
    json!({"Records": records.into_iter().collect::<Vec<_>>()})
}

#[test]
fn a_sample_of_events_alone_is_applied_and_parks_nothing() {
    let fixture = Fixture::new();
    let plain = serde_json::from_str(PLAIN).unwrap();
    assert_eq!(fixture.told(&plain), json!({"batchItemFailures": []}));
    let estado = fixture.estado(ID.parse().unwrap());
    assert_eq!(estado, Some(EstadoReserva::Aprobada));
    assert_eq!(fixture.parked(), []);
}

#[test]
fn the_sample_batch_is_applied_but_for_what_is_no_event() {
    let fixture = Fixture::new();
    // The second delivery of the batch is a redelivery.
    for _ in 0..2 {
        assert_eq!(fixture.told(&batch()), json!({"batchItemFailures": []}));
        assert_eq!(
            fixture.estado(ID.parse().unwrap()),
            Some(EstadoReserva::Aprobada)
        );
        let parked = fixture.parked();
        assert_eq!(parked.len(), 1);
        assert_eq!(parked[0].owner, CONSUMER);
        assert_eq!(parked[0].reason, Reason::Undecodable);
        assert_eq!(
            parked[0].what,
            ParkedWhat::Record {
                shard: "shardId-000000000000".into(),
                sequence: SequenceNumber(sequence(2)),
                partition_key: "cualquiera".into(),
            }
        );
        let parking = Parking::new(
            fixture.tables.clone(),
            fixture.world.clock.clone(),
            &events::catalogue(),
        );
        let data = block_on(parking.data(&parked[0])).unwrap();
        assert_eq!(data.unwrap(), b"esto no es un evento");
    }
}

#[test]
fn an_event_of_an_unknown_type_waits_for_a_build_that_knows_it() {
    let fixture = Fixture::new();
    let newer = CREATED.replace("ReservaCreada", "ReservaTransferida");
    let batch = records([made(1), record(2, ID, newer.as_bytes()), made(3)]);
    assert_eq!(fixture.told(&batch), json!({"batchItemFailures": []}));
    let reasons: Vec<_> = fixture
        .parked()
        .iter()
        .map(|parked| parked.reason)
        .collect();
    assert_eq!(reasons, [Reason::UnknownType]);
    assert_eq!(fixture.estado(nth(3)), Some(EstadoReserva::Pendiente));
}

#[test]
fn a_partial_response_names_the_first_record_that_failed() {
    let fixture = Fixture::new();
    // Groups are processed in the order of their ids, so the first group to fail is not the first in the batch.
    let batch = records([made(9), made(7), made(2), made(8)]);
    fixture.tables.break_writes(Some("00000000000".into()));
    assert_eq!(
        fixture.told(&batch),
        json!({"batchItemFailures": [{"itemIdentifier": sequence(9)}]})
    );
    fixture.tables.break_writes(Some(nth(7).to_string()));
    assert_eq!(
        fixture.told(&batch),
        json!({"batchItemFailures": [{"itemIdentifier": sequence(7)}]})
    );
    assert_eq!(fixture.estado(nth(7)), None);
    assert_eq!(fixture.estado(nth(2)), Some(EstadoReserva::Pendiente));

    // The runtime redelivers the batch from the first record that failed.
    fixture.tables.break_writes(None);
    let rest = records([made(7), made(2), made(8)]);
    assert_eq!(fixture.told(&rest), json!({"batchItemFailures": []}));
    for number in [9, 7, 2, 8] {
        assert_eq!(fixture.estado(nth(number)), Some(EstadoReserva::Pendiente));
    }
    assert!(fixture.parked().is_empty());
}

#[test]
fn a_record_that_cannot_be_parked_is_delivered_again() {
    let fixture = Fixture::new();
    fixture.tables.break_writes(Some(CONSUMER.into()));
    let batch = records([made(1), record(2, "x", b"?"), made(3)]);
    assert_eq!(
        fixture.told(&batch),
        json!({"batchItemFailures": [{"itemIdentifier": sequence(2)}]})
    );
    fixture.tables.break_writes(None);
    assert_eq!(fixture.told(&batch), json!({"batchItemFailures": []}));
    assert_eq!(fixture.parked().len(), 1);
}

#[test]
fn an_empty_batch_is_nothing() {
    let fixture = Fixture::new();
    assert_eq!(fixture.told(&records([])), json!({"batchItemFailures": []}));
}
