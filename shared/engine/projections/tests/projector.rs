//! What the projector makes of good events, bad records, gaps, and faults at every effect.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests fail by panicking, and share a bench of which each uses a part"
)]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alpes_consumer::{Parked, Parking, Reason, Redrive, Redriven, Redriver, Redriving};
use alpes_event_store::StreamReader;
use alpes_messages::{Event, SubjectId};
use alpes_ports::{
    Consistency, IndexPage, IndexQuery, Item, Key, LogRecord, ScanPage, TableError, TableName,
    Tables, TransactError, Write, WriteError,
};
use alpes_projections::{Place, Projector, Unfoldable, View};
use async_trait::async_trait;
use common::{Bench, aprobada, cancelada, creada, fallida, id, moment, pagada, record};
use events::{PAGOS, Payload, VUELOS};
use futures::{FutureExt, executor::block_on};
use jiff::Timestamp;
use serde_json::json;
use simulation::{Fault, Faults};
use twins::MemoryTables;
use views::{analitica::Analitica, reservas::Reservas};

/// Has a projector try again what is due.
async fn due(bench: &Bench, projector: &Projector<Payload>) -> Result<Redriving, TableError> {
    let parked = projector.parking().list().await?;
    let redriver = Redriver {
        parking: projector.parking(),
        world: &bench.world,
        consumers: &[projector],
    };
    Ok(redriver.redrive_due(&parked, Timestamp::MAX).await)
}

/// One reservation that was made, paid and approved, and the records of it in the order they happened.
fn approved(bench: &Bench) -> Vec<LogRecord> {
    let made = bench.commit(id(1), VUELOS, vec![(creada(id(1), "ana", 0), 0)]);
    let paid = bench.commit(id(1), PAGOS, vec![(pagada(id(1), 1), 1)]);
    let approved = bench.commit(
        id(1),
        VUELOS,
        vec![(fallida(id(1), 2), 2), (aprobada(id(1), 3), 3)],
    );
    [made, paid, approved].concat()
}

#[test]
fn a_row_says_what_happened() {
    let bench = Bench::new();
    let records = approved(&bench);
    for (upto, estado) in [
        (1, "Pendiente"),
        (2, "Pagada"),
        (3, "Pagada"),
        (4, "Aprobada"),
    ] {
        bench.settle(&records[..upto]);
        let row = bench.row(id(1)).unwrap();
        assert_eq!(row["estado"], estado);
        assert_eq!(row["gsi1pk"], format!("reservas.1#estado:{estado}"));
        assert_eq!(row["gsi2pk"], format!("reservas.1#cliente:ana:{estado}"));
        assert_eq!(row["gsi1sk"], format!("{}#{}", moment(0), id(1)));
        assert_eq!(
            row["fecha_actualizacion"],
            moment(i64::try_from(upto).unwrap() - 1).to_string()
        );
    }
    assert_eq!(
        bench.row(id(1)).unwrap()["guard"],
        json!({ "reserva": 3, "pago": 1 })
    );
    let more = bench.commit(id(1), VUELOS, vec![(cancelada(id(1), 9), 9)]);
    bench.settle(&more);
    assert_eq!(bench.row(id(1)).unwrap()["estado"], "Cancelada");
}

#[test]
fn the_order_across_streams_does_not_matter_and_duplicates_change_nothing() {
    let expected = {
        let bench = Bench::new();
        let records = approved(&bench);
        bench.settle(&records);
        bench.row(id(1)).unwrap()
    };
    for order in [
        [1, 0, 2, 3],
        [0, 2, 3, 1],
        [0, 2, 1, 3],
        [3, 2, 1, 0],
        [3, 0, 1, 2],
    ] {
        let bench = Bench::new();
        let records = approved(&bench);
        for place in order {
            bench.settle(&records[place..=place]);
            bench.settle(&records[place..=place]);
        }
        assert_eq!(bench.row(id(1)).unwrap(), expected, "{order:?}");
        bench.settle(&[records.clone(), records].concat());
        assert_eq!(
            bench.row(id(1)).unwrap(),
            expected,
            "{order:?}, all once more"
        );
    }
}

