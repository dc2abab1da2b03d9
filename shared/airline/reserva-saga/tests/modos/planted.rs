//! Planted mistakes in the code that runs sagas by a state machine. The tests must find them.

use std::sync::Arc;

use alpes_saga::{
    Definition, Definitions, Direction, Entry, Input, Saga, SagaMode, Status, What,
    execution_input, execution_name, start, transition,
};
use events::PAGOS;
use reserva_saga::{current, state_machine, wire};
use serde_json::{Value, json};

use crate::{
    STEP_FUNCTIONS, calm,
    sim::{Kind, Setup, Sim},
    until_heard,
};

fn runs_by(machine: &Value, kind: Kind) -> Result<(), String> {
    let mut sim = calm(Setup::default());
    sim.deploy(machine);
    sim.book(kind, STEP_FUNCTIONS, None);
    sim.run()?;
    sim.check()
}

/// A state machine that has only the current version of the saga.
fn machine() -> Value {
    state_machine(&Definitions::new(vec![current()]))
}

/// The state of a state machine into which a test puts its mistake.
fn state<'a>(machine: &'a mut Value, name: &str) -> &'a mut Value {
    let states = machine["States"].as_object_mut().unwrap();
    // From version 2 of the saga on, the names begin with the version.
    let mut states = states.iter_mut();
    let found = states.find(|(found, _)| found.ends_with(name));
    found.unwrap().1
}

#[test]
fn a_machine_that_takes_what_nobody_answered_for_as_not_done() {
    runs_by(&machine(), Kind::Mute).unwrap();
    let mut wrong = machine();
    let silent = state(&mut wrong, "2 PagarReserva: no answer");
    let next = silent["Next"].as_str().unwrap();
    assert!(next.ends_with("2 undo: RevertirPago"), "{next}");
    silent["Next"] = next
        .replace("2 undo: RevertirPago", "1 undo: CancelarReserva")
        .into();
    let found = runs_by(&wrong, Kind::Mute).unwrap_err();
    assert!(
        found.ends_with("is charged") && !found.contains(" 0 of"),
        "{found}"
    );
}

#[test]
fn a_machine_that_sends_again_under_another_identity() {
    runs_by(&machine(), Kind::Flaky).unwrap();
    let mut wrong = machine();
    let again = state(&mut wrong, "2 PagarReserva: again");
    let id = &mut again["Parameters"]["Payload"]["id.$"];
    assert_eq!(*id, "$.commands.PagarReserva.do");
    *id = "$.saga.id".into();
    let found = runs_by(&wrong, Kind::Flaky).unwrap_err();
    assert!(found.contains("a command of no step"), "{found}");
}

/// Plants an orchestrator that starts the execution before it stores the saga.
fn starts_first(sim: &mut Sim) {
    sim.first = Some(Arc::new(|id, facts, executions| {
        Box::pin(async move {
            let definition = current();
            let opens = facts.iter().find(|fact| fact.kind == "ReservaCreada");
            let Some(fact) = opens.filter(|fact| fact.mode == SagaMode::StepFunctions) else {
                return;
            };
            let saga = start(&definition, id, fact, fact.time).unwrap();
            let input = execution_input(&definition, &saga, Direction::Do, &wire());
            let name = execution_name(id, Direction::Do);
            let _ = executions.start(&name, &input).await;
        })
    }));
}

#[test]
fn an_orchestrator_that_starts_before_it_stores() {
    let cancelled_after = |moment: u64, plant: bool| {
        let mut sim = calm(Setup {
            seed: moment,
            ..Setup::default()
        });
        if plant {
            starts_first(&mut sim);
        }
        sim.book(Kind::Approved, STEP_FUNCTIONS, None);
        for _ in 0..moment {
            sim.step();
        }
        sim.cancel(0);
        sim.run().and_then(|()| sim.check())
    };
    let found = |plant| {
        let moments = 0..60;
        moments
            .filter(|moment| cancelled_after(*moment, plant).is_err())
            .count()
    };
    assert_eq!(found(false), 0);
    let found = found(true);
    println!("found {found} times");
    assert!(found > 0, "two engines ran one saga, and no check found it");
}

/// An observer that completes a saga as soon as its reservation is approved.
fn believes_the_approval(
    definition: &Definition,
    saga: &Saga,
    input: &Input,
    now: jiff::Timestamp,
) -> (Saga, Option<alpes_saga::Dispatch>) {
    let (next, effect) = transition(definition, saga, input, now);
    let approved = matches!(input, Input::Event(fact) if fact.kind == "ReservaAprobada");
    if !approved || next == *saga || next.status == Status::Completed {
        return (next, effect);
    }
    let mut log = next.log.clone();
    let status = Status::Completed;
    log.push(Entry {
        when: now,
        actor: None,
        what: What::Ended { status },
    });
    (Saga::replay(saga.id, definition, log).unwrap(), effect)
}

#[test]
fn a_watcher_that_takes_the_approval_for_the_end() {
    let paid_back = |plant: bool| {
        let mut sim = calm(Setup::default());
        if plant {
            sim.rules = Arc::new(believes_the_approval);
        }
        sim.book(Kind::Approved, STEP_FUNCTIONS, None);
        until_heard(&mut sim, "ReservaPagada");
        sim.by_hand(0, PAGOS, pagos::REVERTIR_PAGO, json!({}));
        sim.run().and_then(|()| sim.check())
    };
    paid_back(false).unwrap();
    let found = paid_back(true).unwrap_err();
    assert!(found.contains(" 0 of "), "{found}");
}
