//! The sample events of `events/`, as API Gateway REST and, `_v2`, `cargo lambda watch` send them.

use std::{fs, path::Path};

use lambda_http::{RequestExt, request};
use serde_json::Value;

use crate::support::Fixture;

const ID: &str = "019c1350-4b80-7a11-8c01-5d6e7f8091a2";

#[test]
fn every_sample_event_is_answered_as_its_name_says() {
    let fixture = Fixture::new();
    let id = ID.parse().unwrap();
    fixture.create_with_id(id, Some("cliente-42"));
    fixture.pay(id);
    fixture.approve(id);
    fixture.create(Some("cliente-42"));
    let other = fixture.create(Some("cliente-7"));
    fixture.approve(other);
    fixture.project();

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let request = request::from_str(&fs::read_to_string(&path).unwrap()).expect(name);
        let form = if name.ends_with("_v2") { "V2" } else { "V1" };
        let context = format!("{:?}", request.request_context());
        assert!(context.starts_with(&format!("ApiGateway{form}")), "{name}");

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
            "health" => assert_eq!(body["estado"], "ok", "{name}"),
            "openapi" => assert_eq!(body["info"]["title"], "AeroAlpes", "{name}"),
            other => panic!("what comes of {other} is not said here"),
        }
        seen += 1;
    }
    assert_eq!(seen, 10);
}

/// API Gateway REST gives the values of a repeated parameter beside the last of them.
#[test]
fn a_parameter_given_twice_is_seen_in_both_forms() {
    let text = include_str!("../../events/reservas.json");
    let mut event: Value = serde_json::from_str(text).unwrap();
    event["multiValueQueryStringParameters"]["estado"] =
        serde_json::json!(["Pendiente", "Aprobada"]);
    let answer = Fixture::new().answer(&request::from_str(&event.to_string()).unwrap());
    answer.assert_problem(400, "solicitud-invalida", "twice");
    assert_eq!(answer.body["errores"][0]["campo"], "estado");
    assert_eq!(answer.body["errores"][0]["regla"], "repetido");
}
