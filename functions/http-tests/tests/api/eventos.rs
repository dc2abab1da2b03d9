//! Tests of the endpoint that commits events as a request gives them.

use std::{collections::BTreeSet, sync::Arc};

use alpes_messages::{Context, Event, SagaMode};
use alpes_ports::TableError;
use alpes_saga::Status;
use events::{CONTEXTS, IdReserva, VUELOS};
use futures::executor::block_on;
use gds::inventory::{self, Vuelo};
use http_testing::{LogDown, SECRET, TablesDown};
use serde_json::{Value, json};

use crate::support::{Fixture, Pruebas, about, fixture, golden};

fn path(context: &str, kind: &str) -> String {
    format!("{context}/eventos/{kind}")
}

/// The golden samples of the newest version of every event type. Each entry has the context, the type, the reservation
/// and the data.
fn samples() -> Vec<(Context, String, IdReserva, Value)> {
    let mut found = vec![];
    for context in CONTEXTS {
        let mut files = golden(context.name);
        files.remove("commands");
        for sample in files.into_values() {
            let known = events::catalogue();
            let kind = sample["type"].as_str().unwrap();
            let newest = known.find(context.name, kind).map(|known| {
                format!(
                    "urn:aeroalpes:esquema:{}:{kind}:v{}",
                    context.name,
                    known.newest()
                )
            });
            if newest.is_some_and(|newest| sample["dataschema"] == newest) {
                let id = sample["subject"].as_str().unwrap().parse().unwrap();
                found.push((context, kind.to_owned(), id, sample["data"].clone()));
            }
        }
    }
    found
}

#[test]
fn every_type_is_committed_as_it_is_told() {
    let mut seen = BTreeSet::new();
    for (context, kind, id, data) in samples() {
        let fixture = fixture();
        let answer = fixture.prueba(&path(context.name, &kind), &about(id, data.clone()));
        let saga = answer.header("X-Correlacion").unwrap().to_owned();
        let event = answer.accepted();
        assert_eq!(event["type"], kind);
        assert_eq!(event["data"], data, "{kind}");
        assert_eq!(event["prueba"], true, "{kind}");
        assert_eq!(event["correlationid"], saga, "{kind}");
        let stream = format!("{}-{id}", context.category);
        assert_eq!(event["stream"], stream, "{kind}");
        assert_eq!(event["streamversion"], 1, "{kind}");
        assert_eq!(fixture.logged(), [event]);
        // A consumer can read the event.
        let record = &fixture.log.records()[0];
        Event::decode(&record.data, &events::catalogue()).unwrap();
        assert_eq!(record.partition_key, id.to_string());
        seen.insert((context, kind));
    }
    let types = events::catalogue();
    let types = types
        .types()
        .map(|known| (known.context, known.name.to_owned()));
    assert_eq!(seen, types.collect());
}

#[test]
fn an_event_that_says_seats_are_held_holds_them_and_they_are_given_back_once() {
    let fixture = fixture();
    let id = fixture.create(None);
    let vuelo = Vuelo {
        origen: "BOG".into(),
        destino: "JFK".into(),
        fecha_salida: "2026-03-01T10:00:00Z".parse().unwrap(),
    };
    let seats = || block_on(inventory::read(&*fixture.tables, &vuelo)).unwrap();
    let before = seats();
    let silla = json!({"origen": "BOG", "destino": "JFK", "fecha_salida": "2026-03-01T10:00:00Z", "sillas": 2});
    let held = json!({"sillas": [silla, silla]});
    fixture
        .prueba("gds/eventos/ReservaGDSConfirmada", &about(id, held))
        .accepted();
    assert_eq!((seats().held, seats().free), (4, before.free - 4));
    for _ in 0..2 {
        fixture
            .prueba("gds/RevertirConfirmacion", &about(id, json!({})))
            .accepted();
        assert_eq!(seats(), before);
    }
}

/// Airport codes are parts of the inventory's keys, and tables refuse keys that are too long.
#[test]
fn the_airports_of_seats_are_codes() {
    let fixture = fixture();
    let id = fixture.fresh();
    let silla = json!({
        "origen": "B".repeat(3_000), "destino": "jfk", "fecha_salida": "2026-03-01T10:00:00Z", "sillas": 2,
    });
    let held = json!({"sillas": [silla]});
    let answer = fixture.prueba("gds/eventos/ReservaGDSConfirmada", &about(id, held));
    answer.assert_problem(400, "solicitud-invalida", "no codes");
    let errores = [
        "data.sillas[0].origen: formato",
        "data.sillas[0].destino: formato",
    ];
    assert_eq!(answer.errores(), errores);
    fixture.assert_nothing_happened("no codes");
}

