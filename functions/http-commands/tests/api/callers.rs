//! Tests of who may make, cancel and resume.

use alpes_saga::Status;
use futures::executor::block_on;
use http_testing::{post, sample, with_header};
use lambda_http::Request;
use serde_json::{Value, json};

use crate::support::{RESERVA, fixture};

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
}
