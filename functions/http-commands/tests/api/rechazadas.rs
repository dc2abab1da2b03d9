//! Tests of requests that are refused. Each answer lists every fault with its place, and no request changes anything.
//!
//! The requests are in `../bad_requests.json`, so that other tests can send them too. An entry has a `nombre`, a
//! `body`, `headers` that are sent besides a Content-Type of JSON, and the expected `status` and `errores`. For a body
//! that is not text, `base64` replaces `body`. `expand` keeps the file short: it is a list of `[marker, text, times]`.
//! Each item, in turn, replaces every `marker` in body and headers by `text`, repeated `times` times.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use http_testing::{SAMPLE, post, sample, with_header, with_other_header};
use lambda_http::{Body, Request};
use parse::Regla;
use serde_json::{Value, json};

use crate::support::{RESERVA, fixture};

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
    let fixture = fixture();
    for entry in bad_requests() {
        let name = name(&entry);
        let answer = fixture.answer(&request(&entry));
        let status = u16::try_from(entry["status"].as_u64().unwrap()).unwrap();
        let is_coded = entry["errores"][0]["campo"] == "Content-Encoding";
        let kind = match status {
            413 => "cuerpo-demasiado-grande",
            415 if is_coded => "codificacion-de-contenido",
            415 => "tipo-de-contenido",
            _ => "solicitud-invalida",
        };
        answer.assert_problem(status, kind, name);
        assert_eq!(answer.errores(), expected(&entry), "{name}");
        // The header tells a client whether its content type or its content coding is at fault (RFC 9110, 15.5.16).
        let taken = answer.header("Accept-Encoding");
        assert_eq!(taken, is_coded.then_some("identity"), "{name}");
        assert!(
            answer.text.len() < 64 * 1024,
            "{name}: the answer is bounded"
        );
        fixture.assert_nothing_happened(name);
    }
}

#[test]
fn step_functions_is_refused_where_it_is_not_offered() {
    let without = fixture().over(|ports| ports.executions = None);
    let mut body = sample();
    body["saga"] = "stepfunctions".into();
    let answer = without.post(RESERVA, body.to_string());
    answer.assert_problem(400, "solicitud-invalida", "not offered");
    assert_eq!(answer.errores(), ["saga: opcion"]);
    without.assert_nothing_happened("not offered");

    let fixture = fixture();
    fixture.post(RESERVA, body.to_string()).accepted();
    assert_eq!(fixture.logged()[0]["sagamode"], "stepfunctions");
}

