//! Tests of the sample events in `events/`. A REST API of API Gateway sends events in the form of these files, and
//! `cargo lambda watch` in the form of the files named `_v2`.

use events::VUELOS;
use lambda_http::request;
use serde_json::{Value, json};

use crate::support::fixture;

const ID: &str = "019c1350-4b80-7a11-8c01-5d6e7f8091a2";
const SAGA: &str = "019c1350-4b81-7b22-9d02-6e7f8091a2b3";

#[test]
fn every_sample_event_is_answered_as_its_name_says() {
    let fixture = fixture();
    let mut command = fixture.creation();
    command.subject = ID.parse().unwrap();
    command.correlationid = SAGA.parse().unwrap();
    command.data["id_cliente"] = "cliente-42".into();
    fixture.take(VUELOS, &command);
    fixture.pay(command.subject);
    fixture.approve(command.subject);
    fixture.begin_sagas();
    fixture.create(Some("cliente-42"));
    let other = fixture.create(Some("cliente-7"));
    fixture.approve(other);
    fixture.project();

    let samples = http_testing::samples(concat!(env!("CARGO_MANIFEST_DIR"), "/events"));
    assert_eq!(samples.len(), 18);
    for (name, request) in samples {
        let body = fixture.answer(&request).ok();
        match name.trim_end_matches("_v2") {
            "reserva" => {
                assert_eq!(body["id_reserva"], ID, "{name}");
                assert_eq!(body["origen"], "vista", "{name}");
            }
            "reservas" => {
                let rows = body["reservas"].as_array().unwrap();
                assert_eq!(rows.len(), 1, "{name}");
                assert_eq!(rows[0]["id_reserva"], ID, "{name}");
                assert_eq!(body["siguiente"], Value::Null, "{name}");
            }
            "eventos" => assert_eq!(body["eventos"].as_array().unwrap().len(), 3, "{name}"),
            "saga" => {
                assert_eq!(body["id_correlacion"], SAGA, "{name}");
                assert_eq!(body["id_reserva"], ID, "{name}");
            }
            "sagas" => {
                let rows = body["sagas"].as_array().unwrap();
                assert_eq!(rows.len(), 1, "{name}");
                assert_eq!(rows[0]["id_correlacion"], SAGA, "{name}");
            }
            "totales" => {
                let rows = json!([{"dia": "2026-01-31", "total": 3}]);
                assert_eq!(body["filas"], rows, "{name}");
            }
            "reservas_por_dia" => {
                let rows = body["filas"].as_array().unwrap();
                assert_eq!(rows.len(), 1, "{name}");
                assert_eq!(rows[0]["Aprobada"], 2, "{name}");
            }
            "health" => assert_eq!(body["estado"], "ok", "{name}"),
            "openapi" => assert_eq!(body["info"]["title"], "AeroAlpes", "{name}"),
            other => panic!("the test expects nothing of {other}"),
        }
    }
}

/// A REST API of API Gateway sends a repeated parameter twice: with all of its values, and with its last value.
#[test]
fn a_parameter_given_twice_is_seen_in_both_forms() {
    let text = include_str!("../../events/reservas.json");
    let mut event: Value = serde_json::from_str(text).unwrap();
    event["multiValueQueryStringParameters"]["estado"] = json!(["Pendiente", "Aprobada"]);
    let answer = fixture().answer(&request::from_str(&event.to_string()).unwrap());
    answer.assert_problem(400, "solicitud-invalida", "twice");
    assert_eq!(answer.body["errores"][0]["campo"], "estado");
    assert_eq!(answer.body["errores"][0]["regla"], "repetido");
}
