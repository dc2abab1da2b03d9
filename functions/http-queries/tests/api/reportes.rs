//! Tests of the reports: reservations counted by day of creation and by current state.

use std::{collections::BTreeMap, time::Duration};

use events::{IdReserva, vuelos::EstadoReserva};
use http_queries::{DEFAULT_DAYS, MAX_DAYS};
use http_testing::System;
use jiff::{ToSpan, civil::Date};
use serde_json::{Value, json};

use crate::support::{Fixture, fixture};

const TOTALES: &str = "/vuelos/reportes/totales";
const PIVOT: &str = "/vuelos/reportes/reservas-por-dia";
const DAY: Duration = Duration::from_hours(24);
/// The day on which every test begins, at ten o'clock.
const FIRST: &str = "2026-01-31";

fn rows(fixture: &Fixture, path: &str) -> Vec<Value> {
    fixture.get(path).ok()["filas"].as_array().unwrap().clone()
}

/// The days of a report with their totals.
fn totals(fixture: &Fixture, path: &str) -> Vec<(String, u64)> {
    let rows = rows(fixture, path).into_iter();
    rows.map(|row| {
        let dia = row["dia"].as_str().unwrap().to_owned();
        (dia, row["total"].as_u64().unwrap())
    })
    .collect()
}

fn days_after(days: i32) -> String {
    let first: Date = FIRST.parse().unwrap();
    first.checked_add(days.days()).unwrap().to_string()
}

/// Reservations of three days. No two days and no two states have the same count, and one day in between has none.
fn many(fixture: &Fixture) {
    let mut count = 0;
    for _ in 0..3 {
        for estado in EstadoReserva::ALL {
            for _ in 0..count {
                fixture.create_as(None, estado);
            }
            count += 1;
        }
        fixture.clock.advance(DAY * 2);
    }
    fixture.project();
}

#[test]
fn a_row_has_a_column_for_each_state_and_their_total() {
    let fixture = fixture();
    for estado in [
        EstadoReserva::Pagada,
        EstadoReserva::Cancelada,
        EstadoReserva::Cancelada,
    ] {
        fixture.create_as(None, estado);
    }
    fixture.project();
    let pivot = fixture.get(PIVOT);
    assert_eq!(
        pivot.text,
        r#"{"filas":[{"dia":"2026-01-31","Pendiente":0,"Pagada":1,"Aprobada":0,"Cancelada":2,"total":3}]}"#
    );
    let totales = fixture.get(TOTALES);
    assert_eq!(
        totales.text,
        r#"{"filas":[{"dia":"2026-01-31","total":3}]}"#
    );
}

#[test]
fn reports_count_what_the_list_shows() {
    let fixture = fixture();
    many(&fixture);
    let list = fixture.get("/vuelos/reserva?limite=100").ok();
    assert_eq!(list["siguiente"], Value::Null);
    let mut pivot: BTreeMap<String, Value> = BTreeMap::new();
    for reserva in list["reservas"].as_array().unwrap() {
        let dia = reserva["fecha_creacion"].as_str().unwrap()[..10].to_owned();
        let none = json!({"dia": dia, "Pendiente": 0, "Pagada": 0, "Aprobada": 0, "Cancelada": 0, "total": 0});
        let row = pivot.entry(dia).or_insert(none);
        for column in [reserva["estado"].as_str().unwrap(), "total"] {
            row[column] = (row[column].as_u64().unwrap() + 1).into();
        }
    }
    let pivot: Vec<_> = pivot.into_values().collect();
    assert_eq!(pivot.len(), 3);
    assert_eq!(rows(&fixture, PIVOT), pivot);
    let total = |row: &Value| json!({"dia": row["dia"], "total": row["total"]});
    let totales: Vec<_> = pivot.iter().map(total).collect();
    assert_eq!(rows(&fixture, TOTALES), totales);
}

#[test]
fn a_reservation_is_of_the_day_it_was_made_on_and_counted_once_in_the_state_it_is_in() {
    let fixture = fixture();
    let id = fixture.create(None);
    let mut expected = json!({
        "dia": FIRST, "Pendiente": 1, "Pagada": 0, "Aprobada": 0, "Cancelada": 0, "total": 1,
    });
    let mut before = "Pendiente";
    fixture.project();
    assert_eq!(rows(&fixture, PIVOT), [expected.clone()]);
    for (now, happen) in [
        ("Pagada", System::pay as fn(&System, IdReserva)),
        ("Aprobada", System::approve),
        ("Cancelada", System::cancel),
    ] {
        fixture.clock.advance(DAY);
        happen(&fixture, id);
        fixture.project();
        expected[before] = 0.into();
        expected[now] = 1.into();
        assert_eq!(rows(&fixture, PIVOT), [expected.clone()]);
        assert_eq!(rows(&fixture, TOTALES), [json!({"dia": FIRST, "total": 1})]);
        before = now;
    }
}

