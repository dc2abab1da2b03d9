//! Reservations whose sagas a state machine runs, under all that can happen to them.

use std::collections::BTreeMap;

use events::Context;
use futures::executor::block_on;
use jiff::SignedDuration;
use ports::{Ending, Progress};
use reserva_saga::{current, state_machine};
use saga_engine::{Conduct, Definitions, Direction, Estado, What};
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

/// The step that approves, the last.
const APPROVED: usize = 4;

/// Nobody answers the execution when it approves, whatever was done.
#[test]
fn one_that_is_not_told_that_it_is_approved_is_not_undone_by_two_at_once() {
    let mut executions = BTreeMap::<_, usize>::new();
    for lost in 0..12 {
        let mut sim = calm(Setup::default());
        let place = sim.book(Kind::Approved, STEP_FUNCTIONS, None);
        sim.lose_answers(place, APPROVED, lost);
        until_heard(&mut sim, "ReservaAprobada");
        assert_eq!(estado(&sim, place), Estado::Completada);
        assert!(sim.cancel(place));
        while !estado(&sim, place).has_ended() {
            sim.step();
            let runs = |way| sim.progress(place, way) == Progress::Running;
            assert!(!(runs(Direction::Hacer) && runs(Direction::Deshacer)));
        }
        sim.run().unwrap();
        sim.check().unwrap();
        let saga = sim.saga(place).unwrap();
        assert_eq!(saga.estado, Estado::Compensada);
        *executions.entry(saga.executions().count()).or_default() += 1;
    }
    assert_eq!(executions.len(), 2, "it undid itself, or was undone");
}

/// The saga as it is, and a version that follows it and is more patient.
fn with_a_newer_version() -> Definitions {
    let mut next = current();
    next.version += 1;
    for call in next.steps.iter_mut().filter_map(|step| step.call.as_mut()) {
        call.retry.attempts += 2;
    }
    Definitions::new(vec![current(), next])
}

/// Deployed first, the machine of a newer version has what runs under the older one, and what is undone long after.
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
            assert_eq!(sim.saga(place).unwrap().version, 2);
        }
        for place in 0..3 {
            assert_eq!(estado(&sim, place), Estado::Completada, "{moment}");
            assert!(sim.cancel(place));
        }
        sim.run().unwrap();
        sim.check().unwrap();
        let sagas: Vec<_> = (0..3).map(|place| sim.saga(place).unwrap()).collect();
        assert!(sagas.iter().all(|saga| saga.estado == Estado::Compensada));
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
        let before = sim.saga(0).map(|saga| saga.estado);
        let taken = sim.cancel(0);
        assert_eq!(
            taken,
            before != Some(Estado::EnCurso),
            "{moment}: {before:?}"
        );
        sim.run().unwrap();
        if !taken {
            assert_eq!(estado(&sim, 0), Estado::Completada);
            assert!(sim.cancel(0));
            sim.run().unwrap();
        }
        sim.check().unwrap();
        let saga = sim.saga(0).unwrap();
        assert_eq!(saga.estado, Estado::Compensada, "{moment}");
        let (conduct, executions): (_, &[_]) = match before {
            None => (Conduct::Orquestacion, &[]),
            Some(_) => (
                Conduct::StepFunctions,
                &[Direction::Hacer, Direction::Deshacer],
            ),
        };
        assert_eq!(saga.conduct, conduct, "{moment}");
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
            let began = sim.saga(0).map(|saga| saga.conduct);
            sim.has_machine = !had;
            steps(&mut sim, 100);
            let then = sim.saga(0).map(|saga| saga.conduct);
            sim.has_machine = true;
            sim.run().unwrap();
            sim.check().unwrap();
            let saga = sim.saga(0).unwrap();
            assert_eq!(saga.estado, Estado::Completada);
            for known in began.into_iter().chain(then) {
                assert_eq!(known, saga.conduct, "{had}, {moment}");
            }
            *met.entry((had, began.is_some(), saga.conduct)).or_default() += 1;
        }
    }
    println!("{met:?}");
    assert!(met.len() >= 4, "{met:?}");
}

#[test]
fn one_that_cannot_be_undone_requires_a_person_before_long() {
    let mut sim = calm(Setup::default());
    let place = sim.book(Kind::NotApproved, STEP_FUNCTIONS, None);
    sim.break_down(Context::Pagos, pagos::REVERTIR_PAGO, place, 1_000);
    let failed = |sim: &Sim| match sim.progress(place, Direction::Hacer) {
        Progress::Ended(ending) => Some(ending),
        _ => None,
    };
    while failed(&sim).is_none() {
        sim.step();
    }
    let Some(Ending::Failed { error, .. }) = failed(&sim) else {
        panic!("{:?}", failed(&sim))
    };
    assert_eq!(error, "FallaInducida");
    let ended = sim.clock_now();
    while estado(&sim, place) != Estado::RequiereIntervencion {
        sim.step();
    }
    let took = sim.clock_now().duration_since(ended);
    println!("it was seen after {took:#}");
    // As long as a saga is waited for, and until the timers look.
    assert!(took < SignedDuration::from_secs(130), "{took:#}");
    let listed = block_on(sim.sagas().list(Estado::RequiereIntervencion, None, 10)).unwrap();
    assert_eq!(listed.sagas, [sim.saga(place).unwrap()]);
    let went = sim.as_it_went(place);
    assert_eq!(went.estado, Estado::RequiereIntervencion);
    let given_up = |what: &What| {
        matches!(
            what,
            What::TiempoAgotado {
                paso: 2,
                direccion: Direction::Deshacer,
                intentos: 8
            }
        )
    };
    assert!(
        went.log.iter().any(|entry| given_up(&entry.what)),
        "{:?}",
        went.log
    );
    // Somebody does what is left.
    sim.break_down(Context::Pagos, pagos::REVERTIR_PAGO, place, 0);
    sim.by_hand(place, Context::Pagos, pagos::REVERTIR_PAGO, json!({}));
    let why = json!({"motivo": "a mano"});
    sim.by_hand(place, Context::Vuelos, vuelos::CANCELAR_RESERVA, why);
    sim.run().unwrap();
    sim.check().unwrap();
    assert_eq!(estado(&sim, place), Estado::Compensada);
}

#[test]
fn what_is_undone_by_hand_at_any_moment_is_undone_whole() {
    let undoings = [
        (Context::Pagos, pagos::REVERTIR_PAGO, json!({})),
        (Context::Gds, gds::REVERTIR_CONFIRMACION, json!({})),
        (
            Context::Vuelos,
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
            assert_eq!(saga.estado, Estado::Compensada, "{kind} after {moment}");
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
    sim.by_hand(0, Context::Pagos, pagos::REVERTIR_PAGO, json!({}));
    until_heard(&mut sim, "ReservaAprobada");
    assert_eq!(estado(&sim, 0), Estado::Compensando);
    sim.run().unwrap();
    sim.check().unwrap();
    assert_eq!(estado(&sim, 0), Estado::Compensada);
}
