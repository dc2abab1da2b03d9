//! Tests of the task `parked`: parked records, and the batches that Lambda discarded.

use std::collections::BTreeSet;
use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::time::Duration;

use alpes_consumer::{ParkedWhat, Reason, Redrive, Redriven};
use alpes_event_store::StreamReader;
use alpes_ports::{
    CallError, Consistency, Found, FunctionName, IndexPage, IndexQuery, Key, KeyRange, ObjectError,
    Objects, Path, ScanPage, TableError, TableName, Tables, TransactError, Update, Write,
    WriteError,
};
use alpes_projections::Projector;
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{FutureExt, executor::block_on};
use notices::NOTIFIER;
use reserva_saga::ORCHESTRATOR;
use serde_json::{Value, json};
use simulation::{Dice, Faults};
use timers::Done;
use twins::{ManualClock, MemoryObjects, MemoryTables, Over, TablesOver};

use crate::{support::Fixture, sweep::TASK};

/// The object that Lambda writes to the bucket when it discards a batch of this function.
fn given_up(function: &str) -> String {
    let batch = include_str!("../../../projector/events/lote_con_ilegible.json");
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

const PARKING_TASK: &str = include_str!("../../events/parked.json");

#[test]
fn what_the_runtime_gave_up_is_parked_and_can_be_redriven() {
    let fixture = Fixture::new();
    let put = |key: &str, text: &str| block_on(fixture.objects.put(key, text.as_bytes())).unwrap();
    let key = "aws/lambda/f6d7/shardId-000000000001/2026/01/31/2026-01-31T10.00.00-1";
    put(key, &given_up("aeroalpes-projector"));
    // LocalStack writes the batch as a JSON object, and Lambda as a text that contains JSON. This second object has the
    // records of the first, so they are parked already.
    let mut as_json: Value = serde_json::from_str(&given_up("aeroalpes-projector")).unwrap();
    as_json["payload"] = serde_json::from_str(as_json["payload"].as_str().unwrap()).unwrap();
    put("aws/lambda/f6d7/shardId-000000000002", &as_json.to_string());
    put(
        "aws/lambda/f6d7/other",
        &given_up("somebody-elses-function"),
    );
    put("aws/lambda/f6d7/torn", "{");
    put("not-of-lambda", "x");
    let looked = |records, redriven| Done::Parked {
        records,
        redriven,
        still_parked: 1,
        unreadable: 2,
        unfinished: false,
    };
    // Two of the three records can be processed. The third stays parked.
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(6, 2));
    assert_eq!(block_on(fixture.objects.get(key)).unwrap(), None);
    let left = block_on(fixture.objects.list(KeyRange::new("", 10))).unwrap();
    assert_eq!(left.len(), 3, "unreadable objects stay: {left:?}");
    assert_eq!(fixture.told(["Parked"]), [3]);
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(0, 0));
    assert_eq!(fixture.told(["Parked"]), [3]);
    let parking = &fixture.wiring.parking();
    let parked = block_on(parking.list()).unwrap();
    assert_eq!(parked[0].reason, Reason::Undelivered);
    assert!(!parking.is_open(&parked[0]), "tried once, and not again");
}

/// Tables, objects and functions on which every call takes time.
#[derive(Default)]
struct Slow {
    tables: MemoryTables,
    objects: MemoryObjects,
    clock: OnceLock<Arc<ManualClock>>,
}

impl Slow {
    fn takes(&self, milliseconds: u64) {
        if let Some(clock) = self.clock.get() {
            clock.advance(Duration::from_millis(milliseconds));
        }
    }
}

#[async_trait]
impl Tables for Slow {
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        self.takes(20);
        self.tables.get(keys, consistency).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.takes(20);
        self.tables.write(write).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        self.takes(20);
        self.tables.transact(writes).await
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.takes(20);
        self.tables.query(query).await
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.takes(20);
        self.tables.scan(table, after).await
    }
}

