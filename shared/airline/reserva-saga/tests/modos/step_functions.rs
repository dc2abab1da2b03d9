//! Tests of reservations whose sagas a state machine of Step Functions runs, under faults.

use std::collections::BTreeMap;

use alpes_ports::{Ending, Progress};
use alpes_saga::{Definitions, Direction, Request, SagaMode, Status, StepNumber, What};
use events::{GDS, PAGOS, VUELOS};
use futures::executor::block_on;
use jiff::SignedDuration;
use reserva_saga::{current, state_machine};
use serde_json::json;
use simulation::Fault;

use crate::{
    Cancel, STEP_FUNCTIONS, at_every_effect, calm, estado, expected,
    motores::lines,
    sim::{Kind, Setup, Sim},
    until_heard,
};

const FAULTS: [Fault; 6] = [
    Fault::FailBefore,
    Fault::FailAfter,
    Fault::Twice,
    Fault::Late,
    Fault::KillBefore,
    Fault::KillAfter,
];

fn seeded(seed: u64) -> Sim {
    calm(Setup {
        seed,
        ..Setup::default()
    })
}

fn steps(sim: &mut Sim, count: u64) {
    for _ in 0..count {
        sim.step();
    }
}

#[test]
fn each_kind_ends_as_it_should() {
    for kind in Kind::ALL {
        let mut sim = calm(Setup::default());
        let place = sim.book(kind, STEP_FUNCTIONS, None);
        sim.run().unwrap();
        sim.check().unwrap();
        assert_eq!(estado(&sim, place), expected(kind), "{kind:?}");
    }
}

#[test]
fn a_fault_at_every_effect_changes_nothing_in_the_end() {
    for kind in [Kind::Approved, Kind::Declined, Kind::NotApproved] {
        at_every_effect(STEP_FUNCTIONS, kind, Cancel::Never, &FAULTS);
    }
    for cancel in [Cancel::OnceCompleted, Cancel::AtTheEnd] {
        at_every_effect(STEP_FUNCTIONS, Kind::Approved, cancel, &FAULTS);
    }
}

/// The last step, which approves.
fn approval() -> StepNumber {
    current().numbered().last().unwrap().0
}

/// The approval is done, but the execution does not get the first answers to it.
#[test]
fn one_that_is_not_told_that_it_is_approved_is_not_undone_by_two_at_once() {
    let mut executions = BTreeMap::<_, usize>::new();
    for lost in 0..12 {
        let mut sim = calm(Setup::default());
        let place = sim.book(Kind::Approved, STEP_FUNCTIONS, None);
        sim.lose_answers(place, approval(), lost);
        until_heard(&mut sim, "ReservaAprobada");
        assert_eq!(estado(&sim, place), Status::Completed);
        assert!(sim.cancel(place));
        while !estado(&sim, place).has_ended() {
            sim.step();
            let runs = |way| sim.progress(place, way) == Progress::Running;
            assert!(!(runs(Direction::Do) && runs(Direction::Undo)));
        }
        sim.run().unwrap();
        sim.check().unwrap();
        let saga = sim.saga(place).unwrap();
        assert_eq!(saga.status, Status::Compensated);
        *executions.entry(saga.executions().count()).or_default() += 1;
    }
    assert_eq!(executions.len(), 2, "undone by itself, or by another");
}

/// The current definition, and a newer version with more attempts.
fn with_a_newer_version() -> Definitions {
    let mut next = current();
    next.version += 1;
    for call in next.steps.iter_mut().filter_map(|step| step.call.as_mut()) {
        call.retry.attempts += 2;
    }
    Definitions::new(vec![current(), next])
}

