//! Records parked for a consumer in another function are retried by calling the function, and never lost on the way.
#![cfg(test)]

use std::{
    slice,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alpes_consumer::{
    Consumer, Group, Handler, Parked, Parking, Reason, Redrive, Redriven, Redriver, Redriving,
    Stop, Trouble,
};
use alpes_lambda::{RemoteConsumer, kinesis};
use alpes_messages::SubjectId;
use alpes_ports::{
    CallError, FunctionName, Functions, LogRecord, SequenceNumber, TableError, World,
};
use async_trait::async_trait;
use futures::{FutureExt, executor::block_on};
use jiff::Timestamp;
use serde_json::json;
use simulation::{Dice, Fault, Faults};
use toy::{Fact, loan, loans::BookHandedOver};
use twins::{MemoryFunctions, MemoryTables, world};

type Catalogue = alpes_messages::Catalogue<Fact>;

const FUNCTION: FunctionName = FunctionName("worker");
const TYPE: &str = "BookHandedOver";

/// The events that the function has handled, and the number of failures still to come.
#[derive(Default)]
struct Heard {
    subjects: Mutex<Vec<SubjectId>>,
    failures: AtomicUsize,
}

#[async_trait]
impl Handler<Fact> for Heard {
    async fn handle(&self, groups: &[Group<Fact>]) -> Vec<Result<(), Stop>> {
        let less = |left: usize| left.checked_sub(1);
        let failing = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if failing.is_ok() {
            let cause = "a table is down".to_owned();
            return vec![Err(Stop::again(0, cause)); groups.len()];
        }
        let subjects = groups.iter().map(|group| group.subject);
        self.subjects.lock().unwrap().extend(subjects);
        vec![Ok(()); groups.len()]
    }
}

/// A handler that fails for every event.
struct Hopeless(Parking);

#[async_trait]
impl Handler<Fact> for Hopeless {
    async fn handle(&self, groups: &[Group<Fact>]) -> Vec<Result<(), Stop>> {
        for incoming in groups.iter().flat_map(|group| &group.events) {
            let trouble = Trouble::with_record(&incoming.record, Reason::Permanent, "hopeless");
            self.0.park(FUNCTION.0, trouble).await.unwrap();
        }
        vec![Ok(()); groups.len()]
    }
}

struct Bench {
    tables: Arc<MemoryTables>,
    world: World,
    heard: Arc<Heard>,
    functions: Arc<MemoryFunctions>,
}

/// The bytes of an event whose type an older build does not know.
fn event() -> Vec<u8> {
    let event = toy::event(BookHandedOver { loan: loan(1) }, 1);
    event.encode().unwrap().into_bytes()
}

fn older() -> Catalogue {
    toy::catalogue().without(TYPE)
}

impl Bench {
    fn new() -> Self {
        Self {
            tables: Arc::default(),
            world: world(1).0,
            heard: Arc::default(),
            functions: Arc::default(),
        }
    }

    fn parking(&self, catalogue: &Catalogue) -> Parking {
        Parking::new(self.tables.clone(), self.world.clock.clone(), catalogue)
    }

    fn parked(&self) -> Vec<Parked> {
        block_on(self.parking(&toy::catalogue()).list()).unwrap()
    }

    /// Deploys a build of the function that knows `catalogue`.
    fn deploy(&self, catalogue: &Catalogue) {
        self.deploy_with(self.heard.clone(), catalogue);
    }

    fn deploy_with(&self, heard: Arc<dyn Handler<Fact>>, catalogue: &Catalogue) {
        let (catalogue, parking) = (catalogue.clone(), self.parking(catalogue));
        self.functions.deploy(FUNCTION, move |payload| {
            let (catalogue, parking, heard) = (catalogue.clone(), parking.clone(), heard.clone());
            async move {
                let consumer = Consumer {
                    name: FUNCTION.0,
                    catalogue: &catalogue,
                    parking: &parking,
                    handler: &*heard,
                };
                let records = kinesis::records(serde_json::from_slice(&payload).unwrap());
                let outcome = consumer.consume(&records).await;
                Ok(serde_json::to_vec(&kinesis::respond(outcome)).unwrap())
            }
        });
    }

    fn call(&self, record: &LogRecord) {
        let batch = kinesis::batch_of(slice::from_ref(record)).to_string();
        let answer = block_on(self.functions.call(FUNCTION, batch.as_bytes())).unwrap();
        assert_eq!(
            answer,
            json!({"batchItemFailures": []}).to_string().as_bytes()
        );
    }

    fn remote(&self, faults: &Faults, catalogue: &Catalogue) -> RemoteConsumer<Fact> {
        let tables = Arc::new(faults.tables(self.tables.clone()));
        RemoteConsumer {
            functions: Arc::new(faults.functions(self.functions.clone())),
            function: FUNCTION,
            parking: Parking::new(tables, self.world.clock.clone(), catalogue),
            catalogue: catalogue.clone(),
        }
    }

    /// One run of the timers, in a build that knows `catalogue`.
    async fn due(&self, faults: &Faults, catalogue: &Catalogue) -> Result<Redriving, TableError> {
        let remote = self.remote(faults, catalogue);
        let redriver = Redriver {
            parking: &remote.parking,
            world: &self.world,
            consumers: &[&remote],
        };
        let parked = remote.parking.list().await?;
        Ok(redriver.redrive_due(&parked, Timestamp::MAX).await)
    }

    /// Lets time pass.
    fn pass(&self, time: Duration) {
        block_on(self.world.tasks.sleep(time));
    }

    fn settle(&self, catalogue: &Catalogue) -> Redriving {
        block_on(self.due(&Faults::none(), catalogue)).unwrap()
    }

    fn heard(&self) -> usize {
        self.heard.subjects.lock().unwrap().len()
    }
}

fn record(data: &[u8]) -> LogRecord {
    LogRecord {
        shard: "shardId-000000000001".into(),
        sequence: SequenceNumber("49590338271490256608559692538361571095921575989136588898".into()),
        partition_key: "key".into(),
        data: data.to_vec(),
        arrived: Timestamp::UNIX_EPOCH,
    }
}

fn redriving(parked: usize, redriven: usize) -> Redriving {
    Redriving {
        parked,
        redriven,
        more: false,
    }
}

#[test]
fn what_an_older_build_did_not_know_is_handed_to_the_newer_one() {
    let bench = Bench::new();
    bench.deploy(&older());
    bench.call(&record(&event()));
    assert_eq!(bench.parked()[0].reason, Reason::UnknownType);
    bench.deploy(&toy::catalogue());
    assert_eq!(bench.settle(&older()), redriving(1, 0), "not by an old one");
    assert_eq!(bench.settle(&toy::catalogue()), redriving(0, 1));
    assert_eq!((bench.parked(), bench.heard()), (vec![], 1));
}

#[test]
fn a_function_that_is_not_deployed_yet_does_not_make_it_lost() {
    let bench = Bench::new();
    bench.deploy(&older());
    bench.call(&record(&event()));
    // The timers have the new build, and the function still the old one. The function parks the record again and
    // reports success.
    for _ in 0..2 {
        assert_eq!(bench.settle(&toy::catalogue()), redriving(1, 0));
        let left = bench.parked();
        assert_eq!((left.len(), bench.heard()), (1, 0));
        let data = block_on(bench.parking(&older()).data(&left[0])).unwrap();
        assert_eq!(data.unwrap(), event());
    }
    bench.deploy(&toy::catalogue());
    assert_eq!(bench.settle(&toy::catalogue()), redriving(0, 1));
    assert_eq!((bench.parked(), bench.heard()), (vec![], 1));
}

/// Parks a record as one that the runtime stopped delivering.
fn give_up(bench: &Bench, data: &[u8]) {
    let record = record(data);
    let trouble = Trouble::with_record(&record, Reason::Undelivered, "given up");
    block_on(bench.parking(&toy::catalogue()).park(FUNCTION.0, trouble)).unwrap();
}

#[test]
fn a_bad_hour_is_tried_again_until_it_is_over() {
    let bench = Bench::new();
    bench.deploy(&toy::catalogue());
    give_up(&bench, &event());
    bench.heard.failures.store(2, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(bench.settle(&toy::catalogue()), redriving(1, 0));
        bench.pass(Duration::from_mins(1));
    }
    assert_eq!(bench.settle(&toy::catalogue()), redriving(0, 1));
    assert_eq!(bench.heard(), 1);

    let bench = Bench::new();
    give_up(&bench, &event());
    let parking = bench.parking(&toy::catalogue());
    for _ in 0..2 {
        assert_eq!(bench.settle(&toy::catalogue()), redriving(1, 0));
        assert!(!parking.is_due(&bench.parked()[0]), "it has its pause");
        assert!(parking.is_open(&bench.parked()[0]), "no function answers");
        bench.pass(Duration::from_mins(1));
        assert!(parking.is_due(&bench.parked()[0]));
    }
}

#[test]
fn what_kills_the_function_is_tried_again_after_pauses_that_grow() {
    let bench = Bench::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    bench.functions.deploy(FUNCTION, move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            Err(CallError::Failed {
                error_type: "Runtime.ExitError".into(),
                message: "exited".into(),
            })
        }
    });
    give_up(&bench, &event());
    let mut minutes = vec![];
    for minute in 0..60 {
        let before = calls.load(Ordering::SeqCst);
        for _ in 0..3 {
            assert_eq!(bench.settle(&toy::catalogue()), redriving(1, 0));
        }
        if calls.load(Ordering::SeqCst) > before {
            minutes.push(minute);
        }
        bench.pass(Duration::from_mins(1));
    }
    assert_eq!(minutes, [0, 1, 2, 4, 8, 16, 31, 46]);
    assert_eq!(calls.load(Ordering::SeqCst), minutes.len(), "each once");
    // A new build of the function no longer dies of the record. The new build knows the same event types as the old
    // one.
    bench.deploy(&toy::catalogue());
    bench.pass(Duration::from_mins(15));
    assert_eq!(bench.settle(&toy::catalogue()), redriving(0, 1));
}

