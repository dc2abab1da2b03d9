//! Tests of the query for one reservation.

use std::sync::Arc;

use alpes_messages::StreamId;
use alpes_ports::{Item, TableError, Tables, Write};
use alpes_saga::Status;
use api::ROUTES;
use events::{IdReserva, VUELOS, vuelos::EstadoReserva};
use futures::executor::block_on;
use http_testing::{SECRET, TablesDown, ask, sample};
use serde_json::Value;

use crate::support::fixture;

fn path(id: IdReserva) -> String {
    format!("/vuelos/reserva/{id}")
}

/// Checks the `origen` of an answer, and returns the answer without this field.
#[track_caller]
fn from(origen: &str, mut reserva: Value) -> Value {
    let told = reserva.as_object_mut().unwrap().remove("origen");
    assert_eq!(told.unwrap(), origen);
    reserva
}

#[test]
fn the_stream_answers_until_the_view_does_and_both_say_the_same() {
    let fixture = fixture();
    let id = fixture.create(Some("cliente-42"));
    let anonymous = fixture.create(None);
    let ids = [id, anonymous];
    let early = ids.map(|id| from("comando", fixture.get(&path(id)).ok()));
    fixture.project();
    let late = ids.map(|id| from("vista", fixture.get(&path(id)).ok()));
    assert_eq!(early, late);

    let told = &late[0];
    assert_eq!(told["id_reserva"], id.to_string());
    assert_eq!(told["id_cliente"], "cliente-42");
    assert_eq!(told["estado"], "Pendiente");
    assert_eq!(told["fecha_creacion"], "2026-01-31T10:00:00.000Z");
    assert_eq!(told["fecha_actualizacion"], "2026-01-31T10:00:00.000Z");
    assert_eq!(told["itinerarios"], sample()["itinerarios"]);
    assert_eq!(told["pago"]["medio"], "tok_visa");
    let saga = fixture.saga_of(id).to_string();
    assert_eq!(told["id_correlacion"], saga);

    assert_eq!(late[1]["id_cliente"], Value::Null);
}

#[test]
fn what_the_stream_tells_is_never_ahead_of_what_the_view_tells_next() {
    let fixture = fixture();
    let cancelled = fixture.create(None);
    fixture.later();
    fixture.cancel(cancelled);
    let approved = fixture.create(None);
    fixture.later();
    fixture.approve(approved);
    for id in [cancelled, approved] {
        let early = from("comando", fixture.get(&path(id)).ok());
        assert_eq!(early["estado"], "Pendiente");
        assert_eq!(early["fecha_actualizacion"], early["fecha_creacion"]);
    }

    // The view receives the creation first, and the other events in another batch.
    let is_making = |record: &alpes_ports::LogRecord| {
        String::from_utf8_lossy(&record.data).contains("ReservaCreada")
    };
    fixture.project_such(is_making);
    for id in [cancelled, approved] {
        let told = from("vista", fixture.get(&path(id)).ok());
        assert_eq!(told["estado"], "Pendiente");
    }

    fixture.project();
    for (id, estado) in [(cancelled, "Cancelada"), (approved, "Aprobada")] {
        let late = from("vista", fixture.get(&path(id)).ok());
        assert_eq!(late["estado"], estado);
        assert_ne!(late["fecha_actualizacion"], late["fecha_creacion"]);
    }
}

#[test]
fn only_the_view_hears_of_payments() {
    let fixture = fixture();
    let id = fixture.create(None);
    fixture.later();
    fixture.pay(id);
    assert_eq!(fixture.get(&path(id)).ok()["estado"], "Pendiente");
    fixture.project();
    let paid = from("vista", fixture.get(&path(id)).ok());
    assert_eq!(paid["estado"], "Pagada");
    assert_eq!(paid["fecha_actualizacion"], "2026-01-31T10:00:00.007Z");
}

#[test]
fn a_row_that_never_heard_of_the_making_does_not_hide_the_reservation() {
    let fixture = fixture();
    let id = fixture.create(None);
    fixture.pay(id);
    // The view receives the payment before the reservation.
    fixture.project_such(|record| String::from_utf8_lossy(&record.data).contains("ReservaPagada"));

    from("comando", fixture.get(&path(id)).ok());
    let list = fixture.get("/vuelos/reserva").ok();
    assert_eq!(list["reservas"], Value::Array(vec![]));
}

#[test]
fn what_was_never_made_is_not_there() {
    let fixture = fixture();
    let unknown = fixture.fresh();
    let tombstone = fixture.fresh();
    fixture.cancel(tombstone);
    for _ in 0..2 {
        for id in [unknown, tombstone] {
            let answer = fixture.get(&path(id));
            answer.assert_problem(404, "no-existe", "never made");
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(detail.contains(&id.to_string()), "{detail}");
        }
        fixture.project();
    }
    assert_eq!(
        fixture.get("/vuelos/reserva").ok()["reservas"],
        Value::Array(vec![])
    );
}

#[test]
fn an_id_may_be_written_in_any_form_of_a_uuid() {
    let fixture = fixture();
    let id = fixture.create(None);
    let answer = fixture.get(
        &path(id)
            .to_uppercase()
            .replace("/VUELOS/RESERVA", "/vuelos/reserva"),
    );
    assert_eq!(answer.ok()["id_reserva"], id.to_string());
}

