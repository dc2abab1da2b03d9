//! Tests of the lists of sagas.

use alpes_saga::Status;
use api::saga::estado;
use serde_json::Value;

use crate::support::{Fixture, fixture};

/// The ids of every page, in order.
fn walk(fixture: &Fixture, status: Status, limit: usize) -> Vec<String> {
    let estado = estado(status);
    let mut found = vec![];
    let mut after = String::new();
    loop {
        let path = format!("/sagas?estado={estado}&limite={limit}{after}");
        let body = fixture.get(&path).ok();
        let rows = body["sagas"].as_array().unwrap();
        assert!(rows.len() <= limit);
        found.extend(
            rows.iter()
                .map(|row| row["id_correlacion"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = body["siguiente"].as_str() else {
            return found;
        };
        after = format!("&siguiente={cursor}");
        assert!(found.len() < 100, "pages without end");
    }
}

#[test]
fn are_those_of_one_state_newest_first() {
    let fixture = fixture();
    let mut made = vec![];
    for round in 0..4 {
        for status in Status::ALL {
            let id = fixture.create_in(status);
            made.push((status, fixture.saga_of(id).to_string()));
            if round != 2 {
                fixture.later();
            }
        }
    }
    for status in Status::ALL {
        let of_it = made.iter().rev().filter(|(made, _)| *made == status);
        let expected: Vec<_> = of_it.map(|(_, id)| id.clone()).collect();
        assert_eq!(expected.len(), 4);
        for limit in [1, 3, 4, 100] {
            assert_eq!(walk(&fixture, status, limit), expected, "{status}, {limit}");
        }
    }
}

#[test]
fn a_row_reads_as_the_saga_alone_does_but_for_its_log() {
    for status in Status::ALL {
        let fixture = fixture();
        let id = fixture.create_in(status);
        let estado = estado(status);
        let body = fixture.get(&format!("/sagas?estado={estado}")).ok();
        let rows = body["sagas"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{estado}");
        let mut saga = fixture.get(&format!("/sagas/{}", fixture.saga_of(id))).ok();
        assert!(saga.as_object_mut().unwrap().remove("log").is_some());
        assert_eq!(rows[0], saga);
        assert_eq!(body["siguiente"], Value::Null);
    }
}

#[test]
fn a_page_has_twenty_unless_asked() {
    let fixture = fixture();
    for _ in 0..21 {
        fixture.create(None);
        fixture.later();
    }
    fixture.run_sagas();
    let body = fixture.get("/sagas?estado=Completada").ok();
    assert_eq!(body["sagas"].as_array().unwrap().len(), 20);
    assert!(body["siguiente"].is_string());
    let all = fixture.get("/sagas?estado=Completada&limite=100").ok();
    assert_eq!(all["sagas"].as_array().unwrap().len(), 21);
    assert_eq!(all["siguiente"], Value::Null);
}

#[test]
fn none_is_one_empty_page() {
    let body = fixture().get("/sagas?estado=RequiereIntervencion").ok();
    assert_eq!(body.to_string(), r#"{"sagas":[],"siguiente":null}"#);
}

#[test]
fn without_a_state_all_states_are_named() {
    let answer = fixture().get("/sagas");
    answer.assert_problem(400, "solicitud-invalida", "no state");
    let detail = answer.body["errores"][0]["detalle"].as_str().unwrap();
    for status in Status::ALL {
        assert!(detail.contains(estado(status)), "{detail}");
    }
}