#[test]
fn what_the_function_parks_again_stays_until_it_can_handle_it() {
    let (bench, current) = (Bench::new(), toy::catalogue());
    let hopeless = Arc::new(Hopeless(bench.parking(&current)));
    bench.deploy_with(hopeless, &current);
    bench.call(&record(&event()));
    assert_eq!(bench.settle(&current), redriving(1, 0), "not by itself");
    let operator = || {
        let remote = bench.remote(&Faults::none(), &current);
        let redriver = Redriver {
            parking: &remote.parking,
            world: &bench.world,
            consumers: &[&remote],
        };
        block_on(redriver.redrive(&bench.parked()[0])).unwrap()
    };
    for _ in 0..2 {
        let redriven = operator();
        assert!(matches!(redriven, Redriven::StillParked(_)), "{redriven:?}");
    }
    let left = bench.parked();
    let data = block_on(bench.parking(&current).data(&left[0])).unwrap();
    assert_eq!(data.unwrap(), event());
    bench.deploy(&current);
    assert_eq!(operator(), Redriven::Done);
    assert_eq!((bench.parked(), bench.heard()), (vec![], 1));
}

#[test]
fn what_is_no_event_stays_without_a_call() {
    let bench = Bench::new();
    give_up(&bench, b"{");
    let [parked] = &*bench.parked() else {
        panic!("one is parked")
    };
    let faults = Faults::none();
    let remote = bench.remote(&faults, &toy::catalogue());
    let redriven = block_on(remote.redrive(parked)).unwrap();
    assert!(matches!(redriven, Redriven::StillParked(_)), "{redriven:?}");
    let trace = faults.trace();
    assert!(
        !trace.iter().any(|what| what.starts_with("call")),
        "{trace:?}"
    );
}

