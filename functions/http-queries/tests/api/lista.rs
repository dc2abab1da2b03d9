//! Tests of the lists of reservations: filters and pages.

use std::collections::{BTreeMap, BTreeSet};

use events::{IdReserva, VUELOS, vuelos::EstadoReserva};
use http_queries::MAX_PAGE;
use http_testing::ask;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Fixture, fixture};

/// The fields of a reservation that the list must show.
struct Made {
    id: IdReserva,
    cliente: Option<&'static str>,
    estado: EstadoReserva,
    fecha: String,
}

/// Reservations in every state, of several clients. Some reservations have the same time of creation.
fn many(fixture: &Fixture) -> Vec<Made> {
    let mut made = vec![];
    for round in 0..11 {
        for cliente in [Some("ana"), Some("ana.maria"), Some("luis"), None] {
            let place = made.len();
            let estado = EstadoReserva::ALL[(place + round) % 4];
            let id = fixture.create_as(cliente, estado);
            let fecha = alpes_messages::Moment::from(fixture.world.clock.now()).to_string();
            made.push(Made {
                id,
                cliente,
                estado,
                fecha,
            });
            if place % 3 != 0 {
                fixture.later();
            }
        }
    }
    fixture.project();
    made
}

/// The ids of every page, in order, page by page.
fn walk(fixture: &Fixture, filter: &str, limit: usize) -> Vec<Vec<Value>> {
    let mut pages = vec![];
    let mut next = Some(String::new());
    while let Some(after) = next {
        let body = fixture
            .get(&format!("/vuelos/reserva?limite={limit}{filter}{after}"))
            .ok();
        pages.push(body["reservas"].as_array().unwrap().clone());
        next = body["siguiente"]
            .as_str()
            .map(|cursor| format!("&siguiente={cursor}"));
        assert!(pages.len() < 100, "pages without end");
    }
    pages
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["id_reserva"].as_str().unwrap())
        .collect()
}

#[test]
fn filters_alone_and_together_list_exactly_what_they_say_newest_first() {
    let fixture = fixture();
    let made = many(&fixture);
    let estados = EstadoReserva::ALL.into_iter().map(Some).chain([None]);
    for estado in estados {
        for cliente in [
            None,
            Some("ana"),
            Some("ana.maria"),
            Some("luis"),
            Some("nadie"),
        ] {
            let mut expected: Vec<_> = made
                .iter()
                .filter(|made| estado.is_none_or(|estado| made.estado == estado))
                .filter(|made| cliente.is_none() || made.cliente == cliente)
                .map(|made| (made.fecha.clone(), made.id.to_string()))
                .collect();
            expected.sort_unstable();
            expected.reverse();
            let expected: Vec<_> = expected.iter().map(|(_, id)| id.as_str()).collect();

            let by_state = estado.map(|estado| format!("&estado={estado}"));
            let by_client = cliente.map(|cliente| format!("&id_cliente={cliente}"));
            let filter: String = [by_state, by_client].into_iter().flatten().collect();
            let pages = walk(&fixture, &filter, 3);
            let (last, full) = pages.split_last().unwrap();
            assert!(full.iter().all(|page| page.len() == 3), "{filter}");
            assert!(!last.is_empty() || expected.is_empty(), "{filter}");
            let rows = pages.concat();
            assert_eq!(ids(&rows), expected, "{filter}");
            assert!(rows.iter().all(|row| row["origen"] == "vista"));
            assert_eq!(walk(&fixture, &filter, 100).concat(), rows, "{filter}");
        }
    }
}

#[test]
fn a_row_reads_as_the_reservation_alone_does() {
    let fixture = fixture();
    many(&fixture);
    for row in walk(&fixture, "", 100).concat() {
        let id = row["id_reserva"].as_str().unwrap();
        assert_eq!(row, fixture.get(&format!("/vuelos/reserva/{id}")).ok());
    }
}

#[test]
fn a_page_has_twenty_unless_asked() {
    let fixture = fixture();
    let made = many(&fixture);
    let body = fixture.get("/vuelos/reserva").ok();
    assert_eq!(body["reservas"].as_array().unwrap().len(), 20);
    assert!(body["siguiente"].is_string());
    let all = fixture.get("/vuelos/reserva?limite=100").ok();
    assert_eq!(all["reservas"].as_array().unwrap().len(), made.len());
    assert_eq!(all["siguiente"], Value::Null);
    // If a page holds all the rows, the list has no next page.
    let exactly = fixture
        .get(&format!("/vuelos/reserva?limite={}", made.len()))
        .ok();
    assert_eq!(exactly["siguiente"], Value::Null);
}

