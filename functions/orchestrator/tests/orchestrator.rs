//! Tests of the whole function: it gets batches of Kinesis and wake-ups, and advances sagas, with participants and
//! tables in memory.

#![cfg(test)]

use std::{sync::Arc, time::Duration};

use alpes_consumer::{Parked, Reason};
use alpes_lambda::kinesis::batch_of;
use alpes_messages::{Context, Moment};
use alpes_participant::FaultMode;
use alpes_ports::{CallError, Condition, Item, Key, LogRecord, Path, Tables, Update, Write};
use alpes_saga::{Definitions, Direction, SagaId, Status, What};
use events::{GDS, IdReserva, PAGOS, VUELOS, vuelos::EstadoReserva};
use futures::executor::block_on;
use http_testing::{System, logged};
use jiff::Timestamp;
use orchestrator::{App, CONSUMER, Invocation};
use reserva_saga::{definitions, function_of};
use serde_json::{Value, json};
use simulation::{Fault, Faults};
use twins::Ports;
use uuid::Uuid;
use wiring::{Build, Wiring};

const BATCH: &str = include_str!("../events/lote.json");
const UNREADABLE: &str = include_str!("../events/lote_con_ilegible.json");
const WAKE: &str = include_str!("../events/wake.json");
const SAMPLE_SAGA: SagaId = SagaId(Uuid::from_u128(0x019c_1350_4b81_7b22_9d02_6e7f_8091_a2b3));

/// The function over a system in memory.
struct Fixture {
    system: System,
    wiring: Wiring<Ports>,
    app: App,
}

impl Fixture {
    /// Makes the participant of a context fail every later call.
    fn take_down(&self, context: Context) {
        let functions = &self.system.functions;
        functions.deploy(function_of(context), |_| {
            futures::future::ready(Err(CallError::Unavailable("down".into())))
        });
    }

    fn new() -> Self {
        Self::over(definitions(), &Faults::none())
    }

    fn over(definitions: Definitions, faults: &Faults) -> Self {
        let system = System::new();
        let ports = Ports {
            tables: Arc::new(faults.tables(system.tables.clone())),
            executions: None,
            ..system.ports()
        };
        Self::of(system, ports, definitions)
    }

    /// The function of a build that has these saga definitions, with these ports of the system.
    fn of(system: System, ports: Ports, definitions: Definitions) -> Self {
        let build = Build {
            definitions,
            ..Build::current()
        };
        let wiring = Wiring::of(ports, build);
        let app = App::new(&wiring);
        Self {
            system,
            wiring,
            app,
        }
    }

    fn invoke(&self, payload: &Value, deadline: Timestamp) -> Value {
        let invocation: Invocation = serde_json::from_value(payload.clone()).unwrap();
        let done = block_on(self.app.handle(invocation, deadline));
        serde_json::to_value(done).unwrap()
    }

    fn in_time(&self, payload: &Value) -> Value {
        self.invoke(payload, Timestamp::MAX)
    }

    /// All records of the log as one batch.
    fn log(&self) -> Value {
        batch_of(&self.system.log.records())
    }

    fn estado(&self, id: IdReserva) -> Status {
        self.system.saga(id).status
    }

    fn parked(&self) -> Vec<Parked> {
        block_on(self.wiring.parking().list()).unwrap()
    }
}

