//! Delivers the log to the projector by hand, in addition to its event source mapping: out of order, twice, and in
//! batches of any size.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use alpes_consumer::ParkedWhat;
use alpes_lambda::kinesis;
use alpes_ports::LogRecord;
use alpes_projections::CONSUMER;
use e2e::{Stack, eventually, side_by_side};
use simulation::Dice;

/// The sizes of batches, from 1 to the maximum of the projector's event source mapping.
const SIZES: [usize; 6] = [1, 3, 10, 40, 150, 500];
const PARTS: usize = 4;
/// The number of batches that are delivered at a time, since the shards of a log are delivered in parallel.
const SIDE_BY_SIDE: usize = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// Delivers each record twice in random order. Returns the number of delivered batches, which is 0 where the runtime
/// does not let a test invoke the projector.
pub fn deliver_twice(stack: &Stack, dice: &Dice, records: &[LogRecord]) -> usize {
    let mut records = [records, records].concat();
    dice.shuffle(&mut records);
    let largest = records.len().div_ceil(PARTS);
    let mut batches = vec![];
    let mut rest = &records[..];
    while !rest.is_empty() {
        let size = dice.pick(&SIZES).map_or(1, |size| largest.min(*size));
        let (batch, after) = rest.split_at(size.min(rest.len()));
        batches.push(batch);
        rest = after;
    }
    let taken = side_by_side(SIDE_BY_SIDE, &batches, |batch| deliver(stack, batch));
    taken.into_iter().filter(|taken| *taken).count()
}

/// Delivers a batch until it succeeds, as an event source mapping does. False where the runtime does not let a test
/// invoke the projector.
fn deliver(stack: &Stack, records: &[LogRecord]) -> bool {
    let batch = kinesis::batch_of(records);
    eventually("the projector takes a batch", || {
        let Some(answer) = stack.invoke(CONSUMER, &batch) else {
            return Some(false);
        };
        let failed = answer.status != 200
            || answer.header("x-amz-function-error").is_some()
            || answer.json()["batchItemFailures"] != serde_json::json!([]);
        (!failed).then_some(true)
    })
}

/// Delivers new records of the log as they arrive, until `stop` is set. Returns the number of batches.
pub fn deliver_as_it_comes(stack: &Stack, dice: &Dice, stop: &AtomicBool) -> usize {
    let (mut places, mut batches) = (BTreeMap::new(), 0);
    loop {
        let last = stop.load(Ordering::Relaxed);
        let records = stack.log_on(&mut places);
        batches += deliver_twice(stack, dice, &records);
        if last {
            return batches;
        }
        thread::sleep(PAUSE);
    }
}

/// The records that the projector has parked, each named by its position in the log.
pub fn parked(stack: &Stack) -> BTreeSet<String> {
    let parked = stack.wait(stack.parking().list()).unwrap().into_iter();
    let parked = parked.filter(|parked| {
        parked.owner == CONSUMER && matches!(parked.what, ParkedWhat::Record { .. })
    });
    parked.map(|parked| parked.place).collect()
}

/// Deletes the parked records that are not in `before`. Other tests have appended unreadable records.
pub fn clear_up(stack: &Stack, before: &BTreeSet<String>) {
    let parking = stack.parking();
    for parked in stack.wait(parking.list()).unwrap() {
        if parked.owner == CONSUMER && !before.contains(&parked.place) {
            stack.wait(parking.remove(&parked)).unwrap();
        }
    }
}
