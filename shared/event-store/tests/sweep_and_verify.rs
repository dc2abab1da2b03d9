//! The sweeper, and the proof that streams and log agree.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests fail by panicking, and share a bench of which each uses a part"
)]

mod common;

use common::{Bench, add, open};
use event_store::Difference;
use futures::executor::block_on;
use ports::{Condition, Log, Path, Tables, Update};
use simulation::{Fault, Faults};

fn crashed() -> Bench {
    let bench = Bench::new();
    assert!(
        bench
            .send(&Faults::once(1, Fault::KillBefore), &open(1))
            .is_none()
    );
    bench
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
    assert_eq!(bench.sweep(), event_store::Swept::default());
}

#[test]
fn the_sweeper_leaves_the_young_alone() {
    let bench = crashed();
    let store = bench.store(&Faults::none());
    let older_than = std::time::Duration::from_secs(10);
    let sweeper = event_store::Sweeper {
        store: &store,
        tables: &*bench.tables,
        world: &bench.world,
        older_than,
        budget: std::time::Duration::MAX,
    };
    assert_eq!(block_on(sweeper.sweep()).unwrap().found, 0);
    bench.clock.advance(std::time::Duration::from_secs(11));
    assert_eq!(block_on(sweeper.sweep()).unwrap().published, 1);
}

#[test]
fn a_stream_that_cannot_be_published_is_told_and_stays_on_the_list() {
    let bench = crashed();
    let faults = Faults::once(1, Fault::FailBefore);
    let store = bench.store(&faults);
    let older_than = std::time::Duration::ZERO;
    let sweeper = event_store::Sweeper {
        store: &store,
        tables: &*bench.tables,
        world: &bench.world,
        older_than,
        budget: std::time::Duration::MAX,
    };
    bench.clock.advance(std::time::Duration::from_secs(1));
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

    // In the log twice, once altered.
    let partition_key = stream.id.id.to_string();
    let text = stream.events[1].clone();
    block_on(bench.log.append(&partition_key, text.as_bytes(), None)).unwrap();
    assert_eq!(
        (bench.verify().duplicates, bench.verify().differences.len()),
        (1, 0)
    );
    let altered = text.replace("nota", "otra");
    block_on(bench.log.append(&partition_key, altered.as_bytes(), None)).unwrap();
    assert!(
        bench
            .verify()
            .differences
            .contains(&Difference::Altered(stream.id, 2))
    );

    // In the log, never committed.
    let invented = text.replace("\"streamversion\":2", "\"streamversion\":9");
    block_on(bench.log.append(&partition_key, invented.as_bytes(), None)).unwrap();
    assert!(
        bench
            .verify()
            .differences
            .contains(&Difference::Unknown(stream.id, 9))
    );

    // Not an event.
    block_on(bench.log.append("k", b"\xff", None)).unwrap();
    assert_eq!(bench.verify().foreign, 1);

    // Noted as published, and not in the log.
    let bench = crashed();
    let lie = Update::of(event_store::Stream::key(stream.id))
        .when(Condition::Exists)
        .set(Path::of("published"), 1);
    block_on(bench.tables.write(&lie.into())).unwrap();
    assert_eq!(
        bench.verify().differences,
        [Difference::Missing(stream.id, 1)]
    );
}
