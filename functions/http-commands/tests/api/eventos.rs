//! The sample events of `events/`, as API Gateway REST and, `_v2`, `cargo lambda watch` send them.

use std::{collections::BTreeMap, fs, path::Path};

use lambda_http::{Request, RequestExt, request};

use crate::support::{Fixture, sample};

/// Every sample event, by its name.
fn samples() -> BTreeMap<String, Request> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let request = request::from_str(&text).expect(&name);
            (name, request)
        })
        .collect()
}

#[test]
fn every_sample_event_is_answered_as_its_name_says() {
    let samples = samples();
    assert!(samples.len() >= 6);
    for (name, request) in &samples {
        let form = if name.ends_with("_v2") { "V2" } else { "V1" };
        let context = format!("{:?}", request.request_context());
        assert!(context.starts_with(&format!("ApiGateway{form}")), "{name}");

        let fixture = Fixture::new();
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
            other => panic!("what comes of {other} is not said here"),
        }
    }
}

#[test]
fn a_key_means_the_same_in_both_forms() {
    let samples = samples();
    let fixture = Fixture::new();
    let [rest, url] = ["crear_reserva_con_clave", "crear_reserva_con_clave_v2"]
        .map(|name| fixture.answer(&samples[name]).text);
    assert_eq!(rest, url);
    assert_eq!(fixture.logged().len(), 1);
}
