//! Tests of requests that resume a saga that waits for a person.

use std::sync::Arc;

use alpes_messages::CorrelationId;
use alpes_saga::{SagaId, Status, StepNumber, What};
use events::{IdReserva, PAGOS, VUELOS};
use futures::executor::block_on;
use http_commands::MAX_NOTA;
use http_testing::{Answer, post, with_other_header};
use serde_json::{Value, json};
use twins::MemoryFunctions;

use crate::support::{Fixture, fixture};

fn path(id: SagaId) -> String {
    format!("/sagas/{id}/reanudacion")
}

fn resume(fixture: &Fixture, id: IdReserva, body: &str) -> Answer {
    fixture.post(&path(fixture.saga_of(id)), body)
}

#[track_caller]
fn assert_accepted(fixture: &Fixture, id: IdReserva, answer: Answer) {
    let saga = fixture.saga_of(id).to_string();
    assert_eq!(answer.header("X-Correlacion"), Some(&*saga));
    let expected = json!({"id_correlacion": saga, "estado": "Compensando"});
    assert_eq!(answer.accepted(), expected);
}

/// The lines of the saga's log that a person's request caused.
fn said(fixture: &Fixture, id: IdReserva) -> Vec<What> {
    let log = fixture.saga(id).log.into_iter();
    let said = log
        .map(|entry| entry.what)
        .filter(|what| matches!(what, What::Resumed { .. } | What::StepMarked { .. }));
    said.collect()
}