#[test]
fn reservation_and_dates_are_filled_in() {
    for (context, kind, id, data) in samples() {
        let fixture = fixture();
        let mut short = data.clone();
        let fields = short.as_object_mut().unwrap();
        fields.retain(|name, _| name != "id_reserva" && !name.starts_with("fecha_"));
        assert!(
            fields.len() + 2 <= data.as_object().unwrap().len(),
            "{kind}"
        );
        let event = fixture
            .prueba(&path(context.name, &kind), &about(id, short))
            .accepted();
        assert_eq!(event["data"]["id_reserva"], id.to_string(), "{kind}");
        let now = "2026-01-31T10:00:00.000Z";
        assert_eq!(event["time"], now);
        for (name, value) in event["data"].as_object().unwrap() {
            if name.starts_with("fecha_") {
                assert_eq!(value, now, "{kind}.{name}");
            } else {
                assert_eq!(*value, data[name], "{kind}.{name}");
            }
        }
    }
}

#[test]
fn a_date_may_have_more_decimals_than_are_kept() {
    let fixture = fixture();
    let id = fixture.create(None);
    let data = json!({"fecha_actualizacion": "2026-01-31T13:10:00.12345678999999Z"});
    let event = fixture.prueba("vuelos/eventos/ReservaAprobada", &about(id, data.clone()));
    assert_eq!(
        event.accepted()["data"]["fecha_actualizacion"],
        data["fecha_actualizacion"]
    );
}

#[test]
fn events_go_on_in_their_stream_and_its_saga() {
    let fixture = fixture();
    let mut command = fixture.creation();
    command.sagamode = SagaMode::Choreography;
    fixture.take(VUELOS, &command);
    let mut asked = about(command.subject, json!({}));
    asked["id_correlacion"] = fixture.fresh().to_string().into();
    for version in [2, 3] {
        let event = fixture
            .prueba("vuelos/eventos/ReservaAprobada", &asked)
            .accepted();
        assert_eq!(event["streamversion"], version);
        assert_eq!(event["sagamode"], "coreografia");
        assert_eq!(event["correlationid"], command.correlationid.to_string());
    }
    asked["id_reserva"] = fixture.fresh().to_string().into();
    let alone = fixture
        .prueba("vuelos/eventos/ReservaAprobada", &asked)
        .accepted();
    assert_eq!(alone["sagamode"], "orquestacion");
    assert_eq!(alone["correlationid"], asked["id_correlacion"]);
}

/// In tutorial 8, the student commits the events of the participants by hand, without their commands. The saga still
/// continues.
#[test]
fn a_saga_hears_of_them_as_of_any_other() {
    let fixture = fixture();
    let (_, kind, id, data) = samples()
        .into_iter()
        .find(|(_, kind, _, data)| kind == "ReservaCreada" && !data["pago"].is_null())
        .unwrap();
    fixture
        .prueba(&path("vuelos", &kind), &about(id, data))
        .accepted();
    fixture.run_sagas();
    assert_eq!(fixture.saga(id).status, Status::Completed);
    let cancelled = about(id, json!({"motivo": "a mano"}));
    fixture
        .prueba("vuelos/eventos/ReservaCancelada", &cancelled)
        .accepted();
    fixture.run_sagas();
    assert_eq!(fixture.saga(id).status, Status::Compensated);
}

#[test]
fn with_a_key_a_repetition_has_the_same_answer() {
    let fixture = fixture();
    let id = fixture.create(None);
    let ask = |motivo: &str| {
        let body = about(id, json!({ "motivo": motivo }));
        fixture.prueba_with_key("vuelos/eventos/ReservaCancelada", "clave-1", &body)
    };
    let first = ask("uno");
    fixture.later();
    let again = ask("uno");
    assert_eq!((first.status.as_u16(), first.text), (202, again.text));
    assert_eq!(fixture.events_of(id).len(), 2);
    ask("dos").assert_problem(422, "clave-de-idempotencia-reutilizada", "other");
}

