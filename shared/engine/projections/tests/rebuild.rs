//! Rebuilding a view during writes and reads, with faults everywhere.
#![cfg(test)]
#![allow(dead_code, reason = "each test uses a part of the bench")]

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alpes_archive::Archive;
use alpes_consumer::{ParkedWhat, Reason, Trouble};
use alpes_messages::StreamId;
use alpes_ports::{
    Key, KeyRange, LogReader, LogRecord, ObjectError, Objects, Path, Tables, Update,
};
use alpes_projections::{Phase, Progress, RebuildError};
use async_trait::async_trait;
use common::Library;
use domain_kit::{
    Happens::{Helped, Opened},
    id,
    rebuilding::{self, BUDGET},
};
use futures::{FutureExt, executor::block_on};
use simulation::{Fault, Faults};
use toy::LOANS;
use twins::{ManualClock, MemoryLog, MemoryObjects};

type System = rebuilding::System<Library>;

const LENT: &str = "loans";
const COUNTED: &str = "days";

/// Runs the rebuild until it is done, and waits after each run as long as the run asks. Returns the phase after each
/// run.
fn to_the_end(system: &System, view: &str) -> Vec<Option<Phase>> {
    let mut phases = vec![];
    for _ in 0..100 {
        let rebuilder = system.rebuilder(&Faults::none());
        let progress: Progress = block_on(rebuilder.run(view, Duration::ZERO)).unwrap();
        if phases.last() != Some(&progress.phase) {
            phases.push(progress.phase);
        }
        if progress.phase.is_none() {
            return phases;
        }
        system.clock.advance(progress.wait);
    }
    panic!("it does not end: {phases:?}");
}

/// Creates loans in every state, and folds them into the views.
fn some(system: &System) {
    for number in 1..=12 {
        system.history(number, u64::try_from(number).unwrap());
    }
    system.catch_up(&Faults::none());
}

#[test]
fn what_was_built_takes_the_place_of_what_was_there() {
    for view in [LENT, COUNTED] {
        let system = System::new(2);
        some(&system);
        system.archive_all();
        let before = system.rows(view, 1);
        assert!(!before.is_empty());
        assert_eq!(
            to_the_end(&system, view),
            [
                Some(Phase::Survey),
                Some(Phase::Archive),
                Some(Phase::Log),
                Some(Phase::Retire),
                Some(Phase::Drop),
                None
            ]
        );
        assert_eq!(system.rows(view, 2), before);
        assert!(system.rows(view, 1).is_empty());
        system.check(2).unwrap();
        // The view is rebuilt once more, from the generation that is live now.
        to_the_end(&system, view);
        assert_eq!(system.rows(view, 3), before);
        assert!(system.rows(view, 2).is_empty());
    }
}

#[test]
fn it_tells_how_many_objects_of_how_many_are_replayed_and_up_to_when_the_log_will_be() {
    let system = System::new(2);
    for number in 1..=40 {
        system.history(number, u64::try_from(number).unwrap());
    }
    system.catch_up(&Faults::none());
    system.archive_part(2);
    let objects = u64::try_from(system.objects_count()).unwrap();
    assert!(objects > 16, "{objects}");
    let begun = system.bench.world.clock.now();
    let mut seen = vec![];
    loop {
        let rebuilder = system.rebuilder(&Faults::none());
        let progress = block_on(rebuilder.run(COUNTED, Duration::ZERO)).unwrap();
        if let Some(Phase::Survey | Phase::Archive | Phase::Log) = progress.phase {
            let until = progress.goal.timestamp().duration_since(begun);
            assert_eq!(until.as_secs(), 10);
        }
        let counted = (progress.objects, progress.listed);
        if seen.last() != Some(&counted) {
            seen.push(counted);
        }
        if progress.phase.is_none() {
            break;
        }
        system.clock.advance(progress.wait);
    }
    assert_eq!(seen, [(0, objects), (16, objects), (objects, objects)]);
}

#[test]
fn the_archive_alone_rebuilds_the_views() {
    for view in [LENT, COUNTED] {
        let mut system = System::new(3);
        some(&system);
        system.archive_all();
        let before = system.rows(view, 1);
        // The log is new, without the old records, and the tables are empty.
        system.log = Arc::new(MemoryLog::new(3, system.bench.world.clock.clone()));
        for (key, _) in system.bench.tables.all(alpes_event_store::TABLE) {
            system.delete(key);
        }
        for (key, _) in system.bench.tables.all(alpes_projections::TABLE) {
            system.delete(key);
        }
        to_the_end(&system, view);
        assert_eq!(system.rows(view, 2), before);
    }
}

#[test]
fn the_log_alone_rebuilds_them_too() {
    let system = System::new(2);
    some(&system);
    let before = system.rows(COUNTED, 1);
    to_the_end(&system, COUNTED);
    assert_eq!(system.rows(COUNTED, 2), before);
}

