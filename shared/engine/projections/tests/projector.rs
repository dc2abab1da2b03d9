//! The projector with good events, bad records, gaps, and a fault at every effect.
#![cfg(test)]
#![allow(dead_code, reason = "each test uses a part of the bench")]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alpes_consumer::{Parked, Parking, Reason, Redrive, Redriven, Redriver, Redriving};
use alpes_event_store::StreamReader;
use alpes_messages::{Event, SubjectId};
use alpes_ports::{
    Consistency, Found, Item, Key, LogRecord, TableError, Tables, TransactError, Write, WriteError,
};
use alpes_projections::{Place, Projector, Unfoldable, View};
use async_trait::async_trait;
use common::Library;
use domain_kit::{
    Happens::{Done, Helped, Noted, Opened, Undone},
    ViewBench, id, moment, record,
};
use futures::{FutureExt, executor::block_on};
use jiff::Timestamp;
use serde_json::json;
use simulation::{Fault, Faults};
use toy::{
    Fact,
    views::{Days, Loans},
};
use twins::{MemoryTables, Over, TablesOver};

type Bench = ViewBench<Library>;

/// Makes a projector retry the entries that are due.
async fn due(bench: &Bench, projector: &Projector<Fact>) -> Result<Redriving, TableError> {
    let parked = projector.parking().list().await?;
    let redriver = Redriver {
        parking: projector.parking(),
        world: &bench.world,
        consumers: &[projector],
    };
    Ok(redriver.redrive_due(&parked, Timestamp::MAX).await)
}

/// The records of one loan that was opened, secured and handed over, in the order of its events.
fn approved(bench: &Bench) -> Vec<LogRecord> {
    let made = bench.happen(id(1), &[(Opened, 0)]);
    let paid = bench.happen(id(1), &[(Helped, 1)]);
    let approved = bench.happen(id(1), &[(Noted, 2), (Done, 3)]);
    [made, paid, approved].concat()
}

#[test]
fn a_row_says_what_happened() {
    let bench = Bench::new();
    let records = approved(&bench);
    for (upto, status) in [(1, "open"), (2, "secured"), (3, "secured"), (4, "lent")] {
        bench.settle(&records[..upto]);
        let row = bench.row(id(1)).unwrap();
        assert_eq!(row["status"], status);
        assert_eq!(row["gsi1pk"], format!("loans.1#status:{status}"));
        assert_eq!(row["gsi2pk"], format!("loans.1#reader:ana:{status}"));
        assert_eq!(row["gsi1sk"], format!("{}#{}", moment(0), id(1)));
        assert_eq!(
            row["changed"],
            moment(i64::try_from(upto).unwrap() - 1).to_string()
        );
    }
    assert_eq!(
        bench.row(id(1)).unwrap()["guard"],
        json!({ "loan": 3, "deposit": 1 })
    );
    let more = bench.happen(id(1), &[(Undone, 9)]);
    bench.settle(&more);
    assert_eq!(bench.row(id(1)).unwrap()["status"], "cancelled");
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
    assert_eq!((row.get("gsi1pk"), row.get("loan")), (None, None));
    assert_eq!(row["guard"], json!({ "deposit": 1 }));
    bench.settle(&records[..1]);
    assert_eq!(
        bench.row(id(1)).unwrap()["gsi1pk"],
        "loans.1#status:secured"
    );
}

