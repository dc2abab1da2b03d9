//! `despertar`: sagas whose time has come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::executor::block_on;
use jiff::Timestamp;
use ports::CallError;
use reserva_saga::{ORCHESTRATOR, current, fact};
use saga_engine::{
    Answer, Coordinator, Dispatch, Estado, Fact, NoAnswer, Participants, SagaId, start,
};
use serde_json::{Value, json};
use timers::Done;

use crate::support::Fixture;

const TASK: &str = include_str!("../../events/despertar.json");
const CREATED: &str =
    include_str!("../../../../shared/events/samples/vuelos/ReservaCreada.v2.json");

/// What participants do about a reservation that cannot be paid.
#[derive(Clone, Copy)]
enum Undoing {
    /// It is cancelled.
    Works,
    /// It cannot be cancelled.
    Fails,
}

#[async_trait]
impl Participants for Undoing {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        if dispatch.kind == "CancelarReserva" && matches!(self, Self::Works) {
            let mut cancelled = created();
            cancelled.kind = "ReservaCancelada".into();
            cancelled.version = 2;
            return Ok(Answer::Events(vec![cancelled]));
        }
        Ok(Answer::Rejected("no".into()))
    }
}

fn created() -> Fact {
    fact(&serde_json::from_str(CREATED).unwrap())
}

/// Begins sagas that nobody has moved on since.
fn begin(fixture: &Fixture, count: usize) -> Vec<SagaId> {
    let sagas = &fixture.app.sagas;
    let begun = (0..count).map(|_| {
        let id = SagaId(fixture.world.ids.fresh());
        let fact = Fact {
            time: sagas.now(),
            ..created()
        };
        let saga = start(&current(), id, &fact, sagas.now()).unwrap();
        block_on(sagas.save(None, saga)).unwrap();
        id
    });
    begun.collect()
}

fn asked(payload: &[u8]) -> Vec<SagaId> {
    let asked: Value = serde_json::from_slice(payload).unwrap();
    serde_json::from_value(asked["despertar"].clone()).unwrap()
}

fn woken(despertadas: usize, fallidas: usize) -> Vec<u8> {
    json!({"despertadas": despertadas, "fallidas": fallidas})
        .to_string()
        .into_bytes()
}

/// Deploys an orchestrator with these participants.
fn deploy(fixture: &Fixture, participants: Undoing) {
    let coordinator = Coordinator::new(fixture.app.sagas.clone(), Arc::new(participants));
    fixture.functions.deploy(ORCHESTRATOR, move |payload| {
        let coordinator = coordinator.clone();
        async move {
            let ids = asked(&payload);
            for id in &ids {
                coordinator.wake(*id, Timestamp::MAX).await.unwrap();
            }
            Ok(woken(ids.len(), 0))
        }
    });
}

fn estado(fixture: &Fixture, id: SagaId) -> Estado {
    let stored = block_on(fixture.app.sagas.load(id)).unwrap();
    stored.unwrap().saga.estado
}

fn done(despertadas: usize, fallidas: usize, since: Option<&str>, atascadas: usize) -> Done {
    Done::Despertar {
        encontradas: despertadas + fallidas,
        despertadas,
        fallidas,
        mas_antigua: since.map(str::to_owned),
        atascadas,
    }
}

const SINCE: Option<&str> = Some("2026-01-31T10:00:00Z");

#[test]
fn sagas_whose_time_has_come_are_moved_on() {
    let fixture = Fixture::new();
    deploy(&fixture, Undoing::Works);
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, None, 0));
    assert_eq!(fixture.told(["SagasStuck", "SagaLate"]), [0, 0]);
    // More than one call takes.
    let ids = begin(&fixture, 40);
    fixture.clock.advance(Duration::from_secs(61));
    assert_eq!(fixture.handle(TASK).unwrap(), done(40, 0, SINCE, 0));
    assert_eq!(fixture.told(["SagasStuck", "SagaLate"]), [0, 61]);
    for id in ids {
        assert_eq!(estado(&fixture, id), Estado::Compensada);
    }
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, None, 0));
    assert_eq!(fixture.told(["SagasStuck", "SagaLate"]), [0, 0]);
}

#[test]
fn sagas_that_wait_for_a_person_are_counted() {
    let fixture = Fixture::new();
    deploy(&fixture, Undoing::Fails);
    let ids = begin(&fixture, 3);
    assert_eq!(fixture.handle(TASK).unwrap(), done(3, 0, SINCE, 3));
    assert_eq!(fixture.told(["SagasStuck", "SagaLate"]), [3, 0]);
    assert_eq!(estado(&fixture, ids[0]), Estado::RequiereIntervencion);
    fixture.clock.advance(Duration::from_hours(1));
    assert_eq!(
        fixture.handle(TASK).unwrap(),
        done(0, 0, None, 3),
        "they are not woken"
    );
}

#[test]
fn a_call_that_fails_holds_up_no_other() {
    let fixture = Fixture::new();
    let ids = begin(&fixture, 40);
    let deadly = ids[20];
    fixture.functions.deploy(ORCHESTRATOR, move |payload| {
        let ids = asked(&payload);
        async move {
            if ids.contains(&deadly) {
                return Err(CallError::Unavailable("throttled".into()));
            }
            Ok(woken(ids.len() - 1, 1))
        }
    });
    // Calls of 16, 16 and 8: the second fails, the others do not see to one each.
    assert_eq!(fixture.handle(TASK).unwrap(), done(22, 18, SINCE, 0));
}

#[test]
fn an_orchestrator_that_is_gone_is_told_by_how_late_sagas_are() {
    let fixture = Fixture::new();
    begin(&fixture, 2);
    fixture.clock.advance(Duration::from_secs(301));
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 2, SINCE, 0));
    assert_eq!(fixture.told(["SagasStuck", "SagaLate"]), [0, 301]);
}

#[test]
fn a_run_ends_well_before_its_function_would_be_ended() {
    let fixture = Fixture::new();
    begin(&fixture, 160);
    let calls = Arc::new(AtomicUsize::new(0));
    let (counted, clock) = (calls.clone(), fixture.clock.clone());
    fixture.functions.deploy(ORCHESTRATOR, move |payload| {
        counted.fetch_add(1, Ordering::SeqCst);
        clock.advance(Duration::from_secs(16));
        async move { Ok(woken(asked(&payload).len(), 0)) }
    });
    assert_eq!(fixture.handle(TASK).unwrap(), done(48, 112, SINCE, 0));
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}
