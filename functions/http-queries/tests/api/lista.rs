//! Tests of the lists of reservations: filters and pages.

use std::collections::{BTreeMap, BTreeSet};

use alpes_ports::{Log, NewRecord};
use events::{IdReserva, VUELOS, vuelos::EstadoReserva};
use futures::executor::block_on;
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
            assert_eq!(walk(&fixture, &filter, 100).concat(), rows, "{filter}");
        }
    }
}

#[test]
fn a_row_summarizes_the_reservation() {
    let fixture = fixture();
    many(&fixture);
    for row in walk(&fixture, "", 100).concat() {
        let id = row["id_reserva"].as_str().unwrap();
        let mut whole = fixture.get(&format!("/vuelos/reserva/{id}")).ok();
        let whole = whole.as_object_mut().unwrap();
        for left_out in ["itinerarios", "pasajeros", "pago", "origen"] {
            whole.remove(left_out).expect(left_out);
        }
        whole.insert(
            "viaje".to_owned(),
            json!({
                "origen": "BOG", "destino": "JFK", "numero_legs": 1,
                "fecha_salida": "2022-11-22T13:10:00Z", "fecha_llegada": "2022-11-22T15:10:00Z",
            }),
        );
        whole.insert("numero_pasajeros".to_owned(), json!(1));
        let fare = json!({"monto": "479.56", "monto_vat": "91.12", "moneda": "USD"});
        whole.insert("importe".to_owned(), fare);
        assert_eq!(row.as_object(), Some(&*whole));
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

/// The largest reservation that the API accepts: 9 passengers with long names, on 32 legs.
fn large(fixture: &Fixture) {
    let leg = |hour: i64, (origen, destino): (&str, &str)| {
        let at = |hour: i64| Timestamp::from_second(1_800_000_000 + hour * 3_600).unwrap();
        let airport = |codigo| json!({"codigo": codigo, "nombre": "\"".repeat(150)});
        json!({
            "fecha_salida": at(hour),
            "fecha_llegada": at(hour + 2),
            "origen": airport(origen),
            "destino": airport(destino),
        })
    };
    let odo = |odo: i64| {
        let there_and_back = [("BOG", "JFK"), ("JFK", "BOG")];
        let legs = (0..8).zip(there_and_back.into_iter().cycle());
        let legs: Vec<_> = legs
            .map(|(number, airports)| leg(odo * 40 + number * 3, airports))
            .collect();
        json!({"segmentos": [{ "legs": legs }]})
    };
    let mut command = fixture.creation();
    command.data = json!({
        "id_cliente": "c".repeat(64),
        "itinerarios": [{"odos": (0..4).map(odo).collect::<Vec<_>>()}],
        "pasajeros": vec![json!({"nombre": "ñ".repeat(200)}); 9],
        "pago": {"medio": "t".repeat(64)},
    });
    fixture.take(VUELOS, &command);
}

/// The rows had all legs, and a page of a hundred large reservations had 2.8 MB.
#[test]
fn a_row_is_small_however_large_its_reservation_is() {
    let fixture = fixture();
    for _ in 0..100 {
        large(&fixture);
    }
    fixture.project();
    let answer = fixture.get("/vuelos/reserva?limite=100");
    assert!(answer.text.len() < 100 * 640, "{} bytes", answer.text.len());
    let body = answer.ok();
    let rows = body["reservas"].as_array().unwrap();
    assert_eq!(rows.len(), 100);
    assert_eq!(body["siguiente"], Value::Null);
    assert_eq!(rows[0]["numero_pasajeros"], 9);
    assert_eq!(rows[0]["viaje"]["numero_legs"], 32);
    let id = rows[0]["id_reserva"].as_str().unwrap();
    let whole = fixture.get(&format!("/vuelos/reserva/{id}"));
    assert!(whole.text.len() > 20_000, "{} bytes", whole.text.len());
}

/// Puts a `ReservaCreada` with a client's id of this length into the log, as a test endpoint can.
fn told(fixture: &Fixture, length: usize) -> String {
    let id = fixture.fresh().to_string();
    let sample =
        include_str!("../../../../shared/airline/events/samples/vuelos/ReservaCreada.v3.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["id"] = json!(fixture.fresh());
    event["subject"] = json!(id);
    event["stream"] = json!(format!("reserva-{id}"));
    event["data"]["id_reserva"] = json!(id);
    event["data"]["id_cliente"] = json!("\"".repeat(length));
    let text = event.to_string();
    block_on(fixture.log.append(NewRecord::new(&id, text.as_bytes()))).unwrap();
    id
}

/// Lambda allows answers of 6 MB. A page of rows with longer texts than the API accepts ends before that size, and the
/// next page has the rest.
#[test]
fn a_page_of_large_rows_ends_early_and_loses_none() {
    let fixture = fixture();
    let made: BTreeSet<_> = (0..130)
        .map(|number| told(&fixture, if number % 5 == 0 { 9 } else { 16_000 }))
        .collect();
    fixture.project();
    let (mut sizes, mut found) = (vec![], vec![]);
    let mut after = String::new();
    loop {
        let answer = fixture.get(&format!("/vuelos/reserva?limite=100{after}"));
        let as_lambda_answers = serde_json::to_string(&answer.text).unwrap().len();
        assert!(as_lambda_answers <= MAX_PAGE + 300, "{as_lambda_answers}");
        let body = answer.ok();
        let rows = body["reservas"].as_array().unwrap();
        sizes.push(rows.len());
        found.extend(ids(rows).into_iter().map(str::to_owned));
        let Some(cursor) = body["siguiente"].as_str() else {
            break;
        };
        after = format!("&siguiente={cursor}");
    }
    assert!(sizes[0] < 100, "{sizes:?}: the first is cut");
    assert!(sizes[0] > 50, "{sizes:?}: and not by more than is needed");
    assert_eq!(found.len(), made.len(), "none twice");
    assert_eq!(BTreeSet::from_iter(found), made);
}