#[test]
fn a_row_whose_making_was_not_heard_is_kept_and_not_listed() {
    let bench = Bench::new();
    let records = approved(&bench);
    bench.settle(&records[1..2]);
    let row = bench.row(id(1)).unwrap();
    assert_eq!((row.get("gsi1pk"), row.get("id_reserva")), (None, None));
    assert_eq!(row["guard"], json!({ "pago": 1 }));
    bench.settle(&records[..1]);
    assert_eq!(
        bench.row(id(1)).unwrap()["gsi1pk"],
        "reservas.1#estado:Pagada"
    );
}

#[test]
fn a_batch_reads_all_rows_at_once_and_writes_each_once() {
    let bench = Bench::new();
    let mut records = vec![];
    for number in 1..=50 {
        let new = (0..10).map(|at| {
            (
                if at == 0 {
                    creada(id(number), "ana", 0)
                } else {
                    fallida(id(number), at)
                },
                at,
            )
        });
        records.extend(bench.commit(id(number), VUELOS, new.collect()));
    }
    assert_eq!(records.len(), 500);
    let faults = Faults::none();
    bench.deliver(&faults, &records).unwrap();
    let calls = |kind: &str| {
        faults
            .trace()
            .iter()
            .filter(|call| call.starts_with(kind))
            .count()
    };
    // The aliases of the views, then all rows; then one write a reservation.
    assert_eq!((calls("get"), calls("write"), faults.count()), (2, 50, 52));
}

#[test]
fn only_what_changed_is_written() {
    let bench = Bench::new();
    let records = approved(&bench);
    bench.settle(&records);
    let faults = Faults::none();
    bench.deliver(&faults, &records).unwrap();
    assert_eq!(
        faults
            .trace()
            .iter()
            .filter(|call| call.starts_with("write"))
            .count(),
        0
    );
}

#[test]
fn a_gap_is_healed_from_the_streams_item() {
    let bench = Bench::new();
    let records = approved(&bench);
    bench.settle(&records[3..]);
    let row = bench.row(id(1)).unwrap();
    assert_eq!(
        (row["estado"].as_str(), &row["guard"]),
        (Some("Aprobada"), &json!({ "reserva": 3 }))
    );
    assert!(bench.parked().is_empty());
}

#[test]
fn a_gap_that_was_never_committed_is_parked() {
    let bench = Bench::new();
    let records = approved(&bench);
    let text = String::from_utf8(records[3].data.clone()).unwrap();
    let invented = record(
        "k",
        text.replace("\"streamversion\":3", "\"streamversion\":9")
            .as_bytes(),
    );
    bench.settle(&[invented]);
    let parked = bench.parked();
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (parked[0].owner.as_str(), parked[0].reason),
        ("reservas.1", Reason::Permanent)
    );
    assert!(
        parked[0].detail.contains("never committed"),
        "{}",
        parked[0].detail
    );
    assert_eq!(
        bench.row(id(1)).unwrap()["guard"],
        json!({ "reserva": 3 }),
        "what was committed is in"
    );
}

#[test]
fn bad_records_are_parked_with_their_bytes_and_hold_up_nothing() {
    let bench = Bench::new();
    let good = approved(&bench);
    let huge = vec![0xff; 700_000];
    let unknown = String::from_utf8(good[0].data.clone())
        .unwrap()
        .replace("ReservaCreada", "ReservaSoñada");
    let bad = [
        record("k", b"\xff\xfe"),
        record("k", &huge),
        record("k", unknown.as_bytes()),
    ];
    let batch = [&bad[..1], &good[..2], &bad[1..], &good[2..]].concat();
    let outcome = bench.settle(&batch);
    assert_eq!((outcome.records, outcome.parked), (7, 3));
    assert_eq!(bench.row(id(1)).unwrap()["estado"], "Aprobada");
    bench.settle(&batch);
    let parked = bench.parked();
    assert_eq!(parked.len(), 3, "delivered again, parked once");
    let parking = Parking::new(
        bench.tables.clone(),
        bench.world.clock.clone(),
        &events::catalogue(),
    );
    let mut bytes: Vec<_> = parked
        .iter()
        .map(|thing| block_on(parking.data(thing)).unwrap().unwrap())
        .collect();
    let mut expected: Vec<_> = bad.iter().map(|record| record.data.clone()).collect();
    bytes.sort();
    expected.sort();
    assert_eq!(bytes, expected);
    for thing in &parked {
        block_on(parking.remove(thing)).unwrap();
    }
    assert_eq!(
        bench.tables.all(alpes_consumer::TABLE),
        [],
        "nothing is left behind"
    );
}