#[test]
fn a_day_is_one_of_utc() {
    let fixture = fixture();
    // The clock advances to the last millisecond of the day, and then to the first millisecond of the next day.
    fixture.clock.advance(Duration::from_millis(50_399_999));
    fixture.create(None);
    fixture.clock.advance(Duration::from_millis(1));
    fixture.create(None);
    fixture.create(None);
    fixture.project();
    for path in [PIVOT, TOTALES] {
        let expected = [(FIRST.to_owned(), 1), ("2026-02-01".to_owned(), 2)];
        assert_eq!(totals(&fixture, path), expected);
        let only = format!("{path}?desde=2026-02-01&hasta=2026-02-01");
        assert_eq!(totals(&fixture, &only), expected[1..]);
    }
}

#[test]
fn both_ends_belong_to_it_and_days_without_reservations_do_not() {
    let fixture = fixture();
    many(&fixture);
    let made = ["2026-01-31", "2026-02-02", "2026-02-04"];
    for path in [PIVOT, TOTALES] {
        for (from, to, expected) in [
            ("2026-01-31", "2026-02-04", &made[..]),
            ("2026-01-30", "2026-02-05", &made[..]),
            ("2026-02-01", "2026-02-03", &made[1..2]),
            ("2026-02-02", "2026-02-02", &made[1..2]),
            ("2026-02-03", "2026-02-03", &[]),
            ("2026-01-31", "2026-02-02", &made[..2]),
            ("2026-02-05", "2026-12-31", &[]),
            // Days later than today are allowed, up to the last day that exists.
            ("9999-01-01", "9999-12-31", &[]),
            ("0000-01-01", "0000-12-31", &[]),
        ] {
            let rows = totals(&fixture, &format!("{path}?desde={from}&hasta={to}"));
            let days: Vec<_> = rows.iter().map(|(dia, _)| dia.as_str()).collect();
            assert_eq!(days, expected, "{path} {from} {to}");
        }
    }
}

/// The test makes one reservation on each day, up to today.
#[test]
fn thirty_days_until_today_unless_asked() {
    let fixture = fixture();
    for _ in 0..39 {
        fixture.create(None);
        fixture.clock.advance(DAY);
    }
    fixture.create(None);
    fixture.project();
    let today = days_after(39);
    for path in [PIVOT, TOTALES] {
        for (query, first, last) in [
            (String::new(), days_after(10), today.clone()),
            (
                format!("?hasta={}", days_after(35)),
                days_after(6),
                days_after(35),
            ),
            (
                format!("?desde={}", days_after(3)),
                days_after(3),
                today.clone(),
            ),
            (format!("?desde={today}"), today.clone(), today.clone()),
            (format!("?hasta={FIRST}"), FIRST.into(), FIRST.into()),
        ] {
            let rows = totals(&fixture, &format!("{path}{query}"));
            assert_eq!(rows.first().unwrap().0, first, "{path}{query}");
            assert_eq!(rows.last().unwrap().0, last, "{path}{query}");
            assert!(rows.iter().all(|(_, total)| *total == 1));
        }
        let rows = totals(&fixture, path);
        assert_eq!(rows.len(), usize::try_from(DEFAULT_DAYS).unwrap());
    }
    // The default of `hasta` is today, so it advances with the clock.
    fixture.clock.advance(DAY);
    assert_eq!(rows(&fixture, TOTALES).len(), 29);
}

#[test]
fn a_whole_leap_year_fits_and_not_a_day_more() {
    let fixture = fixture();
    fixture.create(None);
    fixture.clock.advance(DAY * 365);
    fixture.create(None);
    fixture.project();
    assert_eq!(MAX_DAYS, 366);
    for path in [PIVOT, TOTALES] {
        // The range includes its first and its last day.
        let widest = format!("{path}?desde={FIRST}");
        assert_eq!(totals(&fixture, &widest).len(), 2);
        let earliest = format!("{path}?hasta=0000-01-01");
        assert_eq!(totals(&fixture, &earliest), []);
        let leap = fixture.get(&format!("{path}?desde=2028-01-01&hasta=2028-12-31"));
        assert_eq!(leap.ok(), json!({"filas": []}));
        let wider = fixture.get(&format!("{path}?desde=2026-01-30"));
        wider.assert_problem(400, "solicitud-invalida", path);
        assert_eq!(wider.errores(), ["desde: limite"]);
        let detail = wider.body["errores"][0]["detalle"].as_str().unwrap();
        assert!(detail.contains("366"), "{detail}");
    }
}

#[test]
fn without_reservations_there_are_no_rows() {
    let fixture = fixture();
    for path in [PIVOT, TOTALES] {
        assert_eq!(fixture.get(path).text, r#"{"filas":[]}"#);
    }
    // A reservation that was cancelled before it was made is counted on no day.
    fixture.cancel(fixture.fresh());
    fixture.project();
    for path in [PIVOT, TOTALES] {
        assert_eq!(fixture.get(path).text, r#"{"filas":[]}"#);
    }
}
