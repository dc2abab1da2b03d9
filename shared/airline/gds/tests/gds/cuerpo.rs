//! Tests of the faults in the data of a confirmation, with their places.

use domain_kit::Processes;
use events::{IdReserva, kinds};
use gds::{CONFIRMAR_RESERVA, MAX_FLIGHTS, MAX_LIST};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    bench::Bench,
    escenario::{BOG_MIA, MIA_JFK, RESERVA, command, given, journey, leg},
};

const LEG: &str = "itinerarios[0].odos[0].segmentos[0].legs[0]";

/// Every violation of a command's data, as `campo: regla`.
fn faults(data: &Value) -> Vec<String> {
    let problem = given([])
        .when(&command(1, RESERVA, CONFIRMAR_RESERVA, data.clone()))
        .then_refused(|problem| problem.is(kinds::INVALID));
    let errores = problem.errores.into_iter();
    errores
        .map(|fault| {
            assert!(!fault.detalle.is_empty());
            format!("{}: {}", fault.campo, fault.regla)
        })
        .collect()
}

/// The data of a confirmation, with another value at a place of its leg.
fn with(pointer: &str, value: Value) -> Value {
    let mut data = journey(&[BOG_MIA]);
    let place = format!("/itinerarios/0/odos/0/segmentos/0/legs/0{pointer}");
    let (parent, name) = place.rsplit_once('/').unwrap();
    data.pointer_mut(parent).unwrap()[name] = value;
    data
}

#[test]
fn every_list_must_be_there_and_hold_something() {
    for data in [json!(null), json!([]), json!("x")] {
        assert_eq!(faults(&data), ["cuerpo: tipo"]);
    }
    for (value, regla) in [
        (json!(null), "requerido"),
        (json!({}), "tipo"),
        (json!([]), "vacio"),
    ] {
        for (pointer, campo) in [
            ("/itinerarios", "itinerarios"),
            ("/itinerarios/0/odos", "itinerarios[0].odos"),
            (
                "/itinerarios/0/odos/0/segmentos",
                "itinerarios[0].odos[0].segmentos",
            ),
            (
                "/itinerarios/0/odos/0/segmentos/0/legs",
                "itinerarios[0].odos[0].segmentos[0].legs",
            ),
        ] {
            let mut data = journey(&[BOG_MIA]);
            *data.pointer_mut(pointer).unwrap() = value.clone();
            assert_eq!(faults(&data), [format!("{campo}: {regla}")]);
        }
    }
}

#[test]
fn every_field_of_a_leg_is_checked() {
    for (pointer, value, campo, regla) in [
        ("/fecha_salida", json!(null), "fecha_salida", "requerido"),
        ("/fecha_salida", json!(5), "fecha_salida", "tipo"),
        (
            "/fecha_salida",
            json!("2026-02-20 13:10"),
            "fecha_salida",
            "fecha",
        ),
        ("/fecha_llegada", json!("mañana"), "fecha_llegada", "fecha"),
        ("/origen", json!("BOG"), "origen", "tipo"),
        ("/origen/codigo", json!("BOGO"), "origen.codigo", "formato"),
        ("/destino/codigo", json!("mia"), "destino.codigo", "formato"),
        (
            "/destino/codigo",
            json!(null),
            "destino.codigo",
            "requerido",
        ),
        ("/destino/nombre", json!(1), "destino.nombre", "tipo"),
        (
            "/origen/ciudad",
            json!("x"),
            "origen.ciudad",
            "campo-desconocido",
        ),
        ("/silla", json!("12A"), "silla", "campo-desconocido"),
    ] {
        assert_eq!(
            faults(&with(pointer, value)),
            [format!("{LEG}.{campo}: {regla}")]
        );
    }
}

