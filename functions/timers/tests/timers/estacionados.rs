//! `estacionados`: the parking lot, and what the runtime gave up delivering.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use consumer::{ParkedWhat, Reason, Redrive, Redriven};
use event_store::StreamReader;
use events::Catalogue;
use futures::{FutureExt, executor::block_on};
use notices::NOTIFIER;
use ports::{
    Consistency, FunctionName, IndexPage, IndexQuery, Item, Key, Objects, ScanPage, TableError,
    TableName, Tables, TransactError, Write, WriteError, memory::MemoryTables,
};
use projections::Projector;
use reserva_saga::ORCHESTRATOR;
use serde_json::{Value, json};
use timers::Done;

use crate::{barrido::TASK, support::Fixture};

/// What Lambda writes to the bucket when it gives a batch up.
fn given_up(function: &str) -> String {
    let batch = include_str!("../../../projector/events/lote.json");
    json!({
        "requestContext": {
            "requestId": "c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",
            "functionArn": format!("arn:aws:lambda:us-east-1:123456789012:function:{function}:$LATEST"),
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 21,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-01-31T10:00:00.000Z",
        "KinesisBatchInfo": {"shardId": "shardId-000000000001", "batchSize": 3},
        "payload": batch,
    })
    .to_string()
}

const PARKING_TASK: &str = include_str!("../../events/estacionados.json");

#[test]
fn what_the_runtime_gave_up_is_parked_and_can_be_redriven() {
    let fixture = Fixture::new();
    let put = |key: &str, text: &str| block_on(fixture.objects.put(key, text.as_bytes())).unwrap();
    let key = "aws/lambda/f6d7/shardId-000000000001/2026/01/31/2026-01-31T10.00.00-1";
    put(key, &given_up("aeroalpes-projector"));
    // LocalStack writes the batch as JSON, not as text of JSON. These records are parked already.
    let mut as_json: Value = serde_json::from_str(&given_up("aeroalpes-projector")).unwrap();
    as_json["payload"] = serde_json::from_str(as_json["payload"].as_str().unwrap()).unwrap();
    put("aws/lambda/f6d7/shardId-000000000002", &as_json.to_string());
    put(
        "aws/lambda/f6d7/other",
        &given_up("somebody-elses-function"),
    );
    put("aws/lambda/f6d7/torn", "{");
    put("not-of-lambda", "x");
    let looked = |recogidos, liberados| Done::Estacionados {
        recogidos,
        liberados,
        quedan: 1,
        ilegibles: 2,
    };
    // Two of the three records are good, and it was a bad hour that they failed in.
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(6, 2));
    assert_eq!(block_on(fixture.objects.get(key)).unwrap(), None);
    let left = block_on(fixture.objects.list("", None, 10)).unwrap();
    assert_eq!(left.len(), 3, "what cannot be read stays: {left:?}");
    assert_eq!(fixture.told(["Parked"]), [3]);
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(0, 0));
    assert_eq!(fixture.told(["Parked"]), [3]);
    let parking = fixture.app.projector.parking();
    let parked = block_on(parking.list()).unwrap();
    assert_eq!(parked[0].reason, Reason::Undelivered);
    assert!(!parking.is_due(&parked[0]), "tried once, and not again");
}

/// Tables of a process that dies as soon as it touches one reservation.
struct Deadly(Arc<MemoryTables>, String);

impl Deadly {
    async fn touch(&self, pk: &str) {
        if pk.contains(&self.1) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Tables for Deadly {
    async fn get(
        &self,
        keys: &[Key],
        consistency: Consistency,
    ) -> Result<Vec<Option<Item>>, TableError> {
        for key in keys {
            self.touch(&key.pk).await;
        }
        self.0.get(keys, consistency).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.0.write(write).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        self.0.transact(writes).await
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.0.query(query).await
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.0.scan(table, after).await
    }
}

/// What a Kinesis mapping does with a batch, as the template sets it up and AWS documents it: a batch whose function dies is split
/// in two, which uses up no retries; one record alone is tried again so often, then given up to the bucket. Counts invocations.
struct Mapping<'a> {
    tables: Arc<dyn Tables>,
    fixture: &'a Fixture,
    retries: usize,
    invocations: Mutex<usize>,
}

impl Mapping<'_> {
    fn deliver(&self, batch: &[Value]) {
        for _ in 0..=self.retries {
            *self.invocations.lock().unwrap() += 1;
            let event = serde_json::from_value(json!({ "Records": batch })).unwrap();
            let reader = StreamReader::new(self.tables.clone(), Catalogue::current());
            let world = self.fixture.world.clone();
            let views = projections::registry();
            let projector = Projector::new(self.tables.clone(), reader, world, views);
            let records = lambda_kit::kinesis::records(event);
            if let Some(outcome) = projector.consumer().consume(&records).now_or_never() {
                assert_eq!(outcome.failed, None);
                return;
            }
            if batch.len() > 1 {
                let (left, right) = batch.split_at(batch.len() / 2);
                self.deliver(left);
                self.deliver(right);
                return;
            }
        }
        let mut note: Value = serde_json::from_str(&given_up("aeroalpes-projector")).unwrap();
        note["payload"] = json!({ "Records": batch }).to_string().into();
        let key = format!("aws/lambda/f6d7/{}", self.invocations.lock().unwrap());
        block_on(self.fixture.objects.put(&key, note.to_string().as_bytes())).unwrap();
    }
}