#[async_trait]
impl Objects for Slow {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        self.objects.put(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        self.takes(50);
        self.objects.get(key).await
    }

    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError> {
        self.takes(100);
        self.objects.list(range).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.takes(50);
        self.objects.delete(key).await
    }
}

const EVENT: &str =
    include_str!("../../../../shared/airline/events/samples/vuelos/ReservaAprobada.v1.json");

/// A batch of `records` records that no consumer processed.
fn batch(number: usize, records: usize) -> String {
    let records: Vec<Value> = (0..records)
        .map(|place| {
            json!({
                "eventID": format!("shardId-000000000001:{number}{place:05}"),
                "kinesis": {
                    "partitionKey": "019c1350-4b80-7a11-8c01-5d6e7f8091a2",
                    "sequenceNumber": format!("{number}{place:05}"),
                    "data": STANDARD.encode(EVENT),
                    "approximateArrivalTimestamp": 1_769_853_600.0,
                },
            })
        })
        .collect();
    let mut note: Value = serde_json::from_str(&given_up("aeroalpes-notifier")).unwrap();
    note["payload"] = json!({ "Records": records }).to_string().into();
    note.to_string()
}

/// A function over slow tables and objects.
fn slow() -> (Arc<Slow>, Fixture) {
    let slow = Arc::new(Slow::default());
    let mut fixture = Fixture::over(slow.clone());
    fixture.app = fixture.wire(|ports| ports.undelivered = slow.clone());
    assert!(slow.clock.set(fixture.clock.clone()).is_ok());
    (slow, fixture)
}

/// Runs the task as the schedule does once a minute, and asserts that the run ends before its deadline.
fn timely(fixture: &Fixture) -> Done {
    let (begun, deadline) = (fixture.world.clock.now(), fixture.deadline());
    let done = fixture.handle(PARKING_TASK).unwrap();
    let now = fixture.world.clock.now();
    assert!(now < deadline, "it takes {}", now.duration_since(begun));
    let rest = deadline.duration_since(now).unsigned_abs();
    fixture.clock.advance(rest);
    done
}