#[test]
fn the_passengers_are_a_list_or_absent() {
    for (value, fault) in [
        (json!(2), "pasajeros: tipo"),
        (json!([]), "pasajeros: vacio"),
        (json!([1]), "pasajeros[0]: tipo"),
        (json!([{"nombre": 1}]), "pasajeros[0].nombre: tipo"),
        (
            json!([{}, {"edad": 1}]),
            "pasajeros[1].edad: campo-desconocido",
        ),
        (json!(vec![json!({}); MAX_LIST + 1]), "pasajeros: limite"),
    ] {
        let mut data = journey(&[BOG_MIA]);
        data["pasajeros"] = value;
        assert_eq!(faults(&data), [fault]);
    }
}

#[test]
fn every_fault_is_named_at_once() {
    let mut data = journey(&[BOG_MIA, MIA_JFK]);
    data["motivo"] = json!("x");
    let legs = data
        .pointer_mut("/itinerarios/0/odos/0/segmentos/0/legs")
        .unwrap();
    legs[0]["origen"]["codigo"] = json!("");
    legs[1] = json!({});
    let second = LEG.replace("legs[0]", "legs[1]");
    let missing = ["fecha_salida", "fecha_llegada", "origen", "destino"];
    let mut wanted = vec![
        "motivo: campo-desconocido".to_owned(),
        format!("{LEG}.origen.codigo: formato"),
    ];
    wanted.extend(missing.map(|field| format!("{second}.{field}: requerido")));
    assert_eq!(faults(&data), wanted);
}

#[test]
fn what_vuelos_would_refuse_is_for_vuelos_to_refuse() {
    let mut back = leg(BOG_MIA);
    back["destino"]["codigo"] = json!("BOG");
    back["fecha_llegada"] = json!("1999-01-01T00:00:00Z");
    back["origen"]["nombre"] = json!("El Dorado");
    let mut data = journey(&[BOG_MIA]);
    data["itinerarios"][0]["odos"][0]["segmentos"][0]["legs"][0] = back;
    let command = command(1, RESERVA, CONFIRMAR_RESERVA, data);
    assert_eq!(Bench::new().event(&command).kind, "ReservaGDSConfirmada");
}

/// A journey with this many flights, one hour apart.
fn flights(count: usize) -> Value {
    let legs: Vec<_> = (0..count)
        .map(|number| {
            let mut leg = leg(BOG_MIA);
            leg["fecha_salida"] = json!(format!(
                "2026-02-{:02}T{:02}:00:00Z",
                number / 24 + 1,
                number % 24
            ));
            leg
        })
        .collect();
    let segmentos: Vec<_> = legs.chunks(50).map(|legs| json!({"legs": legs})).collect();
    json!({"itinerarios": [{"odos": [{"segmentos": segmentos}]}]})
}

#[test]
fn as_many_flights_as_a_transaction_has_room_for() {
    let bench = Bench::new();
    let subject = IdReserva(Uuid::from_u128(5));
    let confirm = command(1, subject, CONFIRMAR_RESERVA, flights(MAX_FLIGHTS));
    assert_eq!(bench.event(&confirm).kind, "ReservaGDSConfirmada");
    assert_eq!(bench.tables.all(gds::TABLE).len(), MAX_FLIGHTS);
    assert_eq!(faults(&flights(MAX_FLIGHTS + 1)), ["itinerarios: limite"]);
    let revert = crate::escenario::revert(2, subject);
    assert_eq!(bench.event(&revert).kind, "ConfirmacionGDSRevertida");
    for (_, item) in bench.tables.all(gds::TABLE) {
        assert_eq!(item["ocupadas"], 0);
    }
}

#[test]
fn a_list_may_be_long_but_not_longer() {
    let legs = |count: usize| journey(&vec![BOG_MIA; count]);
    let command = command(1, RESERVA, CONFIRMAR_RESERVA, legs(MAX_LIST));
    assert_eq!(Bench::new().event(&command).kind, "ReservaGDSConfirmada");
    assert_eq!(
        faults(&legs(MAX_LIST + 1)),
        ["itinerarios[0].odos[0].segmentos[0].legs: limite"]
    );
}
