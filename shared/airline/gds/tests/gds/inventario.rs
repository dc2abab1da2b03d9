//! Tests of seats that are taken and given back.

use alpes_event_store::Handled;
use domain_kit::Processes;
use events::{IdReserva, kinds};
use gds::DEFAULT_SEATS;
use serde_json::json;
use simulation::Faults;
use uuid::Uuid;

use crate::{
    bench::Bench,
    escenario::{BOG_MIA, Flight, JFK_BOG, MIA_JFK, confirm, revert, sillas},
};

/// A real flight with an aircraft of 149 seats.
const EWR_IAH: Flight = ("EWR", "IAH", "2013-01-01T10:15:00Z");
/// A real flight with an aircraft of 2 seats.
const EWR_DFW: Flight = ("EWR", "DFW", "2013-01-01T14:20:00Z");

fn reserva(number: u128) -> IdReserva {
    IdReserva(Uuid::from_u128(number))
}

#[test]
fn a_flight_has_all_of_its_seats_until_some_are_taken() {
    let bench = Bench::new();
    assert_eq!(bench.read(BOG_MIA).capacity, DEFAULT_SEATS);
    assert_eq!(bench.read(EWR_IAH).capacity, 149);
    assert_eq!(bench.seats(BOG_MIA), (i64::from(DEFAULT_SEATS), 0));
    assert_eq!(bench.seats(EWR_IAH), (149, 0));
    bench.event(&confirm(1, reserva(1), &[EWR_IAH, BOG_MIA, EWR_IAH]));
    assert_eq!(bench.seats(EWR_IAH), (147, 2));
    assert_eq!(bench.seats(BOG_MIA), (179, 1));
    bench.event(&revert(2, reserva(1)));
    assert_eq!(bench.seats(EWR_IAH), (149, 0));
    bench
        .check(&[(EWR_IAH, 149), (BOG_MIA, DEFAULT_SEATS.into())])
        .unwrap();
}

#[test]
fn a_real_aircraft_is_filled_to_its_last_seat() {
    let bench = Bench::new();
    for number in 1..=149 {
        let event = bench.event(&confirm(number, reserva(number), &[EWR_IAH]));
        assert_eq!(event.kind, "ReservaGDSConfirmada", "seat {number}");
    }
    let event = bench.event(&confirm(150, reserva(150), &[EWR_IAH]));
    assert_eq!(event.kind, "ConfirmacionFallida");
    assert_eq!(event.data["sin_sillas"], json!([sillas(EWR_IAH, 1)]));
    bench.event(&revert(200, reserva(7)));
    let event = bench.event(&confirm(151, reserva(151), &[EWR_IAH]));
    assert_eq!(event.kind, "ReservaGDSConfirmada");
    bench.check(&[(EWR_IAH, 149)]).unwrap();
}

#[test]
fn a_seat_on_every_leg_or_on_none() {
    let bench = Bench::new();
    for flight in [BOG_MIA, JFK_BOG] {
        bench.set_free(flight, 0);
    }
    let legs = [BOG_MIA, MIA_JFK, JFK_BOG];
    let event = bench.event(&confirm(1, reserva(1), &legs));
    assert_eq!(event.kind, "ConfirmacionFallida");
    assert_eq!(
        event.data["sin_sillas"],
        json!([sillas(BOG_MIA, 1), sillas(JFK_BOG, 1)])
    );
    assert_eq!(bench.seats(MIA_JFK), (DEFAULT_SEATS.into(), 0));
    assert_eq!(bench.tables.all(gds::TABLE).len(), 2);
    // A repeated confirmation returns its failure, although the flights now have seats.
    bench.set_free(BOG_MIA, 5);
    bench.set_free(JFK_BOG, 5);
    assert_eq!(bench.event(&confirm(1, reserva(1), &legs)), event);
    assert_eq!(bench.event(&confirm(2, reserva(1), &legs)), event);
    let other = bench.event(&confirm(3, reserva(2), &legs));
    assert_eq!(other.kind, "ReservaGDSConfirmada");
    assert_eq!(bench.seats(BOG_MIA), (4, 1));
}