/// Asserts that each request is refused with these faults, sorted by their texts, and commits nothing.
fn assert_refused(fixture: &Fixture, cases: Vec<(&str, Value, Vec<&str>)>) {
    let id = fixture.fresh();
    for (path, data, errores) in cases {
        let name = data.to_string();
        let answer = fixture.prueba(path, &about(id, data));
        answer.assert_problem(400, "solicitud-invalida", &name);
        let mut told = answer.errores();
        told.sort_unstable();
        assert_eq!(told, errores, "{name}");
    }
    fixture.assert_nothing_happened("refused");
}

#[test]
fn what_could_not_be_read_is_not_committed() {
    let fixture = fixture();
    let other = fixture.fresh().to_string();
    let creada = |field: &str, value: Value| {
        let mut data =
            json!({"estado": "Pendiente", "itinerarios": [], "pago": null, "pasajeros": [{}]});
        data[field] = value;
        data
    };
    let legs = json!([{"odos": [{"segmentos": [{"legs": [{"fecha_salida": "ayer", "destino": {"codigo": 1}, "x": 1}]}]}]}]);
    let cases = vec![
        (
            "vuelos/eventos/ReservaCancelada",
            json!({}),
            vec!["data.motivo: requerido"],
        ),
        (
            "vuelos/eventos/ReservaCancelada",
            json!({"motivo": null}),
            vec!["data.motivo: tipo"],
        ),
        (
            "vuelos/eventos/ReservaCancelada",
            json!({"motivo": 1, "otro": 2}),
            vec!["data.motivo: tipo", "data.otro: campo-desconocido"],
        ),
        (
            "vuelos/eventos/ReservaCancelada",
            json!({"motivo": "x", "id_reserva": other}),
            vec!["data.id_reserva: opcion"],
        ),
        (
            "vuelos/eventos/ReservaCancelada",
            json!({"motivo": "x", "id_reserva": "uno"}),
            vec!["data.id_reserva: formato"],
        ),
        (
            "vuelos/eventos/ReservaAprobada",
            json!({"fecha_actualizacion": "2026-01-31"}),
            vec!["data.fecha_actualizacion: fecha"],
        ),
        (
            "vuelos/eventos/ReservaAprobada",
            json!({"fecha_actualizacion": "2026-01-31T13:10:60Z"}),
            vec!["data.fecha_actualizacion: fecha"],
        ),
        (
            "vuelos/eventos/ReservaAprobada",
            json!({"fecha_actualizacion": 1}),
            vec!["data.fecha_actualizacion: tipo"],
        ),
        (
            "vuelos/eventos/ReservaCreada",
            json!({}),
            vec![
                "data.estado: requerido",
                "data.itinerarios: requerido",
                "data.pasajeros: requerido",
            ],
        ),
        (
            "vuelos/eventos/ReservaCreada",
            creada("estado", "Perdida".into()),
            vec!["data.estado: opcion"],
        ),
        (
            "vuelos/eventos/ReservaCreada",
            creada("pago", json!({"monto": 1})),
            vec![
                "data.pago.medio: requerido",
                "data.pago.moneda: requerido",
                "data.pago.monto: tipo",
                "data.pago.monto_vat: requerido",
            ],
        ),
        (
            "vuelos/eventos/ReservaCreada",
            creada("itinerarios", legs),
            vec![
                "data.itinerarios[0].odos[0].segmentos[0].legs[0].destino.codigo: tipo",
                "data.itinerarios[0].odos[0].segmentos[0].legs[0].fecha_llegada: requerido",
                "data.itinerarios[0].odos[0].segmentos[0].legs[0].fecha_salida: fecha",
                "data.itinerarios[0].odos[0].segmentos[0].legs[0].origen: requerido",
                "data.itinerarios[0].odos[0].segmentos[0].legs[0].x: campo-desconocido",
            ],
        ),
    ];
    assert_refused(&fixture, cases);
}

