//! Tests of queries that are refused. Each answer lists every fault with its place.
//!
//! The queries are in `../bad_queries.json`, so that other tests can send them too. Each entry has `nombre`, `path`,
//! and the expected `status` and `errores`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::fixture;

fn bad_queries() -> Vec<Value> {
    serde_json::from_str(include_str!("../bad_queries.json")).unwrap()
}

#[test]
fn every_bad_query_is_refused_by_its_rule() {
    let fixture = fixture();
    fixture.create(None);
    fixture.project();
    for entry in bad_queries() {
        let text = |name: &str| entry[name].as_str().unwrap();
        let answer = fixture.get(text("path"));
        let kind = match entry["status"].as_u64() {
            Some(404) => "no-existe",
            _ => "solicitud-invalida",
        };
        let status = u16::try_from(entry["status"].as_u64().unwrap()).unwrap();
        answer.assert_problem(status, kind, text("nombre"));
        let told = answer.body.get("errores").and_then(Value::as_array);
        let told: Vec<_> = told
            .into_iter()
            .flatten()
            .map(|error| {
                assert!(!error["detalle"].as_str().unwrap().is_empty());
                (&error["campo"], &error["regla"])
            })
            .collect();
        let expected = entry["errores"].as_array().unwrap().iter();
        let expected: Vec<_> = expected
            .map(|error| (&error["campo"], &error["regla"]))
            .collect();
        assert_eq!(told, expected, "{}", text("nombre"));
    }
}

/// All names of two letters, each once.
fn two_letters() -> impl Iterator<Item = String> {
    let letters = || ('a'..='z').chain('A'..='Z');
    letters().flat_map(move |first| letters().map(move |second| format!("{first}{second}")))
}

/// The answer to a query lists at most 100 violations, like the answer to a body, so its size is limited.
#[test]
fn a_great_many_faults_make_a_bounded_answer() {
    // Queries of 7.8 KB: one with as many names as possible, and one with 300 names as long as possible.
    let short = two_letters().take(2_600);
    let long = (0..300).map(|number| format!("%E2%80%AE{number:05}%1B%1B%1B=1"));
    let queries = [short.collect::<Vec<_>>(), long.collect()];
    for path in ["/vuelos/reserva", "/vuelos/reportes/totales", "/sagas"] {
        for query in &queries {
            let (count, query) = (query.len(), query.join("&"));
            assert_eq!(query.len(), 7_799);
            let answer = fixture().get(&format!("{path}?{query}"));
            answer.assert_problem(400, "solicitud-invalida", path);
            let size = answer.text.len();
            let told = format!("{path}: {count} parameters, an answer of {size} bytes");
            assert!(size < 32 * 1024, "{told}");
            assert_eq!(answer.errores().len(), parse::MAX_VIOLATIONS, "{told}");
        }
    }
    // The answer cuts a long name of a parameter, as it cuts the name of a field in a body.
    let answer = fixture().get(&format!("/vuelos/reserva?{}=1", "x".repeat(1_000)));
    assert_eq!(
        answer.errores(),
        [format!("{}: campo-desconocido", "x".repeat(64))]
    );
}

#[test]
fn names_are_used_once() {
    let entries = bad_queries();
    let names: BTreeSet<_> = entries
        .iter()
        .map(|entry| entry["nombre"].as_str())
        .collect();
    assert_eq!(names.len(), entries.len());
}
