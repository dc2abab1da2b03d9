//! Tests of the task `reactions`, which retries pending reactions of the contexts and applies deadlines.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use alpes_lambda::{kinesis, participant::App};
use alpes_messages::{Command, CommandId, Context, Event};
use alpes_participant::{FaultMode, Faults};
use alpes_ports::{CallError, Key, LogRecord, Path, Update};
use events::{IdReserva, PAGOS, Payload, VUELOS};
use futures::{executor::block_on, future::poll_fn};
use jiff::Timestamp;
use reserva_saga::function_of;
use serde_json::{Value, json};
use timers::Done;

use crate::support::Fixture;

const TASK: &str = include_str!("../../events/reactions.json");
const METRICS: [&str; 2] = ["ReactionsWaiting", "ReactionLate"];
const SINCE: Option<&str> = Some("2026-01-31T10:05:00Z");

/// The function of `vuelos`, which stores a deadline for each reservation that it receives.
fn vuelos_of(fixture: &Fixture) -> App<Payload> {
    let Ok(app) = fixture.wiring.participant(VUELOS);
    app
}

fn pagos_of(fixture: &Fixture) -> App<Payload> {
    let Ok(app) = fixture.wiring.participant(PAGOS);
    app
}

/// Makes reservations by choreography, and delivers their events to `vuelos`.
fn made(fixture: &Fixture, count: usize) -> Vec<IdReserva> {
    let app = vuelos_of(fixture);
    let ids: Vec<_> = (0..count).map(|_| fixture.choreographed()).collect();
    let batch = kinesis::batch_of(&fixture.log.log.records());
    block_on(app.answer(batch, Timestamp::MAX)).unwrap();
    ids
}

/// Deploys a function for `vuelos` that records the size of each call.
fn deploy(fixture: &Fixture) -> Arc<Mutex<Vec<usize>>> {
    let app = Arc::new(vuelos_of(fixture));
    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let calls = sizes.clone();
    fixture
        .functions
        .deploy(function_of(VUELOS), move |payload| {
            let app = app.clone();
            calls.lock().unwrap().push(asked(&payload));
            async move {
                let payload = serde_json::from_slice(&payload).unwrap();
                let answer = app.answer(payload, Timestamp::MAX).await.unwrap();
                Ok(serde_json::to_vec(&answer).unwrap())
            }
        });
    sizes
}

fn asked(payload: &[u8]) -> usize {
    let asked: Value = serde_json::from_slice(payload).unwrap();
    asked["reactions"].as_array().unwrap().len()
}

fn done(counts: [usize; 3], since: Option<&str>) -> Done {
    let [done, put_off, failed] = counts;
    Done::Reactions {
        found: done + put_off + failed,
        done,
        put_off,
        failed,
        oldest: since.map(str::to_owned),
    }
}

/// The types of a reservation's events in the log.
fn kinds(fixture: &Fixture, id: IdReserva) -> Vec<String> {
    let records = fixture.log.log.records().into_iter();
    let events = records.map(|record| {
        let (event, _) = Event::decode(&record.data, &events::catalogue()).unwrap();
        event
    });
    events
        .filter(|event| event.subject == id)
        .map(|event| event.kind)
        .collect()
}

#[test]
fn what_is_due_is_done_by_its_context_in_small_calls() {
    let fixture = Fixture::new();
    let sizes = deploy(&fixture);
    let ids = made(&fixture, 40);
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 0, 0], None));
    assert_eq!(fixture.told(METRICS), [0, 0]);
    fixture
        .clock
        .advance(vuelos::DEADLINE + Duration::from_secs(7));
    assert_eq!(fixture.handle(TASK).unwrap(), done([40, 0, 0], SINCE));
    assert_eq!(fixture.told(METRICS), [40, 7]);
    assert_eq!(*sizes.lock().unwrap(), [16, 16, 8]);
    for id in ids {
        assert_eq!(kinds(&fixture, id), ["ReservaCreada", "ReservaCancelada"]);
    }
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 0, 0], None));
}

#[test]
fn what_fails_is_put_off_once_more() {
    let fixture = Fixture::new();
    deploy(&fixture);
    let id = made(&fixture, 1)[0];
    let faults = Faults::new(fixture.tables.clone());
    let fails = faults.set(VUELOS, vuelos::CANCELAR_RESERVA, None, FaultMode::Error, 1);
    block_on(fails).unwrap();
    fixture.clock.advance(vuelos::DEADLINE);
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 1, 0], SINCE));
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 0, 0], None));
    fixture.clock.advance(Duration::from_secs(30));
    fixture.handle(TASK).unwrap();
    assert_eq!(kinds(&fixture, id), ["ReservaCreada", "ReservaCancelada"]);
}