#[test]
fn a_run_ends_in_time_however_much_there_is_and_the_next_ones_go_on() {
    let (slow, fixture) = slow();
    for number in 1..=5 {
        let key = format!("aws/lambda/f6d7/{number}");
        block_on(slow.put(&key, batch(number, 500).as_bytes())).unwrap();
    }
    let calls = Arc::new(AtomicUsize::new(0));
    let (counted, clock) = (calls.clone(), fixture.clock.clone());
    fixture.functions.deploy(NOTIFIER, move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        clock.advance(Duration::from_millis(100));
        async { Ok(br#"{"batchItemFailures":[]}"#.to_vec()) }
    });
    let (mut freed, mut counts) = (0, 0);
    for run in 0.. {
        assert!(run < 100, "the runs do not get on: {freed} are handled");
        let Done::Parked {
            redriven,
            still_parked,
            unfinished,
            ..
        } = timely(&fixture)
        else {
            unreachable!("it is that task")
        };
        freed += redriven;
        let parked = block_on(fixture.wiring.parking().list()).unwrap();
        assert!(
            parked.iter().all(|thing| thing.tries == 0),
            "none counts as tried that was not"
        );
        let told = fixture.metrics.lock().unwrap().len();
        assert_eq!(told > counts, !unfinished, "a part is no count");
        counts = told;
        if !unfinished && still_parked == 0 {
            assert_eq!(parked.len(), 0);
            break;
        }
    }
    assert_eq!(
        (freed, calls.load(Ordering::SeqCst)),
        (2_500, 2_500),
        "each once"
    );
    assert_eq!(fixture.told(["Parked"]), [0]);
    let left = slow.tables.all(alpes_consumer::TABLE);
    assert_eq!(left, [], "nothing is left of looking through it");
}

#[test]
fn functions_that_hang_do_not_keep_others_from_being_tried_nor_the_run_from_ending() {
    let (slow, fixture) = slow();
    block_on(slow.put("aws/lambda/f6d7/1", batch(1, 20).as_bytes())).unwrap();
    let made =
        include_str!("../../../../shared/airline/events/samples/vuelos/ReservaCreada.v2.json");
    let projected = batch(2, 3)
        .replace("aeroalpes-notifier", "aeroalpes-projector")
        .replace(&STANDARD.encode(EVENT), &STANDARD.encode(made));
    block_on(slow.put("aws/lambda/f6d7/2", projected.as_bytes())).unwrap();
    let (clock, hangs) = (fixture.clock.clone(), Arc::new(AtomicBool::new(true)));
    let hanging = hangs.clone();
    fixture.functions.deploy(NOTIFIER, move |_| {
        let hangs = hanging.load(Ordering::SeqCst);
        if hangs {
            clock.advance(Duration::from_secs(15));
        }
        async move {
            if hangs {
                return Err(CallError::Unavailable("no answer for 15 s".into()));
            }
            Ok(br#"{"batchItemFailures":[]}"#.to_vec())
        }
    });
    let parked = || block_on(fixture.wiring.parking().list()).unwrap();
    for _ in 0..30 {
        timely(&fixture);
    }
    let owners: BTreeSet<_> = parked().into_iter().map(|thing| thing.owner).collect();
    assert_eq!(owners, BTreeSet::from([NOTIFIER.0.to_owned()]));
    hangs.store(false, Ordering::SeqCst);
    for _ in 0..20 {
        timely(&fixture);
    }
    assert_eq!(parked(), [], "once it answers again nobody is needed");
    assert_eq!(fixture.told(["Parked"]), [0]);
}

#[test]
fn one_thing_that_cannot_be_read_stops_nothing_and_stays_as_it_is() {
    let tables = Arc::new(MemoryTables::new());
    let fixture = Fixture::over(tables.clone());
    block_on(
        fixture
            .objects
            .put("aws/lambda/f6d7/1", batch(1, 6).as_bytes()),
    )
    .unwrap();
    assert!(matches!(
        fixture.handle(PARKING_TASK).unwrap(),
        Done::Parked {
            still_parked: 6,
            unreadable: 0,
            ..
        }
    ));
    let key = |place: usize| {
        Key::new(
            alpes_consumer::TABLE,
            NOTIFIER.0,
            format!("record#shardId-000000000001#1{place:05}"),
        )
    };
    // A newer build wrote three of the entries: one with an unknown reason, one with an unknown `what`, and one without
    // the field `detail`.
    for update in [
        Update::of(key(0)).set(Path::of("reason"), "out-of-memory"),
        Update::of(key(2)).set(Path::of("what"), "object"),
        Update::of(key(4)).remove(Path::of("detail")),
    ] {
        block_on(tables.write(&update.into())).unwrap();
    }
    let theirs = || {
        let all = tables.all(alpes_consumer::TABLE).into_iter();
        let of_them = [key(0), key(2), key(4)];
        all.filter(|(key, _)| {
            of_them
                .iter()
                .any(|one| key == one || key.pk.ends_with(&one.sk))
        })
        .collect::<Vec<_>>()
    };
    let before = theirs();
    assert_eq!(before.len(), 6, "each with its bytes");
    fixture.functions.deploy(NOTIFIER, |_| async {
        Ok(br#"{"batchItemFailures":[]}"#.to_vec())
    });
    fixture.clock.advance(Duration::from_mins(1));
    let looked = Done::Parked {
        records: 0,
        redriven: 3,
        still_parked: 0,
        unreadable: 3,
        unfinished: false,
    };
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked);
    assert_eq!(fixture.told(["Parked"]), [3]);
    assert_eq!(theirs(), before);
}

/// A bucket that refuses to return the objects whose keys begin with the first text, and to delete the objects whose
/// keys begin with the second text. If the first text is empty, the bucket refuses to list its keys too.
struct Refusing(Arc<MemoryObjects>, &'static str, &'static str);

fn refuse(key: &str, refused: &str) -> Result<(), ObjectError> {
    if key.starts_with(refused) {
        return Err(ObjectError::Refused("AccessDenied".into()));
    }
    Ok(())
}

#[async_trait]
impl Objects for Refusing {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        self.0.put(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        refuse(key, self.1)?;
        self.0.get(key).await
    }

    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError> {
        refuse(range.prefix, self.1)?;
        self.0.list(range).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        refuse(key, self.2)?;
        self.0.delete(key).await
    }
}

#[test]
fn an_object_or_a_bucket_that_is_refused_keeps_nothing_from_being_tried() {
    let mut fixture = Fixture::new();
    for number in 1..=4 {
        let key = format!("aws/lambda/f6d7/{number}");
        block_on(fixture.objects.put(&key, batch(number, 1).as_bytes())).unwrap();
    }
    let refusing = |objects| Refusing(objects, "aws/lambda/f6d7/2", "aws/lambda/f6d7/3");
    fixture.app =
        fixture.wire(|ports| ports.undelivered = Arc::new(refusing(fixture.objects.clone())));
    let looked = |records, redriven, still_parked| Done::Parked {
        records,
        redriven,
        still_parked,
        unreadable: 2,
        unfinished: false,
    };
    // The consumer's function is not deployed yet, so every call of it fails.
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(3, 0, 3));
    assert_eq!(fixture.told(["Parked"]), [5]);
    fixture.functions.deploy(NOTIFIER, |_| async {
        Ok(br#"{"batchItemFailures":[]}"#.to_vec())
    });
    fixture.clock.advance(Duration::from_mins(1));
    fixture.app = fixture
        .wire(|ports| ports.undelivered = Arc::new(Refusing(fixture.objects.clone(), "", "")));
    assert!(fixture.handle(PARKING_TASK).is_err());
    let parked = block_on(fixture.wiring.parking().list()).unwrap();
    assert_eq!(parked, [], "they were tried all the same");
}

#[test]
fn whatever_fails_the_timers_alone_free_what_is_parked() {
    for seed in 0..60 {
        let tables = Arc::new(MemoryTables::new());
        let mut fixture = Fixture::over(tables.clone());
        block_on(
            fixture
                .objects
                .put("aws/lambda/f6d7/1", batch(1, 3).as_bytes()),
        )
        .unwrap();
        fixture.functions.deploy(NOTIFIER, |_| async {
            Ok(br#"{"batchItemFailures":[]}"#.to_vec())
        });
        // In the first runs, one effect in three fails, loses its answer, or kills the process.
        let faults = Faults::by_chance(Dice::new(seed), 3);
        let sound = fixture.wire(|_| ());
        let flaky = fixture.wire(|ports| {
            ports.tables = Arc::new(faults.tables(tables.clone()));
            ports.functions = Arc::new(faults.functions(fixture.functions.clone()));
            ports.undelivered = Arc::new(faults.objects(fixture.objects.clone()));
        });
        fixture.app = flaky;
        let run = |fixture: &Fixture| {
            let task = serde_json::from_str(PARKING_TASK).unwrap();
            let _ = fixture.app.handle(task, fixture.deadline()).now_or_never();
            for late in faults.take_late() {
                let _ = late.now_or_never();
            }
            fixture.clock.advance(Duration::from_mins(1));
        };
        for _ in 0..20 {
            run(&fixture);
        }
        fixture.app = sound;
        for _ in 0..16 {
            run(&fixture);
        }
        assert_eq!(tables.all(alpes_consumer::TABLE), [], "seed {seed}");
        assert_eq!(fixture.told(["Parked"]), [0], "seed {seed}");
    }
}

/// Tables that kill the process once it reads an item of one reservation: the read never returns.
struct Deadly(Arc<MemoryTables>, String);

impl Deadly {
    async fn touch(&self, pk: &str) {
        if pk.contains(&self.1) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl TablesOver for Deadly {
    fn inner(&self) -> &dyn Tables {
        &*self.0
    }

    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        for key in keys {
            self.touch(&key.pk).await;
        }
        self.0.get(keys, consistency).await
    }
}

/// A Kinesis event source mapping, with the settings of the template and the behaviour that AWS documents. When the
/// function dies, the mapping splits the batch in two, without using up a retry. A single record is retried, and after
/// the last retry it is written to the bucket. The mapping counts the invocations.
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
            let reader = StreamReader::new(self.tables.clone(), events::catalogue());
            let world = self.fixture.world.clone();
            let views = views::registry();
            let projector = Projector::new(self.tables.clone(), reader, world, views);
            let records = alpes_lambda::kinesis::records(event);
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

/// Number of reservations in the view.
fn listed(tables: &MemoryTables) -> usize {
    let rows = tables.all(alpes_projections::TABLE).into_iter();
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
    let batch = alpes_lambda::kinesis::batch_of(&records);
    let batch = batch["Records"].as_array().unwrap();
    let deadly = ids[41].clone();
    let mapping = Mapping {
        tables: Arc::new(Over(Deadly(tables.clone(), deadly.clone()))),
        fixture: &fixture,
        retries: 3,
        invocations: Mutex::default(),
    };
    mapping.deliver(batch);
    // One invocation got the whole batch, two invocations got the halves at each of six levels, and three were retries.
    assert_eq!(*mapping.invocations.lock().unwrap(), 1 + 2 * 6 + 3);
    assert_eq!(listed(&tables), 63, "all but one are in the view");

    // The timers park the record and retry it, which kills the timers too. The next run does not retry the record at
    // once.
    let deadly_tables = mapping.tables;
    fixture.app = fixture.wire(|ports| ports.tables = deadly_tables);
    let healthy = fixture.wiring.projector();
    let task = serde_json::from_str(PARKING_TASK).unwrap();
    let killed = fixture.app.handle(task, fixture.deadline()).now_or_never();
    assert!(killed.is_none());
    let looked = Done::Parked {
        records: 0,
        redriven: 0,
        still_parked: 1,
        unreadable: 0,
        unfinished: false,
    };
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked);
    let parked = block_on(healthy.parking().list()).unwrap();
    assert!(matches!(
        &parked[0].what,
        ParkedWhat::Record { partition_key, .. } if *partition_key == deadly
    ));
    // A projector with sound tables processes the record.
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
    let looked = |records, redriven, still_parked| Done::Parked {
        records,
        redriven,
        still_parked,
        unreadable: 0,
        unfinished: false,
    };
    // The consumer's function is not deployed yet, so every call of it fails.
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(3, 0, 3));
    let (heard, calls) = std::sync::mpsc::channel();
    fixture.functions.deploy(function, move |payload| {
        heard.send(payload).unwrap();
        async { Ok(br#"{"batchItemFailures":[]}"#.to_vec()) }
    });
    fixture.clock.advance(Duration::from_mins(1));
    // Two of the three records can be decoded, and are redelivered one by one.
    assert_eq!(fixture.handle(PARKING_TASK).unwrap(), looked(0, 2, 1));
    let batches = calls.try_iter().map(|payload| {
        let event = serde_json::from_slice(&payload).unwrap();
        alpes_lambda::kinesis::records(event)
    });
    let batches: Vec<_> = batches.collect();
    assert!(batches.iter().all(|batch| batch.len() == 1));
    assert_eq!(batches.len(), 2);
    assert_eq!(
        tables.all(alpes_projections::TABLE),
        [],
        "no view is touched"
    );
}
