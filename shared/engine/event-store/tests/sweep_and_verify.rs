//! The sweeper, and the verification that streams and log agree.
#![cfg(test)]
#![allow(dead_code, reason = "each test uses a part of the bench")]

mod common;

use std::time::Duration;

use alpes_event_store::{Beyond, Difference, Readings, Source, Sweeper, Verification, verify};
use alpes_ports::{Condition, Log, LogRecord, NewRecord, Path, Tables, Update};
use common::{Bench, add, open};
use futures::executor::block_on;
use simulation::{Fault, Faults};
use twins::MemoryLog;

fn crashed() -> Bench {
    let bench = Bench::new();
    assert!(
        bench
            .send(&Faults::once(1, Fault::KillBefore), &open(1))
            .is_none()
    );
    bench
}

fn finds(bench: &Bench, difference: &Difference) -> bool {
    bench.verify().differences.contains(difference)
}

#[test]
fn the_sweeper_publishes_what_a_crash_left() {
    let bench = crashed();
    assert_eq!(bench.verify().pending, 1);
    let swept = bench.sweep();
    assert_eq!(
        (swept.found, swept.published, swept.failed.len(), swept.more),
        (1, 1, 0, false)
    );
    assert_eq!(
        swept.oldest.unwrap().to_string(),
        "2026-01-31T10:00:00.000Z"
    );
    bench.check(1, "after the sweep");
    assert_eq!(bench.sweep(), alpes_event_store::Swept::default());
}

#[test]
fn the_sweeper_leaves_the_young_alone() {
    let bench = crashed();
    let store = bench.store(&Faults::none());
    let older_than = Duration::from_secs(10);
    let sweeper = Sweeper {
        older_than,
        ..Sweeper::new(&store)
    };
    assert_eq!(block_on(sweeper.sweep()).unwrap().found, 0);
    bench.clock.advance(Duration::from_secs(11));
    assert_eq!(block_on(sweeper.sweep()).unwrap().published, 1);
}

#[test]
fn a_stream_that_cannot_be_published_is_told_and_stays_on_the_list() {
    let bench = crashed();
    // Effects 0 to 15 read the index, effect 16 reads the stream, and effect 17 is the append that fails.
    let faults = Faults::once(17, Fault::FailBefore);
    let store = bench.store(&faults);
    let older_than = Duration::ZERO;
    let sweeper = Sweeper {
        older_than,
        ..Sweeper::new(&store)
    };
    bench.clock.advance(Duration::from_secs(1));
    let swept = block_on(sweeper.sweep()).unwrap();
    assert_eq!(
        (swept.found, swept.published, swept.failed.len()),
        (1, 0, 1)
    );
    assert!(bench.listed());
    assert_eq!(bench.sweep().published, 1);
}

#[test]
fn verify_finds_each_kind_of_difference() {
    let bench = Bench::new();
    bench.insist(&Faults::none(), &open(1));
    bench.insist(&Faults::none(), &add(2, 1));
    let stream = bench.stream();
    assert_eq!(bench.verify().differences, []);

    // The log gets a second copy of the event, and then an altered copy.
    let append = |key: &str, data: &[u8]| {
        block_on(bench.log.append(NewRecord::new(key, data))).unwrap();
    };
    let partition_key = stream.id.id.to_string();
    let text = stream.events[1].clone();
    append(&partition_key, text.as_bytes());
    assert_eq!(
        (bench.verify().duplicates, bench.verify().differences.len()),
        (1, 0)
    );
    let altered = text.replace("please", "kindly");
    append(&partition_key, altered.as_bytes());
    assert!(finds(
        &bench,
        &Difference::Altered(Source::Log, stream.id, 2)
    ));

    // The log has an event that was never committed.
    let invented = text.replace("\"streamversion\":2", "\"streamversion\":9");
    append(&partition_key, invented.as_bytes());
    assert!(finds(
        &bench,
        &Difference::Unknown(Source::Log, stream.id, 9)
    ));

    // The log has a record that is no event.
    append("k", b"\xff");
    assert_eq!(bench.verify().foreign, 1);

    // The log has an event of a context that the catalogue does not have.
    let others = text.replace(&stream.id.to_string(), &format!("hotel-{partition_key}"));
    assert_ne!(others, text);
    append("k", others.as_bytes());
    let before = bench.verify().differences;
    assert_eq!(bench.verify().foreign, 2);
    let is_of_others = |difference: &Difference| difference.to_string().contains("hotel");
    assert!(!before.iter().any(is_of_others), "{before:?}");

    // The event is marked as published but is not in the log.
    let bench = crashed();
    let lie = Update::of(alpes_event_store::Stream::key(stream.id))
        .when(Condition::Exists)
        .set(Path::of("published"), 1);
    block_on(bench.tables.write(&lie.into())).unwrap();
    assert_eq!(
        bench.verify().differences,
        [Difference::Missing(stream.id, 1)]
    );
}

