//! The function at its boundary: tasks in, what was done out, over tables and a log in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use consumer::{ParkedWhat, Reason};
use event_store::{EventStore, Handled, StreamReader};
use events::{Catalogue, Command, CommandId, IdCorrelacion, IdReserva, SagaMode};
use futures::{FutureExt, executor::block_on};
use lambda_kit::metrics::Metrics;
use lambda_runtime::Diagnostic;
use ports::{
    Consistency, IndexPage, IndexQuery, Item, Key, Log, LogError, Objects, ScanPage,
    SequenceNumber, TableError, TableName, Tables, TransactError, World, Write, WriteError,
    memory::{ManualClock, MemoryLog, MemoryObjects, MemoryTables, world},
};
use projections::{Projector, Redriven};
use serde_json::{Value, json};
use timers::{App, Done, Task, TaskFailed};
use vuelos::Vuelos;

const TASK: &str = include_str!("../events/barrido.json");
const SAMPLE: &str = include_str!("../../../shared/vuelos/tests/data/crear_reserva.json");

/// A log that takes nothing of some reservations.
struct Failing {
    log: MemoryLog,
    refused: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Log for Failing {
    async fn append(
        &self,
        partition_key: &str,
        data: &[u8],
        after: Option<&SequenceNumber>,
    ) -> Result<SequenceNumber, LogError> {
        if self.refused.lock().unwrap().contains(partition_key) {
            return Err(LogError::Unavailable("throttled".into()));
        }
        self.log.append(partition_key, data, after).await
    }
}

struct Fixture {
    log: Arc<Failing>,
    clock: Arc<ManualClock>,
    world: World,
    objects: Arc<MemoryObjects>,
    metrics: Arc<Mutex<Vec<Value>>>,
    app: App,
}

impl Fixture {
    fn new() -> Self {
        Self::over(Arc::new(MemoryTables::new()))
    }

    fn over(tables: Arc<dyn Tables>) -> Self {
        let (world, clock) = world(1);
        let log = Arc::new(Failing {
            log: MemoryLog::new(2, world.clock.clone()),
            refused: Mutex::default(),
        });
        let store = EventStore::new(
            tables.clone(),
            log.clone(),
            world.clone(),
            Catalogue::current(),
        );
        let reader = StreamReader::new(tables.clone(), Catalogue::current());
        let views = projections::registry();
        let objects = Arc::new(MemoryObjects::new());
        let metrics: Arc<Mutex<Vec<Value>>> = Arc::default();
        let app = App {
            store,
            projector: Projector::new(tables.clone(), reader, world.clone(), views),
            tables,
            world: world.clone(),
            stack: "aeroalpes".into(),
            metrics: Metrics::new("aeroalpes".into(), {
                let metrics = metrics.clone();
                move |line| metrics.lock().unwrap().push(line.clone())
            }),
            undelivered: objects.clone(),
        };
        Self {
            log,
            clock,
            world,
            objects,
            metrics,
            app,
        }
    }

    /// Makes a reservation whose event is committed, and not in the log.
    fn pending(&self) -> String {
        let id = IdReserva(self.world.ids.fresh());
        self.refuse(&id.to_string(), true);
        let command = Command {
            id: CommandId(self.world.ids.fresh()),
            kind: vuelos::CREAR_RESERVA.into(),
            subject: id,
            correlationid: IdCorrelacion(self.world.ids.fresh()),
            causationid: None,
            prueba: false,
            sagamode: SagaMode::Orquestacion,
            traceparent: None,
            data: serde_json::from_str(SAMPLE).unwrap(),
        };
        let handled = block_on(self.app.store.handle(&Vuelos, &command)).unwrap();
        assert!(
            matches!(
                handled,
                Handled::Committed {
                    appended: false,
                    ..
                }
            ),
            "{handled:?}"
        );
        self.refuse(&id.to_string(), false);
        id.to_string()
    }

    fn refuse(&self, id: &str, refuse: bool) {
        let mut refused = self.log.refused.lock().unwrap();
        if refuse {
            refused.insert(id.to_owned());
        } else {
            refused.remove(id);
        }
    }

    fn handle(&self, task: &str) -> Result<Done, TaskFailed> {
        let task: Task = serde_json::from_str(task).unwrap();
        block_on(self.app.handle(task))
    }

    fn logged(&self) -> BTreeSet<String> {
        let records = self.log.log.records();
        records
            .into_iter()
            .map(|record| record.partition_key)
            .collect()
    }
}

fn done(encontrados: usize, publicados: usize, fallidos: usize, since: Option<&str>) -> Done {
    Done::Barrido {
        encontrados,
        publicados,
        fallidos,
        mas_antiguo: since.map(str::to_owned),
    }
}

#[test]
fn what_was_committed_and_not_published_is_published() {
    let fixture = Fixture::new();
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, 0, None));
    let first = fixture.pending();
    fixture.clock.advance(Duration::from_millis(250));
    let second = fixture.pending();
    assert!(fixture.logged().is_empty());

    // Whoever committed it is most likely publishing it right now.
    fixture.clock.advance(Duration::from_secs(9));
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, 0, None));

    fixture.clock.advance(Duration::from_millis(1_001));
    let since = Some("2026-01-31T10:00:00.000Z");
    assert_eq!(fixture.handle(TASK).unwrap(), done(2, 2, 0, since));
    assert_eq!(fixture.logged(), BTreeSet::from([first, second]));
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, 0, None));
    assert_eq!(fixture.log.log.records().len(), 2);
}