#[test]
fn a_batch_reads_all_rows_at_once_and_writes_each_once() {
    let bench = Bench::new();
    let mut records = vec![];
    for number in 1..=50 {
        let first = std::iter::once((Opened, 0));
        let all: Vec<_> = first.chain((1..10).map(|at| (Noted, at))).collect();
        records.extend(bench.happen(id(number), &all));
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
    // The projector makes one read of the views' aliases, one read of all rows, and then one write for each loan.
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
        (row["status"].as_str(), &row["guard"]),
        (Some("lent"), &json!({ "loan": 3 }))
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
        ("loans.1", Reason::Permanent)
    );
    assert!(
        parked[0].detail.contains("never committed"),
        "{}",
        parked[0].detail
    );
    assert_eq!(
        bench.row(id(1)).unwrap()["guard"],
        json!({ "loan": 3 }),
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
        .replace("LoanOpened", "LoanDreamt");
    let bad = [
        record("k", b"\xff\xfe"),
        record("k", &huge),
        record("k", unknown.as_bytes()),
    ];
    let batch = [&bad[..1], &good[..2], &bad[1..], &good[2..]].concat();
    let outcome = bench.settle(&batch);
    assert_eq!((outcome.records, outcome.parked), (7, 3));
    assert_eq!(bench.row(id(1)).unwrap()["status"], "lent");
    bench.settle(&batch);
    let parked = bench.parked();
    assert_eq!(parked.len(), 3, "delivered again, parked once");
    let parking = Parking::new(
        bench.tables.clone(),
        bench.world.clock.clone(),
        &toy::catalogue(),
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
    let older = || toy::catalogue().without("ReminderSent");
    let projector = bench.projector(&Faults::none(), older(), vec![Bench::view()]);
    let outcome = block_on(projector.consumer().consume(&records));
    assert_eq!((outcome.parked, outcome.failed), (1, None));
    // The record of the unknown type is parked, and its event stream from that event on.
    let parked = bench.parked();
    let reasons: Vec<_> = parked
        .iter()
        .map(|thing| (thing.owner.as_str(), thing.reason))
        .collect();
    assert_eq!(
        reasons,
        [
            ("projector", Reason::UnknownType),
            ("loans.1", Reason::UnknownType)
        ]
    );
    assert_eq!(bench.row(id(1)).unwrap()["status"], "secured");
    for thing in &parked {
        let redriven = block_on(projector.redrive(thing)).unwrap();
        assert!(matches!(redriven, Redriven::StillParked(_)), "{redriven:?}");
    }
    // The older build does not retry events of types that it does not know.
    let faults = Faults::none();
    let again = bench.projector(&faults, older(), vec![Bench::view()]);
    let waiting = Redriving {
        parked: 2,
        ..Redriving::default()
    };
    assert_eq!(block_on(due(&bench, &again)).unwrap(), waiting);
    assert_eq!(faults.count(), 1, "{:?}", faults.trace());
    // Another build that does not know the type either retries each entry once.
    let other = older().without("LoanCancelled");
    let third = bench.projector(&Faults::none(), other, vec![Bench::view()]);
    let is_due = |thing: &Parked| third.parking().is_due(thing);
    assert!(bench.parked().iter().all(is_due));
    assert_eq!(block_on(due(&bench, &third)).unwrap(), waiting);
    assert!(!bench.parked().iter().any(is_due));
    let newer = bench.projector(&Faults::none(), toy::catalogue(), vec![Bench::view()]);
    let freed = Redriving {
        redriven: 2,
        ..Redriving::default()
    };
    assert_eq!(block_on(due(&bench, &newer)).unwrap(), freed);
    assert_eq!(bench.parked(), []);
    let row = bench.row(id(1)).unwrap();
    assert_eq!(
        (row["status"].as_str(), row.get("blocked")),
        (Some("lent"), None)
    );
}

#[test]
fn a_record_redriven_by_itself_brings_in_what_came_after_it() {
    // Version 2 is parked as a record, and the event stream is parked from version 2 on. Then only the record is
    // retried.
    let bench = Bench::new();
    let records = approved(&bench);
    let older = toy::catalogue().without("ReminderSent");
    let projector = bench.projector(&Faults::none(), older, vec![Bench::view()]);
    block_on(projector.consumer().consume(&records));
    let parked = bench.parked();
    assert_eq!(parked.len(), 2);
    let newer = bench.projector(&Faults::none(), toy::catalogue(), vec![Bench::view()]);
    assert_eq!(block_on(newer.redrive(&parked[0])).unwrap(), Redriven::Done);
    let row = bench.row(id(1)).unwrap();
    assert_eq!(
        (row["status"].as_str(), row.get("blocked")),
        (Some("lent"), None)
    );
    assert_eq!(bench.parked(), []);
}

#[test]
fn whatever_fails_while_trying_again_nothing_is_lost() {
    let current = toy::catalogue();
    for at in 0..16 {
        for fault in Fault::ALL {
            let bench = Bench::new();
            let records = approved(&bench);
            let older = current.clone().without("ReminderSent");
            let projector = bench.projector(&Faults::none(), older, vec![Bench::view()]);
            block_on(projector.consumer().consume(&records));
            let faults = Faults::once(at, fault);
            let failing = bench.projector(&faults, current.clone(), vec![Bench::view()]);
            let _ = due(&bench, &failing).now_or_never();
            // No person is needed afterwards, whether an effect failed or the process died.
            let healthy = bench.projector(&Faults::none(), current.clone(), vec![Bench::view()]);
            block_on(bench.world.tasks.sleep(Duration::from_mins(1)));
            block_on(due(&bench, &healthy)).unwrap();
            let row = bench.row(id(1)).unwrap();
            let seen = (row["status"].as_str(), row.get("blocked"));
            assert_eq!(seen, (Some("lent"), None), "{fault:?} at effect {at}");
            assert_eq!(bench.parked(), []);
        }
    }
}

#[test]
fn what_is_discarded_stays_on_record_and_is_tried_no_more() {
    let bench = Bench::new();
    let unknown = String::from_utf8(approved(&bench)[0].data.clone())
        .unwrap()
        .replace("LoanOpened", "LoanRenewed");
    bench.settle(&[record("k", unknown.as_bytes())]);
    let older = toy::catalogue().without("LoanCancelled");
    let projector = bench.projector(&Faults::none(), older, vec![Bench::view()]);
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
    // A redelivered record is not parked again.
    bench.settle(&[record("k", unknown.as_bytes())]);
    assert!(bench.parked()[0].discarded.is_some());
}

/// The view `loans`, except that it cannot fold a deposit of this loan.
struct PickyAbout(SubjectId);

impl View<Fact> for PickyAbout {
    fn name(&self) -> &'static str {
        Loans.name()
    }

    fn fold(&self, row: &mut Item, event: &Event, fact: &Fact) -> Result<(), Unfoldable> {
        if event.subject == self.0 && matches!(fact, Fact::DepositPaid(_)) {
            return Err(Unfoldable("no deposits please".into()));
        }
        Loans.fold(row, event, fact)
    }

    fn places(&self, row: &Item) -> [Option<Place>; 2] {
        Loans.places(row)
    }
}

#[test]
fn a_stream_that_cannot_be_folded_is_parked_and_the_others_go_on() {
    let bench = Bench::new();
    let records = approved(&bench);
    let picky = bench.projector(
        &Faults::none(),
        toy::catalogue(),
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
        ("loans.1", "no deposits please")
    );
    let row = bench.row(id(1)).unwrap();
    assert_eq!(
        (&row["guard"], &row["blocked"]),
        (&json!({ "loan": 3 }), &json!({ "deposit": 1 }))
    );
    assert!(matches!(
        block_on(picky.redrive(&parked[0])).unwrap(),
        Redriven::StillParked(_)
    ));
    // A build that can fold the deposit: with the next event of the stream it folds the missing events too, and
    // unblocks the stream.
    let more = bench.happen(id(1), &[(Helped, 8)]);
    bench.settle(&more);
    assert_eq!(bench.parked(), []);
    assert_eq!(
        bench.row(id(1)).unwrap()["guard"],
        json!({ "loan": 3, "deposit": 2 })
    );
}

/// Tables that refuse each write of this row, as if the row were too large. If `reads` is set, they also refuse each
/// read of the row, as if an attribute were no JSON.
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
impl TablesOver for Refusing {
    fn inner(&self) -> &dyn Tables {
        &*self.tables
    }

    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
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
}

#[test]
fn a_row_that_the_table_refuses_parks_its_stream_for_that_view_alone() {
    let views: [Arc<dyn View<Fact>>; 2] = [Arc::new(Loans), Arc::new(Days)];
    for (view, reads) in views.iter().flat_map(|view| [(view, false), (view, true)]) {
        let bench = Bench::new();
        let tables = Arc::new(Over(Refusing {
            tables: bench.tables.clone(),
            row: Mutex::default(),
            reads,
        }));
        let reader = StreamReader::new(tables.clone(), toy::catalogue());
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
        let made = |number| bench.happen(id(number), &[(Opened, 0)]);
        settle(&made(1));
        let owner = format!("{}.1", view.name());
        let key = Key::new(
            alpes_projections::TABLE,
            format!("{owner}#{}", id(1)),
            "row",
        );
        *tables.row.lock().unwrap() = Some(key);
        let mut records = bench.happen(id(1), &[(Helped, 1)]);
        records.extend(made(2));
        records.extend(bench.happen(id(1), &[(Undone, 2)]));
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
        let made = json!({ "loan": 1 });
        assert_eq!(in_step(&bench, id(2)), [made.clone(), made.clone()]);
        let whole = json!({ "loan": 2, "deposit": 1 });
        let place = usize::from(view.name() == Days.name());
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
    let alias = alpes_ports::Update::of(Key::new(alpes_projections::TABLE, "loans", "alias"))
        .set(alpes_ports::Path::of("live"), 2)
        .set(alpes_ports::Path::of("building"), 3);
    block_on(Tables::write(&*bench.tables, &alias.into())).unwrap();
    bench.settle(&records);
    let (live, building) = (bench.rows("loans.2"), bench.rows("loans.3"));
    assert_eq!(
        (live.len(), building.len(), bench.rows("loans.1").len()),
        (1, 1, 0)
    );
    assert_eq!(live[0].1["gsi1pk"], "loans.2#status:lent");
    assert_eq!(building[0].1["gsi1pk"], "loans.3#status:lent");
}

#[test]
fn the_first_record_that_failed_is_told() {
    let bench = Bench::new();
    let mut records = bench.happen(id(1), &[(Opened, 0)]);
    records.extend(bench.happen(id(2), &[(Opened, 0), (Done, 1)]));
    records.extend(bench.happen(id(3), &[(Opened, 0)]));
    // The effects are the read of the aliases, the read of the rows, then a write for each loan.
    for (at, expected) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 3)] {
        let bench = Bench::over(Arc::new(MemoryTables::new()), bench.world.clone());
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
        records.extend(bench.happen(id(2), &[(Opened, 5), (Undone, 6)]));
        // The deposit never arrives: there is a gap in its stream.
        let deposits = bench.happen(id(2), &[(Helped, 7), (Helped, 8)]);
        records.push(deposits[1].clone());
        (bench, records)
    };
    let (bench, records) = prepare();
    let faults = Faults::none();
    bench.deliver(&faults, &records).unwrap();
    let (expected, effects) = (bench.rows("loans.1"), faults.count());
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
            // Records before the one that failed are done, and are not delivered again.
            bench.settle(&records[from..]);
            assert_eq!(bench.rows("loans.1"), expected, "{context}");
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
        bench.rows("loans.1")
    };
    for at in 0..3 {
        for split in 0..4 {
            let (bench, records) = prepare();
            let (mine, others) = records.split_at(split);
            let (other, theirs) = (bench.clone(), [others, mine].concat());
            let work = async move {
                let projector =
                    other.projector(&Faults::none(), toy::catalogue(), vec![Bench::view()]);
                assert_eq!(projector.consumer().consume(&theirs).await.failed, None);
            };
            let faults = Faults::meanwhile(at, work.boxed());
            let outcome = bench.deliver(&faults, mine).unwrap();
            assert_eq!(outcome.failed, None, "effect {at}, split {split}");
            if faults.count() <= at {
                bench.settle(others);
            }
            assert_eq!(
                bench.rows("loans.1"),
                expected,
                "effect {at}, split {split}"
            );
        }
    }
}