/// A deployment may replace the state machine before the orchestrator. The newer state machine also runs the sagas of
/// the older version, and compensates them long after.
#[test]
fn each_saga_is_done_and_undone_in_the_version_that_it_began_with() {
    for moment in (0..250).step_by(5) {
        let mut sim = seeded(moment);
        sim.book(Kind::Approved, STEP_FUNCTIONS, None);
        steps(&mut sim, moment);
        let definitions = with_a_newer_version();
        sim.deploy(&state_machine(&definitions));
        sim.book(Kind::Approved, STEP_FUNCTIONS, None);
        steps(&mut sim, moment / 5);
        sim.definitions = definitions;
        for kind in [Kind::Approved, Kind::Declined, Kind::NotApproved] {
            let place = sim.book(kind, STEP_FUNCTIONS, None);
            sim.run().unwrap();
            sim.check().unwrap();
            assert_eq!(estado(&sim, place), expected(kind), "{moment}: {kind:?}");
            assert_eq!(sim.saga(place).unwrap().version, current().version + 1);
        }
        for place in 0..3 {
            assert_eq!(estado(&sim, place), Status::Completed, "{moment}");
            assert!(sim.cancel(place));
        }
        sim.run().unwrap();
        sim.check().unwrap();
        let sagas: Vec<_> = (0..3).map(|place| sim.saga(place).unwrap()).collect();
        assert!(sagas.iter().all(|saga| saga.status == Status::Compensated));
        let [lines, others @ ..] = [0, 1, 2].map(|place| lines(&sim.as_it_went(place)));
        assert!(others.iter().all(|other| *other == lines), "told alike");
    }
}

#[test]
fn one_that_its_client_cancels_is_undone_at_once_or_once_it_has_ended() {
    let mut met = BTreeMap::<_, usize>::new();
    for moment in 0..250 {
        let mut sim = seeded(moment);
        sim.book(Kind::Approved, STEP_FUNCTIONS, None);
        steps(&mut sim, moment);
        let before = sim.saga(0).map(|saga| saga.status);
        let taken = sim.cancel(0);
        assert_eq!(
            taken,
            before != Some(Status::Running),
            "{moment}: {before:?}"
        );
        sim.run().unwrap();
        if !taken {
            assert_eq!(estado(&sim, 0), Status::Completed);
            assert!(sim.cancel(0));
            sim.run().unwrap();
        }
        sim.check().unwrap();
        let saga = sim.saga(0).unwrap();
        assert_eq!(saga.status, Status::Compensated, "{moment}");
        let (conduct, executions): (_, &[_]) = match before {
            None => (SagaMode::Orchestration, &[]),
            Some(_) => (SagaMode::StepFunctions, &[Direction::Do, Direction::Undo]),
        };
        assert_eq!(saga.mode, conduct, "{moment}");
        assert_eq!(saga.executions().collect::<Vec<_>>(), executions);
        *met.entry(before).or_default() += 1;
    }
    println!("{met:?}");
    assert_eq!(met.len(), 3, "before it began, while it ran, and after");
}

#[test]
fn a_saga_keeps_the_engine_that_it_began_with() {
    let mut met = BTreeMap::<_, usize>::new();
    for had in [true, false] {
        for moment in (0..150).step_by(3) {
            let mut sim = seeded(moment);
            sim.has_machine = had;
            sim.book(Kind::Approved, STEP_FUNCTIONS, None);
            steps(&mut sim, moment);
            let began = sim.saga(0).map(|saga| saga.mode);
            sim.has_machine = !had;
            steps(&mut sim, 100);
            let then = sim.saga(0).map(|saga| saga.mode);
            sim.has_machine = true;
            sim.run().unwrap();
            sim.check().unwrap();
            let saga = sim.saga(0).unwrap();
            assert_eq!(saga.status, Status::Completed);
            for known in began.into_iter().chain(then) {
                assert_eq!(known, saga.mode, "{had}, {moment}");
            }
            *met.entry((had, began.is_some(), saga.mode)).or_default() += 1;
        }
    }
    println!("{met:?}");
    assert!(met.len() >= 4, "{met:?}");
}

