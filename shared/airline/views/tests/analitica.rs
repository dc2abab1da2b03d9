//! Tests of the view `analitica`: many reservations at once, and the number of calls.
#![cfg(test)]
#![allow(dead_code, reason = "each test uses a part of the bench")]

mod common;
mod plain;

use std::{collections::BTreeMap, sync::Arc};

use alpes_ports::{Key, LogRecord, Path, Tables, Update};
use alpes_projections::{Generation, View};
use common::{Bench, aprobada, cancelada, creada, id, pagada};
use events::{PAGOS, Payload, VUELOS, vuelos::EstadoReserva};
use futures::{FutureExt, executor::block_on};
use jiff::{ToSpan, civil::Date};
use plain::plainly;
use simulation::Faults;
use views::analitica::{self, Analitica, Dia};

const DAY: i64 = 86_400;
/// Number of days of the longest report, which is a leap year.
const DAYS: u32 = 366;
const LANES: u32 = 8;
const LIVE: Generation = Generation {
    view: analitica::NAME,
    number: 1,
};

fn views() -> Vec<Arc<dyn View<Payload>>> {
    vec![Arc::new(Analitica)]
}

fn pivot(bench: &Bench, from: &str, to: &str) -> Vec<Dia> {
    pivot_over(&*bench.tables, from, to)
}

fn pivot_over(tables: &dyn Tables, from: &str, to: &str) -> Vec<Dia> {
    let (from, to): (Date, Date) = (from.parse().unwrap(), to.parse().unwrap());
    block_on(analitica::pivot(tables, &LIVE, from, to)).unwrap()
}

fn deliver(bench: &Bench, faults: &Faults, records: &[LogRecord]) {
    let projector = bench.projector(faults, events::catalogue(), views());
    let outcome = projector.consumer().consume(records).now_or_never();
    assert_eq!(outcome.unwrap().failed, None);
}

/// Makes reservations of three days. The number of a reservation decides the state that it reaches. Returns the log:
/// first all reservations are made, then they are paid, and then they are approved or cancelled.
fn reservations(bench: &Bench, count: u128) -> Vec<LogRecord> {
    let (mut made, mut paid, mut ended) = (vec![], vec![], vec![]);
    for number in 0..count {
        let subject = id(number + 1);
        let at = i64::try_from(number % 3).unwrap() * DAY;
        made.extend(bench.commit(subject, VUELOS, vec![(creada(subject, "", at), at)]));
        if number % 4 > 0 {
            paid.extend(bench.commit(subject, PAGOS, vec![(pagada(subject, at), at)]));
        }
        let end = match number % 4 {
            2 => aprobada(subject, at),
            3 => cancelada(subject, at),
            _ => continue,
        };
        ended.extend(bench.commit(subject, VUELOS, vec![(end, at)]));
    }
    [made, paid, ended].concat()
}

#[test]
fn a_day_tells_how_many_are_in_each_state() {
    let bench = Bench::new();
    let records = reservations(&bench, 120);
    deliver(&bench, &Faults::none(), &records);
    let days = pivot(&bench, "2026-01-31", "2026-02-02");
    let ten = |dia: &str| Dia {
        dia: dia.parse().unwrap(),
        cuentas: EstadoReserva::ALL.map(|estado| (estado, 10)).into(),
    };
    assert_eq!(days, ["2026-01-31", "2026-02-01", "2026-02-02"].map(ten));
    assert_eq!(days[0].total(), 40);
    assert_eq!(
        pivot(&bench, "2026-02-01", "2026-02-01"),
        [ten("2026-02-01")]
    );
    assert_eq!(pivot(&bench, "2026-02-03", "2026-12-31"), []);
    assert_eq!(pivot(&bench, "2020-01-01", "2026-01-30"), []);
}