/// Verifies the bench's streams against a log that keeps `minutes` minutes, and an archive. The time is a minute after
/// the last event.
fn verify_with(
    bench: &Bench,
    log: &MemoryLog,
    kept_minutes: u64,
    archive: &[LogRecord],
) -> Verification {
    let kept = Duration::from_mins(kept_minutes);
    let now = bench.world.clock.now() + Duration::from_mins(1);
    let mut readings = Readings::default();
    for records in archive.chunks(2) {
        readings.add(records, &toy::catalogue());
    }
    let beyond = Beyond {
        kept_since: (now - kept).into(),
        archive: readings,
    };
    let reader = bench.reader();
    block_on(verify(&*bench.tables, log, &reader, Some(beyond))).unwrap()
}

#[test]
fn what_the_log_has_forgotten_must_be_in_the_archive() {
    let bench = Bench::new();
    bench.insist(&Faults::none(), &open(1));
    bench.insist(&Faults::none(), &add(2, 2));
    let id = bench.stream().id;
    let records = bench.log.records();
    assert_eq!(records.len(), 3);
    let forgotten = MemoryLog::new(2, bench.world.clock.clone());
    let found = |kept_minutes, archive: &[LogRecord]| {
        let verified = verify_with(&bench, &forgotten, kept_minutes, archive);
        assert_eq!((verified.committed, verified.in_log), (3, 0));
        (verified.expired, verified.archived, verified.differences)
    };

    // The archive has all events, some of them twice.
    assert_eq!(found(0, &records), (3, 3, vec![]));
    let twice = [&records[..], &records[1..]].concat();
    assert_eq!(found(0, &twice), (3, 3, vec![]));

    let lost = vec![Difference::Lost(id, 2)];
    let archive = [records[0].clone(), records[2].clone()];
    assert_eq!(found(0, &archive), (3, 2, lost));

    // With a retention of 60 minutes, the log must still have these events, even if the archive has copies of them.
    let missing: Vec<_> = (1..=3)
        .map(|version| Difference::Missing(id, version))
        .collect();
    assert_eq!(found(60, &records), (0, 3, missing));

    let changed = |from: &str, to: &str| {
        let mut record = records[1].clone();
        let text = String::from_utf8(record.data).unwrap();
        record.data = text.replace(from, to).into_bytes();
        [&records[..1], &[record], &records[2..]].concat()
    };
    let altered = vec![Difference::Altered(Source::Archive, id, 2)];
    assert_eq!(
        found(0, &changed("please", "kindly")),
        (3, 2, altered.clone()),
        "altered"
    );
    let both = [&records[..], &changed("please", "kindly")].concat();
    assert_eq!(found(0, &both).2, altered, "altered in one of two copies");
    let invented = changed("\"streamversion\":2", "\"streamversion\":9");
    assert_eq!(
        found(0, &invented).2,
        [
            Difference::Lost(id, 2),
            Difference::Unknown(Source::Archive, id, 9)
        ]
    );
}

#[test]
fn what_the_log_has_forgotten_may_be_an_event_of_an_older_version() {
    let bench = Bench::new();
    bench.insist(&Faults::none(), &open(1));
    let (stream, text) = (bench.stream().id, bench.stream().events.remove(0));
    let old = text.replace(":v2", ":v1").replace("\"days\":21,", "");
    assert_eq!(text.len() - old.len(), 10, "{old}");
    let bench = Bench::new();
    let leave = Update::of(alpes_event_store::Stream::key(stream))
        .set(Path::of("version"), 1)
        .set(Path::of("published"), 1)
        .set(Path::of("receipts"), serde_json::json!({}))
        .append(Path::of("events"), vec![old.as_str().into()]);
    block_on(bench.tables.write(&leave.into())).unwrap();
    let log = MemoryLog::new(2, bench.world.clock.clone());
    let lost = verify_with(&bench, &log, 0, &[]);
    assert_eq!(lost.differences, [Difference::Lost(stream, 1)]);
    block_on(log.append(NewRecord::new("k", old.as_bytes()))).unwrap();
    let archive = log.records();
    log.trim(jiff::Timestamp::MAX);
    let archived = verify_with(&bench, &log, 0, &archive);
    assert_eq!((archived.expired, archived.differences), (1, vec![]));
}

#[test]
fn what_is_in_log_and_archive_counts_in_both() {
    let bench = Bench::new();
    bench.insist(&Faults::none(), &open(1));
    bench.insist(&Faults::none(), &add(2, 2));
    let archive = &bench.log.records()[..2];
    let expected = Verification {
        streams: 1,
        committed: 3,
        in_log: 3,
        archived: 2,
        ..Verification::default()
    };
    assert_eq!(verify_with(&bench, &bench.log, 0, archive), expected);
}
