//! Tests that every approval and cancellation is announced, under any deliveries and faults, and exactly once without
//! faults. The same run finds each planted mistake.

use std::sync::Arc;

use alpes_consumer::Outcome;
use alpes_ports::LogRecord;
use futures::{executor::block_on, future::BoxFuture};
use simulation::{Dice, Faults, Scheduler, Step};

use crate::{
    bench::{
        Bench,
        Tipo::{Aprobada, Cancelada, Creada},
        expected, log,
    },
    planted::{Bug, plant},
};

const SEEDS: u64 = 300;

#[derive(Clone, Copy, Debug)]
struct Setup {
    seed: u64,
    fault_one_in: u64,
    kill_one_in: u64,
}

impl Setup {
    fn is_calm(self) -> bool {
        self.fault_one_in == 0 && self.kill_one_in == 0
    }
}

fn below(dice: &Dice, bound: usize) -> usize {
    usize::try_from(dice.below(u64::try_from(bound).unwrap())).unwrap()
}

/// A random log: reservations, some of them approved or cancelled, with copies of records.
fn history(dice: &Dice) -> Vec<LogRecord> {
    let mut events = vec![];
    for number in 1..=1 + dice.below(6) {
        events.push((number, Creada));
        for end in [Aprobada, Cancelada] {
            if dice.one_in(2) {
                events.push((number, end));
            }
        }
    }
    dice.shuffle(&mut events);
    for _ in 0..dice.below(4) {
        let copy = events[below(dice, events.len())];
        events.insert(below(dice, events.len()), copy);
    }
    log(&events)
}

fn invocation(
    bench: &Bench,
    faults: &Faults,
    bug: Option<Bug>,
    batch: Vec<LogRecord>,
) -> BoxFuture<'static, Outcome> {
    let tables = Arc::new(faults.tables(bench.tables.clone()));
    let topic = Arc::new(faults.topic(bench.topic.clone()));
    let (tables, topic) = plant(bug, tables, topic);
    let announcer = bench.announcer_over(tables, topic);
    Box::pin(async move { announcer.consumer().consume(&batch).await })
}

/// Delivers a batch until it is processed. Between deliveries, late effects are executed at random.
fn deliver(
    bench: &Bench,
    dice: &Dice,
    (setup, faults): (Setup, &Faults),
    bug: Option<Bug>,
    mut batch: &[LogRecord],
) {
    loop {
        let mut scheduler = Scheduler::default();
        scheduler.spawn(invocation(bench, faults, bug, batch.to_vec()));
        let outcome = loop {
            match scheduler.step(dice, setup.kill_one_in) {
                Step::Progress => {}
                Step::Done(_, outcome) => break Some(outcome),
                Step::Killed(_) | Step::Idle => break None,
            }
        };
        if dice.one_in(2) {
            faults.take_late().into_iter().for_each(block_on);
        }
        let Some(outcome) = outcome else { continue };
        let Some((sequence, _)) = outcome.failed else {
            return;
        };
        let place = batch.iter().position(|one| one.sequence == sequence);
        // If the answer is lost, the runtime redelivers the whole batch.
        if dice.one_in(2) {
            batch = &batch[place.unwrap()..];
        }
    }
}

/// Delivers the log as a runtime does, and some parts more than once. An error says which promise was broken.
fn run(setup: Setup, bug: Option<Bug>) -> Result<(), String> {
    let (bench, dice) = (Bench::new(), Dice::new(setup.seed));
    let log = history(&dice);
    let faults = Faults::by_chance(dice.clone(), setup.fault_one_in);
    let mut start = 0;
    while start < log.len() {
        let end = (start + 1 + below(&dice, 6)).min(log.len());
        let work = (setup, &faults);
        deliver(&bench, &dice, work, bug, &log[start..end]);
        // At random the event source mapping goes back to an earlier record, and makes other batches.
        start = if dice.one_in(6) {
            below(&dice, end)
        } else {
            end
        };
    }
    let (heard, expected) = (bench.heard(), expected(&log));
    if !heard.keys().eq(expected.keys()) {
        return Err(format!("{setup:?}: {} of {}", heard.len(), expected.len()));
    }
    if setup.is_calm() && heard != expected {
        return Err(format!("{setup:?}: something was announced twice"));
    }
    Ok(())
}

fn setups(seed: u64) -> [Setup; 3] {
    let setup = |fault_one_in, kill_one_in| Setup {
        seed,
        fault_one_in,
        kill_one_in,
    };
    [setup(0, 0), setup(5, 0), setup(10, 12)]
}

#[test]
fn everything_is_announced_and_once_where_nothing_fails() {
    for setup in (0..SEEDS).flat_map(setups) {
        run(setup, None).unwrap();
    }
}

#[test]
fn mistakes_are_found() {
    for bug in Bug::ALL {
        let found = (0..SEEDS)
            .flat_map(setups)
            .find_map(|setup| run(setup, Some(bug)).err());
        assert!(found.is_some(), "{bug:?} is not found");
    }
}

#[test]
fn a_seed_is_one_run() {
    for setup in setups(7) {
        let trace = || {
            let (bench, dice) = (Bench::new(), Dice::new(setup.seed));
            let faults = Faults::by_chance(dice.clone(), setup.fault_one_in);
            deliver(&bench, &dice, (setup, &faults), None, &history(&dice));
            faults.trace()
        };
        assert_eq!(trace(), trace());
    }
}