#[test]
fn a_report_reads_on_past_the_counters_of_one_read() {
    let bench = Bench::new();
    // Each pass makes one reservation a day, and the reservations of one pass are counted in one lane of the counters.
    for lane in 0..LANES {
        let records = (0..DAYS).flat_map(|day| {
            let subject = id(u128::from(day) * u128::from(LANES) + u128::from(lane) + 1);
            let at = i64::from(day) * DAY;
            bench.commit(subject, VUELOS, vec![(creada(subject, "", at), at)])
        });
        deliver(&bench, &Faults::none(), &records.collect::<Vec<_>>());
    }
    let counters = bench.tables.all(alpes_projections::TABLE).into_iter();
    let counters = counters.filter(|(key, _)| key.pk == "analitica.1#counts");
    assert_eq!(counters.count(), (DAYS * LANES) as usize);

    let faults = Faults::none();
    let tables = faults.tables(bench.tables.clone());
    let days = pivot_over(&tables, "2026-01-31", "2027-01-31");
    assert_eq!(
        faults.count(),
        3,
        "a thousand at a time: {:?}",
        faults.trace()
    );
    assert_eq!(days.len(), DAYS as usize);
    for (place, day) in (0..).zip(&days) {
        let expected: Date = "2026-01-31".parse().unwrap();
        assert_eq!(day.dia, expected + i32::days(place));
        assert_eq!(
            day.cuentas,
            [(EstadoReserva::Pendiente, u64::from(LANES))].into()
        );
    }
}

#[test]
fn counters_that_are_read_at_different_moments_count_nobody_twice() {
    let bench = Bench::new();
    let add = |lane: &str, numbers: &[(&str, i64)]| {
        let key = Key::new(
            alpes_projections::TABLE,
            "analitica.1#counts",
            format!("2026-01-31#{lane}"),
        );
        let update = numbers.iter().fold(Update::of(key), |update, (name, by)| {
            update.add(Path::of(*name), *by)
        });
        block_on(bench.tables.write(&update.into())).unwrap();
    };
    // Two reservations were made in lane 0 and approved in lane 1. The read sees both approvals and only one creation,
    // because the second creation came after the read of lane 0.
    add("0", &[("Pendiente", 1)]);
    add("1", &[("Pendiente", -2), ("Aprobada", 2)]);
    let seen = || pivot(&bench, "2026-01-31", "2026-01-31").remove(0);
    assert_eq!(seen().cuentas, [(EstadoReserva::Aprobada, 1)].into());
    assert_eq!(seen().total(), 1);
    add("0", &[("Pendiente", 1)]);
    assert_eq!(seen().cuentas, [(EstadoReserva::Aprobada, 2)].into());
}

#[test]
fn one_batch_of_more_than_a_transaction_holds_counts_each_once() {
    let bench = Bench::new();
    let records = reservations(&bench, 600);
    let faults = Faults::none();
    deliver(&bench, &faults, &records);
    let total: u64 = pivot(&bench, "2026-01-31", "2026-02-02")
        .iter()
        .map(Dia::total)
        .sum();
    assert_eq!(total, 600);
    // 97 rows and 3 days fill one transaction.
    let transactions = faults
        .trace()
        .iter()
        .filter(|call| call.starts_with("transact"))
        .count();
    assert_eq!(transactions, 7);
}

#[test]
fn a_row_that_changes_no_counter_is_written_without_a_transaction() {
    let bench = Bench::new();
    let subject = id(1);
    let payment = bench.commit(subject, PAGOS, vec![(pagada(subject, 0), 0)]);
    let faults = Faults::none();
    deliver(&bench, &faults, &payment);
    assert_eq!(pivot(&bench, "2026-01-01", "2026-12-31"), []);
    assert!(
        !faults.trace().concat().contains("transact"),
        "{:?}",
        faults.trace()
    );
    let made = bench.commit(subject, VUELOS, vec![(creada(subject, "", 0), 0)]);
    deliver(&bench, &Faults::none(), &made);
    let days = pivot(&bench, "2026-01-01", "2026-12-31");
    assert_eq!(days[0].cuentas, [(EstadoReserva::Pagada, 1)].into());
}

#[test]
fn a_thousand_events_take_a_fifth_of_the_calls_of_one_call_an_event() {
    let bench = Bench::new();
    let records = reservations(&bench, 450);
    let records = &records[..1_000];
    let plain = Faults::none();
    block_on(plainly(&plain.tables(bench.tables.clone()), records));
    let mut calls = BTreeMap::new();
    for batch in [1_000, 100, 50] {
        let bench = Bench::new();
        reservations(&bench, 450);
        let faults = Faults::none();
        for records in records.chunks(batch) {
            deliver(&bench, &faults, records);
        }
        // A read of more than a hundred rows takes one call for each hundred.
        let further_reads: usize = records
            .chunks(batch)
            .map(|batch| (batch.len() - 1) / 100)
            .sum();
        calls.insert(batch, faults.count() + further_reads);
    }
    println!(
        "calls for 1,000 events: one an event {}, by size of the batch {calls:?}",
        plain.count()
    );
    assert!(calls.values().all(|count| count * 5 <= plain.count()));
}