#[test]
fn one_that_cannot_be_undone_requires_a_person_before_long() {
    let mut sim = calm(Setup::default());
    let place = sim.book(Kind::NotApproved, STEP_FUNCTIONS, None);
    sim.break_down(PAGOS, pagos::REVERTIR_PAGO, place, 1_000);
    let failed = |sim: &Sim| match sim.progress(place, Direction::Do) {
        Progress::Ended(ending) => Some(ending),
        _ => None,
    };
    while failed(&sim).is_none() {
        sim.step();
    }
    let Some(Ending::Failed { error, .. }) = failed(&sim) else {
        panic!("{:?}", failed(&sim))
    };
    assert_eq!(error, "InducedError");
    let ended = sim.clock_now();
    while estado(&sim, place) != Status::NeedsIntervention {
        sim.step();
    }
    let took = sim.clock_now().duration_since(ended);
    println!("it was seen after {took:#}");
    // The limit is the time after which the saga is late, plus the time until the timers run.
    assert!(took < SignedDuration::from_secs(130), "{took:#}");
    let listed = block_on(sim.sagas().list(Status::NeedsIntervention, None, 10)).unwrap();
    assert_eq!(listed.sagas, [sim.saga(place).unwrap()]);
    let went = sim.as_it_went(place);
    assert_eq!(went.status, Status::NeedsIntervention);
    let given_up = |what: &What| {
        matches!(
            what,
            What::TimedOut {
                step,
                direction: Direction::Undo,
                attempts: 8
            } if step.get() == 2
        )
    };
    assert!(
        went.log.iter().any(|entry| given_up(&entry.what)),
        "{:?}",
        went.log
    );
    // A person sends the remaining compensations by hand.
    sim.break_down(PAGOS, pagos::REVERTIR_PAGO, place, 0);
    sim.by_hand(place, PAGOS, pagos::REVERTIR_PAGO, json!({}));
    let why = json!({"motivo": "a mano"});
    sim.by_hand(place, VUELOS, vuelos::CANCELAR_RESERVA, why);
    sim.run().unwrap();
    sim.check().unwrap();
    assert_eq!(estado(&sim, place), Status::Compensated);
}

#[test]
fn what_is_undone_by_hand_at_any_moment_is_undone_whole() {
    let undoings = [
        (PAGOS, pagos::REVERTIR_PAGO, json!({})),
        (GDS, gds::REVERTIR_CONFIRMACION, json!({})),
        (
            VUELOS,
            vuelos::CANCELAR_RESERVA,
            json!({"motivo": "a mano"}),
        ),
    ];
    let mut executions = BTreeMap::<_, usize>::new();
    for (context, kind, data) in undoings {
        for moment in (0..240).step_by(4) {
            let mut sim = seeded(moment);
            sim.book(Kind::Approved, STEP_FUNCTIONS, None);
            steps(&mut sim, moment);
            sim.by_hand(0, context, kind, data.clone());
            sim.run().unwrap();
            if let Err(broken) = sim.check() {
                panic!(
                    "{kind} after {moment}: {broken}: {:#?}",
                    sim.saga(0).unwrap().log
                );
            }
            let saga = sim.saga(0).unwrap();
            assert_eq!(saga.status, Status::Compensated, "{kind} after {moment}");
            *executions
                .entry((kind, saga.executions().count()))
                .or_default() += 1;
        }
    }
    println!("{executions:?}");
    assert!(executions.len() > 3, "{executions:?}");
}

#[test]
fn one_that_is_paid_back_while_it_runs_is_undone_once_it_is_approved() {
    let mut sim = calm(Setup::default());
    sim.book(Kind::Approved, STEP_FUNCTIONS, None);
    until_heard(&mut sim, "ReservaPagada");
    sim.by_hand(0, PAGOS, pagos::REVERTIR_PAGO, json!({}));
    until_heard(&mut sim, "ReservaAprobada");
    assert_eq!(estado(&sim, 0), Status::Compensating);
    sim.run().unwrap();
    sim.check().unwrap();
    assert_eq!(estado(&sim, 0), Status::Compensated);
}

/// Runs until the saga waits for a person.
fn until_stuck(sim: &mut Sim, place: usize) {
    let stuck = |sim: &Sim| {
        let saga = sim.saga(place);
        saga.is_some_and(|saga| saga.status == Status::NeedsIntervention)
    };
    while !stuck(sim) {
        sim.step();
    }
}

fn resume() -> Request {
    Request::Resume(Some("el coordinador la deshace".into()))
}

