//! Tests of the endpoint that sets the free seats of a flight.

use events::GDS;
use http_testing::sample;
use serde_json::{Value, json};

use crate::support::{Fixture, Pruebas, fixture};

/// The flight of the tutorials' reservation.
fn vuelo(sillas: &Value) -> Value {
    json!({"origen": "BOG", "destino": "JFK", "fecha_salida": "2022-11-22T13:10:00Z", "sillas": sillas})
}

fn set(fixture: &Fixture, sillas: u32) -> Value {
    fixture
        .prueba("inventario", &vuelo(&sillas.into()))
        .accepted()
}

fn confirm(fixture: &Fixture) -> String {
    let data = json!({"itinerarios": sample()["itinerarios"]});
    let body = json!({"id_reserva": fixture.fresh(), "data": data});
    let reply = fixture.prueba("gds/ConfirmarReserva", &body).accepted();
    reply["eventos"][0]["type"].as_str().unwrap().to_owned()
}

#[test]
fn a_flight_has_as_many_seats_as_it_is_given() {
    let fixture = fixture();
    let flight = set(&fixture, 1);
    assert_eq!(
        flight,
        json!({
            "origen": "BOG",
            "destino": "JFK",
            "fecha_salida": "2022-11-22T13:10:00Z",
            "capacidad": gds::DEFAULT_SEATS,
            "libres": 1,
            "reservadas": 0,
        })
    );
    assert_eq!(confirm(&fixture), "ReservaGDSConfirmada");
    assert_eq!(confirm(&fixture), "ConfirmacionFallida");
    // Reservations keep the seats that they hold, whatever number is set.
    let flight = set(&fixture, 0);
    assert_eq!(
        (&flight["libres"], &flight["reservadas"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(confirm(&fixture), "ConfirmacionFallida");
    let flight = set(&fixture, 1_000);
    assert_eq!(
        (&flight["libres"], &flight["reservadas"]),
        (&json!(1_000), &json!(1))
    );
    assert_eq!(confirm(&fixture), "ReservaGDSConfirmada");
}

#[test]
fn a_time_is_one_flight_in_whatever_zone() {
    let fixture = fixture();
    let mut body = vuelo(&json!(0));
    body["fecha_salida"] = "2022-11-22T08:10:00-05:00".into();
    let flight = fixture.prueba("inventario", &body).accepted();
    assert_eq!(flight["fecha_salida"], "2022-11-22T13:10:00Z");
    let id = fixture.create(None);
    let data = json!({"itinerarios": sample()["itinerarios"]});
    fixture.take(GDS, &fixture.command(gds::CONFIRMAR_RESERVA, id, data));
    assert_eq!(
        fixture.events_of(id),
        ["ReservaCreada", "ConfirmacionFallida"]
    );
}

#[test]
fn a_bad_body_is_refused_and_sets_nothing() {
    let fixture = fixture();
    let with = |field: &str, value: Value| {
        let mut body = vuelo(&json!(1));
        body[field] = value;
        body
    };
    for (body, errores) in [
        (
            json!({}),
            vec![
                "origen: requerido",
                "destino: requerido",
                "fecha_salida: requerido",
                "sillas: requerido",
            ],
        ),
        (with("origen", "bog".into()), vec!["origen: formato"]),
        (with("destino", 1.into()), vec!["destino: tipo"]),
        (
            with("fecha_salida", "2022-11-22".into()),
            vec!["fecha_salida: fecha"],
        ),
        (with("sillas", 1_001.into()), vec!["sillas: limite"]),
        (with("sillas", (-1).into()), vec!["sillas: limite"]),
        (with("sillas", "1".into()), vec!["sillas: tipo"]),
        (with("vuelo", 1.into()), vec!["vuelo: campo-desconocido"]),
    ] {
        let name = body.to_string();
        let answer = fixture.prueba("inventario", &body);
        answer.assert_problem(400, "solicitud-invalida", &name);
        assert_eq!(answer.errores(), errores, "{name}");
    }
    assert!(fixture.tables.all(gds::TABLE).is_empty());
}