/// How many reservations the view has.
fn listed(tables: &MemoryTables) -> usize {
    let rows = tables.all(projections::TABLE).into_iter();
    rows.filter(|(key, _)| key.pk.starts_with("reservas.1#"))
        .count()
}

#[test]
fn a_record_that_kills_the_process_ends_in_the_parking_lot() {
    let tables = Arc::new(MemoryTables::new());
    let mut fixture = Fixture::over(tables.clone());
    let ids: Vec<_> = (0..64).map(|_| fixture.pending()).collect();
    fixture.clock.advance(Duration::from_secs(11));
    fixture.handle(TASK).unwrap();
    let records = fixture.log.log.records();
    let batch: Vec<_> = records
        .iter()
        .map(|record| {
            json!({
                "eventID": format!("{}:{}", record.shard, record.sequence.0),
                "kinesis": {
                    "partitionKey": record.partition_key,
                    "sequenceNumber": record.sequence.0,
                    "data": STANDARD.encode(&record.data),
                    "approximateArrivalTimestamp": 1_769_853_600.0,
                },
            })
        })
        .collect();
    let deadly = ids[41].clone();
    let mapping = Mapping {
        tables: Arc::new(Deadly(tables.clone(), deadly.clone())),
        fixture: &fixture,
        retries: 3,
        invocations: Mutex::default(),
    };
    mapping.deliver(&batch);
    // The whole batch, two halves at each of six levels, and three retries.
    assert_eq!(*mapping.invocations.lock().unwrap(), 1 + 2 * 6 + 3);
    assert_eq!(listed(&tables), 63, "all but one are in the view");

    // The timers take it in, try it once, and die of it as well; but not again.
    let reader = StreamReader::new(mapping.tables.clone(), Catalogue::current());
    let world = fixture.world.clone();
    let doomed = Projector::new(mapping.tables, reader, world, projections::registry());
    let healthy = std::mem::replace(&mut fixture.app.projector, doomed);
    let task = serde_json::from_str(PARKING_TASK).unwrap();
    let killed = fixture.app.handle(task, fixture.deadline()).now_or_never();
    assert!(killed.is_none());
    let looked = Done::Estacionados {
        recogidos: 0,
        liberados: 0,
        quedan: 1,
        ilegibles: 0,
    };
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked);
    let parked = block_on(healthy.parking().list()).unwrap();
    assert!(matches!(
        &parked[0].what,
        ParkedWhat::Record { partition_key, .. } if *partition_key == deadly
    ));
    // A build that does not die of it.
    let redriven = block_on(healthy.redrive(&parked[0])).unwrap();
    assert_eq!(redriven, Redriven::Done);
    assert_eq!(listed(&tables), 64);
}

#[test]
fn what_a_function_did_not_take_is_handed_to_it_and_to_nobody_else() {
    for function in [ORCHESTRATOR, NOTIFIER] {
        handed_over(function);
    }
}

fn handed_over(function: FunctionName) {
    let tables = Arc::new(MemoryTables::new());
    let fixture = Fixture::over(tables.clone());
    let note = given_up(&format!("aeroalpes-{}", function.0));
    block_on(fixture.objects.put("aws/lambda/f6d7/1", note.as_bytes())).unwrap();
    let looked = |recogidos, liberados, quedan| Done::Estacionados {
        recogidos,
        liberados,
        quedan,
        ilegibles: 0,
    };
    // It does not answer yet.
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(3, 0, 3));
    let (heard, calls) = std::sync::mpsc::channel();
    fixture.functions.deploy(function, move |payload| {
        heard.send(payload).unwrap();
        async { Ok(br#"{"batchItemFailures":[]}"#.to_vec()) }
    });
    // Two of its three records are good, and are handed over one by one.
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(0, 2, 1));
    let batches = calls.try_iter().map(|payload| {
        let event = serde_json::from_slice(&payload).unwrap();
        lambda_kit::kinesis::records(event)
    });
    let batches: Vec<_> = batches.collect();
    assert!(batches.iter().all(|batch| batch.len() == 1));
    assert_eq!(batches.len(), 2);
    assert_eq!(tables.all(projections::TABLE), [], "no view is touched");
}