#[test]
fn nor_what_other_contexts_could_not_read() {
    let sillas = |sillas: Value| {
        let mut flight =
            json!({"origen": "BOG", "destino": "JFK", "fecha_salida": "2022-11-22T13:10:00Z"});
        flight["sillas"] = sillas;
        json!({ "sillas": [flight] })
    };
    let pago = |field: &str, value: Value| {
        let mut pago =
            json!({"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": "tok_visa"});
        pago[field] = value;
        pago
    };
    let cases = vec![
        (
            "pagos/eventos/ReservaPagada",
            pago("monto", "-1".into()),
            vec!["data.monto: formato"],
        ),
        (
            "pagos/eventos/ReservaPagada",
            pago("monto", 100.into()),
            vec!["data.monto: tipo"],
        ),
        (
            "pagos/eventos/PagoRevertido",
            json!({"devuelto": "true"}),
            vec!["data.devuelto: tipo"],
        ),
        (
            "gds/eventos/ReservaGDSConfirmada",
            sillas((-1).into()),
            vec!["data.sillas[0].sillas: limite"],
        ),
        (
            "gds/eventos/ReservaGDSConfirmada",
            sillas("una".into()),
            vec!["data.sillas[0].sillas: tipo"],
        ),
        // The schemas do not exclude this value. The endpoint finds the fault when it decodes the event.
        (
            "gds/eventos/ReservaGDSConfirmada",
            sillas(4_294_967_296_u64.into()),
            vec!["data: formato"],
        ),
    ];
    assert_refused(&fixture(), cases);
}

#[test]
fn a_great_many_faults_make_a_bounded_answer() {
    let fixture = fixture();
    let data = json!({"sillas": vec![json!("x".repeat(10)); 2_000]});
    let answer = fixture.prueba(
        "gds/eventos/ConfirmacionGDSRevertida",
        &about(fixture.fresh(), data),
    );
    answer.assert_problem(400, "solicitud-invalida", "a great many");
    assert_eq!(answer.errores().len(), 100);
    let long = json!({"x".repeat(20_000): 1, "motivo": "x"});
    let answer = fixture.prueba(
        "vuelos/eventos/ReservaCancelada",
        &about(fixture.fresh(), long),
    );
    assert_eq!(
        answer.errores(),
        [format!("data.{}: campo-desconocido", "x".repeat(64))]
    );
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let fixture = fixture();
    for path in [
        "vuelos/eventos/ReservaPagada",
        "vuelos/eventos/CrearReserva",
        "hoteles/eventos/ReservaCreada",
    ] {
        let answer = fixture.prueba(path, &about(fixture.fresh(), json!({})));
        answer.assert_problem(404, "no-existe", path);
        let detail = answer.body["detail"].as_str().unwrap();
        for known in events::catalogue().types() {
            let name = format!("{}/eventos/{}", known.context.name, known.name);
            assert!(detail.contains(&name), "{detail}");
        }
    }
    fixture.assert_nothing_happened("nowhere");
}

#[test]
fn with_the_log_down_it_waits_for_the_sweeper() {
    let fixture = fixture().with_log(Arc::new(LogDown));
    let id = fixture.fresh();
    let event = fixture
        .prueba("vuelos/eventos/ReservaAprobada", &about(id, json!({})))
        .accepted();
    let stored = &fixture.stored()[0];
    assert_eq!(stored["published"], 0);
    let text: Value = serde_json::from_str(stored["events"][0].as_str().unwrap()).unwrap();
    assert_eq!(text, event);
}

#[test]
fn with_the_tables_down_nothing_is_told_of_them() {
    for (error, status, kind) in [
        (TableError::Unavailable(SECRET.into()), 503, "no-disponible"),
        (TableError::Refused(SECRET.into()), 500, "error-interno"),
    ] {
        let fixture = fixture().with_tables(Arc::new(TablesDown(error)));
        let vuelo = json!({"origen": "BOG", "destino": "JFK", "fecha_salida": "2022-11-22T13:10:00Z", "sillas": 1});
        let falla =
            json!({"contexto": "pagos", "comando": "PagarReserva", "modo": "error", "veces": 1});
        let id = fixture.fresh();
        for (path, body) in [
            ("vuelos/eventos/ReservaAprobada", about(id, json!({}))),
            ("vuelos/AprobarReserva", about(id, json!({}))),
            ("inventario", vuelo),
            ("fallas", falla),
        ] {
            let answer = fixture.prueba(path, &body);
            answer.assert_problem(status, kind, path);
            assert_eq!(answer.body.get("detail"), None);
        }
    }
}
