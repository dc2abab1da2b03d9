//! Tests of every fault at every effect of a command. After the fault the command is repeated, and then seats and event
//! streams must agree.

use alpes_messages::Command;
use domain_kit::{FaultCase, Processes, every_fault};
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

fn mine() -> Command {
    confirm(1, MINE, &[BOG_MIA, MIA_JFK, BOG_MIA])
}

/// The cases, each with the seats that are held at the end.
fn cases() -> [FaultCase<[i64; 2]>; 5] {
    let case = |name, before: &[Command], command, event, expected| FaultCase {
        name,
        before: before.to_vec(),
        unanswered: 0,
        command,
        event,
        expected,
    };
    let revert = || revert(3, MINE);
    let reverted = "ConfirmacionGDSRevertida";
    // After this confirmation the first flight has one free seat.
    let other = confirm(2, OTHER, &[BOG_MIA, BOG_MIA]);
    let alone = std::slice::from_ref(&other);
    let failed = [other.clone(), mine()];
    [
        case("confirm", &[], mine(), "ReservaGDSConfirmada", [2, 1]),
        case(
            "confirm without seats",
            alone,
            mine(),
            "ConfirmacionFallida",
            [2, 0],
        ),
        case("revert", &[mine()], revert(), reverted, [0, 0]),
        case("revert a failure", &failed, revert(), reverted, [2, 0]),
        case("revert nothing", alone, revert(), reverted, [2, 0]),
    ]
}

fn empty() -> Bench {
    let bench = Bench::new();
    for (flight, _) in CAPACITIES {
        bench.set_free(flight, 3);
    }
    bench
}

#[test]
fn every_fault_at_every_effect() {
    let effects = every_fault(empty, cases(), |bench, held, context| {
        assert_eq!(
            CAPACITIES.map(|(flight, _)| bench.seats(flight).1),
            *held,
            "{context}"
        );
        bench.check(&CAPACITIES).expect(context);
    });
    // The second case has more effects: its writes are refused, so the stream is read and the command is decided a
    // second time.
    assert_eq!(effects, [3, 5, 4, 4, 4]);
}

#[test]
fn an_undo_at_every_effect_of_the_confirmation_leaves_nothing_held() {
    for at in 0..8 {
        let bench = empty();
        let other = bench.clone();
        let undo = async move {
            let store = other.store(&Faults::none());
            store.handle(&gds::Gds, &revert(3, MINE)).await.unwrap();
        };
        let faults = Faults::meanwhile(at, Box::pin(undo));
        bench.insist(&faults, &mine());
        bench.event(&revert(3, MINE));
        assert_eq!(CAPACITIES.map(|(flight, _)| bench.seats(flight).1), [0, 0]);
        bench.check(&CAPACITIES).unwrap();
    }
}
