//! Tests of the endpoint that sets faults of participants.

use alpes_messages::Context;
use alpes_participant::FaultMode;
use events::{COMMANDS, GDS, PAGOS};
use futures::executor::block_on;
use http_tests::{MAX_VECES, MODOS};
use serde_json::{Value, json};

use crate::support::{Fixture, Pruebas, fixture};

fn falla(contexto: &str, comando: &str, modo: &str, veces: &Value) -> Value {
    json!({"contexto": contexto, "comando": comando, "modo": modo, "veces": veces})
}

fn take(fixture: &Fixture, context: Context, comando: &str) -> Option<FaultMode> {
    let anyone = fixture.fresh();
    block_on(fixture.faults.take(context, comando, anyone, None)).unwrap()
}

#[test]
fn every_command_can_be_made_to_misbehave_in_every_way_so_often() {
    let fixture = fixture();
    for known in COMMANDS {
        for (modo, mode) in MODOS {
            let body = falla(known.context.name, known.name, modo, &json!(2));
            assert_eq!(fixture.prueba("fallas", &body).accepted(), body);
            for expected in [Some(mode), Some(mode), None] {
                assert_eq!(take(&fixture, known.context, known.name), expected);
            }
        }
    }
}

#[test]
fn what_is_set_replaces_what_was() {
    let fixture = fixture();
    let set = |modo, veces: u32| {
        let body = falla("gds", "ConfirmarReserva", modo, &veces.into());
        fixture.prueba("fallas", &body).accepted();
    };
    set("error", MAX_VECES);
    set("falla", 1);
    assert_eq!(
        take(&fixture, GDS, "ConfirmarReserva"),
        Some(FaultMode::Failure)
    );
    assert_eq!(take(&fixture, GDS, "ConfirmarReserva"), None);
    set("silencio", 3);
    set("silencio", 0);
    assert_eq!(take(&fixture, GDS, "ConfirmarReserva"), None);
}

#[test]
fn a_fault_can_be_of_one_reservation_alone() {
    let fixture = fixture();
    let mut body = falla("pagos", "PagarReserva", "silencio", &json!(2));
    let id = fixture.fresh();
    body["id_reserva"] = json!(id);
    assert_eq!(fixture.prueba("fallas", &body).accepted(), body);
    assert_eq!(take(&fixture, PAGOS, "PagarReserva"), None);
    let take = fixture.faults.take(PAGOS, "PagarReserva", id, None);
    assert_eq!(block_on(take).unwrap(), Some(FaultMode::Silence));
}

/// A test sets a fault for a reservation before it exists, and only the system knows the reservation's id.
#[test]
fn a_fault_can_be_of_the_reservation_that_a_key_will_make() {
    let fixture = fixture();
    let mut body = falla("pagos", "PagarReserva", "silencio", &json!(1));
    body["clave"] = json!("pedido-1001");
    let told = fixture.prueba("fallas", &body).accepted();
    let again = fixture.prueba("fallas", &body).accepted();
    assert_eq!(told, again);
    body["clave"] = json!("pedido-1002");
    let other = fixture.prueba("fallas", &body).accepted();
    assert_ne!(told["id_reserva"], other["id_reserva"]);
    let id = serde_json::from_value(told["id_reserva"].clone()).unwrap();
    assert_eq!(take(&fixture, PAGOS, "PagarReserva"), None);
    let take = fixture.faults.take(PAGOS, "PagarReserva", id, None);
    assert_eq!(block_on(take).unwrap(), Some(FaultMode::Silence));

    body["id_reserva"] = json!(fixture.fresh());
    assert_eq!(fixture.prueba("fallas", &body).errores(), ["clave: opcion"]);
    body["id_reserva"] = Value::Null;
    body["clave"] = json!("a,b");
    assert_eq!(
        fixture.prueba("fallas", &body).errores(),
        ["clave: formato"]
    );
}

#[test]
fn a_bad_body_is_refused_and_sets_nothing() {
    let fixture = fixture();
    for (body, errores) in [
        (
            json!({}),
            vec![
                "contexto: requerido",
                "comando: requerido",
                "modo: requerido",
                "veces: requerido",
            ],
        ),
        (
            falla("hoteles", "Reservar", "lento", &json!("1")),
            vec![
                "contexto: opcion",
                "comando: opcion",
                "modo: opcion",
                "veces: tipo",
            ],
        ),
        (
            falla("vuelos", "PagarReserva", "error", &json!(1)),
            vec!["comando: opcion"],
        ),
        (
            falla("pagos", "PagarReserva", "error", &json!(1001)),
            vec!["veces: limite"],
        ),
        (
            falla("pagos", "PagarReserva", "error", &json!(-1)),
            vec!["veces: limite"],
        ),
        (
            falla("pagos", "PagarReserva", "error", &json!(1.5)),
            vec!["veces: limite"],
        ),
        (
            falla("pagos", "PagarReserva", "Error", &json!(1)),
            vec!["modo: opcion"],
        ),
        (
            json!({"contexto": 1, "comando": [], "id_reserva": "1", "modo": {}, "veces": true, "otro": 1}),
            vec![
                "otro: campo-desconocido",
                "contexto: tipo",
                "comando: tipo",
                "id_reserva: formato",
                "modo: tipo",
                "veces: tipo",
            ],
        ),
        (json!([]), vec!["cuerpo: tipo"]),
    ] {
        let name = body.to_string();
        let answer = fixture.prueba("fallas", &body);
        answer.assert_problem(400, "solicitud-invalida", &name);
        assert_eq!(answer.errores(), errores, "{name}");
    }
    assert!(fixture.tables.all(alpes_participant::TABLE).is_empty());
    // For an unknown context, the answer lists the commands of all contexts.
    let answer = fixture.prueba(
        "fallas",
        &falla("pagos", "CrearReserva", "error", &json!(1)),
    );
    let detail = answer.body["errores"][0]["detalle"].as_str().unwrap();
    assert_eq!(detail, "Debe ser uno de PagarReserva, RevertirPago");
}
