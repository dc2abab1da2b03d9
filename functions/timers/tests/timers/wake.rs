//! Tests of the task `wake`, which advances the sagas that are due.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alpes_ports::{CallError, Key, Path, Update};
use alpes_saga::{
    Answer, Coordinator, Dispatch, Fact, NoAnswer, Participants, SagaId, Status, start,
};
use async_trait::async_trait;
use futures::executor::block_on;
use jiff::Timestamp;
use reserva_saga::{ORCHESTRATOR, current, fact};
use serde_json::{Value, json};
use timers::Done;

use crate::support::Fixture;

const TASK: &str = include_str!("../../events/wake.json");
const CREATED: &str =
    include_str!("../../../../shared/airline/events/samples/vuelos/ReservaCreada.v2.json");

/// The reaction of participants to a reservation that cannot be paid.
#[derive(Clone, Copy)]
enum Undoing {
    /// The cancellation succeeds.
    Works,
    /// The cancellation fails.
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

/// Begins sagas without sending their first command.
fn begin(fixture: &Fixture, count: usize) -> Vec<SagaId> {
    let sagas = &fixture.sagas();
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
    serde_json::from_value(asked["wake"].clone()).unwrap()
}

fn woken(despertadas: usize, fallidas: usize) -> Vec<u8> {
    json!({"woken": despertadas, "failed": fallidas})
        .to_string()
        .into_bytes()
}

/// Deploys an orchestrator with these participants.
fn deploy(fixture: &Fixture, participants: Undoing) {
    let coordinator = Coordinator::new(fixture.sagas(), Arc::new(participants));
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

fn estado(fixture: &Fixture, id: SagaId) -> Status {
    let stored = block_on(fixture.sagas().load(id)).unwrap();
    stored.unwrap().saga.status
}

fn done(woken: usize, failed: usize, since: Option<&str>, stuck: usize) -> Done {
    Done::Wake {
        found: woken + failed,
        woken,
        put_off: 0,
        failed,
        oldest: since.map(str::to_owned),
        stuck,
    }
}

const SINCE: Option<&str> = Some("2026-01-31T10:00:00Z");

#[test]
fn sagas_whose_time_has_come_are_moved_on() {
    let fixture = Fixture::new();
    deploy(&fixture, Undoing::Works);
    assert_eq!(fixture.handle(TASK).unwrap(), done(0, 0, None, 0));
    assert_eq!(fixture.told(["SagasStuck", "SagaLate"]), [0, 0]);
    // The sagas are more than one call takes.
    let ids = begin(&fixture, 40);
    fixture.clock.advance(Duration::from_secs(61));
    assert_eq!(fixture.handle(TASK).unwrap(), done(40, 0, SINCE, 0));
    assert_eq!(fixture.told(["SagasStuck", "SagaLate"]), [0, 61]);
    for id in ids {
        assert_eq!(estado(&fixture, id), Status::Compensated);
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
    assert_eq!(estado(&fixture, ids[0]), Status::NeedsIntervention);
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
    // The calls have 16, 16 and 8 sagas. The second call fails. Each of the other two calls wakes all of its sagas but
    // one, which stays due.
    assert_eq!(fixture.handle(TASK).unwrap(), done(22, 18, SINCE, 0));
}

/// Deploys an orchestrator that puts off sagas that it cannot advance.
fn deploy_patient(fixture: &Fixture) {
    let sagas = fixture.sagas();
    let coordinator = Coordinator::new(sagas.clone(), Arc::new(Undoing::Works));
    fixture.functions.deploy(ORCHESTRATOR, move |payload| {
        let (coordinator, sagas) = (coordinator.clone(), sagas.clone());
        async move {
            let (mut despertadas, mut aplazadas) = (0, 0);
            for id in asked(&payload) {
                if coordinator.wake(id, Timestamp::MAX).await.is_ok() {
                    despertadas += 1;
                } else {
                    let pause = Duration::from_mins(3);
                    aplazadas += usize::from(sagas.put_off(id, pause).await.unwrap());
                }
            }
            let done = json!({"woken": despertadas, "put_off": aplazadas, "failed": 0});
            Ok(done.to_string().into_bytes())
        }
    });
}

fn woken_of(done: &Done) -> [usize; 4] {
    let Done::Wake {
        found,
        woken,
        put_off,
        failed,
        ..
    } = done
    else {
        panic!("{done:?}")
    };
    [*found, *woken, *put_off, *failed]
}

/// The sagas of another build have been due for longer than the sagas of this build, and are many.
#[test]
fn sagas_that_this_build_cannot_move_starve_no_others() {
    let fixture = Fixture::new().with_limits(|limits| limits.sagas = 1);
    let foreign = begin(&fixture, 40);
    for id in &foreign {
        let key = Key::new(alpes_saga::TABLE, id.to_string(), "saga");
        let newer = Update::of(key).set(Path::of("version"), 99);
        block_on(fixture.tables.write(&newer.into())).unwrap();
    }
    fixture.clock.advance(Duration::from_secs(1));
    let own = begin(&fixture, 3);
    deploy_patient(&fixture);
    let done = fixture.handle(TASK).unwrap();
    assert_eq!(woken_of(&done), [43, 3, 40, 0]);
    for id in own {
        assert_eq!(estado(&fixture, id), Status::Compensated);
    }
    // The sagas of another build delay no other saga, and are retried after the pause.
    assert_eq!(woken_of(&fixture.handle(TASK).unwrap()), [0, 0, 0, 0]);
    fixture.clock.advance(Duration::from_mins(4));
    assert_eq!(woken_of(&fixture.handle(TASK).unwrap()), [40, 0, 40, 0]);
    assert_eq!(fixture.told(["SagasStuck", "SagaLate"]), [0, 241]);
}

/// One saga kills each invocation that advances it.
#[test]
fn a_saga_that_kills_its_call_holds_up_its_neighbours_once() {
    let fixture = Fixture::new();
    let ids = begin(&fixture, 16);
    let deadly = ids[7];
    let coordinator = Coordinator::new(fixture.sagas(), Arc::new(Undoing::Works));
    fixture.functions.deploy(ORCHESTRATOR, move |payload| {
        let coordinator = coordinator.clone();
        async move {
            let ids = asked(&payload);
            if ids.contains(&deadly) {
                let (error_type, message) = (String::new(), "Task timed out".into());
                return Err(CallError::Failed {
                    error_type,
                    message,
                });
            }
            for id in &ids {
                coordinator.wake(*id, Timestamp::MAX).await.unwrap();
            }
            Ok(woken(ids.len(), 0))
        }
    });
    assert_eq!(woken_of(&fixture.handle(TASK).unwrap()), [16, 15, 1, 0]);
    assert_eq!(woken_of(&fixture.handle(TASK).unwrap()), [0, 0, 0, 0]);
    fixture.clock.advance(Duration::from_mins(4));
    assert_eq!(woken_of(&fixture.handle(TASK).unwrap()), [1, 0, 1, 0]);
    assert_eq!(fixture.told(["SagasStuck", "SagaLate"]), [0, 240]);
}

/// The index has keys that are not ids of sagas, and has more sagas with one due time than a page holds.
#[test]
fn a_run_reads_on_to_the_end() {
    let fixture = Fixture::new().with_limits(|limits| limits.sagas = 2);
    deploy(&fixture, Undoing::Works);
    for number in 0..5 {
        let key = Key::new(alpes_saga::TABLE, format!("no saga {number}"), "saga");
        let due = Update::of(key)
            .set(Path::of("gsi1pk"), "wake-00")
            .set(Path::of("gsi1sk"), "2026-01-31T09:00:00.000Z");
        block_on(fixture.tables.write(&due.into())).unwrap();
    }
    let ids = begin(&fixture, 60);
    let done = fixture.handle(TASK).unwrap();
    assert_eq!(woken_of(&done), [65, 60, 0, 5]);
    for id in ids {
        assert_eq!(estado(&fixture, id), Status::Compensated);
    }
    let hour = 60 * 60;
    assert_eq!(fixture.told(["SagaLate"]), [hour], "operators see it");
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
