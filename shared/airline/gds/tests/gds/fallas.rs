//! Every fault at every effect, followed by the command again. Seats and streams must agree.

use alpes_messages::Command;
use domain_kit::{Processes, every_fault};
use events::IdReserva;
use simulation::Faults;
use uuid::Uuid;

use crate::{
    bench::Bench,
    escenario::{BOG_MIA, Flight, MIA_JFK, confirm, revert},
};

const OTHER: IdReserva = IdReserva(Uuid::from_u128(50));
const MINE: IdReserva = IdReserva(Uuid::from_u128(51));

const CAPACITIES: [(Flight, i64); 2] = [(BOG_MIA, 3), (MIA_JFK, 3)];

/// A command, the commands before it, and its event.
struct Case {
    name: &'static str,
    before: Vec<Command>,
    command: Command,
    event: &'static str,
    /// Seats held afterwards.
    held: [i64; 2],
}

fn cases() -> [Case; 5] {
    let mine = || confirm(1, MINE, &[BOG_MIA, MIA_JFK, BOG_MIA]);
    // This leaves one seat of the first flight.
    let other = || confirm(2, OTHER, &[BOG_MIA, BOG_MIA]);
    [
        Case {
            name: "confirm",
            before: vec![],
            command: mine(),
            event: "ReservaGDSConfirmada",
            held: [2, 1],
        },
        Case {
            name: "confirm without seats",
            before: vec![other()],
            command: mine(),
            event: "ConfirmacionFallida",
            held: [2, 0],
        },
        Case {
            name: "revert",
            before: vec![mine()],
            command: revert(3, MINE),
            event: "ConfirmacionGDSRevertida",
            held: [0, 0],
        },
        Case {
            name: "revert a failure",
            before: vec![other(), mine()],
            command: revert(3, MINE),
            event: "ConfirmacionGDSRevertida",
            held: [2, 0],
        },
        Case {
            name: "revert nothing",
            before: vec![other()],
            command: revert(3, MINE),
            event: "ConfirmacionGDSRevertida",
            held: [2, 0],
        },
    ]
}

fn prepared(case: &Case) -> Bench {
    let bench = Bench::new();
    for (flight, _) in CAPACITIES {
        bench.set_free(flight, 3);
    }
    for command in &case.before {
        bench.event(command);
    }
    bench
}

#[test]
fn every_fault_at_every_effect() {
    let mut effects = vec![];
    for case in cases() {
        let held = |bench: &Bench, context: &str| {
            let held = CAPACITIES.map(|(flight, _)| bench.seats(flight).1);
            assert_eq!(held, case.held, "{context}");
            bench.check(&CAPACITIES).expect(context);
        };
        let prepared = || prepared(&case);
        effects.push(every_fault(
            case.name,
            prepared,
            &case.command,
            case.event,
            held,
        ));
    }
    // A confirmation whose writes are refused is read and decided a second time.
    assert_eq!(effects, [3, 5, 4, 4, 4]);
}

#[test]
fn an_undo_at_every_effect_of_the_confirmation_leaves_nothing_held() {
    let case = &cases()[0];
    for at in 0..8 {
        let bench = prepared(case);
        let other = bench.clone();
        let undo = async move {
            let store = other.store(&Faults::none());
            store.handle(&gds::Gds, &revert(3, MINE)).await.unwrap();
        };
        let faults = Faults::meanwhile(at, Box::pin(undo));
        bench.insist(&faults, &case.command);
        bench.event(&revert(3, MINE));
        assert_eq!(CAPACITIES.map(|(flight, _)| bench.seats(flight).1), [0, 0]);
        bench.check(&CAPACITIES).unwrap();
    }
}
