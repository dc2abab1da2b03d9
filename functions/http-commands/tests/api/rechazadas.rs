//! Requests that are refused: each tells every fault with its place, and changes nothing.
//!
//! They lie in `../bad_requests.json`, for whoever else wants to send them. An entry has `nombre`; `body`, a text, or `base64`
//! for bytes that are none; `headers`, besides a Content-Type of JSON; the `status` and all `errores` expected. `expand` keeps
//! the file short: each `[marker, text, times]`, in turn, puts `text` so many times in the place of every `marker`, in the
//! body and in the headers.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use http_testing::{post, sample, with_other_header};
use lambda_http::{Body, Request};
use parse::Regla;
use serde_json::Value;

use crate::support::{Fixture, RESERVA};

fn bad_requests() -> Vec<Value> {
    serde_json::from_str(include_str!("../bad_requests.json")).unwrap()
}

fn name(entry: &Value) -> &str {
    entry["nombre"].as_str().unwrap()
}

fn expand(entry: &Value, text: &str) -> String {
    let steps = entry.get("expand").and_then(Value::as_array);
    steps
        .into_iter()
        .flatten()
        .fold(text.to_owned(), |text, step| {
            let times = usize::try_from(step[2].as_u64().unwrap()).unwrap();
            let by = step[1].as_str().unwrap().repeat(times);
            text.replace(step[0].as_str().unwrap(), &by)
        })
}

fn request(entry: &Value) -> Request {
    let body = match entry.get("base64") {
        Some(bytes) => Body::Binary(STANDARD.decode(bytes.as_str().unwrap()).unwrap()),
        None => Body::Text(expand(entry, entry["body"].as_str().unwrap())),
    };
    let mut request = post(RESERVA, body);
    let headers = entry.get("headers").and_then(Value::as_object);
    for (header, value) in headers.into_iter().flatten() {
        let value = expand(entry, value.as_str().unwrap());
        request = with_other_header(request, header, &value);
    }
    request
}

fn expected(entry: &Value) -> Vec<String> {
    let errores = entry["errores"].as_array().unwrap();
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    errores
        .iter()
        .map(|error| format!("{}: {}", text(error, "campo"), text(error, "regla")))
        .collect()
}

#[test]
fn every_bad_request_is_refused_by_its_rule_and_changes_nothing() {
    let fixture = Fixture::new();
    for entry in bad_requests() {
        let name = name(&entry);
        let answer = fixture.answer(&request(&entry));
        let status = u16::try_from(entry["status"].as_u64().unwrap()).unwrap();
        let kind = match status {
            413 => "cuerpo-demasiado-grande",
            415 => "tipo-de-contenido",
            _ => "solicitud-invalida",
        };
        answer.assert_problem(status, kind, name);
        assert_eq!(answer.errores(), expected(&entry), "{name}");
        assert!(
            answer.text.len() < 64 * 1024,
            "{name}: the answer is bounded"
        );
        fixture.assert_nothing_happened(name);
    }
}

#[test]
fn step_functions_is_refused_where_it_is_not_offered() {
    let mut fixture = Fixture::new();
    fixture.app.step_functions = false;
    let mut body = sample();
    body["saga"] = "stepfunctions".into();
    let answer = fixture.post(body.to_string());
    answer.assert_problem(400, "solicitud-invalida", "not offered");
    assert_eq!(answer.errores(), ["saga: opcion"]);
    fixture.assert_nothing_happened("not offered");

    fixture.app.step_functions = true;
    fixture.post(body.to_string()).accepted();
    assert_eq!(fixture.logged()[0]["sagamode"], "stepfunctions");
}

#[test]
fn the_list_has_every_rule_that_a_request_can_break() {
    let broken: BTreeSet<_> = bad_requests()
        .iter()
        .flat_map(|entry| entry["errores"].as_array().unwrap().clone())
        .map(|error| error["regla"].as_str().unwrap().to_owned())
        .collect();
    // All but those of other requests: this one names no command, and keeps no word.
    let rules = [
        Regla::Requerido,
        Regla::Tipo,
        Regla::CampoDesconocido,
        Regla::Repetido,
        Regla::Vacio,
        Regla::Limite,
        Regla::Tamano,
        Regla::Caracteres,
        Regla::Formato,
        Regla::Opcion,
        Regla::Fecha,
        Regla::FechaFueraDeRango,
        Regla::AeropuertoDesconocido,
        Regla::AeropuertoCerrado,
        Regla::MismoAeropuerto,
        Regla::LlegadaAntesDeSalida,
        Regla::ConexionLugar,
        Regla::ConexionTiempo,
        Regla::MontoPositivo,
        Regla::Decimales,
        Regla::MonedaDesconocida,
    ];
    let rules = rules.map(|rule| rule.name().to_owned());
    let of_the_body = ["json", "utf-8"].map(str::to_owned);
    let expected: BTreeSet<_> = rules.into_iter().chain(of_the_body).collect();
    assert_eq!(broken, expected);
}

#[test]
fn names_are_used_once() {
    let entries = bad_requests();
    let names: BTreeSet<_> = entries.iter().map(name).collect();
    assert_eq!(names.len(), entries.len());
}

#[test]
fn what_is_not_json_is_pointed_to() {
    for (body, place) in [
        ("{\n  \"saga\": ,\n}", "línea 2, columna 11"),
        ("{} {}", "línea 1, columna 4"),
        ("", "línea 1, columna 0"),
    ] {
        let answer = Fixture::new().post(body);
        let detail = answer.body["errores"][0]["detalle"].as_str().unwrap();
        assert!(detail.ends_with(place), "{detail}");
    }
}

#[test]
fn a_great_many_faults_make_a_bounded_answer() {
    let legs = vec!["1"; 20_000].join(",");
    let answer = Fixture::new().post(format!(
        r#"{{"itinerarios":[{{"odos":[{{"segmentos":[{{"legs":[{legs}]}}]}}]}}]}}"#
    ));
    answer.assert_problem(400, "solicitud-invalida", "a great many");
    assert_eq!(answer.errores().len(), parse::MAX_VIOLATIONS);
}