#[test]
fn a_newer_catalogue_takes_in_what_an_older_one_parked() {
    let bench = Bench::new();
    let records = approved(&bench);
    let older = || events::catalogue().without("AprobacionReservaFallida");
    let projector = bench.projector(&Faults::none(), older(), common::reservas());
    let outcome = block_on(projector.consumer().consume(&records));
    assert_eq!((outcome.parked, outcome.failed), (1, None));
    // The record of the unknown type, and the stream from there on.
    let parked = bench.parked();
    let reasons: Vec<_> = parked
        .iter()
        .map(|thing| (thing.owner.as_str(), thing.reason))
        .collect();
    assert_eq!(
        reasons,
        [
            ("projector", Reason::UnknownType),
            ("reservas.1", Reason::UnknownType)
        ]
    );
    assert_eq!(bench.row(id(1)).unwrap()["estado"], "Pagada");
    for thing in &parked {
        let redriven = block_on(projector.redrive(thing)).unwrap();
        assert!(matches!(redriven, Redriven::StillParked(_)), "{redriven:?}");
    }
    // The older build does not try again by itself what it cannot know.
    let faults = Faults::none();
    let again = bench.projector(&faults, older(), common::reservas());
    let waiting = Redriving {
        parked: 2,
        ..Redriving::default()
    };
    assert_eq!(block_on(due(&bench, &again)).unwrap(), waiting);
    assert_eq!(faults.count(), 1, "{:?}", faults.trace());
    // One that knows other things, but not this, tries once.
    let other = older().without("ReservaCancelada");
    let third = bench.projector(&Faults::none(), other, common::reservas());
    let is_due = |thing: &Parked| third.parking().is_due(thing);
    assert!(bench.parked().iter().all(is_due));
    assert_eq!(block_on(due(&bench, &third)).unwrap(), waiting);
    assert!(!bench.parked().iter().any(is_due));
    let newer = bench.projector(&Faults::none(), events::catalogue(), common::reservas());
    let freed = Redriving {
        redriven: 2,
        ..Redriving::default()
    };
    assert_eq!(block_on(due(&bench, &newer)).unwrap(), freed);
    assert_eq!(bench.parked(), []);
    let row = bench.row(id(1)).unwrap();
    assert_eq!(
        (row["estado"].as_str(), row.get("blocked")),
        (Some("Aprobada"), None)
    );
}

#[test]
fn a_record_redriven_by_itself_brings_in_what_came_after_it() {
    // Version 2 is parked as a record, and from there on the stream. Then the record alone is tried again.
    let bench = Bench::new();
    let records = approved(&bench);
    let older = events::catalogue().without("AprobacionReservaFallida");
    let projector = bench.projector(&Faults::none(), older, common::reservas());
    block_on(projector.consumer().consume(&records));
    let parked = bench.parked();
    assert_eq!(parked.len(), 2);
    let newer = bench.projector(&Faults::none(), events::catalogue(), common::reservas());
    assert_eq!(block_on(newer.redrive(&parked[0])).unwrap(), Redriven::Done);
    let row = bench.row(id(1)).unwrap();
    assert_eq!(
        (row["estado"].as_str(), row.get("blocked")),
        (Some("Aprobada"), None)
    );
    assert_eq!(bench.parked(), []);
}

