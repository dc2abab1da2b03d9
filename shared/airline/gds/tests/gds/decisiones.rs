//! Tests of the decision on each command, for each history.

use alpes_event_store::{Case, Decider};
use alpes_messages::{NewEvent, Problem, StreamId};
use alpes_participant::Failure;
use domain_kit::scenario;
use events::{GDS, kinds};
use gds::{CONFIRMAR_RESERVA, Gds, REVERTIR_CONFIRMACION};
use serde_json::{Value, json};

use crate::escenario::{
    BOG_MIA, JFK_BOG, MIA_JFK, RESERVA, before, command, confirm, confirm_for, confirmada, fallida,
    given, history, leg, now, revert, revertida, sillas,
};

const BOG_MIA_KEY: &str = "BOG-MIA#2026-02-20T13:10:00Z";
const MIA_JFK_KEY: &str = "MIA-JFK#2026-02-20T16:30:00Z";

fn state(problem: &Problem) -> bool {
    problem.is(kinds::STATE) && problem.detail.is_some()
}

fn held() -> NewEvent {
    confirmada(vec![sillas(BOG_MIA, 1), sillas(MIA_JFK, 2)], before())
}

#[test]
fn confirmar_takes_a_seat_on_every_leg() {
    given([])
        .when(&confirm(1, RESERVA, &[MIA_JFK, BOG_MIA]))
        .then(
            [confirmada(
                vec![sillas(BOG_MIA, 1), sillas(MIA_JFK, 1)],
                now(),
            )],
            &[(BOG_MIA_KEY, 1), (MIA_JFK_KEY, 1)],
        );
}

#[test]
fn two_legs_on_one_flight_are_one_write_of_two() {
    given([])
        .when(&confirm(1, RESERVA, &[BOG_MIA, MIA_JFK, BOG_MIA]))
        .then(
            [confirmada(
                vec![sillas(BOG_MIA, 2), sillas(MIA_JFK, 1)],
                now(),
            )],
            &[(BOG_MIA_KEY, 2), (MIA_JFK_KEY, 1)],
        );
}

#[test]
fn each_passenger_takes_a_seat_on_every_leg() {
    given([])
        .when(&confirm_for(3, 1, RESERVA, &[BOG_MIA, MIA_JFK, BOG_MIA]))
        .then(
            [confirmada(
                vec![sillas(BOG_MIA, 6), sillas(MIA_JFK, 3)],
                now(),
            )],
            &[(BOG_MIA_KEY, 6), (MIA_JFK_KEY, 3)],
        );
    given([])
        .refused(&[1])
        .when(&confirm_for(2, 1, RESERVA, &[BOG_MIA, MIA_JFK]))
        .then(
            [fallida("No hay sillas", vec![sillas(MIA_JFK, 2)], now())],
            &[],
        );
}

#[test]
fn every_itinerario_odo_and_segmento_counts_and_an_instant_is_one_however_it_is_written() {
    let legs = |flight| json!({"legs": [leg(flight)]});
    let elsewhere = ("BOG", "MIA", "2026-02-20T08:10:00.000-05:00");
    let data = json!({"itinerarios": [
        {"odos": [{"segmentos": [legs(BOG_MIA), legs(MIA_JFK)]}, {"segmentos": [legs(JFK_BOG)]}]},
        {"odos": [{"segmentos": [legs(elsewhere)]}]},
    ]});
    given([])
        .when(&command(1, RESERVA, CONFIRMAR_RESERVA, data))
        .then(
            [confirmada(
                vec![sillas(BOG_MIA, 2), sillas(JFK_BOG, 1), sillas(MIA_JFK, 1)],
                now(),
            )],
            &[
                (BOG_MIA_KEY, 2),
                ("JFK-BOG#2026-02-28T12:00:00Z", 1),
                (MIA_JFK_KEY, 1),
            ],
        );
}

#[test]
fn confirmar_fails_with_exactly_the_flights_that_were_refused() {
    let all = [sillas(BOG_MIA, 2), sillas(JFK_BOG, 1), sillas(MIA_JFK, 1)];
    for places in [vec![0], vec![1], vec![0, 2], vec![0, 1, 2]] {
        let without = places.iter().map(|place| all[*place].clone()).collect();
        given([])
            .refused(&places)
            .when(&confirm(1, RESERVA, &[BOG_MIA, MIA_JFK, JFK_BOG, BOG_MIA]))
            .then([fallida("No hay sillas", without, now())], &[]);
    }
}