#[test]
fn it_is_the_same_whatever_fails_and_wherever_it_is_stopped() {
    let prepared = || {
        let system = System::new(2);
        some(&system);
        system.archive_part(1);
        system
    };
    let calm = prepared();
    let quiet = Faults::none();
    while block_on(calm.rebuilder(&quiet).run(COUNTED, BUDGET))
        .unwrap()
        .phase
        .is_some()
    {
        calm.clock.advance(Duration::from_mins(1));
    }
    let expected = calm.rows(COUNTED, 2);
    assert!(quiet.count() > 20, "{:?}", quiet.trace());
    for at in 0..quiet.count() {
        for fault in Fault::ALL {
            let system = prepared();
            let faults = Faults::once(at, fault);
            for _ in 0..100 {
                // Each run is in a new process, as after a crash.
                let rebuilder = system.rebuilder(&faults);
                let progress = rebuilder.run(COUNTED, BUDGET).now_or_never();
                match progress {
                    Some(Ok(Progress { phase: None, .. })) => break,
                    Some(Ok(_)) => system.clock.advance(Duration::from_mins(1)),
                    // The run failed or died: its claim expires after a minute.
                    Some(Err(_)) | None => system.clock.advance(Duration::from_secs(61)),
                }
            }
            let live = system.live(COUNTED);
            assert_eq!(system.rows(COUNTED, live), expected, "{fault:?} at {at}");
            for other in (1..live).chain([live + 1]) {
                assert!(system.rows(COUNTED, other).is_empty(), "{fault:?} at {at}");
            }
        }
    }
}

/// The rebuilds whose progress no run has saved for a minute.
fn left_alone(system: &System) -> Vec<&'static str> {
    let rebuilder = system.rebuilder(&Faults::none());
    block_on(alpes_projections::left_alone(&rebuilder.projector)).unwrap()
}

#[test]
fn it_can_be_given_up_until_readers_see_it() {
    let system = System::new(1);
    some(&system);
    let rebuilder = system.rebuilder(&Faults::none());
    let run = |budget| block_on(rebuilder.run(LENT, budget));
    assert_eq!(
        block_on(rebuilder.abandon(LENT)),
        Err(RebuildError::NotRebuilding(LENT))
    );
    assert_eq!(
        block_on(rebuilder.resume(LENT, BUDGET)),
        Err(RebuildError::NotRebuilding(LENT))
    );
    assert_eq!(run(Duration::ZERO).unwrap().phase, Some(Phase::Archive));
    system.clock.advance(Duration::from_secs(20));
    let before = system.rows(LENT, 1);
    let given_up = block_on(rebuilder.abandon(LENT)).unwrap();
    assert_eq!(given_up.phase, Some(Phase::Drop));
    let waits = block_on(rebuilder.resume(LENT, BUDGET)).unwrap();
    assert_eq!(waits.wait, Duration::from_secs(90));
    system.clock.advance(waits.wait);
    let done = block_on(rebuilder.resume(LENT, BUDGET)).unwrap();
    assert_eq!(done.phase, None);
    assert_eq!(system.rows(LENT, 1), before);
    assert!(system.rows(LENT, 2).is_empty());
    assert!(left_alone(&system).is_empty());

    // A generation's number is never used again.
    assert_eq!(run(Duration::ZERO).unwrap().generation.number, 3);
    system.clock.advance(Duration::from_secs(20));
    assert_eq!(run(BUDGET).unwrap().phase, Some(Phase::Retire));
    assert_eq!(
        block_on(rebuilder.abandon(LENT)),
        Err(RebuildError::Switched(LENT))
    );
    assert!(left_alone(&system).is_empty());
    system.clock.advance(Duration::from_secs(61));
    assert_eq!(left_alone(&system), [LENT]);
}

/// The archive grows while it is read: later objects may sort before the page that was read last.
#[test]
fn what_is_archived_behind_its_back_is_replayed_from_the_log() {
    let system = System::new(2);
    for number in 1..=30 {
        system.history(number, 0);
    }
    let shards: Vec<_> = block_on(system.log.shards()).unwrap();
    let [first, second] = shards.as_slice() else {
        unreachable!("two shards")
    };
    let archive = Archive::new(system.objects.clone());
    let store = |records: &[LogRecord]| block_on(archive.store(records)).unwrap();
    let (ours, others) = (system.shard(first), system.shard(second));
    let (early, late) = ours.split_at(ours.len() / 2);
    // The archive has more objects than fit on one page, and its last objects are those of the second shard.
    for record in early.iter().chain(&others) {
        store(std::slice::from_ref(record));
    }
    let rebuilder = system.rebuilder(&Faults::none());
    while block_on(rebuilder.run(LENT, Duration::ZERO))
        .unwrap()
        .events
        == 0
    {}
    // Late records of the first shard are archived, those of today first and then those of tomorrow.
    store(late);
    system.clock.advance(Duration::from_hours(24));
    for number in 31..=36 {
        system.history(number, 0);
    }
    assert!(system.shard(first).len() > ours.len());
    store(&system.shard(first)[ours.len()..]);
    store(&system.shard(second)[others.len()..]);
    // The projector has folded none of these records, so a record that is not replayed would be missing.
    to_the_end(&system, LENT);
    assert_eq!(system.rows(LENT, 2).len(), 36);
    system.check(2).unwrap();
}

