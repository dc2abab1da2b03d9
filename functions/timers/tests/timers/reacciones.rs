//! `reacciones`: what the contexts put off, and deadlines.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use events::{Catalogue, Context, Event, IdReserva};
use futures::executor::block_on;
use jiff::Timestamp;
use lambda_kit::{kinesis, participant::App};
use participant::{Faults, Modo, Rules};
use ports::CallError;
use reserva_saga::function_of;
use serde_json::{Value, json};
use timers::Done;

use crate::support::Fixture;

const TASK: &str = include_str!("../../events/reacciones.json");
const METRICS: [&str; 2] = ["ReactionsWaiting", "ReactionLate"];
const SINCE: Option<&str> = Some("2026-01-31T10:05:00Z");

/// Vuelos, which notes a deadline for each reservation that it hears of.
fn vuelos_of(fixture: &Fixture) -> App {
    let rules = Rules {
        context: Context::Vuelos,
        decider: Arc::new(vuelos::Vuelos),
        failure: vuelos::FAILURE,
        policies: vuelos::policies(),
    };
    let (tables, log) = (fixture.app.tables.clone(), fixture.log.clone());
    App::new(rules, tables, log, fixture.world.clone(), true, true)
}

/// Makes so many reservations by choreography, of which vuelos has heard.
fn made(fixture: &Fixture, count: usize) -> Vec<IdReserva> {
    let app = vuelos_of(fixture);
    let ids: Vec<_> = (0..count).map(|_| fixture.choreographed()).collect();
    let batch = kinesis::batch_of(&fixture.log.log.records());
    block_on(app.answer(batch, Timestamp::MAX)).unwrap();
    ids
}

/// Deploys vuelos; the sizes of the calls that it gets.
fn deploy(fixture: &Fixture) -> Arc<Mutex<Vec<usize>>> {
    let app = Arc::new(vuelos_of(fixture));
    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let calls = sizes.clone();
    fixture
        .functions
        .deploy(function_of(Context::Vuelos), move |payload| {
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
    asked["reacciones"].as_array().unwrap().len()
}

fn done(counts: [usize; 3], since: Option<&str>) -> Done {
    let [hechas, aplazadas, fallidas] = counts;
    Done::Reacciones {
        encontradas: hechas + aplazadas + fallidas,
        hechas,
        aplazadas,
        fallidas,
        mas_antigua: since.map(str::to_owned),
    }
}

/// The types of the events of a reservation, in the log.
fn kinds(fixture: &Fixture, id: IdReserva) -> Vec<String> {
    let records = fixture.log.log.records().into_iter();
    let events = records.map(|record| {
        let (event, _) = Event::decode(&record.data, &Catalogue::current()).unwrap();
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
    let faults = Faults::new(fixture.app.tables.clone());
    let fails = faults.set(
        Context::Vuelos,
        vuelos::CANCELAR_RESERVA,
        None,
        Modo::Error,
        1,
    );
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
    // One call fails, and holds up no other.
    let calls = AtomicUsize::new(0);
    fixture
        .functions
        .deploy(function_of(Context::Vuelos), move |payload| {
            let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    return Err(CallError::Unavailable("throttled".into()));
                }
                let answer = json!({"hechas": asked(&payload), "aplazadas": 0});
                Ok(answer.to_string().into_bytes())
            }
        });
    assert_eq!(fixture.handle(TASK).unwrap(), done([4, 0, 16], SINCE));
}

#[test]
fn a_run_ends_well_before_its_function_would_be_ended() {
    let fixture = Fixture::new();
    made(&fixture, 160);
    fixture.clock.advance(vuelos::DEADLINE);
    let clock = fixture.clock.clone();
    fixture
        .functions
        .deploy(function_of(Context::Vuelos), move |payload| {
            clock.advance(Duration::from_secs(16));
            async move {
                let answer = json!({"hechas": 0, "aplazadas": asked(&payload)});
                Ok(answer.to_string().into_bytes())
            }
        });
    assert_eq!(fixture.handle(TASK).unwrap(), done([0, 48, 112], SINCE));
}