fn text(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn all_taken() -> Value {
    json!({"batchItemFailures": []})
}

#[test]
fn one_batch_takes_a_reservation_from_made_to_approved() {
    let fixture = Fixture::new();
    let ids = [fixture.system.create(None), fixture.system.create(None)];
    assert_eq!(fixture.in_time(&fixture.log()), all_taken());
    for id in ids {
        assert_eq!(fixture.estado(id), Status::Completed);
        let expected = [
            "ReservaCreada",
            "ReservaPagada",
            "ReservaGDSConfirmada",
            "ReservaAprobada",
        ];
        assert_eq!(fixture.system.events_of(id), expected);
    }
    // The events that the sagas caused also arrive from the log, and the whole log may be redelivered.
    let before: Vec<_> = ids.iter().map(|id| fixture.system.saga(*id)).collect();
    for _ in 0..2 {
        assert_eq!(fixture.in_time(&fixture.log()), all_taken());
    }
    let after: Vec<_> = ids.iter().map(|id| fixture.system.saga(*id)).collect();
    assert_eq!(before, after);
}

#[test]
fn the_log_tells_of_each_saga_how_it_stands_with_its_id() {
    let fixture = Fixture::new();
    let ids = [fixture.system.create(None), fixture.system.create(None)];
    let ((), logged) = logged(|| {
        for _ in 0..2 {
            assert_eq!(fixture.in_time(&fixture.log()), all_taken());
        }
    });
    for id in ids {
        let saga = fixture.system.saga(id);
        let own: Vec<_> = logged
            .iter()
            .filter(|line| line["saga"] == saga.id.to_string())
            .map(|line| [&line["message"], &line["status"], &line["lines"]])
            .collect();
        // Redelivered events change nothing and log nothing.
        let expected = [
            json!("saga advanced"),
            json!("Completed"),
            json!(saga.log.len()),
        ];
        assert_eq!(own, [expected.each_ref()], "{logged:?}");
    }
}

#[test]
fn the_samples_are_understood() {
    let fixture = Fixture::new();
    assert_eq!(fixture.in_time(&text(BATCH)), all_taken());
    let saga = block_on(fixture.wiring.sagas().load(SAMPLE_SAGA)).unwrap();
    assert!(saga.is_some(), "it began");
    assert_eq!(fixture.parked(), []);
    assert_eq!(fixture.in_time(&text(UNREADABLE)), all_taken());
    let reasons: Vec<_> = fixture
        .parked()
        .iter()
        .map(|parked| parked.reason)
        .collect();
    assert_eq!(reasons, [Reason::Undecodable]);
    assert_eq!(fixture.parked()[0].owner, CONSUMER);
    let woken = fixture.in_time(&text(WAKE));
    assert_eq!(woken, json!({"woken": 1, "put_off": 0, "failed": 0}));
}

#[test]
fn a_choreographed_reservation_is_only_watched() {
    let fixture = Fixture::new();
    let id = fixture.system.create_by_choreography();
    assert_eq!(fixture.in_time(&fixture.log()), all_taken());
    assert_eq!(fixture.estado(id), Status::Running);
    assert_eq!(fixture.system.events_of(id), ["ReservaCreada"]);
    fixture.system.run_choreography();
    assert_eq!(fixture.in_time(&fixture.log()), all_taken());
    assert_eq!(fixture.estado(id), Status::Completed);
}

#[test]
fn a_reservation_from_before_there_were_sagas_is_carried_on_or_cancelled_by_its_age() {
    for (hours, kinds) in [
        (23, ["ReservaCreada", "ReservaPagada"].as_slice()),
        (25, ["ReservaCreada", "ReservaCancelada"].as_slice()),
    ] {
        let fixture = Fixture::new();
        let id = fixture.system.create(None);
        fixture.system.clock.advance(Duration::from_hours(hours));
        assert_eq!(fixture.in_time(&fixture.log()), all_taken());
        assert_eq!(fixture.system.events_of(id)[..2], *kinds, "{hours} h");
        let saga = fixture.system.saga(id);
        let motivo = (hours > 24).then_some("plazo");
        assert_eq!(saga.reason.as_deref(), motivo);
    }
}

/// Version 1 of `ReservaCreada` has neither journey nor price, so nothing can be charged.
#[test]
fn a_reservation_whose_price_nobody_told_is_cancelled() {
    let fixture = Fixture::new();
    let old = include_str!("../../../shared/airline/events/samples/vuelos/ReservaCreada.v1.json");
    let time = fixture.system.world.clock.now().as_millisecond();
    let mut event = text(old);
    event["time"] = time.into();
    let data = event.to_string();
    let record = LogRecord {
        shard: "shardId-000000000000".into(),
        sequence: alpes_ports::SequenceNumber("1".into()),
        partition_key: "x".into(),
        data: data.into_bytes(),
        arrived: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(fixture.in_time(&batch_of(&[record])), all_taken());
    let page = block_on(fixture.system.sagas.list(Status::Compensated, None, 10)).unwrap();
    let reason = page.sagas[0].reason.as_deref();
    assert_eq!(
        reason,
        Some("PagarReserva: no se conoce ReservaCreada.pago.monto")
    );
}

#[test]
fn without_time_it_only_stores_what_is_to_be_done_and_a_wake_up_does_it() {
    let fixture = Fixture::new();
    let id = fixture.system.create(None);
    let now = fixture.system.world.clock.now();
    assert_eq!(fixture.invoke(&fixture.log(), now), all_taken());
    assert_eq!(fixture.system.events_of(id), ["ReservaCreada"]);
    let due = block_on(fixture.system.sagas.due(10)).unwrap();
    assert_eq!(due.sagas, [fixture.system.saga_of(id)]);
    let wake = json!({"wake": due.sagas});
    assert_eq!(
        fixture.in_time(&wake),
        json!({"woken": 1, "put_off": 0, "failed": 0})
    );
    assert_eq!(fixture.estado(id), Status::Completed);
}

#[test]
fn a_participant_that_never_answers_does_not_hold_up_the_batch() {
    let fixture = Fixture::new();
    let pagos = function_of(PAGOS);
    fixture
        .system
        .functions
        .deploy(pagos, |_| futures::future::pending());
    let id = fixture.system.create(None);
    assert_eq!(fixture.in_time(&fixture.log()), all_taken());
    let saga = fixture.system.saga(id);
    let out = saga.outstanding.unwrap();
    assert_eq!((saga.status, out.attempts), (Status::Running, 1));
    assert!(
        out.due > Some(fixture.system.world.clock.now()),
        "it is sent again later"
    );
}

/// The values of some fields of a log line.
fn fields<'a, const N: usize>(line: &'a Value, names: [&str; N]) -> [&'a Value; N] {
    names.map(|name| &line[name])
}

#[test]
fn each_attempt_is_logged_with_the_pause_after_it_and_when_the_timers_go_on() {
    let fixture = Fixture::new();
    fixture.take_down(PAGOS);
    let id = fixture.system.create(None);
    let begun = fixture.system.world.clock.now();
    let (_, lines) = logged(|| fixture.in_time(&fixture.log()));
    let lines = |message: &str| -> Vec<Value> {
        let begins = |line: &&Value| {
            let text = line["message"].as_str();
            text.is_some_and(|text| text.starts_with(message))
        };
        lines.iter().filter(begins).cloned().collect()
    };
    let saga = fixture.system.saga_of(id).to_string();
    let of = |message: &str, kind: &str| {
        let mut lines = lines(message);
        lines.retain(|line| line["kind"] == kind && line["saga"] == saga);
        lines
    };
    // The coordinator makes four attempts to pay, and pauses after each attempt but the last. All of them fit into the
    // two seconds of one run.
    let failed = of("no answer", "PagarReserva");
    let attempts: Vec<_> = failed.iter().map(|line| &line["attempt"]).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    let why = |line: &Value| {
        line["failed"]
            .as_str()
            .is_some_and(|why| why.contains("down"))
    };
    assert!(failed.iter().all(why), "{failed:?}");
    let mut due = begun;
    let pauses = of("sent again after a pause", "PagarReserva");
    assert_eq!(pauses.len(), 3, "{pauses:?}");
    for (attempt, line) in (1..).zip(&pauses) {
        let again: Timestamp = line["again"].as_str().unwrap().parse().unwrap();
        let pause = again.duration_since(due).as_millis();
        assert_eq!(
            (&line["attempt"], &line["pause_ms"]),
            (&json!(attempt), &json!(pause))
        );
        due = again;
    }
    // The timers continue the compensation.
    let out = fixture.system.saga(id).outstanding.unwrap();
    let left = of("left to the timers", "RevertirPago");
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        fields(&left[0], ["attempt", "attempts", "again"]),
        [
            &json!(out.attempts),
            &json!(8),
            &json!(Moment::from(out.due.unwrap()).to_string())
        ]
    );
    assert!(out.attempts < 8, "{out:?}");
}

