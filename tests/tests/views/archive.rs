//! The archive alone suffices to rebuild the views, without the log and the event streams.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use alpes_event_store::Stream;
use alpes_messages::{Event, StreamId, Version};
use alpes_ports::LogRecord;
use alpes_projections::Rebuilder;
use domain_kit::rows;
use e2e::{Fate, Stack, eventually, journeys};
use twins::{MemoryTables, Ports};
use wiring::Wiring;

use crate::{VIEWS, alone, book, copy, fold};

const RESERVATIONS: usize = 12;
/// The test's clock does not advance while a phase runs, so this budget never ends.
const UNLIMITED: Duration = Duration::from_secs(1);

#[test]
fn the_archive_alone_rebuilds_both_views() {
    let _alone = alone();
    let stack = Stack::from_env();
    let clock = Instant::now();
    let orders = (0..).zip(journeys(RESERVATIONS));
    let orders: Vec<_> = orders
        .map(|(number, journey)| match number % 3 {
            2 => stack.order(Fate::Declined, journey),
            _ => stack.order(Fate::Good, journey),
        })
        .collect();
    stack.at_rest(&book(&stack, &orders));
    fold::agree(&stack);
    let archived = complete(&stack);
    println!(
        "{} records archived after {:?}",
        archived.len(),
        clock.elapsed()
    );

    let (world, time) = twins::world(1);
    let tables = Arc::new(MemoryTables::new());
    // Tests have appended some events to the log in the wrong order, so the archive has them in this order too. Only
    // the event stream can fill the resulting gap, so only the streams of these events are copied.
    let disordered = disordered(&archived);
    println!("{} streams are out of order in it", disordered.len());
    let streams = stack.every_item(alpes_event_store::TABLE).into_iter();
    let left = streams.filter(|(key, _)| disordered.contains(&key.pk));
    copy(&stack, &tables, left);
    let wiring = Wiring::new(Ports {
        tables: tables.clone(),
        ..Ports::new(world)
    });
    let rebuilder = Rebuilder {
        archive: stack.archive.clone(),
        ..wiring.rebuilder().unwrap()
    };
    for view in VIEWS {
        let rebuilt = loop {
            let progress = stack.wait(rebuilder.run(view, UNLIMITED)).unwrap();
            if progress.phase.is_none() {
                break progress;
            }
            time.advance(progress.wait);
        };
        println!(
            "{view}: {} events after {:?}",
            rebuilt.events,
            clock.elapsed()
        );
        let real = stack.every_item(alpes_projections::TABLE);
        let real = rows(real, &stack.live(view).to_string());
        let built = tables.all(alpes_projections::TABLE);
        let built = rows(built, &rebuilt.generation.to_string());
        assert!(real.len() >= RESERVATIONS);
        let keys: BTreeSet<_> = real.keys().chain(built.keys()).collect();
        for key in keys {
            assert_eq!(built.get(key), real.get(key), "{view}: {key}");
        }
    }
}

/// Waits until the archive has every event, and returns all archived records.
fn complete(stack: &Stack) -> Vec<LogRecord> {
    let streams = stack.every_item(alpes_event_store::TABLE).into_iter();
    let committed: BTreeSet<Vec<u8>> = streams
        .flat_map(|(key, item)| {
            let stream = Stream::from_item(key.pk.parse().unwrap(), &item);
            stream.unwrap().events
        })
        .map(String::into_bytes)
        .collect();
    eventually("the archive has every event", || {
        let archived = stack.whole_archive();
        let texts: BTreeSet<_> = archived.iter().map(|record| &record.data).collect();
        let missing = committed.iter().filter(|text| !texts.contains(text));
        (missing.count() == 0).then_some(archived)
    })
}

/// The event streams whose records have a later event before an earlier one.
fn disordered(records: &[LogRecord]) -> BTreeSet<String> {
    let mut known: BTreeMap<StreamId, Version> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for record in records {
        let Ok((event, _)) = Event::decode(&record.data, &events::catalogue()) else {
            continue;
        };
        let known = known.entry(event.stream).or_default();
        if event.streamversion > *known + 1 {
            found.insert(event.stream.to_string());
        }
        *known = event.streamversion.max(*known);
    }
    found
}