#[test]
fn confirmar_again_returns_what_was_decided() {
    for decided in [
        held(),
        fallida("No hay sillas", vec![sillas(BOG_MIA, 1)], before()),
    ] {
        given([decided.clone()])
            .when(&confirm(1, RESERVA, &[BOG_MIA]))
            .then_already(1);
        // The transaction of an earlier decision refused some writes. Meanwhile another process decided the
        // confirmation, so the refused writes do not matter.
        given([decided])
            .refused(&[0])
            .when(&confirm(1, RESERVA, &[BOG_MIA]))
            .then_already(1);
    }
}

#[test]
fn confirmar_is_refused_after_the_undo_whatever_was_before_it() {
    for reverted in [
        vec![revertida(vec![], before())],
        vec![held(), revertida(vec![], before())],
        vec![
            fallida("falla inducida", vec![], before()),
            revertida(vec![], before()),
        ],
    ] {
        given(reverted)
            .when(&confirm(1, RESERVA, &[BOG_MIA]))
            .then_refused(state);
    }
}

#[test]
fn revertir_gives_back_what_is_held() {
    given([held()]).when(&revert(1, RESERVA)).then(
        [revertida(
            vec![sillas(BOG_MIA, 1), sillas(MIA_JFK, 2)],
            now(),
        )],
        &[(BOG_MIA_KEY, -1), (MIA_JFK_KEY, -2)],
    );
}

#[test]
fn revertir_where_nothing_is_held_leaves_a_tombstone() {
    for history in [
        vec![],
        vec![fallida("No hay sillas", vec![sillas(BOG_MIA, 1)], before())],
    ] {
        given(history)
            .when(&revert(1, RESERVA))
            .then([revertida(vec![], now())], &[]);
    }
}

#[test]
fn revertir_again_returns_the_undo_that_was() {
    given([revertida(vec![], before())])
        .when(&revert(1, RESERVA))
        .then_already(1);
    given([held(), revertida(vec![sillas(BOG_MIA, 1)], before())])
        .when(&revert(1, RESERVA))
        .then_already(2);
}

#[test]
fn the_type_and_the_data_of_each_command_are_checked_whatever_has_happened() {
    for (kind, data, campo, regla) in [
        (CONFIRMAR_RESERVA, json!({}), "itinerarios", "requerido"),
        (REVERTIR_CONFIRMACION, json!(null), "cuerpo", "tipo"),
        (
            REVERTIR_CONFIRMACION,
            json!({"motivo": "x"}),
            "motivo",
            "campo-desconocido",
        ),
        ("PagarReserva", json!({}), "type", "comando-desconocido"),
    ] {
        for history in [vec![], vec![held()], vec![revertida(vec![], before())]] {
            let problem = given(history)
                .when(&command(1, RESERVA, kind, data.clone()))
                .then_refused(|problem| problem.is(kinds::INVALID));
            let [violation] = problem.errores.as_slice() else {
                panic!("one violation: {problem:?}")
            };
            assert_eq!((&*violation.campo, &*violation.regla), (campo, regla));
        }
    }
}

#[test]
fn an_induced_failure_is_one_of_a_confirmation_that_nothing_decides_yet() {
    let Failure { command, event } = gds::FAILURE;
    assert_eq!(command, CONFIRMAR_RESERVA);
    let confirm = confirm(1, RESERVA, &[BOG_MIA]);
    let failed = fallida("falla inducida", vec![], now());
    let undecided = Case::first(&[], &confirm, now());
    assert_eq!(event(&undecided), Some(failed.clone()));
    for decided in [held(), failed, revertida(vec![], before())] {
        let history = history([decided]);
        assert_eq!(event(&Case::first(&history, &confirm, now())), None);
    }
}

#[test]
fn the_store_is_told_the_same() {
    let (confirm, revert) = (confirm(1, RESERVA, &[BOG_MIA]), revert(1, RESERVA));
    let stream = StreamId::new(GDS, RESERVA);
    let commands = [
        (confirm.clone(), true, false),
        (revert.clone(), false, true),
    ];
    scenario::routed(&Gds, stream, commands);
    for command in [confirm, revert, command(1, RESERVA, "Otro", Value::Null)] {
        let case = Case::first(&[], &command, now());
        let decided = futures::executor::block_on(Gds.decide(&case));
        assert_eq!(decided, Ok(gds::decide(&case)));
    }
}
