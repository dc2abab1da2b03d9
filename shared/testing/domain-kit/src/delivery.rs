//! Whatever way the log is delivered, and whatever fails meanwhile, a view equals the fold of the streams. And each mistake that the
//! consumer and the projector guard against, made on purpose, is found by the same test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests fail by panicking, and share a bench of which each uses a part"
)]

mod common;
mod planted;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alpes_consumer::{Consumer, Outcome, Parking};
use alpes_event_store::{Stream, StreamReader};
use alpes_messages::{StreamId, Version};
use alpes_ports::{Item, Key, LogRecord, Path, Tables, Update};
use alpes_projections::{Generation, Projector, View};
use common::{Bench, aprobada, cancelada, creada, fallida, id, pagada};
use events::{PAGOS, Payload, VUELOS, vuelos::EstadoReserva};
use futures::executor::block_on;
use jiff::civil::Date;
use planted::{Bug, Splitting};
use proptest::prelude::*;
use serde_json::json;
use simulation::{Dice, Faults, ProcessId, Scheduler, Step};
use views::{
    analitica::{self, Dia},
    reservas::{self, Reservas},
};

#[derive(Clone, Copy, Debug)]
struct Setup {
    seed: u64,
    reservations: u64,
    /// Events of one stream at most.
    events: u64,
    /// Invocations at a time: two or more overlap.
    invocations: u64,
    fault_one_in: u64,
    kill_one_in: u64,
    /// True while a second generation is built: the projector writes both.
    rebuilding: bool,
}

/// Streams of random events, and the log of them: in the order that a log may have, with copies.
fn history(bench: &Bench, dice: &Dice, setup: Setup) -> Vec<LogRecord> {
    let mut log = vec![];
    for number in 1..=setup.reservations {
        let subject = id(u128::from(number));
        let at = i64::try_from(dice.below(3) * 86_400 + dice.below(1_000)).unwrap();
        let mut own = vec![(creada(subject, "ana", at), at)];
        for _ in 0..dice.below(setup.events) {
            let at = i64::try_from(dice.below(1_000)).unwrap();
            own.push(match dice.below(4) {
                0 => (aprobada(subject, at), at),
                1 => (cancelada(subject, at), at),
                _ => (fallida(subject, at), at),
            });
        }
        let payments = (0..dice.below(setup.events))
            .map(|at| (pagada(subject, at.cast_signed()), at.cast_signed()));
        log.extend(bench.commit(subject, VUELOS, own));
        log.extend(bench.commit(subject, PAGOS, payments.collect()));
    }
    // Normally in order within a stream, across streams in any; now and then a record lands late or twice.
    for _ in 0..log.len() {
        let (one, other) = (usize_below(dice, log.len()), usize_below(dice, log.len()));
        if log[one].partition_key != log[other].partition_key || dice.one_in(4) {
            log.swap(one, other);
        }
    }
    for _ in 0..dice.below(4) {
        let copy = log[usize_below(dice, log.len())].clone();
        log.insert(usize_below(dice, log.len()), copy);
    }
    log
}

fn usize_below(dice: &Dice, bound: usize) -> usize {
    usize::try_from(dice.below(u64::try_from(bound).unwrap())).unwrap()
}

/// What a row must hold: the fold of its streams, one after the other.
fn expected(bench: &Bench, setup: Setup) -> BTreeMap<String, Item> {
    (1..=setup.reservations)
        .map(|number| {
            let subject = id(u128::from(number));
            let mut row = Item::new();
            for context in [VUELOS, PAGOS] {
                let stream =
                    block_on(bench.reader().read_one(StreamId::new(context, subject))).unwrap();
                for stored in stream
                    .decode(&events::catalogue(), 1, Version::MAX)
                    .unwrap()
                {
                    Reservas
                        .fold(&mut row, &stored.event, &stored.payload)
                        .unwrap();
                }
            }
            (subject.to_string(), row)
        })
        .collect()
}

/// The row's own attributes, and its place in the first index.
fn found(bench: &Bench, generation: &str) -> BTreeMap<String, (Item, Option<String>)> {
    let kept = ["guard", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"];
    let rows = bench
        .rows(generation)
        .into_iter()
        .map(|(subject, mut item)| {
            let place = item
                .get("gsi1pk")
                .and_then(|place| place.as_str())
                .map(str::to_owned);
            item.retain(|name, _| !kept.contains(&name.as_str()));
            (subject, (item, place))
        });
    rows.collect()
}

type Answer = (usize, usize, Outcome);

fn invocation(
    bench: &Bench,
    faults: &Faults,
    bug: Option<Bug>,
    batch: (usize, Vec<LogRecord>),
) -> futures::future::BoxFuture<'static, Option<Answer>> {
    let tables = planted::plant(bug, Arc::new(faults.tables(bench.tables.clone())));
    let reader = StreamReader::new(tables.clone(), events::catalogue());
    let parking = Parking::new(
        tables.clone(),
        bench.world.clock.clone(),
        &events::catalogue(),
    );
    let projector = Projector::new(
        tables,
        reader.clone(),
        bench.world.clone(),
        views::registry(),
    );
    Box::pin(async move {
        let (start, records) = batch;
        let splitting = Splitting(&projector);
        let handler: &dyn alpes_consumer::Handler<Payload> =
            if bug == Some(Bug::EventsOfOneKeyHandledConcurrently) {
                &splitting
            } else {
                &projector
            };
        let consumer = Consumer {
            name: "projector",
            catalogue: reader.catalogue(),
            parking: &parking,
            handler,
        };
        let outcome = consumer.consume(&records).await;
        Some((start, records.len(), outcome))
    })
}