#[test]
fn a_participant_that_is_gone_is_told_by_how_late_reactions_are() {
    let fixture = Fixture::new();
    made(&fixture, 20);
    let late = vuelos::DEADLINE + Duration::from_secs(301);
    fixture.clock.advance(late);
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 0, 20], SINCE));
    assert_eq!(fixture.told(METRICS), [20, 301]);
    // The failure of one call delays no other call.
    let calls = AtomicUsize::new(0);
    fixture
        .functions
        .deploy(function_of(VUELOS), move |payload| {
            let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    return Err(CallError::Unavailable("throttled".into()));
                }
                let answer = json!({"done": asked(&payload), "put_off": 0});
                Ok(answer.to_string().into_bytes())
            }
        });
    assert_eq!(fixture.handle(TASK).unwrap(), done([4, 0, 16], SINCE));
}

/// The deadline of a reservation that is approved in time is deleted, and causes no work later.
#[test]
fn a_deadline_that_is_met_is_taken_out() {
    let fixture = Fixture::new();
    deploy(&fixture);
    let id = made(&fixture, 1)[0];
    let noted = || fixture.tables.scan(alpes_participant::REACTIONS, None);
    assert_eq!(block_on(noted()).unwrap().items.len(), 1);
    let approve = Command {
        id: CommandId(fixture.world.ids.fresh()),
        kind: vuelos::APROBAR_RESERVA.into(),
        data: json!({}),
        ..fixture.command(id)
    };
    block_on(fixture.store().handle(&vuelos::Vuelos, &approve)).unwrap();
    let app = vuelos_of(&fixture);
    let records = fixture.log.log.records();
    assert_eq!(kinds(&fixture, id), ["ReservaCreada", "ReservaAprobada"]);
    // The last event may arrive alone, in order, or before the first event.
    for heard in [&records[1..], &records[..], &records[..1]] {
        block_on(app.answer(kinesis::batch_of(heard), Timestamp::MAX)).unwrap();
        let left = usize::from(heard.len() == 1 && heard[0] == records[0]);
        assert_eq!(block_on(noted()).unwrap().items.len(), left);
    }
    // A deadline that was stored after the approval has no effect.
    fixture.clock.advance(vuelos::DEADLINE);
    assert_eq!(fixture.handle(TASK).unwrap(), done([1, 0, 0], SINCE));
    assert_eq!(kinds(&fixture, id), ["ReservaCreada", "ReservaAprobada"]);
    assert!(block_on(noted()).unwrap().items.is_empty());
}

/// The records of one type of event.
fn records(fixture: &Fixture, kind: &str) -> Vec<LogRecord> {
    let of_kind = |record: &LogRecord| {
        let (event, _) = Event::decode(&record.data, &events::catalogue()).unwrap();
        event.kind == kind
    };
    let mut records = fixture.log.log.records();
    records.retain(of_kind);
    records
}

/// Yields to other tasks once.
async fn yielding() {
    let mut yielded = false;
    let once = poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    once.await;
}

/// The calls of the contexts, in order. Each call has its context, the number of its reactions, and true if the
/// reactions were deadlines.
type Calls = Arc<Mutex<Vec<(Context, usize, bool)>>>;

/// One reservation in `vuelos` and one in `pagos` must be undone. Many deadlines have been due for longer. `vuelos`
/// hangs.
#[test]
fn what_undoes_goes_before_deadlines_and_one_context_never_waits_for_another() {
    let fixture = Fixture::new().with_limits(|limits| limits.reactions = 2);
    let (in_vuelos, in_pagos) = (vuelos_of(&fixture), pagos_of(&fixture));
    let hears = |app: &App<Payload>, records: &[LogRecord]| {
        block_on(app.answer(kinesis::batch_of(records), Timestamp::MAX)).unwrap();
    };
    made(&fixture, 200);
    fixture.clock.advance(vuelos::DEADLINE);
    let faults = Faults::new(fixture.tables.clone());
    for (context, command, modo) in [
        (PAGOS, pagos::PAGAR_RESERVA, FaultMode::Failure),
        (PAGOS, pagos::REVERTIR_PAGO, FaultMode::Error),
        (VUELOS, vuelos::CANCELAR_RESERVA, FaultMode::Error),
    ] {
        block_on(faults.set(context, command, None, modo, 1)).unwrap();
    }
    hears(&in_pagos, &records(&fixture, "ReservaCreada")[..1]);
    hears(&in_vuelos, &records(&fixture, "PagoFallido"));
    let cancel = Command {
        id: CommandId(fixture.world.ids.fresh()),
        kind: vuelos::CANCELAR_RESERVA.into(),
        data: json!({"motivo": "otro"}),
        ..fixture.command(fixture.choreographed())
    };
    block_on(fixture.store().handle(&vuelos::Vuelos, &cancel)).unwrap();
    hears(&in_pagos, &records(&fixture, "ReservaCancelada"));
    fixture.clock.advance(Duration::from_secs(10));

    let calls: Calls = Arc::default();
    for context in [VUELOS, PAGOS] {
        let (calls, clock) = (calls.clone(), fixture.clock.clone());
        fixture
            .functions
            .deploy(function_of(context), move |payload| {
                let text = String::from_utf8(payload.clone()).unwrap();
                let call = (context, asked(&payload), text.contains("deadline#"));
                calls.lock().unwrap().push(call);
                let (calls, clock) = (calls.clone(), clock.clone());
                async move {
                    if context == PAGOS {
                        let answer = json!({"done": asked(&payload), "put_off": 0});
                        return Ok(answer.to_string().into_bytes());
                    }
                    for _ in 0..1_000 {
                        yielding().await;
                    }
                    clock.advance(Duration::from_secs(15));
                    calls.lock().unwrap().push((context, 0, false));
                    Err(CallError::Unavailable("no answer".into()))
                }
            });
    }
    fixture.handle(TASK).unwrap();
    let calls = calls.lock().unwrap();
    assert_eq!(calls[0], (VUELOS, 1, false), "{calls:?}");
    let gave_up = calls.iter().position(|(_, asked, _)| *asked == 0);
    let called = calls.iter().position(|call| *call == (PAGOS, 1, false));
    assert!(called.is_some() && called < gave_up, "{calls:?}");
}

