//! Each function does its part, and writes its log.

use e2e::{Outcome, Stack, at_its_own_time, nobody, paid_with, sample};
use serde_json::json;

#[test]
fn every_function_writes_its_log() {
    let stack = Stack::from_env();
    let body = paid_with(at_its_own_time(sample()), "tok_visa");
    let booked = stack.booked(&body);
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    stack.seen_as(booked.id, "Aprobada");
    stack.seats(&e2e::flights(&body)[0]);
    stack.tick();
    stack.api.get("/health").expect(200);
    let commanded = json!({ "id_reserva": nobody(), "data": {} });
    stack
        .api
        .send("/pruebas/gds/RevertirConfirmacion", &commanded)
        .expect(202);
    for function in [
        "http-commands",
        "http-queries",
        "http-tests",
        "projector",
        "archiver",
        "participant-vuelos",
        "participant-pagos",
        "participant-gds",
        "orchestrator",
        "notifier",
        "timers",
    ] {
        stack.must_log(function);
    }
}

#[test]
fn a_command_of_a_test_reaches_the_function_of_its_context() {
    let stack = Stack::from_env();
    let answered = |path: &str, body| {
        let answer = stack.api.send(path, &body).expect(202);
        answer["eventos"][0]["type"].as_str().unwrap().to_owned()
    };
    let made = json!({ "data": at_its_own_time(sample()) });
    let made = answered("/pruebas/vuelos/CrearReserva", made);
    assert_eq!(made, "ReservaCreada");
    let nobodys = json!({ "id_reserva": nobody(), "data": {} });
    let undone = answered("/pruebas/gds/RevertirConfirmacion", nobodys);
    assert_eq!(undone, "ConfirmacionGDSRevertida");
}

#[test]
fn sagas_of_a_state_are_listed_whole() {
    let stack = Stack::from_env();
    let body = || paid_with(at_its_own_time(sample()), "tok_visa");
    for booked in [stack.booked(&body()), stack.booked(&body())] {
        assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    }
    let list = stack
        .api
        .get("/sagas?estado=Completada&limite=2")
        .expect(200);
    let sagas = list["sagas"].as_array().unwrap();
    assert_eq!(sagas.len(), 2, "{list}");
    for saga in sagas {
        assert_eq!(saga["estado"], "Completada");
    }
}
