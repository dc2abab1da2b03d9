//! Tests of reservations by choreography.

use std::collections::BTreeMap;

use alpes_messages::SagaMode;
use alpes_saga::{Status, What};
use events::{GDS, PAGOS};
use jiff::SignedDuration;
use simulation::{Dice, Fault, Faults};

use crate::{
    COREOGRAFIA, Cancel, ORQUESTACION, at_every_effect, calm, estado, expected,
    sim::{Kind, Setup, Sim},
};

fn kinds(sim: &Sim, place: usize) -> Vec<String> {
    let log = sim.saga(place).unwrap().log;
    let heard = log.into_iter().filter_map(|entry| match entry.what {
        What::Started { event, .. } | What::EventReceived { event, .. } => Some(event.kind),
        What::Delayed {} => Some("Delayed".to_owned()),
        What::Ended { status } => Some(status.to_string()),
        _ => None,
    });
    heard.collect()
}

#[test]
fn each_kind_ends_as_it_should() {
    for kind in Kind::ALL {
        let mut sim = calm(Setup::default());
        let place = sim.book(kind, COREOGRAFIA, None);
        sim.run().unwrap();
        sim.check().unwrap();
        assert_eq!(
            estado(&sim, place),
            expected(kind),
            "{kind:?}: {:?}",
            kinds(&sim, place)
        );
    }
}

#[test]
fn the_watched_log_tells_what_happened() {
    let mut sim = calm(Setup::default());
    let approved = sim.book(Kind::Approved, COREOGRAFIA, None);
    let full = sim.book(Kind::NoSeat, COREOGRAFIA, None);
    sim.run().unwrap();
    let expected = [
        "ReservaCreada",
        "ReservaPagada",
        "ReservaGDSConfirmada",
        "ReservaAprobada",
        "Completed",
    ];
    assert_eq!(kinds(&sim, approved), expected);
    let mut undone = kinds(&sim, full);
    assert_eq!(undone.pop().unwrap(), "Compensated");
    undone[4..].sort_unstable();
    assert_eq!(
        undone,
        [
            "ReservaCreada",
            "ReservaPagada",
            "ConfirmacionFallida",
            "ReservaCancelada",
            "ConfirmacionGDSRevertida",
            "PagoRevertido",
        ]
    );
}

/// The test runs each kind of reservation, and a reservation that its client cancels, with one fault at every effect.
#[test]
fn a_fault_at_every_effect_changes_nothing_in_the_end() {
    for kind in [
        Kind::Approved,
        Kind::Declined,
        Kind::NoSeat,
        Kind::NotApproved,
    ] {
        at_every_effect(COREOGRAFIA, kind, Cancel::Never, &Fault::ALL);
    }
    at_every_effect(COREOGRAFIA, Kind::Approved, Cancel::Meanwhile, &Fault::ALL);
}

#[test]
fn one_that_is_cancelled_at_any_moment_is_undone_whole() {
    let mut moments = 0;
    for steps in 0..400 {
        let mut sim = calm(Setup {
            seed: steps,
            ..Setup::default()
        });
        sim.book(Kind::Approved, COREOGRAFIA, None);
        for _ in 0..steps {
            sim.step();
        }
        sim.cancel(0);
        sim.run().unwrap();
        sim.check().unwrap();
        assert_eq!(estado(&sim, 0), Status::Compensated, "after {steps} steps");
        moments += 1;
    }
    assert_eq!(moments, 400);
}

/// The last seat of a flight goes to one of two reservations.
#[test]
fn two_that_want_the_last_seat_never_both_get_it() {
    let mut first = 0;
    for seed in 0..200 {
        let mut sim = calm(Setup {
            seed,
            held_one_in: 3,
            ..Setup::default()
        });
        for _ in 0..2 {
            sim.book(
                Kind::Approved,
                COREOGRAFIA,
                Some(("2026-12-24T10:00:00Z", 1)),
            );
        }
        sim.run().unwrap();
        sim.check().unwrap();
        let mut ended = [estado(&sim, 0), estado(&sim, 1)];
        first += usize::from(ended[0] == Status::Completed);
        ended.sort_unstable();
        assert_eq!(ended, [Status::Completed, Status::Compensated]);
    }
    println!("the first got it {first} times of 200");
    assert!((1..200).contains(&first));
}

