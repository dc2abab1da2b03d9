//! Searches by seed for a view that differs from the fold of its streams. The log is delivered in random orders, while
//! calls fail and processes die. The same search must find each planted mistake, which shows that it tests each guard
//! of the consumer and the projector.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alpes_consumer::{Consumer, Outcome, Parking};
use alpes_event_store::StreamReader;
use alpes_ports::{Key, LogRecord, Path, Tables, Update};
use alpes_projections::{Projector, TABLE};
use futures::{executor::block_on, future::BoxFuture};
use proptest::{prelude::*, test_runner::TestRunner};
use simulation::{Dice, Faults, ProcessId, Scheduler, Step};

use crate::{
    Domain, Happens, ViewBench, compare, id, insist_on_finding,
    planted::{self, Bug, Splitting},
};

#[derive(Clone, Copy, Debug)]
struct Setup {
    seed: u64,
    subjects: u64,
    /// The largest number of events of one stream.
    events: u64,
    /// The number of invocations at a time. With 2 or more, the invocations overlap.
    invocations: u64,
    fault_one_in: u64,
    kill_one_in: u64,
    /// True while a second generation is built, so that the projector writes both.
    rebuilding: bool,
}

/// Commits streams of random events. Returns a log of these events in an order that a real log may have, with
/// duplicates.
fn history<D: Domain>(bench: &ViewBench<D>, dice: &Dice, setup: Setup) -> Vec<LogRecord> {
    let mut log = vec![];
    for number in 1..=setup.subjects {
        let at = i64::try_from(dice.below(3) * 86_400 + dice.below(1_000)).unwrap();
        let mut all = vec![(Happens::Opened, at)];
        for _ in 0..dice.below(setup.events) {
            let at = i64::try_from(dice.below(1_000)).unwrap();
            all.push(match dice.below(4) {
                0 => (Happens::Done, at),
                1 => (Happens::Undone, at),
                _ => (Happens::Noted, at),
            });
        }
        let helped = 0..dice.below(setup.events);
        all.extend(helped.map(|at| (Happens::Helped, at.cast_signed())));
        log.extend(bench.happen(id(u128::from(number)), &all));
    }
    // Events of one stream are normally in order; streams interleave in any order; now and then a record is late or
    // doubled.
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

type Answer = (usize, usize, Outcome);

fn invocation<D: Domain>(
    bench: &ViewBench<D>,
    faults: &Faults,
    bug: Option<Bug>,
    batch: (usize, Vec<LogRecord>),
) -> BoxFuture<'static, Option<Answer>> {
    let tables = planted::plant::<D>(bug, Arc::new(faults.tables(bench.tables.clone())));
    let reader = StreamReader::new(tables.clone(), D::catalogue());
    let parking = Parking::new(tables.clone(), bench.world.clock.clone(), &D::catalogue());
    let projector = Projector::new(tables, reader.clone(), bench.world.clone(), D::views());
    Box::pin(async move {
        let (start, records) = batch;
        let splitting = Splitting(&projector);
        let handler: &dyn alpes_consumer::Handler<D::Payload> =
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

/// Delivers the log in batches, as Lambda does, with several invocations at a time. A batch is redelivered from its
/// first failed record. If the function dies, its whole batch is redelivered. Now and then a batch is redelivered
/// although it succeeded. `Err` is the first violation, in words.
fn run<D: Domain>(setup: Setup, bug: Option<Bug>) -> Result<(), String> {
    let dice = Dice::new(setup.seed);
    let bench = ViewBench::<D>::new();
    let log = history(&bench, &dice, setup);
    let generations: &[u32] = if setup.rebuilding { &[1, 2] } else { &[1] };
    if setup.rebuilding {
        for view in D::views() {
            let alias = Update::of(Key::new(TABLE, view.name(), "alias"));
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
        scheduler.spawn_late(&faults, || None);
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
            // Redeliver the batch whole or in two parts.
            let middle = from + usize_below(&dice, to - from);
            waiting.extend(
                [(middle, to), (from, middle)]
                    .into_iter()
                    .filter(|(from, to)| from < to),
            );
        }
    }
    check(&bench, generations)?;
    if setup.fault_one_in == 0 && setup.kill_one_in == 0 && setup.invocations == 1 {
        let row = format!("write views {}.", ViewBench::<D>::view().name());
        let trace = faults.trace();
        let writes = trace.iter().filter(|call| call.starts_with(&row)).count();
        let rows: usize = deliveries(&log).len();
        if writes > rows * generations.len() {
            return Err(format!("{writes} writes of rows, where {rows} suffice"));
        }
    }
    Ok(())
}

/// The distinct records of the log. The projector needs at most one write of a row for each distinct record.
fn deliveries(log: &[LogRecord]) -> BTreeSet<&[u8]> {
    log.iter().map(|record| record.data.as_slice()).collect()
}

fn check<D: Domain>(bench: &ViewBench<D>, generations: &[u32]) -> Result<(), String> {
    for number in generations {
        for view in D::views() {
            compare(bench, &*view, *number)?;
        }
    }
    match bench.parked().first() {
        Some(parked) => Err(format!("parked without a reason: {parked:?}")),
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
            |(seed, subjects, events, invocations, fault_one_in, kill_one_in, rebuilding)| Setup {
                seed,
                subjects,
                events,
                invocations,
                fault_one_in,
                kill_one_in,
                rebuilding,
            },
        )
}

/// Delivers random logs under faults, deaths of processes and overlapping invocations, also during a rebuild. Every
/// view must equal the fold of the streams. Panics at the first seed that shows a difference.
pub fn views_equal_the_fold<D: Domain>() {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let ran = TestRunner::new(config).run(&setups(), |setup| {
        run::<D>(setup, None).map_err(TestCaseError::fail)
    });
    if let Err(broken) = ran {
        panic!("{broken}");
    }
}

/// Runs the search of [`views_equal_the_fold`] with each planted mistake in turn. Panics if a mistake is not found.
pub fn each_planted_bug_is_found<D: Domain>() {
    for bug in Bug::ALL {
        insist_on_finding(bug, 0..3_000, |seed| {
            let calm = bug == Bug::EventsOfOneKeyHandledConcurrently;
            let setup = Setup {
                seed,
                subjects: 1 + seed % 3,
                events: 2 + seed % 5,
                invocations: if calm { 1 } else { 1 + seed % 4 },
                fault_one_in: if calm { 0 } else { 6 + seed % 20 },
                kill_one_in: if calm { 0 } else { 20 + seed % 40 },
                rebuilding: seed % 2 == 0,
            };
            run::<D>(setup, Some(bug)).err()
        });
    }
}