#[test]
fn a_view_that_is_not_there_is_named() {
    let system = System::new(1);
    let error = block_on(system.rebuilder(&Faults::none()).run("loan", BUDGET)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no view loan; there are: loans, days"
    );
}

#[test]
fn of_two_runs_at_once_one_works_and_the_other_stops() {
    // Another run comes before each effect of this run in turn.
    let prepared = || {
        let system = System::new(1);
        some(&system);
        system.archive_all();
        system
    };
    let calm = {
        let system = prepared();
        let faults = Faults::none();
        block_on(system.rebuilder(&faults).run(LENT, BUDGET)).unwrap();
        faults
    };
    let reads = |faults: &Faults| {
        let trace = faults.trace();
        let of_objects = trace.iter().filter(|call| call.starts_with("get events/"));
        of_objects.count()
    };
    let alone = reads(&calm);
    assert!(alone > 2, "{:?}", calm.trace());
    let mut stopped = [0, 0];
    for at in 0..calm.count() {
        let system = prepared();
        let before = system.rows(LENT, 1);
        let theirs = Faults::none();
        let other = system.rebuilder(&theirs);
        let others: Arc<Mutex<Option<Result<Progress, RebuildError>>>> = Arc::default();
        let outcome = others.clone();
        let faults = Faults::meanwhile(
            at,
            Box::pin(async move {
                let ended = other.run(LENT, BUDGET).await;
                *outcome.lock().unwrap() = Some(ended);
            }),
        );
        let ours = block_on(system.rebuilder(&faults).run(LENT, BUDGET));
        let others = others.lock().unwrap().take().unwrap();
        let overtaken = RebuildError::Overtaken(LENT);
        for (count, ended) in stopped.iter_mut().zip([&ours, &others]) {
            if let Err(error) = ended {
                assert_eq!(*error, overtaken, "before effect {at}");
                *count += 1;
            }
        }
        let both = reads(&faults) + reads(&theirs);
        assert_eq!(both, alone, "before effect {at}, the work is done twice");
        to_the_end(&system, LENT);
        assert_eq!(system.rows(LENT, system.live(LENT)), before);
    }
    assert!(stopped[0] > 0 && stopped[1] > stopped[0], "{stopped:?}");
}

/// An object store that lists keys slowly, and counts the lists.
struct SlowList {
    objects: Arc<MemoryObjects>,
    clock: Arc<ManualClock>,
    lists: AtomicUsize,
}

#[async_trait]
impl Objects for SlowList {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        self.objects.put(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        self.objects.get(key).await
    }

    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.clock.advance(Duration::from_secs(20));
        let limit = range.limit.min(5);
        self.objects.list(KeyRange { limit, ..range }).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.objects.delete(key).await
    }
}

#[test]
fn a_rebuild_that_lists_for_long_keeps_where_it_was() {
    let system = System::new(2);
    for number in 1..=60 {
        system.history(number, u64::try_from(number).unwrap());
    }
    system.catch_up(&Faults::none());
    for record in system.log.records() {
        let archive = Archive::new(system.objects.clone());
        block_on(archive.store(&[record])).unwrap();
    }
    let objects = system.objects_count();
    assert!(objects > 100);
    let before = system.rows(LENT, 1);
    let slow = Arc::new(SlowList {
        objects: system.objects.clone(),
        clock: system.clock.clone(),
        lists: AtomicUsize::new(0),
    });
    // A run's time is over long before all keys are listed.
    let stretch = Duration::from_mins(2);
    let mut stretches = 0;
    loop {
        let mut rebuilder = system.rebuilder(&Faults::none());
        rebuilder.archive = Archive::new(slow.clone());
        // While a run works, no other run begins.
        let progress = block_on(rebuilder.run(LENT, stretch)).unwrap();
        assert!(left_alone(&system).is_empty());
        stretches += 1;
        assert!(stretches < 200, "it does not get on: {progress:?}");
        if progress.phase.is_none() {
            break;
        }
        system.clock.advance(progress.wait);
    }
    assert_eq!(system.rows(LENT, 2), before);
    let lists = slow.lists.load(Ordering::SeqCst);
    // The survey makes some of the list calls, and each replayed page makes at most two. Each key is listed once.
    assert!(
        lists <= 3 * objects.div_ceil(4),
        "{lists} lists of {objects} objects"
    );
}

