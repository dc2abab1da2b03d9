//! Tests of requests that cancel a reservation, at every point of its saga.

use std::{sync::Arc, time::Duration};

use alpes_participant::FaultMode;
use alpes_saga::{Status, What};
use events::{IdReserva, PAGOS, VUELOS};
use futures::executor::block_on;
use gds::inventory::{self, Vuelo};
use http_commands::MOTIVO;
use http_testing::{Answer, LogDown, post, with_header, with_other_header};
use pagos::simulador::{balance, ledger};
use serde_json::{Value, json};
use twins::MemoryFunctions;

use crate::support::{Fixture, fixture};

/// The events of a reservation whose saga completed and was then undone.
const ALL_UNDONE: [&str; 7] = [
    "ReservaCreada",
    "ReservaPagada",
    "ReservaGDSConfirmada",
    "ReservaAprobada",
    "ReservaCancelada",
    "ConfirmacionGDSRevertida",
    "PagoRevertido",
];

fn path(id: IdReserva) -> String {
    format!("/vuelos/reserva/{id}/cancelacion")
}

fn cancel(fixture: &Fixture, id: IdReserva, motivo: &str) -> Answer {
    fixture.post(&path(id), json!({ "motivo": motivo }).to_string())
}

/// Asserts that the answer is 202 and says this status of the saga.
#[track_caller]
fn assert_accepted(fixture: &Fixture, id: IdReserva, answer: Answer, status: Status) {
    let saga = fixture.saga_of(id).to_string();
    assert_eq!(answer.header("X-Correlacion"), Some(&*saga));
    let expected =
        json!({"id_reserva": id, "id_correlacion": saga, "estado": api::saga::estado(status)});
    assert_eq!(answer.accepted(), expected);
}

#[track_caller]
fn assert_cancelled_before(answer: &Answer) {
    answer.assert_problem(409, "estado-no-lo-permite", "cancelled before");
    assert_eq!(answer.body["detail"], "La reserva ya está cancelada");
}

/// The `motivo` in the reservation's `ReservaCancelada`.
fn motivo(fixture: &Fixture, id: IdReserva) -> Value {
    let logged = fixture.logged();
    let found = logged
        .iter()
        .find(|event| event["type"] == "ReservaCancelada" && event["subject"] == id.to_string());
    found.unwrap()["data"]["motivo"].clone()
}

#[test]
fn what_is_complete_is_undone_step_by_step() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Completed);
    let answer = cancel(&fixture, id, "cambio de planes");
    assert_accepted(&fixture, id, answer, Status::Compensating);
    assert_eq!(fixture.events_of(id), ALL_UNDONE[..4]);

    assert_eq!(fixture.run_started(), 1, "the orchestrator is called");
    assert_eq!(fixture.saga(id).status, Status::Compensated);
    assert_eq!(fixture.events_of(id), ALL_UNDONE);
    assert_eq!(motivo(&fixture, id), "cambio de planes");

    assert_cancelled_before(&cancel(&fixture, id, "cambio de planes"));
    fixture.run_sagas();
    assert_cancelled_before(&cancel(&fixture, id, "otro"));
    assert_eq!(fixture.events_of(id), ALL_UNDONE);
}

#[test]
fn before_its_saga_begins_nothing_is_done_that_would_be_undone() {
    let fixture = fixture();
    let id = fixture.create(None);
    let answer = cancel(&fixture, id, "me arrepentí");
    assert_accepted(&fixture, id, answer, Status::Compensating);
    assert_eq!(fixture.run_started(), 1);
    fixture.run_sagas();
    assert_eq!(fixture.events_of(id), ["ReservaCreada", "ReservaCancelada"]);
    assert_eq!(fixture.saga(id).status, Status::Compensated);
    assert_cancelled_before(&cancel(&fixture, id, "me arrepentí"));
}

#[test]
fn under_way_it_turns_back() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Running);
    let answer = cancel(&fixture, id, "me arrepentí");
    assert_accepted(&fixture, id, answer, Status::Compensating);
    fixture.run_started();
    assert_eq!(fixture.events_of(id), ["ReservaCreada", "ReservaCancelada"]);
}