#[test]
fn every_body_is_taken_as_it_is_and_in_no_other_coding() {
    let (id, body) = (fixture().world.ids.fresh(), "{}");
    for path in [
        RESERVA.to_owned(),
        format!("/vuelos/reserva/{id}/cancelacion"),
        format!("/sagas/{id}/reanudacion"),
    ] {
        let fixture = fixture();
        let plain = fixture.post(&path, body);
        let sent = |coding: &[&str]| {
            let header = |request, value: &&str| with_header(request, "Content-Encoding", value);
            fixture.answer(&coding.iter().fold(post(&path, body), header))
        };
        for coding in [
            ["gzip"].as_slice(),
            &["x-gzip"],
            &["identity", "gzip"],
            &["gzip", "identity"],
            &["identidad"],
            &["\u{e9}"],
        ] {
            let answer = sent(coding);
            answer.assert_problem(415, "codificacion-de-contenido", &path);
            assert_eq!(answer.errores(), ["Content-Encoding: formato"]);
            assert_eq!(answer.header("Accept-Encoding"), Some("identity"));
        }
        for coding in [
            ["identity"].as_slice(),
            &["Identity"],
            &["identity, ,"],
            &[""],
        ] {
            assert_eq!(sent(coding).text, plain.text, "{path}: {coding:?}");
        }
        fixture.assert_nothing_happened("another coding");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_no_json() {
    let latin = fixture().post(RESERVA, b"{\"id_cliente\": \"ni\xf1a\"}".as_slice());
    latin.assert_problem(400, "solicitud-invalida", "latin");
    assert_eq!(latin.errores(), ["cuerpo: utf-8"]);
}

/// The number of a card was stored for ever as a payment token. It is refused in every text, and no answer repeats it.
#[test]
fn the_number_of_a_card_is_refused_wherever_it_is_and_not_repeated() {
    let number = "4111111111111111";
    let pago = json!({"monto": "1.00", "monto_vat": "0", "moneda": "USD", "medio": number});
    let leg = "itinerarios[0].odos[0].segmentos[0].legs[0]";
    for (pointer, field, value, place) in [
        ("", "pago", pago, "pago.medio".to_owned()),
        ("", "id_cliente", json!(number), "id_cliente".to_owned()),
        (
            "",
            "pasajeros",
            json!([{"nombre": "Ana 4111 1111 1111 1111"}]),
            "pasajeros[0].nombre".to_owned(),
        ),
        (
            "/itinerarios/0/odos/0/segmentos/0/legs/0/origen",
            "nombre",
            json!("4111-1111-1111-1111"),
            format!("{leg}.origen.nombre"),
        ),
    ] {
        let fixture = fixture();
        let mut body = sample();
        body.pointer_mut(pointer).unwrap()[field] = value;
        let answer = fixture.post(RESERVA, body.to_string());
        answer.assert_problem(400, "solicitud-invalida", &place);
        assert_eq!(answer.errores(), [format!("{place}: numero-de-tarjeta")]);
        assert!(!answer.text.contains("1111"), "{}", answer.text);
        fixture.assert_nothing_happened(&place);
    }
    let mut named = sample();
    named[number] = json!(1);
    for answer in [
        fixture().post(RESERVA, named.to_string()),
        fixture().post(&format!("{RESERVA}/{number}/otra"), SAMPLE),
    ] {
        assert!((400..500).contains(&answer.status.as_u16()));
        assert!(!answer.text.contains("1111"), "{}", answer.text);
    }
}

#[test]
fn the_list_has_every_rule_that_a_request_can_break() {
    let broken: BTreeSet<_> = bad_requests()
        .iter()
        .flat_map(|entry| entry["errores"].as_array().unwrap().clone())
        .map(|error| error["regla"].as_str().unwrap().to_owned())
        .collect();
    // A request for a reservation can break all of these rules. The other rules are for other requests, for example
    // requests that name a command.
    let rules = [
        Regla::Requerido,
        Regla::Tipo,
        Regla::CampoDesconocido,
        Regla::Repetido,
        Regla::Vacio,
        Regla::Limite,
        Regla::Tamano,
        Regla::Caracteres,
        Regla::NumeroDeTarjeta,
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
        Regla::LegRepetido,
        Regla::LegsALaVez,
        Regla::Velocidad,
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
        let answer = fixture().post(RESERVA, body);
        let detail = answer.body["errores"][0]["detalle"].as_str().unwrap();
        assert!(detail.ends_with(place), "{detail}");
    }
}

#[test]
fn a_great_many_faults_make_a_bounded_answer() {
    let legs = vec!["1"; 20_000].join(",");
    let answer = fixture().post(
        RESERVA,
        format!(r#"{{"itinerarios":[{{"odos":[{{"segmentos":[{{"legs":[{legs}]}}]}}]}}]}}"#),
    );
    answer.assert_problem(400, "solicitud-invalida", "a great many");
    assert_eq!(answer.errores().len(), parse::MAX_VIOLATIONS);

    // The answer lists at most 100 faults, and the fault of the header is one of them.
    let many = format!(r#"{{"itinerarios":[{legs}]}}"#);
    let answer = fixture().post_with_key(RESERVA, "a\tb", many);
    answer.assert_problem(400, "solicitud-invalida", "a great many, and a key");
    assert_eq!(answer.errores().len(), parse::MAX_VIOLATIONS);
    assert_eq!(answer.errores()[0], "Idempotency-Key: formato");
}
