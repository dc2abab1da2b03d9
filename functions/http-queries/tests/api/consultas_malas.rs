//! Queries that are refused: each tells every fault with its place.
//!
//! They lie in `../bad_queries.json`, for whoever else wants to send them: `nombre`, `path`, and the `status` and all
//! `errores` expected.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Fixture;

fn bad_queries() -> Vec<Value> {
    serde_json::from_str(include_str!("../bad_queries.json")).unwrap()
}

#[test]
fn every_bad_query_is_refused_by_its_rule() {
    let fixture = Fixture::new();
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

/// The answer has as many violations as that about a body: it does not grow with the query.
#[test]
fn a_great_many_faults_make_a_bounded_answer() {
    for path in ["/vuelos/reserva", "/vuelos/reportes/totales", "/sagas"] {
        let unknown: Vec<_> = (0..300)
            .map(|number| format!("%E2%80%AE{number}%1B%1B=1"))
            .collect();
        let answer = Fixture::new().get(&format!("{path}?{}", unknown.join("&")));
        answer.assert_problem(400, "solicitud-invalida", path);
        assert_eq!(answer.errores().len(), parse::MAX_VIOLATIONS, "{path}");
        assert!(answer.text.len() < 32 * 1024, "{}", answer.text.len());
    }
    // Of a name no more than of a field's.
    let answer = Fixture::new().get(&format!("/vuelos/reserva?{}=1", "x".repeat(1_000)));
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