#[test]
fn the_age_can_be_said() {
    let fixture = Fixture::new();
    fixture.pending();
    fixture.clock.advance(Duration::from_secs(20));
    let swept = |seconds: u64| {
        let task = json!({"tarea": "barrido", "antiguedad_segundos": seconds});
        let done = fixture.handle(&task.to_string()).unwrap();
        let Done::Barrido { publicados, .. } = done else {
            panic!("{done:?}")
        };
        publicados
    };
    assert_eq!(swept(21), 0);
    assert_eq!(swept(19), 1);
}

#[test]
fn one_that_cannot_be_published_is_counted_and_holds_up_no_other() {
    let fixture = Fixture::new();
    let ids = [(); 5].map(|()| fixture.pending());
    fixture.refuse(&ids[2], true);
    fixture.clock.advance(Duration::from_secs(11));
    let since = Some("2026-01-31T10:00:00.000Z");
    assert_eq!(fixture.handle(TASK).unwrap(), done(5, 4, 1, since));
    let told = fixture.metrics.lock().unwrap().last().cloned().unwrap();
    let told = ["SweeperWaiting", "SweeperFailed", "SweeperAge"].map(|name| told[name].clone());
    assert_eq!(told, [json!(5), json!(1), json!(11)]);
    assert_eq!(fixture.logged().len(), 4);
    assert_eq!(fixture.handle(TASK).unwrap(), done(1, 0, 1, since));
    fixture.refuse(&ids[2], false);
    assert_eq!(fixture.handle(TASK).unwrap(), done(1, 1, 0, since));
    assert_eq!(fixture.logged(), BTreeSet::from(ids));
}

#[test]
fn more_than_one_page_is_swept_in_one_run() {
    let fixture = Fixture::new();
    // More than a page of each of the sixteen buckets, all of one moment.
    let count = 16 * 100 + 160;
    for _ in 0..count {
        fixture.pending();
    }
    fixture.clock.advance(Duration::from_secs(11));
    let since = Some("2026-01-31T10:00:00.000Z");
    assert_eq!(fixture.handle(TASK).unwrap(), done(count, count, 0, since));
    assert_eq!(fixture.logged().len(), count);
}

/// Tables that do not answer.
struct Down;

#[async_trait]
impl Tables for Down {
    async fn get(&self, _: &[Key], _: Consistency) -> Result<Vec<Option<Item>>, TableError> {
        Err(TableError::Unavailable("down".into()))
    }

    async fn write(&self, _: &Write) -> Result<(), WriteError> {
        Err(TableError::Unavailable("down".into()).into())
    }

    async fn transact(&self, _: &[Write]) -> Result<(), TransactError> {
        Err(TableError::Unavailable("down".into()).into())
    }

    async fn query(&self, _: &IndexQuery) -> Result<IndexPage, TableError> {
        Err(TableError::Unavailable("down".into()))
    }

    async fn list(
        &self,
        _: TableName,
        _: &str,
        _: Option<&Key>,
        _: usize,
    ) -> Result<ScanPage, TableError> {
        Err(TableError::Unavailable("down".into()))
    }

    async fn scan(&self, _: TableName, _: Option<&Key>) -> Result<ScanPage, TableError> {
        Err(TableError::Unavailable("down".into()))
    }
}

#[test]
fn an_index_that_cannot_be_read_fails_the_run() {
    let error = Fixture::over(Arc::new(Down)).handle(TASK).unwrap_err();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, "TaskFailed");
    assert!(diagnostic.error_message.contains("down"));
}

#[test]
fn what_is_no_task_is_not_taken_for_one() {
    for text in [
        "{}",
        r#"{"tarea": "otra"}"#,
        r#"{"tarea": "barrido", "antiguedad": 1}"#,
        r#"{"tarea": "barrido", "antiguedad_segundos": -1}"#,
        r#"{"Records": []}"#,
    ] {
        assert!(serde_json::from_str::<Task>(text).is_err(), "{text}");
    }
    let told = serde_json::to_value(done(0, 0, 0, None)).unwrap();
    let expected: Value = json!({
        "tarea": "barrido", "encontrados": 0, "publicados": 0, "fallidos": 0, "mas_antiguo": null,
    });
    assert_eq!(told, expected);
}

/// What Lambda writes to the bucket when it gives a batch up.
fn given_up(function: &str) -> String {
    let batch = include_str!("../../projector/events/lote.json");
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

const PARKING_TASK: &str = include_str!("../events/estacionados.json");

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
    let told =
        |fixture: &Fixture| fixture.metrics.lock().unwrap().last().unwrap()["Parked"].clone();
    assert_eq!(told(&fixture), 3);
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(0, 0));
    assert_eq!(told(&fixture), 3);
    let parked = block_on(fixture.app.projector.parking().list()).unwrap();
    assert_eq!(parked[0].reason, Reason::Undelivered);
    assert!(
        !parked[0].is_due(&Catalogue::current()),
        "tried once, and not again"
    );
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

    async fn list(
        &self,
        table: TableName,
        pk: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ScanPage, TableError> {
        self.0.list(table, pk, after, limit).await
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
            if let Some(outcome) = projector
                .consumer("projector")
                .consume(&records)
                .now_or_never()
            {
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
    let rows = tables.all(projections::TABLE);
    assert_eq!(rows.len(), 63, "all but one are in the view");

    // The timers take it in, try it once, and die of it as well; but not again.
    let reader = StreamReader::new(mapping.tables.clone(), Catalogue::current());
    let world = fixture.world.clone();
    let doomed = Projector::new(mapping.tables, reader, world, projections::registry());
    let healthy = std::mem::replace(&mut fixture.app.projector, doomed);
    let task = serde_json::from_str(PARKING_TASK).unwrap();
    assert!(fixture.app.handle(task).now_or_never().is_none());
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
    assert_eq!(tables.all(projections::TABLE).len(), 64);
}