#[test]
fn while_it_is_undone_the_answer_is_the_same_and_the_first_reason_stands() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Completed);
    let first = cancel(&fixture, id, "primero");
    let saga = fixture.saga(id);
    for again in ["primero", "segundo"] {
        let answer = cancel(&fixture, id, again);
        assert_eq!(answer.text, first.text);
        assert_eq!(answer.headers, first.headers);
        assert_eq!(fixture.saga(id), saga);
    }
    assert_eq!(fixture.run_started(), 3, "each calls the orchestrator");
    assert_eq!(fixture.events_of(id), ALL_UNDONE);
    assert_eq!(motivo(&fixture, id), "primero");
}

#[test]
fn without_a_reason_there_is_one() {
    for body in ["", "{}", r#"{"motivo": null}"#] {
        let fixture = fixture();
        let id = fixture.create_in(Status::Running);
        fixture.post(&path(id), body).accepted();
        fixture.run_started();
        assert_eq!(motivo(&fixture, id), MOTIVO, "{body}");
    }
}

#[test]
fn what_waits_for_a_person_goes_on_waiting() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Compensating);
    fixture.fail_once(VUELOS, vuelos::CANCELAR_RESERVA);
    fixture.wake(id);
    let answer = cancel(&fixture, id, "otra vez");
    assert_accepted(&fixture, id, answer, Status::NeedsIntervention);

    // Once `ReservaCancelada` is committed, nothing is left to cancel, although the saga still waits for a person.
    let id = fixture.create_in(Status::NeedsIntervention);
    assert_eq!(motivo(&fixture, id), "la prueba lo pide");
    assert_cancelled_before(&cancel(&fixture, id, "otra vez"));
}

#[test]
fn what_was_cancelled_behind_the_back_of_its_saga_is_undone() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Completed);
    fixture.cancel(id);
    let answer = cancel(&fixture, id, "del todo");
    assert_accepted(&fixture, id, answer, Status::Compensating);
    fixture.run_started();
    assert_eq!(fixture.events_of(id), ALL_UNDONE);
    assert_eq!(motivo(&fixture, id), "cliente");
    assert_cancelled_before(&cancel(&fixture, id, "del todo"));
}

#[test]
fn a_saga_that_knows_undoes_by_itself() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Completed);
    fixture.cancel(id);
    fixture.begin_sagas();
    assert_eq!(fixture.saga(id).status, Status::Compensating);
    assert_cancelled_before(&cancel(&fixture, id, "también"));
}

#[test]
fn a_reservation_that_was_forgotten_is_cancelled_too() {
    let fixture = fixture();
    let id = fixture.create(None);
    fixture.clock.advance(Duration::from_hours(25));
    let answer = cancel(&fixture, id, "ya no");
    assert_accepted(&fixture, id, answer, Status::Compensating);
    fixture.run_started();
    assert_eq!(fixture.events_of(id), ["ReservaCreada", "ReservaCancelada"]);
}

#[test]
fn when_the_orchestrator_cannot_be_told_the_timers_will() {
    let nowhere = Arc::new(MemoryFunctions::new());
    let fixture = fixture().with_functions(nowhere);
    let id = fixture.create_in(Status::Completed);
    let answer = cancel(&fixture, id, "cambio de planes");
    assert_accepted(&fixture, id, answer, Status::Compensating);
    let due = block_on(fixture.sagas.due(10)).unwrap();
    assert_eq!(due.sagas, [fixture.saga_of(id)]);
}

#[test]
fn what_was_never_made_is_not_there() {
    let fixture = fixture();
    let unknown = fixture.fresh();
    let tombstone = fixture.fresh();
    fixture.cancel(tombstone);
    for id in [unknown, tombstone] {
        let answer = cancel(&fixture, id, "no está");
        answer.assert_problem(404, "no-existe", "never made");
        assert_eq!(answer.body["detail"], format!("No hay una reserva {id}"));
    }
    let answer = fixture.post("/vuelos/reserva/no-es-un-uuid/cancelacion", "{}");
    answer.assert_problem(404, "no-existe", "no id");
    assert_eq!(answer.errores(), ["id: formato"]);
}

