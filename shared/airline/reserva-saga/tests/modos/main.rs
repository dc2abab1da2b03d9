//! Tests of reservations in each of the three saga modes, alone and concurrent, under faults.

#![cfg(test)]
#![allow(clippy::float_cmp, reason = "amounts here are whole")]

mod chaos;
mod coreografia;
mod motores;
mod participants;
mod planted;
mod sim;
mod step_functions;

use alpes_messages::SagaMode;
use alpes_saga::Status;
use sim::{Kind, Setup, Sim};
use simulation::{Dice, Fault, Faults};

const ORQUESTACION: SagaMode = SagaMode::Orchestration;
const COREOGRAFIA: SagaMode = SagaMode::Choreography;
const STEP_FUNCTIONS: SagaMode = SagaMode::StepFunctions;

/// A simulation without faults.
fn calm(setup: Setup) -> Sim {
    let dice = Dice::new(setup.seed);
    Sim::new(setup, Faults::in_steps(), dice)
}

fn estado(sim: &Sim, place: usize) -> Status {
    sim.saga(place).unwrap().status
}

/// The final status of the saga of a reservation of this kind.
fn expected(kind: Kind) -> Status {
    if kind.stands() {
        Status::Completed
    } else {
        Status::Compensated
    }
}

/// The time at which the client of a reservation cancels it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    Never,
    Meanwhile,
    /// Once the saga has received its last event. The execution in Step Functions may not have received the answer yet.
    OnceCompleted,
    AtTheEnd,
}

fn play(
    mode: SagaMode,
    kind: Kind,
    cancel: Cancel,
    faults: &Faults,
) -> (Result<(), String>, Status) {
    let mut sim = Sim::new(Setup::default(), faults.clone(), Dice::new(7));
    sim.book(kind, mode, None);
    let mut ran = Ok(());
    match cancel {
        Cancel::Never => {}
        Cancel::Meanwhile => {
            for _ in 0..60 {
                sim.step();
            }
            sim.cancel(0);
        }
        Cancel::OnceCompleted => {
            until_heard(&mut sim, "ReservaAprobada");
            sim.cancel(0);
        }
        Cancel::AtTheEnd => {
            ran = sim.run();
            sim.cancel(0);
        }
    }
    let broken = ran.and_then(|()| sim.run()).and_then(|()| sim.check());
    (broken, estado(&sim, 0))
}

/// Runs until the saga of the first reservation has received this event.
fn until_heard(sim: &mut Sim, kind: &str) {
    while sim.saga(0).is_none_or(|saga| saga.heard(kind).is_none()) {
        sim.step();
    }
}

/// Runs one reservation again and again, each time with another fault of `each` at another effect.
fn at_every_effect(mode: SagaMode, kind: Kind, cancel: Cancel, each: &[Fault]) {
    let faults = Faults::none();
    let (broken, ended) = play(mode, kind, cancel, &faults);
    broken.unwrap();
    let effects = faults.trace();
    // Most reads of the timers find no work. If a read fails, the next run, a minute later, repeats it.
    let places = (0..effects.len()).filter(|at| !effects[*at].starts_with("query"));
    assert!(places.clone().count() > 10);
    for at in places {
        for fault in each {
            let (broken, found) = play(mode, kind, cancel, &Faults::once(at, *fault));
            let what = || format!("{kind:?}, {cancel:?}, {fault:?} at {at}, {}", effects[at]);
            if let Err(broken) = broken {
                panic!("{}: {broken}", what());
            }
            // The end is the same as without the fault. Only a reservation that is cancelled meanwhile may be approved
            // before the cancellation comes.
            assert!(
                cancel == Cancel::Meanwhile || found == ended,
                "{}: {found}",
                what()
            );
        }
    }
    println!("{kind:?}, {cancel:?}: {} effects", effects.len());
}