#[test]
fn health_and_description() {
    let fixture = fixture();
    let health = fixture.get("/health");
    assert_eq!(health.text, r#"{"estado":"ok"}"#);
    health.ok();
    let description = fixture.get("/openapi.json");
    // The answer has the base URL of the request's host.
    let base = "//a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/v1";
    assert_eq!(description.text.replace(base, "."), http_queries::OPENAPI);
    assert_eq!(description.ok()["openapi"], "3.1.0");
}

/// The function answers HEAD like GET. The HTTP server before the function removes the body and sends its length.
#[test]
fn a_head_is_answered_as_a_get() {
    let fixture = fixture();
    let id = fixture.create_as(Some("ana"), EstadoReserva::Pagada);
    let saga = fixture.saga_of(fixture.create_in(Status::Completed));
    let unknown = fixture.world.ids.fresh();
    fixture.project();
    for path in [
        "/health".to_owned(),
        "/openapi.json".into(),
        "/vuelos/reserva?id_cliente=ana".into(),
        path(id),
        format!("{}/eventos", path(id)),
        "/vuelos/reportes/totales".into(),
        "/vuelos/reportes/reservas-por-dia".into(),
        "/sagas?estado=EnCurso".into(),
        format!("/sagas/{saga}"),
        // The function refuses these queries.
        "/sagas".into(),
        "/vuelos/reserva?limite=0".into(),
        format!("/vuelos/reserva/{unknown}"),
        "/nada".into(),
        format!("{}/cancelacion", path(id)),
    ] {
        let (got, head) = (fixture.get(&path), fixture.answer(&ask("HEAD", &path)));
        assert_eq!(head.status, got.status, "{path}");
        assert_eq!(head.headers, got.headers, "{path}");
        assert_eq!(head.text, got.text, "{path}");
    }
}

#[test]
fn other_methods_are_refused_with_those_that_there_are() {
    let fixture = fixture();
    let id = fixture.create(None);
    let before = fixture.stored();
    for route in ROUTES {
        let path = route.path.replace("{id}", &id.to_string());
        let there: Vec<_> = route.allow.split(", ").collect();
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OTRO",
        ] {
            let answer = fixture.answer(&ask(method, &path));
            if ["GET", "HEAD"].contains(&method) && there.contains(&method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            answer.assert_problem(405, "metodo-no-permitido", &path);
            assert_eq!(answer.header("Allow"), Some(route.allow), "{method} {path}");
        }
    }
    assert_eq!(fixture.stored(), before);
}

#[test]
fn other_paths_are_not_there() {
    let fixture = fixture();
    let id = fixture.create(None);
    for path in [
        "/".to_owned(),
        "/vuelos".into(),
        "/VUELOS/reserva".into(),
        "/openapi".into(),
        format!("/vuelos/reserva/{id}/saga"),
        "/vuelos/reportes".into(),
        "/vuelos/reportes/ventas".into(),
        "/vuelos/reportes/totales/".into(),
        format!("/vuelos/reserva/{id}/eventos/1"),
        "/sagas/".into(),
        format!("/sagas/{id}/log"),
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = fixture.answer(&ask(method, &path));
            answer.assert_problem(404, "no-existe", &path);
        }
    }
}

#[test]
fn when_the_tables_fail_the_answer_tells_no_more_than_that() {
    for (error, status, kind, retry) in [
        (
            TableError::Unavailable(SECRET.into()),
            503,
            "no-disponible",
            Some("1"),
        ),
        (
            TableError::Refused(SECRET.into()),
            500,
            "error-interno",
            None,
        ),
    ] {
        let fixture = fixture();
        let id = fixture.create(None);
        let fixture = fixture.with_tables(Arc::new(TablesDown(error)));
        for path in [
            "/vuelos/reserva".to_owned(),
            path(id),
            format!("{}/eventos", path(id)),
            "/vuelos/reportes/totales".into(),
            "/vuelos/reportes/reservas-por-dia".into(),
            "/sagas?estado=EnCurso".into(),
            format!("/sagas/{}", fixture.saga_of(id)),
        ] {
            let answer = fixture.get(&path);
            answer.assert_problem(status, kind, &path);
            assert_eq!(answer.header("Retry-After"), retry);
        }
        assert_eq!(fixture.get("/health").status, 200);
    }
}

/// An event stream that this build cannot read is a defect of this system, so the answer is 500 and never 404.
#[test]
fn a_stream_that_cannot_be_read_is_not_missing() {
    let fixture = fixture();
    let id = fixture.fresh();
    let key = alpes_event_store::Stream::key(StreamId::new(VUELOS, id));
    let item = Item::from_iter([("version".to_owned(), Value::from(1))]);
    let put = Write::Put {
        key,
        item,
        condition: alpes_ports::Condition::Always,
    };
    block_on(fixture.tables.write(&put)).unwrap();
    for path in [
        path(id),
        format!("{}/eventos", path(id)),
        format!("/sagas/{id}"),
    ] {
        let answer = fixture.get(&path);
        answer.assert_problem(500, "error-interno", &path);
        assert_eq!(answer.body.get("detail"), None);
    }
}