/// Delivers the log as a runtime does: in batches, again from the first failed record, again whole when the function dies,
/// and by chance once more though all went well; several invocations at a time. `Err` tells what is wrong.
fn run(setup: Setup, bug: Option<Bug>) -> Result<(), String> {
    let dice = Dice::new(setup.seed);
    let bench = Bench::new();
    let log = history(&bench, &dice, setup);
    let generations: &[u32] = if setup.rebuilding { &[1, 2] } else { &[1] };
    if setup.rebuilding {
        for view in [reservas::NAME, analitica::NAME] {
            let alias = Update::of(Key::new(alpes_projections::TABLE, view, "alias"));
            let alias = alias.set(Path::of("live"), 1).set(Path::of("building"), 2);
            block_on(bench.tables.write(&alias.into())).unwrap();
        }
    }
    let faults = Faults::by_chance(dice.clone(), setup.fault_one_in);
    let mut scheduler: Scheduler<Option<Answer>> = Scheduler::default();
    let mut working: BTreeMap<ProcessId, (usize, usize)> = BTreeMap::new();
    let mut waiting: Vec<(usize, usize)> = vec![];
    let mut start = 0;
    while start < log.len() {
        let end = (start + 1 + usize_below(&dice, 12)).min(log.len());
        waiting.push((start, end));
        start = end;
    }
    waiting.reverse();
    let mut steps = 0;
    loop {
        while working.len() < usize::try_from(setup.invocations).unwrap() {
            let Some((from, to)) = waiting.pop() else {
                break;
            };
            let process = invocation(&bench, &faults, bug, (from, log[from..to].to_vec()));
            working.insert(scheduler.spawn(process), (from, to));
        }
        for late in faults.take_late() {
            scheduler.spawn(Box::pin(async move {
                late.await;
                None
            }));
        }
        steps += 1;
        if steps > 300_000 {
            return Err("the run does not end".into());
        }
        let (process, answer) = match scheduler.step(&dice, setup.kill_one_in) {
            Step::Progress => continue,
            Step::Idle => break,
            Step::Done(process, answer) => (process, answer),
            Step::Killed(process) => (process, None),
        };
        let Some((from, to)) = working.remove(&process) else {
            continue;
        };
        let redeliver_from = match answer {
            None => Some(from),
            Some((_, _, outcome)) => match outcome.failed {
                None => dice.one_in(5).then_some(from),
                Some((sequence, _)) => {
                    let place = from
                        + log[from..to]
                            .iter()
                            .position(|record| record.sequence == sequence)
                            .unwrap();
                    let place = if bug == Some(Bug::FailureIndexOffByOne) {
                        place + 1
                    } else {
                        place
                    };
                    (place < to).then_some(place)
                }
            },
        };
        if let Some(from) = redeliver_from {
            // Whole, or in two parts.
            let middle = from + usize_below(&dice, to - from);
            waiting.extend(
                [(middle, to), (from, middle)]
                    .into_iter()
                    .filter(|(from, to)| from < to),
            );
        }
    }
    check(&bench, setup, generations)?;
    if setup.fault_one_in == 0 && setup.kill_one_in == 0 && setup.invocations == 1 {
        let writes = faults
            .trace()
            .iter()
            .filter(|call| call.starts_with("write views reservas"))
            .count();
        let rows: usize = deliveries(&log).len();
        if writes > rows * generations.len() {
            return Err(format!("{writes} writes of rows, where {rows} would do"));
        }
    }
    Ok(())
}

/// The most row writes that a log can need, one event at a time and each once.
fn deliveries(log: &[LogRecord]) -> BTreeSet<&[u8]> {
    log.iter().map(|record| record.data.as_slice()).collect()
}

/// What the counters must say: the distinct events, folded, then counted.
fn counted(expected: &BTreeMap<String, Item>) -> BTreeMap<(Date, EstadoReserva), u64> {
    let mut counted = BTreeMap::new();
    for row in expected.values() {
        let day = row["fecha_creacion"].as_str().unwrap()[..10]
            .parse()
            .unwrap();
        let estado = serde_json::from_value(row["estado"].clone()).unwrap();
        *counted.entry((day, estado)).or_default() += 1;
    }
    counted
}