#[test]
fn what_is_parked_for_nobody_here_stays() {
    let bench = Bench::new();
    let record = record(&event());
    let trouble = Trouble::with_record(&record, Reason::Undelivered, "given up");
    let parking = bench.parking(&toy::catalogue());
    block_on(parking.park("archiver", trouble)).unwrap();
    assert_eq!(bench.settle(&toy::catalogue()), redriving(1, 0));
    assert!(
        parking.is_due(&bench.parked()[0]),
        "it waits for a build that has it"
    );
}

#[test]
fn whatever_fails_on_the_way_nothing_is_lost_and_nothing_needs_a_person() {
    let current = toy::catalogue();
    let steps = {
        let (bench, faults) = (Bench::new(), Faults::none());
        bench.deploy(&current);
        give_up(&bench, &event());
        block_on(bench.due(&faults, &current)).unwrap();
        faults.count()
    };
    assert!(steps > 4);
    for at in 0..steps {
        for fault in Fault::ALL {
            let bench = Bench::new();
            bench.deploy(&current);
            give_up(&bench, &event());
            let _ = bench.due(&Faults::once(at, fault), &current).now_or_never();
            // After the fault, the timers alone retry the record until it is handled, without a person.
            bench.pass(Duration::from_mins(1));
            bench.settle(&current);
            assert_eq!(bench.parked(), [], "{fault:?} at effect {at}");
            assert!(bench.heard() > 0, "{fault:?} at effect {at}");
        }
    }
}

#[test]
fn however_much_fails_it_heals_without_a_person() {
    let current = toy::catalogue();
    for seed in 0..100 {
        let bench = Bench::new();
        bench.deploy(&current);
        give_up(&bench, &event());
        // For an hour, each effect fails with a chance of one half.
        let faults = Faults::by_chance(Dice::new(seed), 2);
        for _ in 0..60 {
            let _ = bench.due(&faults, &current).now_or_never();
            for late in faults.take_late() {
                let _ = late.now_or_never();
            }
            bench.pass(Duration::from_mins(1));
        }
        bench.pass(Duration::from_mins(15));
        bench.settle(&current);
        assert_eq!(bench.parked(), [], "seed {seed}");
        assert!(bench.heard() > 0, "seed {seed}");
    }
}