#[test]
fn whatever_fails_while_trying_again_nothing_is_lost() {
    let current = events::catalogue();
    for at in 0..16 {
        for fault in Fault::ALL {
            let bench = Bench::new();
            let records = approved(&bench);
            let older = current.clone().without("AprobacionReservaFallida");
            let projector = bench.projector(&Faults::none(), older, common::reservas());
            block_on(projector.consumer().consume(&records));
            let faults = Faults::once(at, fault);
            let failing = bench.projector(&faults, current.clone(), common::reservas());
            let _ = due(&bench, &failing).now_or_never();
            // Nobody is needed to end it: not after a fault, and not after a death.
            let healthy = bench.projector(&Faults::none(), current.clone(), common::reservas());
            block_on(bench.world.tasks.sleep(Duration::from_mins(1)));
            block_on(due(&bench, &healthy)).unwrap();
            let row = bench.row(id(1)).unwrap();
            let seen = (row["estado"].as_str(), row.get("blocked"));
            assert_eq!(seen, (Some("Aprobada"), None), "{fault:?} at effect {at}");
            assert_eq!(bench.parked(), []);
        }
    }
}

#[test]
fn what_is_discarded_stays_on_record_and_is_tried_no_more() {
    let bench = Bench::new();
    let unknown = String::from_utf8(approved(&bench)[0].data.clone())
        .unwrap()
        .replace("ReservaCreada", "ReservaNueva");
    bench.settle(&[record("k", unknown.as_bytes())]);
    let older = events::catalogue().without("ReservaCancelada");
    let projector = bench.projector(&Faults::none(), older, common::reservas());
    let parking = projector.parking();
    let [thing] = &*bench.parked() else {
        panic!("one is parked")
    };
    assert!(parking.is_due(thing));
    block_on(parking.discard(thing, "a test of another team")).unwrap();
    let [thing] = &*bench.parked() else {
        panic!("it is still there")
    };
    assert_eq!(
        thing.discarded.as_ref().unwrap().note,
        "a test of another team"
    );
    assert!(!parking.is_due(thing));
    assert_eq!(
        block_on(parking.data(thing)).unwrap().unwrap(),
        unknown.as_bytes()
    );
    assert_eq!(
        block_on(due(&bench, &projector)).unwrap(),
        Redriving::default()
    );
    // Delivered again, it is not parked anew.
    bench.settle(&[record("k", unknown.as_bytes())]);
    assert!(bench.parked()[0].discarded.is_some());
}

/// `reservas`, but it cannot fold a payment of this reservation.
struct PickyAbout(SubjectId);

impl View<Payload> for PickyAbout {
    fn name(&self) -> &'static str {
        Reservas.name()
    }

    fn fold(&self, row: &mut Item, event: &Event, payload: &Payload) -> Result<(), Unfoldable> {
        if event.subject == self.0 && matches!(payload, Payload::ReservaPagada(_)) {
            return Err(Unfoldable("no payments please".into()));
        }
        Reservas.fold(row, event, payload)
    }

    fn places(&self, row: &Item) -> [Option<Place>; 2] {
        Reservas.places(row)
    }
}

#[test]
fn a_stream_that_cannot_be_folded_is_parked_and_the_others_go_on() {
    let bench = Bench::new();
    let records = approved(&bench);
    let picky = bench.projector(
        &Faults::none(),
        events::catalogue(),
        vec![Arc::new(PickyAbout(id(1)))],
    );
    for _ in 0..2 {
        let outcome = block_on(picky.consumer().consume(&records));
        assert_eq!(outcome.failed, None);
    }
    let parked = bench.parked();
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (parked[0].owner.as_str(), parked[0].detail.as_str()),
        ("reservas.1", "no payments please")
    );
    let row = bench.row(id(1)).unwrap();
    assert_eq!(
        (&row["guard"], &row["blocked"]),
        (&json!({ "reserva": 3 }), &json!({ "pago": 1 }))
    );
    assert!(matches!(
        block_on(picky.redrive(&parked[0])).unwrap(),
        Redriven::StillParked(_)
    ));
    // A build that can: the next event of the stream brings in what is missing, and frees it.
    let more = bench.commit(id(1), PAGOS, vec![(pagada(id(1), 8), 8)]);
    bench.settle(&more);
    assert_eq!(bench.parked(), []);
    assert_eq!(
        bench.row(id(1)).unwrap()["guard"],
        json!({ "reserva": 3, "pago": 2 })
    );
}