#[test]
fn a_batch_of_500_with_every_kind_of_trouble() {
    let bench = Bench::new();
    // The batch has 124 loans of four events each, and four further records, one for each kind of trouble.
    let mut records = vec![];
    for number in 1..=124 {
        let subject = id(number);
        let made = vec![(Opened, 0), (Noted, 1), (Done, 2)];
        records.extend(bench.happen(subject, &made));
        records.extend(bench.happen(subject, &[(Helped, 3)]));
    }
    // A gap: two events of one stream never arrive.
    let gap = bench.happen(id(200), &[(Opened, 0), (Noted, 1), (Undone, 2)]);
    // A permanent failure: the view cannot fold deposits of this loan.
    let refused = bench.happen(id(201), &[(Helped, 1)]);
    let unknown = String::from_utf8(refused[0].data.clone())
        .unwrap()
        .replace("DepositPaid", "DepositPawned");
    records.insert(77, record("k", b"{\"not\": an event"));
    records.insert(155, gap[2].clone());
    records.insert(233, refused[0].clone());
    records.insert(311, record("k", unknown.as_bytes()));
    assert_eq!(records.len(), 500);

    let faults = Faults::none();
    let picky = bench.projector(
        &faults,
        toy::catalogue(),
        vec![Arc::new(PickyAbout(id(201)))],
    );
    let outcome = block_on(picky.consumer().consume(&records));
    assert_eq!(
        (outcome.records, outcome.parked, outcome.failed),
        (500, 2, None)
    );

    let rows = bench.rows("loans.1");
    let lent = rows
        .iter()
        .filter(|(_, row)| row.get("status") == Some(&json!("lent")));
    assert_eq!(lent.count(), 124, "the good records are in the view");
    assert_eq!(
        bench.row(id(200)).unwrap()["status"],
        "cancelled",
        "the gap is healed"
    );
    let mut parked: Vec<_> = bench
        .parked()
        .into_iter()
        .map(|thing| (thing.owner, thing.reason))
        .collect();
    parked.sort_by_key(|(owner, reason)| format!("{owner} {reason:?}"));
    let expected = [
        ("loans.1", Reason::Permanent),
        ("projector", Reason::Undecodable),
        ("projector", Reason::UnknownType),
    ];
    assert_eq!(
        parked,
        expected.map(|(owner, reason)| (owner.to_owned(), reason))
    );

    // A build that can fold the deposit redrives only this event stream.
    let able = bench.projector(&Faults::none(), toy::catalogue(), vec![Bench::view()]);
    let redriven: Vec<_> = bench
        .parked()
        .iter()
        .map(|thing| block_on(able.redrive(thing)).unwrap() == Redriven::Done)
        .collect();
    assert_eq!(redriven.iter().filter(|done| **done).count(), 1);
    assert_eq!(
        bench.row(id(201)).unwrap()["guard"],
        json!({ "deposit": 1 })
    );
    assert_eq!(bench.parked().len(), 2);
}