/// Counts the calls of ports for one reservation, from its creation to its end, without the queries of indexes.
fn calls(mode: SagaMode, kind: Kind) -> BTreeMap<String, usize> {
    let faults = Faults::none();
    let mut sim = Sim::new(Setup::default(), faults.clone(), Dice::new(3));
    sim.book(kind, mode, None);
    sim.run().unwrap();
    let mut calls = BTreeMap::new();
    for call in faults.trace() {
        let what: Vec<_> = call.split(' ').take(2).collect();
        let what = match what[..] {
            ["query", _] => continue,
            ["transact" | "append", _] => what[0].to_owned(),
            _ => what.join(" "),
        };
        *calls.entry(what).or_default() += 1;
    }
    calls
}

#[test]
fn a_choreography_does_not_ask_the_coordinators_questions() {
    for kind in [Kind::Approved, Kind::NoSeat] {
        let [orchestrated, choreographed] =
            [ORQUESTACION, COREOGRAFIA].map(|mode| calls(mode, kind));
        println!("{kind:?}: orchestrated {orchestrated:?}");
        println!("{kind:?}: choreographed {choreographed:?}");
        let total = |calls: &BTreeMap<String, usize>| calls.values().sum::<usize>();
        println!(
            "{kind:?}: {} and {}",
            total(&orchestrated),
            total(&choreographed)
        );
        assert!(!orchestrated.keys().any(|call| call.contains("reactions")));
        let commits = |calls: &BTreeMap<String, usize>| calls["append"];
        // A choreography can have more events, the reversals of steps that were never done: when a reservation is
        // cancelled, every context undoes its part, whatever the outcome of that part. The payment was done.
        let policies = [pagos::policies(), gds::policies()].concat();
        let undoing = policies
            .iter()
            .filter(|policy| policy.event == "ReservaCancelada");
        let in_vain = undoing.count() - 1;
        assert!(commits(&choreographed) >= commits(&orchestrated));
        assert!(commits(&choreographed) <= commits(&orchestrated) + in_vain);
    }
}

/// The context `gds` lacks the policy that reacts to `ReservaPagada`.
#[test]
fn a_policy_that_is_missing_shows_and_the_deadline_undoes() {
    let mut sim = calm(Setup::default());
    let gds = sim.policies.get_mut(&GDS).unwrap();
    gds.retain(|policy| policy.event != "ReservaPagada");
    let place = sim.book(Kind::Approved, COREOGRAFIA, None);
    let began = sim.clock_now();
    while sim.clock_now().duration_since(began) < SignedDuration::from_mins(2) {
        sim.step();
    }
    assert!(sim.saga(place).unwrap().is_late());
    assert_eq!(
        kinds(&sim, place),
        ["ReservaCreada", "ReservaPagada", "Delayed"]
    );
    sim.run().unwrap();
    sim.check().unwrap();
    assert_eq!(estado(&sim, place), Status::Compensated);
    assert!(
        sim.saga(place)
            .unwrap()
            .reason
            .unwrap()
            .contains("ReservaCancelada")
    );
}

#[test]
fn a_context_that_is_silent_for_long_holds_up_nobody_else() {
    let mut sim = calm(Setup::default());
    let silent = sim.book(Kind::Approved, COREOGRAFIA, None);
    sim.silence(PAGOS, pagos::PAGAR_RESERVA, silent, 1_000);
    let others: Vec<_> = (0..10)
        .map(|_| sim.book(Kind::Approved, COREOGRAFIA, None))
        .collect();
    let began = sim.clock_now();
    while others
        .iter()
        .any(|other| sim.saga(*other).is_none_or(|saga| !saga.status.has_ended()))
    {
        sim.step();
    }
    let took = sim.clock_now().duration_since(began);
    println!("the others took {took:#}");
    assert!(took.as_secs() < 20, "{took:#}");
    sim.silence(PAGOS, pagos::PAGAR_RESERVA, silent, 0);
    sim.run().unwrap();
    sim.check().unwrap();
    assert_eq!(
        estado(&sim, silent),
        Status::Completed,
        "it was put off, and done later"
    );
}

#[test]
fn an_undoing_that_is_refused_is_tried_until_it_is_done() {
    for (context, command) in [
        (PAGOS, pagos::REVERTIR_PAGO),
        (GDS, gds::REVERTIR_CONFIRMACION),
    ] {
        let mut sim = calm(Setup::default());
        let place = sim.book(Kind::NotApproved, COREOGRAFIA, None);
        sim.refuse(context, command, place, 4);
        sim.run().unwrap();
        sim.check().unwrap();
        assert_eq!(estado(&sim, place), Status::Compensated);
        assert!(kinds(&sim, place).contains(&"Delayed".to_owned()));
    }
}