#[test]
fn a_rebuild_that_another_build_began_hides_no_other() {
    let system = System::new(1);
    some(&system);
    for view in [LENT, COUNTED] {
        let rebuilder = system.rebuilder(&Faults::none());
        block_on(rebuilder.run(view, Duration::ZERO)).unwrap();
    }
    system.clock.advance(Duration::from_secs(61));
    assert_eq!(left_alone(&system), [LENT, COUNTED]);
    let key = Key::new(alpes_projections::TABLE, LENT, "alias");
    let phase = Path::entry("rebuild", "phase");
    let newer = Update::of(key.clone()).set(phase, "polish");
    block_on(system.bench.tables.write(&newer.into())).unwrap();
    let alias = || {
        let tables = &system.bench.tables;
        block_on(tables.get_one(&key, alpes_ports::Consistency::Strong)).unwrap()
    };
    let before = alias();
    assert_eq!(left_alone(&system), [COUNTED]);
    let run = block_on(system.rebuilder(&Faults::none()).run(LENT, BUDGET));
    assert!(matches!(run, Err(RebuildError::Table(_))), "{run:?}");
    assert_eq!(alias(), before, "it is as it was");
}

#[test]
fn what_a_newer_build_parked_for_the_generation_that_goes_stays_and_stops_nothing() {
    let system = System::new(1);
    some(&system);
    let parking = system.rebuilder(&Faults::none());
    let parking = parking.projector.parking();
    for (number, reason) in [(1, "permanent"), (2, "permanent"), (3, "out-of-memory")] {
        let stream = StreamId::new(LOANS, id(number));
        let what = ParkedWhat::Stream { stream, version: 1 };
        let trouble = Trouble {
            what,
            reason: Reason::Permanent,
            detail: "",
            data: &[],
        };
        block_on(parking.park("loans.1", trouble)).unwrap();
        let key = Key::new(alpes_consumer::TABLE, "loans.1", format!("stream#{stream}"));
        let update = Update::of(key).set(Path::of("reason"), reason);
        block_on(system.bench.tables.write(&update.into())).unwrap();
    }
    to_the_end(&system, LENT);
    let lot = block_on(parking.all()).unwrap();
    assert_eq!(lot.parked, []);
    let left: Vec<_> = lot.unreadable.iter().map(|thing| &thing.place).collect();
    assert_eq!(left, [&format!("stream#{}", StreamId::new(LOANS, id(3)))]);
}

#[test]
fn records_that_are_no_events_are_passed_by() {
    let system = System::new(1);
    some(&system);
    system.append("key", b"no event");
    system.archive_all();
    let mut foreign = 0;
    let rebuilder = system.rebuilder(&Faults::none());
    loop {
        let progress = block_on(rebuilder.run(LENT, BUDGET)).unwrap();
        foreign = progress.foreign.max(foreign);
        if progress.phase.is_none() {
            break;
        }
        system.clock.advance(progress.wait);
    }
    assert_eq!(foreign, 1);
    assert_eq!(system.bench.parked(), []);
}

#[test]
fn events_of_a_type_that_only_a_newer_build_knows_are_kept_for_it() {
    let system = System::new(1);
    some(&system);
    let known = system.log.records();
    let text = String::from_utf8(known[0].data.clone()).unwrap();
    let newer = text.replace("LoanOpened", "LoanPainted");
    system.append("key", newer.as_bytes());
    system.archive_all();
    to_the_end(&system, LENT);
    let parked = system.bench.parked();
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (&*parked[0].owner, parked[0].reason),
        ("projector", Reason::UnknownType)
    );
}

#[test]
fn an_event_that_lands_while_both_are_written_is_in_both() {
    let system = System::new(1);
    some(&system);
    block_on(system.rebuilder(&Faults::none()).run(LENT, Duration::ZERO)).unwrap();
    let subject = id(99);
    for record in [
        system.bench.happen(subject, &[(Opened, 0)]),
        system.bench.happen(subject, &[(Helped, 1)]),
    ]
    .concat()
    {
        system.append(&record.partition_key, &record.data);
    }
    system.catch_up(&Faults::none());
    for generation in ["loans.1", "loans.2"] {
        let rows = system.bench.rows(generation);
        let (_, row) = rows
            .iter()
            .find(|(id, _)| *id == subject.to_string())
            .unwrap();
        assert_eq!(row["status"], "secured", "{generation}");
    }
    let alias = Key::new(alpes_projections::TABLE, LENT, "alias");
    let alias = block_on(
        system
            .bench
            .tables
            .get_one(&alias, alpes_ports::Consistency::Strong),
    );
    assert_eq!(alias.unwrap().unwrap()["building"], 2);
}