#[test]
fn a_view_without_rows_has_one_empty_page() {
    let body = fixture().get("/vuelos/reserva").ok();
    assert_eq!(body.to_string(), r#"{"reservas":[],"siguiente":null}"#);
}

/// A reservation that is made while a client reads pages sorts before the pages that the client has read. So no page
/// repeats or skips a reservation.
#[test]
fn paging_is_steady_while_reservations_are_made_and_change() {
    let fixture = fixture();
    let before: Vec<_> = (0..9)
        .map(|_| {
            fixture.later();
            fixture.create(Some("ana"))
        })
        .collect();
    fixture.project();
    let mut seen = BTreeMap::new();
    let mut after = String::new();
    for changed in before.iter().take(4) {
        let body = fixture
            .get(&format!("/vuelos/reserva?limite=3&id_cliente=ana{after}"))
            .ok();
        for id in ids(body["reservas"].as_array().unwrap()) {
            *seen.entry(id.to_owned()).or_insert(0) += 1;
        }
        fixture.later();
        fixture.create(Some("ana"));
        fixture.cancel(*changed);
        fixture.project();
        match body["siguiente"].as_str() {
            Some(cursor) => after = format!("&siguiente={cursor}"),
            None => break,
        }
    }
    let expected: BTreeMap<_, _> = before.iter().map(|id| (id.to_string(), 1)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_cursor_is_opaque_and_says_nothing_of_the_filter() {
    let fixture = fixture();
    many(&fixture);
    let body = fixture.get("/vuelos/reserva?limite=3").ok();
    let cursor = body["siguiente"].as_str().unwrap();
    assert!(
        cursor
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
        "{cursor} needs no escape in a URL"
    );
    assert!(!cursor.contains("2026"));
    let query = format!("/vuelos/reserva?limite=100&estado=Pagada&siguiente={cursor}");
    let rows = fixture.answer(&ask("GET", &query)).ok()["reservas"].clone();
    let newest = &body["reservas"][2]["fecha_creacion"];
    for row in rows.as_array().unwrap() {
        assert_eq!(row["estado"], "Pagada");
        assert!(row["fecha_creacion"].as_str() <= newest.as_str());
    }
}

/// A reservation that takes nearly as much room in an answer as possible: its names are quotes, which are escaped
/// twice.
fn large(fixture: &Fixture) -> IdReserva {
    let leg = |hour: i64, (origen, destino): (&str, &str)| {
        let at = |hour: i64| Timestamp::from_second(1_800_000_000 + hour * 3_600).unwrap();
        let airport = |codigo| json!({"codigo": codigo, "nombre": "\"".repeat(200)});
        json!({
            "fecha_salida": at(hour),
            "fecha_llegada": at(hour + 1),
            "origen": airport(origen),
            "destino": airport(destino),
        })
    };
    let odo = |odo: i64| {
        let there_and_back = [("BOG", "JFK"), ("JFK", "BOG")];
        let legs = (0..8).zip(there_and_back.into_iter().cycle());
        let legs: Vec<_> = legs
            .map(|(number, airports)| leg(odo * 20 + number * 2, airports))
            .collect();
        json!({"segmentos": [{ "legs": legs }]})
    };
    let mut command = fixture.creation();
    command.data = json!({"itinerarios": [{"odos": (0..4).map(odo).collect::<Vec<_>>()}]});
    fixture.take(VUELOS, &command);
    command.subject
}

/// A page of only the largest reservations is nearly as large as Lambda allows.
#[test]
fn a_page_of_a_hundred_of_the_largest_has_room_left() {
    let fixture = fixture();
    for _ in 0..100 {
        large(&fixture);
    }
    fixture.project();
    let answer = fixture.get("/vuelos/reserva?limite=100");
    let as_lambda_answers = serde_json::to_string(&answer.text).unwrap().len();
    let body = answer.ok();
    let rows = body["reservas"].as_array().unwrap().len();
    let told = format!("{rows} rows in an answer of {as_lambda_answers} bytes");
    assert!(as_lambda_answers <= MAX_PAGE + 300, "{told}");
    assert!((50..100).contains(&rows), "{told}");
    assert!(body["siguiente"].is_string(), "{told}");
}

/// Lambda allows answers of 6 MB. A page ends before that size, and the next page has the rest.
#[test]
fn a_page_of_large_reservations_ends_early_and_loses_none() {
    let fixture = fixture();
    let made: BTreeSet<_> = (0..130)
        .map(|number| {
            if number % 2 == 0 {
                fixture.later();
            }
            let id = match number % 5 {
                0 => fixture.create(None),
                _ => large(&fixture),
            };
            id.to_string()
        })
        .collect();
    fixture.project();
    let (mut sizes, mut found) = (vec![], vec![]);
    let mut after = String::new();
    loop {
        let answer = fixture.get(&format!("/vuelos/reserva?limite=100{after}"));
        let as_lambda_answers = serde_json::to_string(&answer.text).unwrap().len();
        assert!(as_lambda_answers < 5 * 1024 * 1024, "{as_lambda_answers}");
        assert!(as_lambda_answers <= MAX_PAGE + 300, "{as_lambda_answers}");
        let body = answer.ok();
        let rows = body["reservas"].as_array().unwrap();
        sizes.push(rows.len());
        found.extend(rows.iter().map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("fecha_creacion"), text("id_reserva"))
        }));
        let Some(cursor) = body["siguiente"].as_str() else {
            break;
        };
        after = format!("&siguiente={cursor}");
    }
    assert!(sizes[0] < 100, "{sizes:?}: the first is cut");
    assert!(sizes[0] > 50, "{sizes:?}: and not by more than is needed");
    let in_order = found.iter().zip(found.iter().skip(1));
    in_order.for_each(|(one, next)| assert!(one > next, "newest first, none twice"));
    let found: BTreeSet<_> = found.into_iter().map(|(_, id)| id).collect();
    assert_eq!(found, made);
}
