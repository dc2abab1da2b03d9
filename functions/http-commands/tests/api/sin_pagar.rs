//! Tests of the limit of a client's unpaid reservations.

use std::sync::Arc;

use alpes_ports::Tables;
use events::vuelos::EstadoReserva;
use http_commands::MAX_SIN_PAGAR;
use http_testing::{Answer, sample};
use serde_json::Value;
use simulation::Faults;

use crate::support::{Fixture, RESERVA, fixture};

fn body(client: Option<&str>) -> String {
    let mut body = sample();
    body["id_cliente"] = client.into();
    body.to_string()
}

/// A fixture in which the client "ana" has this many unpaid reservations.
fn with_unpaid(count: usize) -> Fixture {
    let fixture = fixture();
    for _ in 0..count {
        fixture.create(Some("ana"));
    }
    fixture.project();
    fixture
}

#[track_caller]
fn assert_too_many(answer: &Answer) {
    answer.assert_problem(409, "reservas-sin-pagar", "too many");
    let fault = &answer.body["errores"][0];
    assert_eq!(
        (&fault["campo"], &fault["regla"]),
        (&Value::from("id_cliente"), &Value::from("sin-pagar"))
    );
}

#[test]
fn a_client_has_twenty_unpaid_reservations_at_most() {
    let fixture = with_unpaid(MAX_SIN_PAGAR - 1);
    assert_eq!(fixture.post(RESERVA, body(Some("ana"))).status, 202);
    // The view does not have the last reservation yet, so the limit does not count it.
    assert_eq!(fixture.post(RESERVA, body(Some("ana"))).status, 202);
    fixture.project();
    let before = fixture.stored().len();
    assert_too_many(&fixture.post(RESERVA, body(Some("ana"))));
    assert_too_many(&fixture.post_with_key(RESERVA, "clave-1", body(Some("ana"))));
    assert_eq!(fixture.stored().len(), before, "nothing was stored");
    for other in [Some("luz"), Some("ana2"), None] {
        assert_eq!(fixture.post(RESERVA, body(other)).status, 202, "{other:?}");
    }
}

#[test]
fn a_reservation_counts_until_it_is_paid_or_cancelled() {
    for estado in [
        EstadoReserva::Pagada,
        EstadoReserva::Aprobada,
        EstadoReserva::Cancelada,
    ] {
        let fixture = with_unpaid(MAX_SIN_PAGAR - 1);
        fixture.create_as(Some("ana"), estado);
        fixture.project();
        let answer = fixture.post(RESERVA, body(Some("ana")));
        assert_eq!(answer.status, 202, "{estado}");
    }
}

#[test]
fn a_repetition_gets_the_answer_that_was_however_many_there_are_now() {
    let fixture = with_unpaid(MAX_SIN_PAGAR - 1);
    let first = fixture.post_with_key(RESERVA, "clave-1", body(Some("ana")));
    assert_eq!(first.status, 202);
    fixture.project();
    let again = fixture.post_with_key(RESERVA, "clave-1", body(Some("ana")));
    assert_eq!(again.status, 202);
    assert_eq!(again.text, first.text);
    // The key of another body is still refused as such.
    let mut other = sample();
    other["id_cliente"] = "ana".into();
    other["saga"] = "coreografia".into();
    let other = fixture.post_with_key(RESERVA, "clave-1", other.to_string());
    other.assert_problem(422, "clave-de-idempotencia-reutilizada", "another body");
    assert_too_many(&fixture.post_with_key(RESERVA, "clave-2", body(Some("ana"))));
}

/// The limit costs one call. The number of the view's generation is read too, once in five seconds.
#[test]
fn a_request_with_a_client_takes_one_call_more() {
    let calls = Faults::none();
    let fixture = fixture();
    let tables: Arc<dyn Tables> = Arc::new(calls.tables(fixture.tables.clone()));
    let fixture = fixture.with_tables(tables);
    let count = |client: Option<&str>| {
        let before = calls.count();
        assert_eq!(fixture.post(RESERVA, body(client)).status, 202);
        calls.count() - before
    };
    let without = count(None);
    let first = count(Some("ana"));
    let next = count(Some("ana"));
    assert_eq!((first, next), (without + 2, without + 1));
}