fn pivot(bench: &Bench, number: u32) -> BTreeMap<(Date, EstadoReserva), u64> {
    let generation = Generation {
        view: analitica::NAME,
        number,
    };
    let (from, to) = (Date::constant(2026, 1, 1), Date::constant(2026, 12, 31));
    let days = block_on(analitica::pivot(&*bench.tables, &generation, from, to)).unwrap();
    let cells = days.into_iter().flat_map(|Dia { dia, cuentas }| {
        let cells = cuentas.into_iter();
        cells.map(move |(estado, count)| ((dia, estado), count))
    });
    cells.collect()
}

fn check(bench: &Bench, setup: Setup, generations: &[u32]) -> Result<(), String> {
    let expected = expected(bench, setup);
    for number in generations {
        let (pivot, counted) = (pivot(bench, *number), counted(&expected));
        if pivot != counted {
            return Err(format!(
                "analitica.{number}: the pivot is {pivot:?}, the fold {counted:?}"
            ));
        }
        let generation = &format!("reservas.{number}");
        let found = found(bench, generation);
        for (subject, row) in &expected {
            let Some((own, place)) = found.get(subject) else {
                return Err(format!("{generation}: {subject} has no row"));
            };
            if own != row {
                return Err(format!(
                    "{generation}: {subject} is {own:?}, the fold {row:?}"
                ));
            }
            let estado = row["estado"].as_str().unwrap();
            if *place != Some(format!("{generation}#estado:{estado}")) {
                return Err(format!(
                    "{generation}: {subject} is {estado}, and listed in {place:?}"
                ));
            }
        }
    }
    match bench.parked().first() {
        Some(parked) => Err(format!("parked without need: {parked:?}")),
        None => Ok(()),
    }
}

fn setups() -> impl Strategy<Value = Setup> {
    let faults = prop_oneof![Just(0_u64), 4..40_u64];
    let kills = prop_oneof![Just(0_u64), 15..80_u64];
    (
        any::<u64>(),
        1..=6_u64,
        1..=6_u64,
        1..=4_u64,
        faults,
        kills,
        any::<bool>(),
    )
        .prop_map(
            |(seed, reservations, events, invocations, fault_one_in, kill_one_in, rebuilding)| {
                Setup {
                    seed,
                    reservations,
                    events,
                    invocations,
                    fault_one_in,
                    kill_one_in,
                    rebuilding,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_the_log_is_delivered_the_view_equals_the_fold(setup in setups()) {
        if let Err(broken) = run(setup, None) {
            prop_assert!(false, "{}", broken);
        }
    }
}

#[test]
fn each_planted_bug_is_found() {
    for bug in Bug::ALL {
        let found = (0..3_000).find_map(|seed| {
            let calm = bug == Bug::EventsOfOneKeyHandledConcurrently;
            let setup = Setup {
                seed,
                reservations: 1 + seed % 3,
                events: 2 + seed % 5,
                invocations: if calm { 1 } else { 1 + seed % 4 },
                fault_one_in: if calm { 0 } else { 6 + seed % 20 },
                kill_one_in: if calm { 0 } else { 20 + seed % 40 },
                rebuilding: seed % 2 == 0,
            };
            run(setup, Some(bug)).err().map(|broken| (seed, broken))
        });
        let (seed, broken) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
        println!(
            "{bug:?}: seed {seed}: {}",
            broken.chars().take(160).collect::<String>()
        );
    }
}

#[test]
fn a_stream_in_the_log_alone_is_folded_too() {
    // Events of the tutorials' own code are in the log, and in no item of ours.
    let bench = Bench::new();
    let reservation = id(77).to_string();
    let event = json!({
        "id": "f9be90a4-a393-4547-8e0b-c4fab3762001", "time": 1_669_122_600_000_i64, "ingestion": 1_669_122_600_001_i64,
        "specversion": "v1", "type": "ReservaCreada", "datacontenttype": "AVRO", "service_name": "aeroalpes",
        "data": { "id_reserva": reservation, "id_cliente": "None", "estado": "PENDIENTE", "fecha_creacion": 1_669_122_600_000_i64 },
    });
    bench.settle(&[common::record(&reservation, event.to_string().as_bytes())]);
    let row = bench.row(id(77)).unwrap();
    assert_eq!(
        (row["estado"].as_str(), row["guard"].clone()),
        (Some("Pendiente"), json!({ "reserva": 1 }))
    );
    assert_eq!(row["fecha_creacion"], "2022-11-22T13:10:00.000Z");
    assert_eq!(
        Stream::key(StreamId::new(VUELOS, id(77))).pk,
        format!("reserva-{reservation}")
    );
    assert_eq!(bench.stream_items(), 0);
}