/// With the test card `tok_timeout`, or the fault `silencio` of tutorial 8, the payment gets no answer.
#[test]
fn a_payment_that_nobody_confirms_is_told_attempt_by_attempt() {
    for (medio, silent) in [("tok_timeout", 0), ("tok_visa", 4)] {
        let fixture = Fixture::new();
        let mut command = fixture.system.creation();
        command.data["pago"] = json!({"medio": medio});
        let faults = &fixture.system.faults;
        block_on(faults.set(PAGOS, "PagarReserva", None, FaultMode::Silence, silent)).unwrap();
        fixture.system.take(VUELOS, &command);
        let ((), lines) = logged(|| {
            fixture.in_time(&fixture.log());
            for _ in 0..4 {
                fixture.system.clock.advance(Duration::from_mins(1));
                let due = block_on(fixture.system.sagas.due(10)).unwrap();
                fixture.in_time(&json!({"wake": due.sagas}));
            }
        });
        let saga = fixture.system.saga(command.subject);
        assert_eq!(
            (saga.status, saga.reason.as_deref()),
            (Status::Compensated, Some("PagarReserva: sin respuesta"))
        );
        let told = saga.log.iter().filter_map(|entry| match entry.what {
            What::NoAnswer {
                step,
                direction: Direction::Do,
                attempt,
                next,
                ..
            } if step.get() == 2 => Some((attempt, next.is_some())),
            _ => None,
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [(1, true), (2, true), (3, true), (4, false)],
            "{medio}"
        );
        let attempts = |messages: &[&str]| -> Vec<u64> {
            let of_payment = lines.iter().filter(|line| line["kind"] == "PagarReserva");
            let such = of_payment.filter(|line| {
                let message = line["message"].as_str();
                message.is_some_and(|text| messages.iter().any(|begins| text.starts_with(begins)))
            });
            such.filter_map(|line| line["attempt"].as_u64()).collect()
        };
        assert_eq!(attempts(&["no answer"]), [1, 2, 3, 4], "{medio}");
        let goes_on = ["sent again after a pause", "left to the timers"];
        assert_eq!(attempts(&goes_on), [1, 2, 3], "{medio}");
    }
}

#[test]
fn an_attempt_that_nothing_is_heard_of_is_logged_as_left_to_the_timers() {
    let fixture = Fixture::new();
    let pagos = function_of(PAGOS);
    let silent = |_| futures::future::pending();
    fixture.system.functions.deploy(pagos, silent);
    let id = fixture.system.create(None);
    let (_, lines) = logged(|| fixture.in_time(&fixture.log()));
    let left = lines.iter().find(|line| line["attempts"] == 4).unwrap();
    let due = fixture.system.saga(id).outstanding.unwrap().due.unwrap();
    assert_eq!(
        fields(left, ["kind", "attempt", "again"]),
        [
            &json!("PagarReserva"),
            &json!(1),
            &json!(Moment::from(due).to_string())
        ]
    );
}

#[test]
fn a_participant_that_fails_is_asked_again_and_then_what_was_done_is_undone() {
    let fixture = Fixture::new();
    fixture.take_down(GDS);
    let id = fixture.system.create(None);
    for _ in 0..20 {
        fixture.in_time(&fixture.log());
        fixture.system.clock.advance(Duration::from_mins(2));
        let due = block_on(fixture.system.sagas.due(10)).unwrap();
        fixture.in_time(&json!({"wake": due.sagas}));
    }
    // The saga also sends the compensation to `gds`, which does not answer, so the saga waits for a person.
    let saga = fixture.system.saga(id);
    assert_eq!(saga.status, Status::NeedsIntervention);
    let gave_up = |entry: &alpes_saga::Entry| match entry.what {
        What::TimedOut { step, attempts, .. } => Some((step.get(), attempts)),
        _ => None,
    };
    let gave_up: Vec<_> = saga.log.iter().filter_map(gave_up).collect();
    assert_eq!(gave_up, [(3, 4), (3, 8)]);
    let attempts = saga.log.iter().filter_map(|entry| match entry.what {
        What::NoAnswer { attempt, .. } => Some(attempt),
        _ => None,
    });
    assert_eq!(
        attempts.collect::<Vec<_>>(),
        [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8]
    );
}

#[test]
fn what_cannot_be_stored_is_delivered_again() {
    // The read of the first saga fails.
    let faults = Faults::once(0, Fault::FailBefore);
    let fixture = Fixture::over(definitions(), &faults);
    let id = fixture.system.create(None);
    let log = fixture.log();
    let first = log["Records"][0]["kinesis"]["sequenceNumber"].clone();
    let failures = json!({"batchItemFailures": [{"itemIdentifier": first}]});
    assert_eq!(fixture.in_time(&log), failures);
    assert_eq!(fixture.in_time(&log), all_taken());
    assert_eq!(fixture.estado(id), Status::Completed);
}

/// Fills the item of a saga so that no further log line fits. Returns the item as it was before.
fn fill(fixture: &Fixture, id: SagaId) -> Item {
    let key = Key::new(alpes_saga::TABLE, id.to_string(), "saga");
    let before = fixture.system.tables.item(&key).unwrap();
    let mut full = before.clone();
    full.insert("relleno".into(), "".into());
    let used = serde_json::to_string(&full).unwrap().len();
    full.insert("relleno".into(), "x".repeat(400 * 1024 - used).into());
    put(fixture, id, full);
    before
}

fn put(fixture: &Fixture, id: SagaId, item: Item) {
    let key = Key::new(alpes_saga::TABLE, id.to_string(), "saga");
    let condition = Condition::Always;
    let put = Write::Put {
        key,
        item,
        condition,
    };
    block_on(fixture.system.tables.write(&put)).unwrap();
}

/// An item that is full, or is not a saga, delays no other saga of its shard. Once the item is repaired and the parked
/// events are retried, its saga has missed no event.
#[test]
fn an_event_whose_saga_the_table_refuses_is_parked_and_holds_up_nothing() {
    for broken in [false, true] {
        let fixture = Fixture::new();
        let stuck = fixture.system.create(None);
        let saga = fixture.system.saga_of(stuck);
        fixture.invoke(&fixture.log(), Timestamp::MIN);
        let before = fill(&fixture, saga);
        if broken {
            put(&fixture, saga, Item::from_iter([("rev".into(), 1.into())]));
        }
        fixture.system.cancel(stuck);
        let next = fixture.system.create(None);
        for _ in 0..2 {
            assert_eq!(fixture.in_time(&fixture.log()), all_taken(), "{broken}");
        }
        assert_eq!(fixture.estado(next), Status::Completed);
        let parked = fixture.parked();
        assert!(!parked.is_empty());
        for thing in &parked {
            assert_eq!((&*thing.owner, thing.reason), (CONSUMER, Reason::Permanent));
        }

        put(&fixture, saga, before);
        for thing in parked {
            let record = block_on(fixture.wiring.parking().record(&thing))
                .unwrap()
                .unwrap();
            assert_eq!(fixture.in_time(&batch_of(&[record])), all_taken());
        }
        let wake = json!({"wake": [saga]});
        fixture.in_time(&wake);
        assert_eq!(fixture.estado(stuck), Status::Compensated);
    }
}

#[test]
fn a_choreography_whose_beginning_is_heard_last_is_known_to_its_end() {
    let fixture = Fixture::new();
    let id = fixture.system.create_by_choreography();
    fixture.system.run_choreography();
    let records = fixture.system.log.records();
    assert_eq!(records.len(), 4);
    assert_eq!(fixture.in_time(&batch_of(&records[1..])), all_taken());
    assert_eq!(fixture.in_time(&batch_of(&records[..1])), all_taken());
    assert_eq!(fixture.estado(id), Status::Running);
    let wake = json!({"wake": [fixture.system.saga_of(id)]});
    let woken = json!({"woken": 1, "put_off": 0, "failed": 0});
    assert_eq!(fixture.in_time(&wake), woken);
    assert_eq!(fixture.estado(id), Status::Running, "it is not late yet");
    fixture.system.clock.advance(Duration::from_mins(2));
    assert_eq!(fixture.in_time(&wake), woken);
    assert_eq!(fixture.estado(id), Status::Completed);
}

/// Wakes a saga that has missed events of its choreography, under these faults, until the wake-up succeeds. Returns the
/// range of the effects of the wake-ups.
fn told_what_it_missed(faults: &Faults) -> std::ops::Range<usize> {
    let fixture = Fixture::over(definitions(), faults);
    let id = fixture.system.create_by_choreography();
    fixture.system.run_choreography();
    let records = fixture.system.log.records();
    fixture.in_time(&batch_of(&records[1..]));
    fixture.in_time(&batch_of(&records[..1]));
    fixture.system.clock.advance(Duration::from_mins(2));
    let before = faults.count();
    let wake = json!({"wake": [fixture.system.saga_of(id)]});
    while fixture.in_time(&wake)["woken"] != 1 {}
    let effects = before..faults.count();
    assert_eq!(fixture.estado(id), Status::Completed);
    effects
}

#[test]
fn a_choreography_that_cannot_be_read_is_not_taken_for_one_that_missed_nothing() {
    let effects = told_what_it_missed(&Faults::none());
    assert!(effects.len() >= 3, "{effects:?}");
    for at in effects {
        for fault in [Fault::FailBefore, Fault::FailAfter] {
            told_what_it_missed(&Faults::once(at, fault));
        }
    }
}

#[test]
fn a_choreography_whose_beginning_is_heard_long_after_brings_along_what_was_passed_over() {
    let fixture = Fixture::new();
    let id = fixture.system.create_by_choreography();
    fixture.system.run_choreography();
    let records = fixture.system.log.records();
    // The last event arrives first. The other events arrive later, in order.
    let (end, rest) = records.split_last().unwrap();
    assert_eq!(
        fixture.in_time(&batch_of(std::slice::from_ref(end))),
        all_taken()
    );
    fixture.system.clock.advance(Duration::from_secs(30));
    assert_eq!(fixture.in_time(&batch_of(rest)), all_taken());
    assert_eq!(fixture.estado(id), Status::Completed);
}

/// The function of a build that lacks the definitions of the system's sagas.
fn older(newer: Fixture) -> Fixture {
    let ports = newer.wiring.platform.clone();
    Fixture::of(newer.system, ports, Definitions::default())
}

#[test]
fn a_choreography_of_another_build_is_delivered_again() {
    let newer = Fixture::new();
    let id = newer.system.create_by_choreography();
    newer.in_time(&newer.log());
    newer.system.run_choreography();
    let fixture = older(newer);
    let records = fixture.system.log.records();
    let first = &records[0].sequence.0;
    assert_eq!(
        fixture.in_time(&fixture.log()),
        json!({"batchItemFailures": [{"itemIdentifier": first}]})
    );
    assert_eq!(fixture.estado(id), Status::Running);
}

/// A build that cannot advance a saga puts the saga off, and the build that began the saga still finds it.
#[test]
fn a_saga_of_another_build_is_passed_by_and_looked_at_again_later() {
    let newer = Fixture::new();
    let id = newer.system.create(None);
    let now = newer.system.world.clock.now();
    newer.invoke(&newer.log(), now);
    let fixture = older(newer);
    let (saga, before) = (fixture.system.saga_of(id), fixture.system.saga(id));
    assert_eq!(fixture.in_time(&fixture.log()), all_taken());
    let due = || block_on(fixture.system.sagas.due(10)).unwrap();
    let since = due().oldest;
    let wake = json!({"wake": [saga]});
    for _ in 0..2 {
        assert_eq!(due().sagas, [saga]);
        let put_off = json!({"woken": 0, "put_off": 1, "failed": 0});
        assert_eq!(fixture.in_time(&wake), put_off);
        assert_eq!(due().sagas, []);
        assert_eq!(fixture.system.saga(id), before);
        fixture.system.clock.advance(Duration::from_mins(3));
        assert_eq!(
            due().oldest,
            since,
            "how long it has waited is not forgotten"
        );
    }
    // The build that began the saga finds the saga unchanged, and continues it.
    let ports = fixture.wiring.platform.clone();
    let newer = Fixture::of(fixture.system, ports, definitions());
    let woken = json!({"woken": 1, "put_off": 0, "failed": 0});
    assert_eq!(newer.in_time(&wake), woken);
    assert_eq!(newer.estado(id), Status::Completed);
    assert_eq!(block_on(newer.system.sagas.due(10)).unwrap().sagas, []);
}

/// Putting off a saga changes only the index key of the saga's item, even if the item cannot be read.
#[test]
fn a_saga_whose_item_cannot_be_read_is_looked_at_again_later() {
    let fixture = Fixture::new();
    let id = fixture.system.create(None);
    let now = fixture.system.world.clock.now();
    fixture.invoke(&fixture.log(), now);
    let saga = fixture.system.saga_of(id);
    let key = Key::new(alpes_saga::TABLE, saga.to_string(), "saga");
    let spoil = Update::of(key.clone()).set(Path::of("log"), json!([]));
    block_on(fixture.system.tables.write(&spoil.into())).unwrap();
    let wake = json!({"wake": [saga]});
    let put_off = json!({"woken": 0, "put_off": 1, "failed": 0});
    assert_eq!(fixture.in_time(&wake), put_off);
    assert_eq!(block_on(fixture.system.sagas.due(10)).unwrap().sagas, []);
    let item = fixture.system.tables.item(&key).unwrap();
    assert_eq!(item["log"], json!([]), "only its place was changed");
}

#[test]
fn the_reservation_shows_where_its_saga_has_brought_it() {
    let fixture = Fixture::new();
    let id = fixture.system.create(None);
    fixture.in_time(&fixture.log());
    fixture.system.project();
    let row = shown(&fixture.system, id);
    assert_eq!(row, Some(EstadoReserva::Aprobada));
}

fn shown(system: &System, id: IdReserva) -> Option<EstadoReserva> {
    use views::reservas;
    let tables = system.tables.clone();
    let generations =
        alpes_projections::Generations::new(tables.clone(), system.world.clock.clone());
    let live = block_on(generations.live(reservas::NAME)).unwrap();
    let row = block_on(reservas::one(&*tables, &live, id)).unwrap();
    row.and_then(|row| row.estado)
}
