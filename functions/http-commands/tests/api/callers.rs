//! Tests of who may make, cancel and resume.

use alpes_saga::Status;
use events::IdReserva;
use futures::executor::block_on;
use http_testing::{post, sample, with_header};
use lambda_http::Request;
use serde_json::{Value, json};

use crate::support::{Fixture, RESERVA, fixture};

fn by(header: &str, name: &str, path: &str, body: &Value) -> Request {
    with_header(post(path, body.to_string()), header, name)
}

/// The sample, of this client.
fn of(id_cliente: Option<&str>) -> Value {
    let mut body = sample();
    if let Some(id) = id_cliente {
        body["id_cliente"] = json!(id);
    }
    body
}

#[test]
fn a_client_makes_reservations_of_their_own_only() {
    let fixture = fixture();
    for body in [of(None), of(Some("ana"))] {
        let made = fixture
            .answer(&by("X-Cliente", "ana", RESERVA, &body))
            .accepted();
        let mut logged = fixture.logged().into_iter();
        let made = logged.find(|event| event["subject"] == made["id_reserva"]);
        assert_eq!(made.unwrap()["data"]["id_cliente"], "ana");
    }
    let stored = fixture.stored().len();
    let others = fixture.answer(&by("X-Cliente", "ana", RESERVA, &of(Some("luis"))));
    assert_eq!(others.status, 400);
    assert_eq!(others.errores(), ["id_cliente: opcion"]);
    assert_eq!(fixture.stored().len(), stored);

    let operator = fixture.answer(&by("X-Operador", "marta", RESERVA, &of(Some("luis"))));
    assert_eq!(operator.status, 202);
}

#[test]
fn only_the_owner_and_an_operator_cancel() {
    let fixture = fixture();
    for (header, name, owner, status) in [
        ("X-Cliente", "luis", Some("ana"), 404),
        ("X-Cliente", "luis", None, 404),
        ("X-Cliente", "ana", Some("ana"), 202),
        ("X-Operador", "marta", Some("ana"), 202),
    ] {
        let id = fixture.create(owner);
        let path = format!("{RESERVA}/{id}/cancelacion");
        let answer = fixture.answer(&by(header, name, &path, &json!({})));
        assert_eq!(answer.status, status, "{name} {owner:?}");
        let saga = block_on(fixture.sagas.load(fixture.saga_of(id))).unwrap();
        assert_eq!(saga.is_some(), status == 202, "{name} {owner:?}");
    }
}

#[test]
fn only_an_operator_resumes_a_saga() {
    let fixture = fixture();
    let id = fixture.create_in(Status::NeedsIntervention);
    let path = format!("/sagas/{}/reanudacion", fixture.saga_of(id));
    let before = fixture.saga(id);
    let refused = fixture.answer(&by("X-Cliente", "ana", &path, &json!({})));
    refused.assert_problem(403, "sin-permiso", "ana");
    assert_eq!(fixture.saga(id), before);
    let taken = fixture.answer(&by("X-Operador", "marta", &path, &json!({})));
    assert_eq!(taken.status, 202);
    assert_eq!(actors(&fixture, id), ["operador:marta"]);
}

/// The persons whom the log of the reservation's saga names, in order.
fn actors(fixture: &Fixture, id: IdReserva) -> Vec<String> {
    let log = fixture.saga(id).log.into_iter();
    log.filter_map(|entry| entry.actor).collect()
}

/// An operator's act was nobody's: a saga was marked as undone, and no entry said by whom.
#[test]
fn who_cancels_and_who_marks_a_step_is_in_the_log() {
    let fixture = fixture();
    let id = fixture.create(Some("ana"));
    let path = format!("{RESERVA}/{id}/cancelacion");
    fixture
        .answer(&by("X-Cliente", "ana", &path, &json!({})))
        .accepted();
    assert_eq!(actors(&fixture, id), ["cliente:ana"]);

    let id = fixture.create_in(Status::NeedsIntervention);
    let stuck = fixture.saga(id);
    let step = stuck.outstanding.as_ref().map(|out| out.step).unwrap();
    let path = format!("/sagas/{}/reanudacion", fixture.saga_of(id));
    let done = json!({"hecho": true, "paso": step, "nota": "devuelto a mano"});
    fixture
        .answer(&by("X-Operador", "marta", &path, &done))
        .accepted();
    assert_eq!(actors(&fixture, id), ["operador:marta"]);

    // Without a coordinator, the event of the cancellation has the actor.
    let mut body = of(Some("ana"));
    body["saga"] = json!("coreografia");
    let made = fixture
        .answer(&by("X-Operador", "marta", RESERVA, &body))
        .accepted();
    let path = format!(
        "{RESERVA}/{}/cancelacion",
        made["id_reserva"].as_str().unwrap()
    );
    fixture
        .answer(&by("X-Cliente", "ana", &path, &json!({})))
        .accepted();
    let of_it = |event: &Value| event["subject"] == made["id_reserva"];
    let logged = fixture.logged().into_iter().filter(of_it);
    let actors: Vec<_> = logged.map(|event| event["actor"].clone()).collect();
    assert_eq!(actors, ["operador:marta", "cliente:ana"]);
}