#[test]
fn one_that_failed_is_undone_whole_by_the_coordinator_whatever_its_execution_does_after() {
    let done = Request::MarkDone {
        step: StepNumber::new(2).unwrap(),
        note: "devuelto en la taquilla".into(),
    };
    for request in [resume(), done] {
        // `moment` is the number of steps between the coordinator's takeover and the redrive of the execution. In the
        // first case the redrive comes before the takeover, and in the last it never comes.
        for moment in [Some(0), Some(1), Some(7), Some(20), Some(50), None] {
            let mut sim = seeded(moment.unwrap_or(1));
            let place = sim.book(Kind::NotApproved, STEP_FUNCTIONS, None);
            sim.break_down(PAGOS, pagos::REVERTIR_PAGO, place, 1_000);
            until_stuck(&mut sim, place);
            sim.break_down(PAGOS, pagos::REVERTIR_PAGO, place, 0);
            if request != resume() {
                sim.by_hand(place, PAGOS, pagos::REVERTIR_PAGO, json!({}));
            }
            if moment == Some(0) {
                assert!(sim.redrive(place, Direction::Do));
            }
            assert!(sim.ask(place, &request));
            assert!(!sim.ask(place, &request), "it requires nobody any more");
            if let Some(moment) = moment.filter(|moment| *moment > 0) {
                steps(&mut sim, moment);
                assert!(sim.redrive(place, Direction::Do));
            }
            sim.run().unwrap();
            sim.check().unwrap();
            let saga = sim.saga(place).unwrap();
            assert_eq!(saga.status, Status::Compensated, "{moment:?}");
            assert!(saga.is_taken_over());
        }
    }
}

/// The execution is reported as failed, but still runs its steps while the coordinator undoes everything.
#[test]
fn one_that_goes_on_while_it_is_undone_ends_undone() {
    let mut met = BTreeMap::<_, usize>::new();
    for moment in (0..250).step_by(5) {
        let mut sim = seeded(moment);
        let place = sim.book(Kind::Approved, STEP_FUNCTIONS, None);
        steps(&mut sim, moment);
        let Some(saga) = sim.saga(place) else {
            continue;
        };
        if saga.status != Status::Running || saga.executions().count() == 0 {
            continue;
        }
        sim.tell_that_it_failed(place, Direction::Do);
        let taken = if moment % 2 == 0 {
            sim.cancel(place)
        } else {
            sim.ask(place, &resume())
        };
        assert!(taken, "{moment}");
        sim.run().unwrap();
        if let Err(broken) = sim.check() {
            panic!("{moment}: {broken}: {:#?}", sim.saga(place).unwrap().log);
        }
        assert_eq!(estado(&sim, place), Status::Compensated, "{moment}");
        *met.entry(saga.log.len()).or_default() += 1;
    }
    println!("{met:?}");
    assert!(
        met.len() > 2,
        "it is taken over after each of its steps: {met:?}"
    );
}

/// An execution fails if its state machine lacks the saga's version. A redrive does not help, so the client or a person
/// must end the saga.
#[test]
fn one_of_a_version_that_the_machine_lacks_is_ended_by_its_client_or_a_person() {
    for by_client in [true, false] {
        let mut sim = calm(Setup::default());
        sim.definitions = with_a_newer_version();
        let place = sim.book(Kind::Approved, STEP_FUNCTIONS, None);
        until_stuck(&mut sim, place);
        let why = &sim.saga(place).unwrap().log.last().unwrap().what.clone();
        let other = |problem: &str| problem.starts_with("OtherVersion");
        assert!(
            matches!(why, What::NeedsIntervention { problem, .. } if other(problem)),
            "{why:?}"
        );
        assert!(sim.redrive(place, Direction::Do));
        steps(&mut sim, 100);
        assert_eq!(estado(&sim, place), Status::NeedsIntervention);
        let taken = if by_client {
            sim.cancel(place)
        } else {
            sim.ask(place, &resume())
        };
        assert!(taken);
        sim.run().unwrap();
        sim.check().unwrap();
        assert_eq!(estado(&sim, place), Status::Compensated);
        assert_eq!(sim.ledger(place), [], "nothing was charged");
    }
}