/// Tables that refuse whatever would write this row, as one that is too large, or read it, as one that holds what no JSON is.
struct Refusing {
    tables: Arc<MemoryTables>,
    row: Mutex<Option<Key>>,
    reads: bool,
}

impl Refusing {
    fn check(&self, writes: &[Write]) -> Result<(), TableError> {
        let row = self.row.lock().unwrap();
        if writes.iter().any(|write| row.as_ref() == Some(write.key())) {
            let why = "Item size has exceeded the maximum allowed size";
            return Err(TableError::Refused(why.into()));
        }
        Ok(())
    }
}

#[async_trait]
impl Tables for Refusing {
    async fn get(
        &self,
        keys: &[Key],
        consistency: Consistency,
    ) -> Result<Vec<Option<Item>>, TableError> {
        let row = self.row.lock().unwrap().clone();
        if self.reads && keys.iter().any(|key| row.as_ref() == Some(key)) {
            return Err(TableError::Refused("an attribute is not JSON".into()));
        }
        self.tables.get(keys, consistency).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.check(std::slice::from_ref(write))?;
        self.tables.write(write).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        self.check(writes)?;
        self.tables.transact(writes).await
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.tables.query(query).await
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.tables.scan(table, after).await
    }
}

#[test]
fn a_row_that_the_table_refuses_parks_its_stream_for_that_view_alone() {
    let views: [Arc<dyn View<Payload>>; 2] = [Arc::new(Reservas), Arc::new(Analitica)];
    for (view, reads) in views.iter().flat_map(|view| [(view, false), (view, true)]) {
        let bench = Bench::new();
        let tables = Arc::new(Refusing {
            tables: bench.tables.clone(),
            row: Mutex::default(),
            reads,
        });
        let reader = StreamReader::new(tables.clone(), events::catalogue());
        let world = bench.world.clone();
        let projector = Projector::new(tables.clone(), reader, world, views.to_vec());
        let settle = |records: &[LogRecord]| {
            let outcome = block_on(projector.consumer().consume(records));
            assert_eq!(
                (outcome.parked, outcome.failed),
                (0, None),
                "{}",
                view.name()
            );
        };
        let made = |number| {
            let creada = creada(id(number), "ana", 0);
            bench.commit(id(number), VUELOS, vec![(creada, 0)])
        };
        settle(&made(1));
        let owner = format!("{}.1", view.name());
        let key = Key::new(
            alpes_projections::TABLE,
            format!("{owner}#{}", id(1)),
            "row",
        );
        *tables.row.lock().unwrap() = Some(key);
        let mut records = bench.commit(id(1), PAGOS, vec![(pagada(id(1), 1), 1)]);
        records.extend(made(2));
        records.extend(bench.commit(id(1), VUELOS, vec![(cancelada(id(1), 2), 2)]));
        settle(&records);
        let parked = bench.parked();
        assert_eq!(parked.len(), 2, "the streams of both events: {parked:?}");
        for thing in &parked {
            assert_eq!((&thing.owner, thing.reason), (&owner, Reason::Permanent));
            let redriven = block_on(projector.redrive(thing)).unwrap();
            assert!(matches!(redriven, Redriven::StillParked(_)), "{redriven:?}");
        }
        let in_step = |bench: &Bench, subject: SubjectId| {
            views.each_ref().map(|view| {
                let rows = bench.rows(&format!("{}.1", view.name()));
                let found = rows.iter().find(|(id, _)| *id == subject.to_string());
                found.unwrap().1["guard"].clone()
            })
        };
        let made = json!({ "reserva": 1 });
        assert_eq!(in_step(&bench, id(2)), [made.clone(), made.clone()]);
        let whole = json!({ "reserva": 2, "pago": 1 });
        let place = usize::from(view.name() == Analitica.name());
        assert_eq!(in_step(&bench, id(1))[place], made);
        assert_eq!(in_step(&bench, id(1))[1 - place], whole);

        *tables.row.lock().unwrap() = None;
        for thing in &parked {
            assert_eq!(block_on(projector.redrive(thing)).unwrap(), Redriven::Done);
        }
        assert_eq!(in_step(&bench, id(1)), [whole.clone(), whole]);
        assert_eq!(bench.parked(), []);
    }
}