#[test]
fn it_goes_on_where_it_stood() {
    for (body, nota) in [
        ("", None),
        ("{}", None),
        (r#"{"hecho": false}"#, None),
        (r#"{"nota": null, "hecho": null}"#, None),
        (
            r#"{"nota": "el proveedor responde"}"#,
            Some("el proveedor responde"),
        ),
    ] {
        let fixture = fixture();
        let id = fixture.create_in(Status::NeedsIntervention);
        let answer = resume(&fixture, id, body);
        assert_accepted(&fixture, id, answer);
        let note = nota.map(str::to_owned);
        assert_eq!(said(&fixture, id), [What::Resumed { note }]);

        assert_eq!(fixture.run_started(), 1, "the orchestrator is called");
        assert_eq!(fixture.saga(id).status, Status::Compensated);
        let events = fixture.events_of(id);
        assert_eq!(events.last().unwrap(), "PagoRevertido");
    }
}

#[test]
fn what_was_done_by_hand_is_not_done_again() {
    let fixture = fixture();
    let id = fixture.create_in(Status::NeedsIntervention);
    let body = r#"{"nota": "devuelto a mano", "hecho": true, "paso": 2}"#;
    let answer = resume(&fixture, id, body);
    assert_accepted(&fixture, id, answer);
    let marked = What::StepMarked {
        step: StepNumber::new(2).unwrap(),
        note: "devuelto a mano".into(),
    };
    assert_eq!(said(&fixture, id), [marked]);

    fixture.run_started();
    assert_eq!(fixture.saga(id).status, Status::Compensated);
    let events = fixture.events_of(id);
    assert!(!events.contains(&"PagoRevertido".to_owned()), "{events:?}");
}

/// Only the step that waits for a person can be marked as done. Meanwhile another person may have resumed the saga, so
/// a request can name a step that no longer waits.
#[test]
fn only_the_step_that_is_stuck_is_marked() {
    let fixture = fixture();
    let id = fixture.create_in(Status::NeedsIntervention);
    let before = fixture.saga(id);
    for paso in [1, 3, 4] {
        let body = json!({"nota": "devuelto a mano", "hecho": true, "paso": paso}).to_string();
        let answer = resume(&fixture, id, &body);
        answer.assert_problem(409, "estado-no-lo-permite", &body);
    }
    assert_eq!(fixture.saga(id), before);
}

#[test]
fn what_waits_for_nobody_is_left_alone() {
    for status in Status::ALL {
        if status == Status::NeedsIntervention {
            continue;
        }
        let fixture = fixture();
        let id = fixture.create_in(status);
        let estado = api::saga::estado(status);
        let before = fixture.saga(id);
        for body in ["", r#"{"nota": "ya", "hecho": true, "paso": 2}"#] {
            let answer = resume(&fixture, id, body);
            answer.assert_problem(409, "estado-no-lo-permite", estado);
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(detail.contains(estado), "{detail}");
        }
        assert_eq!(fixture.saga(id), before);
        assert_eq!(fixture.run_started(), 0);
    }
}

#[test]
fn once_it_goes_on_it_waits_for_nobody() {
    let fixture = fixture();
    let id = fixture.create_in(Status::NeedsIntervention);
    resume(&fixture, id, "").accepted();
    let again = resume(&fixture, id, "");
    again.assert_problem(409, "estado-no-lo-permite", "again");
}

#[test]
fn a_saga_that_has_not_begun_needs_nobody() {
    let fixture = fixture();
    let id = fixture.create(None);
    let answer = resume(&fixture, id, "");
    answer.assert_problem(409, "estado-no-lo-permite", "not begun");
    let detail = "La saga está en EnCurso; no requiere intervención";
    assert_eq!(answer.body["detail"], detail);

    // A saga whose id differs from the id of its reservation cannot be found before the saga has begun.
    let mut command = fixture.creation();
    command.correlationid = CorrelationId(fixture.world.ids.fresh());
    fixture.take(VUELOS, &command);
    let (saga, reservation) = (SagaId(command.correlationid.0), SagaId(command.subject.0));
    for id in [saga, reservation, SagaId(fixture.world.ids.fresh())] {
        let answer = fixture.post(&path(id), "");
        answer.assert_problem(404, "no-existe", "not there");
        assert_eq!(answer.body["detail"], format!("No hay una saga {id}"));
    }
    assert!(fixture.tables.all(alpes_saga::TABLE).is_empty());

    let answer = fixture.post("/sagas/no-es-un-uuid/reanudacion", "");
    answer.assert_problem(404, "no-existe", "no id");
    assert_eq!(answer.errores(), ["id: formato"]);
}

#[test]
fn a_bad_body_is_refused_and_changes_nothing() {
    let fixture = fixture();
    let id = fixture.create_in(Status::NeedsIntervention);
    let before = fixture.saga(id);
    let long = json!({"nota": "x".repeat(MAX_NOTA + 1)}).to_string();
    for (body, errores) in [
        (
            r#"{"hecho": true}"#,
            vec!["paso: requerido", "nota: requerido"],
        ),
        (
            r#"{"hecho": true, "nota": null, "paso": 0}"#,
            vec!["paso: limite", "nota: requerido"],
        ),
        (
            r#"{"hecho": true, "nota": " ", "paso": "2"}"#,
            vec!["paso: tipo", "nota: vacio"],
        ),
        (r#"{"paso": -1}"#, vec!["paso: limite"]),
        (r#"{"nota": ""}"#, vec!["nota: vacio"]),
        (r#"{"nota": "a\r\nb"}"#, vec!["nota: caracteres"]),
        ("{\"nota\": \"a\u{ffff}b\"}", vec!["nota: caracteres"]),
        (r#"{"nota": 7}"#, vec!["nota: tipo"]),
        (&long, vec!["nota: limite"]),
        (
            r#"{"hecho": "true", "nota": {}, "x": 1}"#,
            vec!["x: campo-desconocido", "hecho: tipo", "nota: tipo"],
        ),
        ("[]", vec!["cuerpo: tipo"]),
        ("{", vec!["cuerpo: json"]),
    ] {
        let answer = resume(&fixture, id, body);
        answer.assert_problem(400, "solicitud-invalida", body);
        assert_eq!(answer.errores(), errores, "{body}");
    }
    let text = with_other_header(
        post(&path(fixture.saga_of(id)), "{}"),
        "Content-Type",
        "text/plain",
    );
    let answer = fixture.answer(&text);
    answer.assert_problem(415, "tipo-de-contenido", "text");
    assert_eq!(fixture.saga(id), before);
    assert_eq!(fixture.run_started(), 0);

    let longest = json!({"nota": "ñ".repeat(MAX_NOTA)}).to_string();
    resume(&fixture, id, &longest).accepted();
}

#[test]
fn when_the_orchestrator_cannot_be_told_the_timers_will() {
    let nowhere = Arc::new(MemoryFunctions::new());
    let fixture = fixture().with_functions(nowhere);
    let id = fixture.create_in(Status::NeedsIntervention);
    let due = || block_on(fixture.sagas.due(10)).unwrap().sagas;
    assert_eq!(due(), []);
    let answer = resume(&fixture, id, "");
    assert_accepted(&fixture, id, answer);
    assert_eq!(due(), [fixture.saga_of(id)]);
}

/// A saga of another build must wait for that build, so the answer is 503. An item that is not a saga is a defect of
/// this system, so the answer is 500.
#[test]
fn what_cannot_be_read_is_not_missing() {
    let fixture = fixture().without_definitions();
    let id = fixture.create_in(Status::NeedsIntervention);
    let answer = resume(&fixture, id, "");
    answer.assert_problem(503, "no-disponible", "another build's");

    let id = SagaId(fixture.world.ids.fresh());
    let key = alpes_ports::Key::new(alpes_saga::TABLE, id.to_string(), "saga");
    let put = alpes_ports::Write::Put {
        key,
        item: alpes_ports::Item::from_iter([("rev".to_owned(), Value::from(1))]),
        condition: alpes_ports::Condition::Always,
    };
    block_on(alpes_ports::Tables::write(&*fixture.tables, &put)).unwrap();
    let answer = fixture.post(&path(id), "");
    answer.assert_problem(500, "error-interno", "malformed");
    assert_eq!(answer.body.get("detail"), None);
}

/// The refund of a charge keeps failing, and operators resume the saga until its item has no room for another attempt.
#[test]
fn one_that_went_on_too_often_can_still_be_ended_by_hand() {
    let fixture = fixture();
    let id = fixture.create_in(Status::NeedsIntervention);
    let mut resumed = 0;
    // Once a long note does not fit, a request without a note may still fit.
    for body in [
        json!({ "nota": "🧾".repeat(MAX_NOTA) }).to_string(),
        String::new(),
    ] {
        let answer = loop {
            fixture.fail_once(PAGOS, pagos::REVERTIR_PAGO);
            let answer = resume(&fixture, id, &body);
            if answer.status != 202 {
                break answer;
            }
            resumed += 1;
            fixture.run_started();
            assert_eq!(fixture.saga(id).status, Status::NeedsIntervention);
        };
        answer.assert_problem(409, "estado-no-lo-permite", "too often");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains("demasiadas veces"), "{detail}");
        assert!(detail.contains("hecho"), "{detail}");
    }
    assert!(resumed > 60, "{resumed}");
    // The saga still processes events that arrive meanwhile.
    fixture.run_sagas();

    let nota = "🧾".repeat(MAX_NOTA);
    let marked = json!({ "nota": nota, "hecho": true, "paso": 2 }).to_string();
    let answer = resume(&fixture, id, &marked);
    assert_accepted(&fixture, id, answer);
    fixture.run_started();
    assert_eq!(fixture.saga(id).status, Status::Compensated);
}

#[test]
fn what_step_functions_could_not_end_is_ended_here() {
    let nota = "el coordinador la deshace";
    let resumed = What::Resumed {
        note: Some(nota.into()),
    };
    let marked = What::StepMarked {
        step: StepNumber::new(2).unwrap(),
        note: nota.into(),
    };
    for (body, said_then) in [
        (json!({ "nota": nota }), resumed),
        (json!({ "nota": nota, "hecho": true, "paso": 2 }), marked),
    ] {
        let fixture = fixture();
        let id = fixture.create_by_step_functions();
        fixture.run_sagas();
        let early = resume(&fixture, id, &body.to_string());
        early.assert_problem(409, "estado-no-lo-permite", "it runs");
        fixture.tell_that_it_failed(id);
        let answer = resume(&fixture, id, &body.to_string());
        assert_accepted(&fixture, id, answer);
        assert_eq!(said(&fixture, id), [said_then]);
        fixture.run_started();
        assert_eq!(fixture.saga(id).status, Status::Compensated);
        let again = resume(&fixture, id, &body.to_string());
        again.assert_problem(409, "estado-no-lo-permite", "it has ended");
    }
}