/// A reaction that a context cannot read delays no other reaction.
#[test]
fn a_reaction_that_cannot_be_read_is_put_off_and_holds_up_no_other() {
    let fixture = Fixture::new();
    deploy(&fixture);
    let ids = made(&fixture, 3);
    let key = |id: &IdReserva| {
        let (pk, sk) = (
            format!("vuelos-{id}"),
            "deadline#ReservaCreada#CancelarReserva",
        );
        Key::new(alpes_participant::REACTIONS, pk, sk)
    };
    let spoil = Update::of(key(&ids[0])).set(Path::of("event"), "?");
    block_on(fixture.tables.write(&spoil.into())).unwrap();
    fixture.clock.advance(vuelos::DEADLINE);
    assert_eq!(fixture.handle(TASK).unwrap(), done([2, 1, 0], SINCE));
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 0, 0], None));
    fixture.clock.advance(Duration::from_mins(4));
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 1, 0], SINCE));
    assert_eq!(fixture.told(METRICS), [1, 240], "operators see it");
}

/// A new event source mapping redelivers the whole log. The events of the open reservations come last in the log.
#[test]
fn a_log_that_is_heard_again_leaves_no_deadlines_and_cancels_nothing_that_goes_on() {
    let fixture = Fixture::new();
    let approved = fixture.choreographed();
    let open = fixture.choreographed();
    let approve = Command {
        id: CommandId(fixture.world.ids.fresh()),
        kind: vuelos::APROBAR_RESERVA.into(),
        data: json!({}),
        ..fixture.command(approved)
    };
    block_on(fixture.store().handle(&vuelos::Vuelos, &approve)).unwrap();
    fixture.clock.advance(Duration::from_hours(25));
    let live = fixture.choreographed();
    // `vuelos` receives this reservation long after its deadline has passed.
    fixture.clock.advance(Duration::from_mins(30));
    let app = vuelos_of(&fixture);
    let records = fixture.log.log.records();
    for record in &records {
        let batch = kinesis::batch_of(std::slice::from_ref(record));
        block_on(app.answer(batch, Timestamp::MAX)).unwrap();
    }
    let noted = block_on(fixture.tables.scan(alpes_participant::REACTIONS, None)).unwrap();
    let noted: Vec<_> = noted.items.iter().map(|item| item["pk"].clone()).collect();
    assert_eq!(noted, [json!(format!("vuelos-{live}"))]);
    deploy(&fixture);
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 0, 0], None));
    assert_eq!(kinds(&fixture, live), ["ReservaCreada"]);
    assert_eq!(kinds(&fixture, approved).len(), 2);
    assert_eq!(kinds(&fixture, open), ["ReservaCreada", "ReservaCancelada"]);
}

#[test]
fn a_run_ends_well_before_its_function_would_be_ended() {
    let fixture = Fixture::new();
    made(&fixture, 160);
    fixture.clock.advance(vuelos::DEADLINE);
    let clock = fixture.clock.clone();
    fixture
        .functions
        .deploy(function_of(VUELOS), move |payload| {
            clock.advance(Duration::from_secs(16));
            async move {
                let answer = json!({"done": 0, "put_off": asked(&payload)});
                Ok(answer.to_string().into_bytes())
            }
        });
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 48, 112], SINCE));
}
