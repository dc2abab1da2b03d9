//! Counts the AWS calls that the view `analitica` makes.

use std::{collections::BTreeMap, sync::Arc};

use alpes_event_store::StreamReader;
use alpes_messages::Event;
use alpes_ports::{LogRecord, Tables};
use alpes_projections::Projector;
use e2e::Stack;
use simulation::Faults;
use twins::MemoryTables;
use views::analitica::Analitica;

use crate::{copy, plain::plainly};

/// The records of a batch: as many as the keys of one read, so that each effect is one call to DynamoDB.
const BATCH: usize = 100;

/// Folds the events of the log in batches, over tables in memory. Asserts that batches take at most a fifth of the AWS
/// calls that one event at a time takes.
pub fn compare(stack: &Stack, log: &[LogRecord]) {
    // A record that is no event is left out: it is only parked, and so would cost the same in both.
    let is_event = |record: &&LogRecord| Event::decode(&record.data, &events::catalogue()).is_ok();
    let mut shards: BTreeMap<&str, Vec<LogRecord>> = BTreeMap::new();
    for record in log.iter().filter(is_event) {
        shards
            .entry(&record.shard)
            .or_default()
            .push(record.clone());
    }
    let (plain, ours) = (Faults::none(), Faults::none());
    // Gaps in the log are filled from the event streams.
    let memory = Arc::new(MemoryTables::new());
    copy(stack, &memory, stack.every_item(alpes_event_store::TABLE));
    let tables: Arc<dyn Tables> = Arc::new(ours.tables(memory));
    let projector = Projector::new(
        tables.clone(),
        StreamReader::new(tables, events::catalogue()),
        twins::world(1).0,
        vec![Arc::new(Analitica)],
    );
    let plain_tables = plain.tables(Arc::new(MemoryTables::new()));
    let mut events = 0;
    for records in shards.values() {
        events += records.len();
        stack.wait(plainly(&plain_tables, records));
        for batch in records.chunks(BATCH) {
            let outcome = stack.wait(projector.consumer().consume(batch));
            assert_eq!(outcome.failed, None);
        }
    }
    let of_1000 = |count: usize| count * 1_000 / events;
    println!(
        "DynamoDB calls for 1,000 of {events} events: {} by the view analitica in batches of {BATCH}, {} with one call for each event",
        of_1000(ours.count()),
        of_1000(plain.count())
    );
    assert!(ours.count() * 5 <= plain.count());
}