#[test]
fn a_bad_body_is_refused_and_changes_nothing() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Completed);
    let before = fixture.saga(id);
    let long = json!({"motivo": "x".repeat(201)}).to_string();
    for (body, errores) in [
        (r#"{"motivo": "\u001b[2J"}"#, vec!["motivo: caracteres"]),
        (r#"{"motivo": "a\u0007b"}"#, vec!["motivo: caracteres"]),
        (r#"{"motivo": "a\rb"}"#, vec!["motivo: caracteres"]),
        ("{\"motivo\": \"a\u{202e}b\"}", vec!["motivo: caracteres"]),
        (r#"{"motivo": ""}"#, vec!["motivo: vacio"]),
        (r#"{"motivo": "   "}"#, vec!["motivo: vacio"]),
        (
            r#"{"motivo": " \n\t "}"#,
            vec!["motivo: caracteres", "motivo: vacio"],
        ),
        ("{\"motivo\": \"a\u{ffff}b\"}", vec!["motivo: caracteres"]),
        (r#"{"motivo": "a\uFFFFb"}"#, vec!["motivo: caracteres"]),
        (&long, vec!["motivo: limite"]),
        (r#"{"motivo": 1}"#, vec!["motivo: tipo"]),
        (r#"{"motivo": ["x"]}"#, vec!["motivo: tipo"]),
        (r#"{"motivo": "plazo"}"#, vec!["motivo: reservado"]),
        (r#"{"razon": "x"}"#, vec!["razon: campo-desconocido"]),
        (
            r#"{"motivo": "plazo", "otro": 1}"#,
            vec!["otro: campo-desconocido", "motivo: reservado"],
        ),
        ("[]", vec!["cuerpo: tipo"]),
        ("null", vec!["cuerpo: tipo"]),
        ("{", vec!["cuerpo: json"]),
        (" ", vec!["cuerpo: json"]),
        ("\u{fffd}", vec!["cuerpo: utf-8"]),
    ] {
        let answer = fixture.post(&path(id), body);
        answer.assert_problem(400, "solicitud-invalida", body);
        assert_eq!(answer.errores(), errores, "{body}");
    }
    let huge = fixture.post(&path(id), " ".repeat(64 * 1024 + 1));
    huge.assert_problem(413, "cuerpo-demasiado-grande", "huge");
    let text = with_other_header(post(&path(id), "{}"), "Content-Type", "text/plain");
    let answer = fixture.answer(&text);
    answer.assert_problem(415, "tipo-de-contenido", "text");
    let keyed = with_header(
        post(&path(id), r#"{"motivo": ""}"#),
        "Idempotency-Key",
        "a\tb",
    );
    let answer = fixture.answer(&keyed);
    answer.assert_problem(400, "solicitud-invalida", "key");
    assert_eq!(
        answer.errores(),
        ["Idempotency-Key: formato", "motivo: vacio"]
    );
    assert_eq!(fixture.saga(id), before);
    assert_eq!(fixture.run_started(), 0);

    let longest = json!({"motivo": "ñ".repeat(200)}).to_string();
    fixture.post(&path(id), longest).accepted();
}

/// A build that lacks the definition of a saga does not cancel that saga. Only the build that began the saga does.
#[test]
fn another_builds_saga_is_left_alone() {
    let fixture = fixture().without_definitions();
    let id = fixture.create_in(Status::Completed);
    let answer = cancel(&fixture, id, "cambio de planes");
    answer.assert_problem(503, "no-disponible", "another build's");
    assert_eq!(answer.header("Retry-After"), Some("1"));
    assert_eq!(fixture.saga(id).status, Status::Completed);
    assert_eq!(fixture.run_started(), 0);
}

/// The saga's log has the request to cancel, with its reason.
#[test]
fn the_request_is_in_the_log_of_the_saga() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Completed);
    cancel(&fixture, id, "cambio de planes").accepted();
    let log = fixture.saga(id).log;
    let asked = log.iter().filter_map(|entry| match &entry.what {
        What::CancellationRequested { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), ["cambio de planes"]);
}

mod without_a_coordinator {
    use super::*;

    fn create(fixture: &Fixture) -> IdReserva {
        fixture.create_by_choreography()
    }

    fn with_key(fixture: &Fixture, id: IdReserva, key: &str, body: &str) -> Answer {
        fixture.answer(&with_header(post(&path(id), body), "Idempotency-Key", key))
    }

    const BOTH: [&str; 2] = ["ReservaCreada", "ReservaCancelada"];

    #[test]
    fn the_reservation_is_cancelled_at_once() {
        let fixture = fixture();
        let id = create(&fixture);
        let answer = cancel(&fixture, id, "cambio de planes");
        assert_eq!(answer.status, 202, "{}", answer.text);
        let logged = fixture.logged();
        let [created, cancelled] = logged.as_slice() else {
            panic!("two events: {logged:?}");
        };
        assert_eq!(
            answer.body,
            json!({"id_reserva": id, "id_correlacion": created["correlationid"], "estado": "Compensando"})
        );
        assert_eq!(
            answer.header("X-Correlacion"),
            created["correlationid"].as_str()
        );
        assert_eq!(cancelled["type"], "ReservaCancelada");
        assert_eq!(cancelled["data"]["motivo"], "cambio de planes");
        assert_eq!(cancelled["correlationid"], created["correlationid"]);
        assert_eq!(cancelled["sagamode"], "coreografia");
        assert_eq!(cancelled.get("prueba"), None);
        assert_eq!(fixture.run_started(), 0, "nobody coordinates");
        assert!(fixture.tables.all(alpes_saga::TABLE).is_empty());
    }

    #[test]
    fn money_and_seats_are_given_back_wherever_it_is() {
        let fixture = fixture();
        let approved = create(&fixture);
        fixture.run_choreography();
        assert_eq!(fixture.events_of(approved), ALL_UNDONE[..4]);
        let flight = Vuelo {
            origen: "BOG".into(),
            destino: "JFK".into(),
            fecha_salida: "2022-11-22T13:10:00Z".parse().unwrap(),
        };
        let held = || {
            block_on(inventory::read(&*fixture.tables, &flight))
                .unwrap()
                .held
        };
        assert_eq!(held(), 1);
        cancel(&fixture, approved, "cambio de planes").accepted();
        let at_once = create(&fixture);
        cancel(&fixture, at_once, "cambio de planes").accepted();
        fixture.run_choreography();
        fixture.run_sagas();

        let mut undone = fixture.events_of(approved).split_off(5);
        undone.sort_unstable();
        assert_eq!(undone, ALL_UNDONE[5..]);
        for id in [approved, at_once] {
            let movements = block_on(ledger(&*fixture.tables, &pagos::key(id))).unwrap();
            assert!(balance(&movements).is_zero(), "{movements:?}");
            let saga = fixture.saga(id);
            assert_eq!(saga.status, Status::Compensated);
        }
        assert_eq!(held(), 0);
    }

    /// The payment fails once and is retried after the client has cancelled.
    #[test]
    fn a_payment_that_is_put_off_is_not_made_any_more() {
        let fixture = fixture();
        let id = create(&fixture);
        let faults = &fixture.faults;
        block_on(faults.set(PAGOS, pagos::PAGAR_RESERVA, None, FaultMode::Error, 1)).unwrap();
        fixture.run_choreography();
        cancel(&fixture, id, "cambio de planes").accepted();
        fixture.run_choreography();
        fixture.clock.advance(Duration::from_mins(1));
        fixture.run_reactions();
        fixture.run_choreography();
        fixture.run_sagas();
        let movements = block_on(ledger(&*fixture.tables, &pagos::key(id))).unwrap();
        assert!(balance(&movements).is_zero(), "{movements:?}");
        assert_eq!(fixture.saga(id).status, Status::Compensated);
    }

    #[test]
    fn a_repetition_has_the_same_answer_with_a_key_or_without() {
        for key in [None, Some("clave-1")] {
            let fixture = fixture();
            let id = create(&fixture);
            let ask = |body: &str| match key {
                None => fixture.post(&path(id), body),
                Some(key) => with_key(&fixture, id, key, body),
            };
            let first = ask(r#"{"motivo": "cambio de planes"}"#);
            assert_eq!(first.status, 202, "{}", first.text);
            let again = ask(r#"{ "motivo" : "cambio de planes" }"#);
            assert_eq!((again.status, again.text), (first.status, first.text));
            assert_eq!(again.headers, first.headers);

            let other = ask(r#"{"motivo": "otro"}"#);
            match key {
                None => assert_cancelled_before(&other),
                Some(_) => {
                    other.assert_problem(422, "clave-de-idempotencia-reutilizada", "other");
                }
            }
            assert_eq!(fixture.events_of(id), BOTH);
        }
    }

    #[test]
    fn what_somebody_else_cancelled_is_cancelled() {
        let fixture = fixture();
        let id = create(&fixture);
        fixture.cancel(id);
        assert_cancelled_before(&cancel(&fixture, id, "tarde"));
        assert_cancelled_before(&with_key(&fixture, id, "clave-1", "{}"));
        assert_eq!(fixture.events_of(id), BOTH);
    }

    #[test]
    fn a_key_is_of_one_reservation() {
        let fixture = fixture();
        for id in [create(&fixture), create(&fixture)] {
            with_key(&fixture, id, "clave-1", "{}").accepted();
            assert_eq!(fixture.events_of(id), BOTH);
        }
        let logged = fixture.logged();
        let causes: Vec<_> = logged.iter().map(|event| &event["causationid"]).collect();
        assert_ne!(causes[2], causes[3]);
    }

    #[test]
    fn with_the_log_down_it_waits_for_the_sweeper() {
        let fixture = fixture().with_log(Arc::new(LogDown));
        let id = create(&fixture);
        cancel(&fixture, id, "cambio de planes").accepted();
        let stored = &fixture.stored()[0];
        assert_eq!(stored["version"], 2);
        assert_eq!(stored["published"], 1);
        assert!(stored.contains_key("gsi1pk"));
    }
}

#[test]
fn what_step_functions_runs_is_cancelled_once_it_has_ended() {
    let fixture = fixture();
    let id = fixture.create_by_step_functions();
    fixture.run_sagas();
    let answer = cancel(&fixture, id, "cambio de planes");
    answer.assert_problem(409, "estado-no-lo-permite", "it runs");
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .contains("Step Functions"),
        "{answer:?}"
    );
    fixture.run_executions();
    assert_eq!(fixture.saga(id).status, Status::Completed);

    let answer = cancel(&fixture, id, "cambio de planes");
    assert_accepted(&fixture, id, answer, Status::Compensating);
    fixture.run_started();
    fixture.run_executions();
    assert_eq!(fixture.events_of(id), ALL_UNDONE);
    assert_eq!(fixture.saga(id).status, Status::Compensated);
    assert_cancelled_before(&cancel(&fixture, id, "otra vez"));
}

/// The request comes before the orchestrator has received the reservation. The coordinator itself cancels the
/// reservation, without an execution.
#[test]
fn what_step_functions_has_not_begun_is_cancelled_at_once() {
    let fixture = fixture();
    let id = fixture.create_by_step_functions();
    let answer = cancel(&fixture, id, "cambio de planes");
    assert_accepted(&fixture, id, answer, Status::Compensating);
    fixture.run_started();
    fixture.run_sagas();
    assert_eq!(fixture.saga(id).status, Status::Compensated);
    assert!(fixture.executions.take_started().is_empty());
}

/// A failed execution does nothing more by itself, and AWS redrives it for only 14 days. The accepted cancellation is
/// carried out nevertheless.
#[test]
fn what_step_functions_could_not_end_is_cancelled_by_the_coordinator() {
    let fixture = fixture();
    let id = fixture.create_by_step_functions();
    fixture.run_sagas();
    fixture.tell_that_it_failed(id);
    assert_eq!(fixture.saga(id).status, Status::NeedsIntervention);
    let answer = cancel(&fixture, id, "cambio de planes");
    assert_accepted(&fixture, id, answer, Status::Compensating);
    // An operator redrives the execution nevertheless.
    fixture.run_executions();
    fixture.run_started();
    fixture.run_sagas();
    assert_eq!(fixture.saga(id).status, Status::Compensated);
    assert_eq!(motivo(&fixture, id), "cambio de planes");
    let key = pagos::key(id);
    let moved = block_on(ledger(&*fixture.tables, &key)).unwrap();
    assert!(balance(&moved).is_zero(), "{moved:?}");
    assert_cancelled_before(&cancel(&fixture, id, "otra vez"));
}