#[test]
fn legs_on_one_flight_need_a_seat_each() {
    let bench = Bench::new();
    bench.set_free(BOG_MIA, 1);
    let event = bench.event(&confirm(1, reserva(1), &[BOG_MIA, BOG_MIA]));
    assert_eq!(event.data["sin_sillas"], json!([sillas(BOG_MIA, 2)]));
    bench.set_free(BOG_MIA, 2);
    let event = bench.event(&confirm(2, reserva(2), &[BOG_MIA, BOG_MIA]));
    assert_eq!(event.data["sillas"], json!([sillas(BOG_MIA, 2)]));
    assert_eq!(bench.seats(BOG_MIA), (0, 2));
}

#[test]
fn more_legs_on_a_flight_than_it_has_seats_fail_though_nobody_is_on_it() {
    let bench = Bench::new();
    assert_eq!(bench.read(EWR_DFW).capacity, 2);
    let event = bench.event(&confirm(1, reserva(1), &[EWR_DFW; 3]));
    assert_eq!(event.data["sin_sillas"], json!([sillas(EWR_DFW, 3)]));
    let event = bench.event(&confirm(2, reserva(2), &[EWR_DFW; 2]));
    assert_eq!(event.kind, "ReservaGDSConfirmada");
    bench.check(&[(EWR_DFW, 2)]).unwrap();
    // A test sets more free seats than the aircraft has.
    bench.set_free(EWR_DFW, 5);
    let event = bench.event(&confirm(3, reserva(3), &[EWR_DFW; 3]));
    assert_eq!(event.kind, "ReservaGDSConfirmada");
    assert_eq!(bench.seats(EWR_DFW), (2, 5));
}

#[test]
fn a_tombstone_keeps_a_late_confirmation_out() {
    let bench = Bench::new();
    let undone = bench.event(&revert(1, reserva(1)));
    assert_eq!(undone.data["sillas"], json!([]));
    let Handled::Rejected(problem) =
        bench.insist(&Faults::none(), &confirm(2, reserva(1), &[BOG_MIA]))
    else {
        panic!("accepted")
    };
    assert!(problem.is(kinds::STATE));
    assert_eq!(bench.event(&revert(3, reserva(1))), undone);
    assert_eq!(bench.tables.all(gds::TABLE), []);
    bench.check(&[]).unwrap();
}

#[test]
fn what_is_free_can_be_set_and_what_is_held_stays_held() {
    let bench = Bench::new();
    bench.event(&confirm(1, reserva(1), &[BOG_MIA, BOG_MIA]));
    bench.set_free(BOG_MIA, 0);
    assert_eq!(bench.seats(BOG_MIA), (0, 2));
    // The test sets more free seats than the aircraft has.
    bench.set_free(BOG_MIA, DEFAULT_SEATS + 20);
    assert_eq!(bench.seats(BOG_MIA), (i64::from(DEFAULT_SEATS) + 20, 2));
    bench.event(&confirm(2, reserva(2), &[BOG_MIA]));
    bench.event(&revert(3, reserva(1)));
    assert_eq!(bench.seats(BOG_MIA), (i64::from(DEFAULT_SEATS) + 21, 1));
    bench.set_free(MIA_JFK, 3);
    assert_eq!(bench.seats(MIA_JFK), (3, 0));
}

#[test]
fn taking_seats_reads_nothing_first() {
    let (bench, faults) = (Bench::new(), Faults::none());
    let command = confirm(1, reserva(1), &[BOG_MIA, MIA_JFK]);
    bench.send(&faults, &command).unwrap().unwrap();
    let trace = faults.trace();
    let kinds: Vec<_> = trace.iter().map(|call| call.split(' ').next()).collect();
    assert_eq!(
        kinds,
        ["transact", "append", "write"].map(Some),
        "{trace:?}"
    );
    assert_eq!(trace[0], "transact 3");
}