#[test]
fn both_generations_are_written_while_one_is_built() {
    let bench = Bench::new();
    let records = approved(&bench);
    let alias = alpes_ports::Update::of(Key::new(alpes_projections::TABLE, "reservas", "alias"))
        .set(alpes_ports::Path::of("live"), 2)
        .set(alpes_ports::Path::of("building"), 3);
    block_on(Tables::write(&*bench.tables, &alias.into())).unwrap();
    bench.settle(&records);
    let (live, building) = (bench.rows("reservas.2"), bench.rows("reservas.3"));
    assert_eq!(
        (live.len(), building.len(), bench.rows("reservas.1").len()),
        (1, 1, 0)
    );
    assert_eq!(live[0].1["gsi1pk"], "reservas.2#estado:Aprobada");
    assert_eq!(building[0].1["gsi1pk"], "reservas.3#estado:Aprobada");
}

#[test]
fn the_first_record_that_failed_is_told() {
    let bench = Bench::new();
    let mut records = bench.commit(id(1), VUELOS, vec![(creada(id(1), "ana", 0), 0)]);
    records.extend(bench.commit(
        id(2),
        VUELOS,
        vec![(creada(id(2), "ana", 0), 0), (aprobada(id(2), 1), 1)],
    ));
    records.extend(bench.commit(id(3), VUELOS, vec![(creada(id(3), "ana", 0), 0)]));
    // Effects: the aliases, the rows, then a write for each reservation.
    for (at, expected) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 3)] {
        let bench = Bench {
            tables: Arc::new(MemoryTables::new()),
            ..bench.clone()
        };
        let outcome = bench
            .deliver(&Faults::once(at, Fault::FailBefore), &records)
            .unwrap();
        assert_eq!(
            outcome.failed.unwrap().0,
            records[expected].sequence,
            "effect {at}"
        );
    }
}

#[test]
fn every_fault_at_every_effect_and_redelivery_gives_the_same_view() {
    let prepare = || {
        let bench = Bench::new();
        let mut records = approved(&bench);
        records.insert(2, record("k", b"not an event"));
        records.extend(bench.commit(
            id(2),
            VUELOS,
            vec![(creada(id(2), "luz", 5), 5), (cancelada(id(2), 6), 6)],
        ));
        // The payment never arrives by itself: a gap in its stream.
        let payments = bench.commit(
            id(2),
            PAGOS,
            vec![(pagada(id(2), 7), 7), (pagada(id(2), 8), 8)],
        );
        records.push(payments[1].clone());
        (bench, records)
    };
    let (bench, records) = prepare();
    let faults = Faults::none();
    bench.deliver(&faults, &records).unwrap();
    let (expected, effects) = (bench.rows("reservas.1"), faults.count());
    assert!(effects >= 6, "{:?}", faults.trace());
    for at in 0..effects {
        for fault in Fault::ALL {
            let context = format!("{fault:?} at effect {at}");
            let (bench, records) = prepare();
            let outcome = bench.deliver(&Faults::once(at, fault), &records);
            let from = match outcome {
                None => 0,
                Some(outcome) => outcome.failed.map_or(records.len(), |(sequence, _)| {
                    records
                        .iter()
                        .position(|record| record.sequence == sequence)
                        .unwrap()
                }),
            };
            // What comes before the record that failed is done, and is not delivered again.
            bench.settle(&records[from..]);
            assert_eq!(bench.rows("reservas.1"), expected, "{context}");
            assert_eq!(bench.parked().len(), 1, "{context}");
        }
    }
}

