//! Tests of the sample events in `events/`. A REST API of API Gateway sends events in the form of these files, and
//! `cargo lambda watch` in the form of the files named `_v2`.

use std::collections::BTreeMap;

use alpes_saga::Status;
use events::VUELOS;
use http_commands::MOTIVO;
use http_testing::sample;
use lambda_http::Request;

use crate::support::{Fixture, fixture};

/// The id of the reservation in the sample events. [`SAGA`] is the id of its saga.
const ID: &str = "019c1350-4b80-7a11-8c01-5d6e7f8091a2";
const SAGA: &str = "019c1350-4b81-7b22-9d02-6e7f8091a2b3";

fn samples() -> BTreeMap<String, Request> {
    http_testing::samples(concat!(env!("CARGO_MANIFEST_DIR"), "/events"))
}

#[test]
fn every_sample_event_is_answered_as_its_name_says() {
    let samples = samples();
    assert!(samples.len() >= 12);
    for (name, request) in &samples {
        let fixture = fixture();
        let name = name.as_str();
        if name.starts_with("cancelacion") || name.starts_with("reanudacion") {
            asks_something_of_a_saga(&fixture, name, request);
            continue;
        }
        let answer = fixture.answer(request);
        match name.trim_end_matches("_v2") {
            "crear_reserva" => {
                assert_eq!(answer.status, 202, "{name}: {}", answer.text);
                let event = &fixture.logged()[0];
                assert_eq!(event["data"]["itinerarios"], sample()["itinerarios"]);
            }
            "crear_reserva_con_clave" => {
                assert_eq!(answer.status, 202, "{name}: {}", answer.text);
                assert_eq!(fixture.answer(request).text, answer.text);
                let logged = fixture.logged();
                assert_eq!(logged.len(), 1);
                assert_eq!(
                    logged[0]["traceparent"],
                    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
                );
            }
            "crear_reserva_invalida" => {
                answer.assert_problem(400, "solicitud-invalida", name);
                assert_eq!(
                    answer.errores(),
                    [
                        "itinerarios[0].odos[0].segmentos[0].legs[0].origen.codigo: aeropuerto-desconocido",
                        "saga: opcion",
                    ]
                );
                fixture.assert_nothing_happened(name);
            }
            other => panic!("the test expects nothing of {other}"),
        }
    }
}

fn asks_something_of_a_saga(fixture: &Fixture, name: &str, request: &Request) {
    let mut command = fixture.creation();
    command.subject = ID.parse().unwrap();
    command.correlationid = SAGA.parse().unwrap();
    fixture.take(VUELOS, &command);
    if name.starts_with("reanudacion") {
        fixture.bring_to(Status::NeedsIntervention, command.subject);
    }
    let body = fixture.answer(request).accepted();
    assert_eq!(body["id_correlacion"], SAGA, "{name}");
    assert_eq!(body["estado"], "Compensando", "{name}");
    assert_eq!(fixture.run_started(), 1);
    let saga = fixture.saga(command.subject);
    assert_eq!(saga.status, Status::Compensated, "{name}");
    let motivo = match name.trim_end_matches("_v2") {
        "cancelacion" => "cambio de planes",
        "cancelacion_sin_cuerpo" => MOTIVO,
        "reanudacion" => "la prueba lo pide",
        other => panic!("the test expects nothing of {other}"),
    };
    assert_eq!(saga.reason.as_deref(), Some(motivo));
}

#[test]
fn a_key_means_the_same_in_both_forms() {
    let samples = samples();
    let fixture = fixture();
    let [rest, url] = ["crear_reserva_con_clave", "crear_reserva_con_clave_v2"]
        .map(|name| fixture.answer(&samples[name]).text);
    assert_eq!(rest, url);
    assert_eq!(fixture.logged().len(), 1);
}