#[test]
fn another_invocation_at_every_effect() {
    let prepare = || {
        let bench = Bench::new();
        let records = approved(&bench);
        (bench, records)
    };
    let expected = {
        let (bench, records) = prepare();
        bench.settle(&records);
        bench.rows("reservas.1")
    };
    for at in 0..3 {
        for split in 0..4 {
            let (bench, records) = prepare();
            let (mine, others) = records.split_at(split);
            let (other, theirs) = (bench.clone(), [others, mine].concat());
            let work = async move {
                let projector =
                    other.projector(&Faults::none(), events::catalogue(), common::reservas());
                assert_eq!(projector.consumer().consume(&theirs).await.failed, None);
            };
            let faults = Faults::meanwhile(at, work.boxed());
            let outcome = bench.deliver(&faults, mine).unwrap();
            assert_eq!(outcome.failed, None, "effect {at}, split {split}");
            if faults.count() <= at {
                bench.settle(others);
            }
            assert_eq!(
                bench.rows("reservas.1"),
                expected,
                "effect {at}, split {split}"
            );
        }
    }
}

#[test]
fn a_batch_of_500_with_every_kind_of_trouble() {
    let bench = Bench::new();
    // 124 reservations of four events, and four records of trouble.
    let mut records = vec![];
    for number in 1..=124 {
        let subject = id(number);
        let made = vec![
            (creada(subject, "ana", 0), 0),
            (fallida(subject, 1), 1),
            (aprobada(subject, 2), 2),
        ];
        records.extend(bench.commit(subject, VUELOS, made));
        records.extend(bench.commit(subject, PAGOS, vec![(pagada(subject, 3), 3)]));
    }
    // A gap: two of one stream never arrive.
    let gap = bench.commit(
        id(200),
        VUELOS,
        vec![
            (creada(id(200), "luz", 0), 0),
            (fallida(id(200), 1), 1),
            (cancelada(id(200), 2), 2),
        ],
    );
    // A permanent failure, by a view that cannot fold payments of this one.
    let refused = bench.commit(id(201), PAGOS, vec![(pagada(id(201), 1), 1)]);
    let unknown = String::from_utf8(refused[0].data.clone())
        .unwrap()
        .replace("ReservaPagada", "ReservaEmpeñada");
    records.insert(77, record("k", b"{\"not\": an event"));
    records.insert(155, gap[2].clone());
    records.insert(233, refused[0].clone());
    records.insert(311, record("k", unknown.as_bytes()));
    assert_eq!(records.len(), 500);

    let faults = Faults::none();
    let picky = bench.projector(
        &faults,
        events::catalogue(),
        vec![Arc::new(PickyAbout(id(201)))],
    );
    let outcome = block_on(picky.consumer().consume(&records));
    assert_eq!(
        (outcome.records, outcome.parked, outcome.failed),
        (500, 2, None)
    );

    let rows = bench.rows("reservas.1");
    let aprobadas = rows
        .iter()
        .filter(|(_, row)| row.get("estado") == Some(&json!("Aprobada")));
    assert_eq!(aprobadas.count(), 124, "the good records are in the view");
    assert_eq!(
        bench.row(id(200)).unwrap()["estado"],
        "Cancelada",
        "the gap is healed"
    );
    let mut parked: Vec<_> = bench
        .parked()
        .into_iter()
        .map(|thing| (thing.owner, thing.reason))
        .collect();
    parked.sort_by_key(|(owner, reason)| format!("{owner} {reason:?}"));
    let expected = [
        ("projector", Reason::Undecodable),
        ("projector", Reason::UnknownType),
        ("reservas.1", Reason::Permanent),
    ];
    assert_eq!(
        parked,
        expected.map(|(owner, reason)| (owner.to_owned(), reason))
    );

    // A build that can fold it redrives the stream, and no more than that.
    let able = bench.projector(&Faults::none(), events::catalogue(), common::reservas());
    let redriven: Vec<_> = bench
        .parked()
        .iter()
        .map(|thing| block_on(able.redrive(thing)).unwrap() == Redriven::Done)
        .collect();
    assert_eq!(redriven.iter().filter(|done| **done).count(), 1);
    assert_eq!(bench.row(id(201)).unwrap()["guard"], json!({ "pago": 1 }));
    assert_eq!(bench.parked().len(), 2);
}
