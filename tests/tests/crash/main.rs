//! `kill -9` of the local runtime and of functions, at random moments, while clients make and cancel reservations and
//! sagas of every kind run. Afterwards every accepted request is in event streams, log, archive and views, money and
//! seats agree with the reservations, and nothing happened twice.
//!
//! The test starts and kills its own runtime: run it by `cargo xtask test --crash`. `ALPES_CRASH_SEED` repeats the
//! moments of a run, and `ALPES_CRASH_RESERVATIONS` sets how many reservations are made.
#![cfg(test)]

mod checks;
mod orders;
mod runtime;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use alpes_saga::Status;
use e2e::{
    Api, Booked, Ending, Fate, Order, Outcome, Stack, amount, eventually, kill_at_random,
    side_by_side,
};
use serde_json::json;

use crate::{
    orders::{Planned, allows, plan},
    runtime::LocalRuntime,
};

const CLIENTS: usize = 8;
/// The readers of outcomes after the last crash.
const READERS: usize = 4;
/// The average time between two deaths of functions' processes.
const LIFE: Duration = Duration::from_millis(200);
/// How long sagas run on under fire after the last request.
const UNDER_FIRE: Duration = Duration::from_secs(20);
/// The longest time for which processes are killed. On a busy machine, the last reservations are made in peace.
const LONGEST_FIRE: Duration = Duration::from_secs(150);
/// The pause between wake-ups of sagas under fire.
const TICK: Duration = Duration::from_secs(1);

/// Prints a line at once. The test harness would keep it back until the end.
macro_rules! say {
    ($($words:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

/// A reservation that was accepted.
struct Made {
    booked: Booked,
    /// True if its cancellation was accepted too.
    cancelled: bool,
    /// How many answers were lost.
    lost: u32,
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let usual = usize::try_from(now.as_millis() % 1_000_000).unwrap();
    u64::try_from(amount("ALPES_CRASH_SEED", usual)).unwrap()
}

/// Asks to cancel a reservation. Returns whether that was accepted: it is refused if the saga has ended by itself, or if
/// Step Functions runs it. Also returns how many answers were lost.
fn cancel(api: &Api, booked: Booked) -> (bool, u32) {
    let answer = api.cancel(booked.id, &json!({}));
    match answer.status {
        202 => (true, answer.lost),
        409 => (false, answer.lost),
        _ => panic!("{booked:?}: {answer:?}"),
    }
}

/// Makes a reservation, and cancels it at once if that is its fate.
fn make(api: &Api, order: &Order) -> Made {
    let (booked, mut lost) = api.place(order);
    let mut cancelled = false;
    if order.fate == Fate::Cancelled {
        let (accepted, lost_too) = cancel(api, booked);
        (cancelled, lost) = (accepted, lost + lost_too);
    }
    Made {
        booked,
        cancelled,
        lost,
    }
}

/// Makes all reservations, several at a time, and then cancels those that are planned to be cancelled later.
fn make_all(api: &Api, planned: &[Planned], accepted: &AtomicUsize) -> Vec<Made> {
    let mut made = side_by_side(CLIENTS, planned, |planned| {
        let made = make(api, &planned.order);
        accepted.fetch_add(1, Ordering::Relaxed);
        made
    });
    let later: Vec<_> = planned
        .iter()
        .enumerate()
        .filter(|(_, planned)| planned.cancelled_later)
        .map(|(number, _)| number)
        .collect();
    let answers = side_by_side(CLIENTS, &later, |number| cancel(api, made[*number].booked));
    for (number, (accepted, lost)) in later.into_iter().zip(answers) {
        made[number].cancelled = accepted;
        made[number].lost += lost;
    }
    made
}

/// Lets sagas run while processes die.
fn under_fire(stack: &Stack, stop: &AtomicBool) {
    let start = Instant::now();
    while start.elapsed() < UNDER_FIRE && !stop.load(Ordering::Relaxed) {
        stack.tick();
        thread::sleep(TICK);
    }
}

/// Makes the reservations while the runtime and functions are killed.
fn make_under_fire(
    stack: &Stack,
    runtime: &LocalRuntime,
    planned: &[Planned],
    seed: u64,
) -> Vec<Made> {
    let (stop, accepted) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let cease_fire = Ending(&stop);
        let functions = scope.spawn(|| kill_at_random(seed, LIFE, &stop));
        let runtimes = scope.spawn(|| runtime.kill_at_random(&stack.api, seed + 1, &stop));
        scope.spawn(|| cease_fire_in_time(&stop, &accepted));
        let made = make_all(&stack.api, planned, &accepted);
        under_fire(stack, &stop);
        drop(cease_fire);
        let (runtimes, functions) = (runtimes.join().unwrap(), functions.join().unwrap());
        say!("killed: {runtimes} times the runtime, and functions {functions:?}");
        made
    })
}

/// Ends the killing when its longest time is over, unless it ends before.
fn cease_fire_in_time(stop: &AtomicBool, accepted: &AtomicUsize) {
    let start = Instant::now();
    while start.elapsed() < LONGEST_FIRE && !stop.load(Ordering::Relaxed) {
        thread::sleep(TICK);
    }
    stop.store(true, Ordering::Relaxed);
    let accepted = accepted.load(Ordering::Relaxed);
    say!("{accepted} accepted in {:?} of killing", start.elapsed());
}

/// Waits until every saga whose cancellation was accepted is being undone. A choreography that had ended follows its
/// cancellation by later events.
fn undone(stack: &Stack, made: &[Made]) {
    let cancelled: Vec<_> = made
        .iter()
        .filter(|made| made.cancelled)
        .map(|made| made.booked)
        .collect();
    eventually("cancelled reservations are undone", || {
        let states = stack.at_rest(&cancelled);
        (!states.contains(&Status::Completed)).then_some(())
    });
}

fn count(planned: &[Planned], made: &[Made], outcomes: &[Outcome]) {
    let lost: u32 = made.iter().map(|made| made.lost).sum();
    let cancelled = made.iter().filter(|made| made.cancelled).count();
    say!("{lost} answers lost, {cancelled} cancellations accepted");
    let mut counted: BTreeMap<Outcome, usize> = BTreeMap::new();
    for ((planned, made), outcome) in planned.iter().zip(made).zip(outcomes) {
        assert!(
            allows(planned, made.cancelled, *outcome),
            "{:?}, {:?}, cancelled: {}: {outcome:?}",
            made.booked,
            planned.order.fate,
            made.cancelled
        );
        *counted.entry(*outcome).or_default() += 1;
    }
    for (outcome, count) in &counted {
        say!("{count} times {outcome:?}");
    }
}

#[test]
#[ignore = "kills a runtime of its own, which cargo xtask test --crash starts"]
fn whatever_dies_nothing_is_lost_and_nothing_happens_twice() {
    let seed = seed();
    say!("ALPES_CRASH_SEED={seed}");
    let (stack, clock) = (Stack::from_env(), Instant::now());
    let planned = plan(&stack, amount("ALPES_CRASH_RESERVATIONS", 2_000));
    say!("{} prepared after {:?}", planned.len(), clock.elapsed());
    let runtime = LocalRuntime::take_over();
    let made = make_under_fire(&stack, &runtime, &planned, seed);
    runtime.must_answer(&stack.api);

    let booked: Vec<_> = made.iter().map(|made| made.booked).collect();
    let ids: BTreeSet<_> = booked.iter().map(|booked| booked.id).collect();
    assert_eq!(ids.len(), planned.len(), "one key, one reservation");
    stack.sweep();
    undone(&stack, &made);
    let (outcomes, resumed) = stack.settled(&booked);
    say!(
        "all at rest after {:?}, {resumed} resumed by an operator",
        clock.elapsed()
    );
    count(&planned, &made, &outcomes);
    let orders: Vec<_> = planned.into_iter().map(|planned| planned.order).collect();
    agree(&stack, &orders, &booked, &outcomes);
    runtime.must_run();
    say!("everything agrees after {:?}", clock.elapsed());
}

/// Compares everything that the stack has.
fn agree(stack: &Stack, orders: &[Order], booked: &[Booked], outcomes: &[Outcome]) {
    let told: Vec<_> = booked
        .iter()
        .copied()
        .zip(outcomes.iter().copied())
        .collect();
    side_by_side(READERS, &told, |(booked, outcome)| {
        checks::events_agree(stack, *booked, *outcome);
    });
    stack.seats_agree(orders, outcomes);
    stack.view_agrees(booked, outcomes);
    checks::counters_agree(stack, outcomes);
    checks::notices_agree(stack, booked);
    say!("{} records were parked", checks::nothing_is_parked(stack));
    stack.log_agrees(booked);
    stack.archive_agrees(booked);
    let verified = stack.verified();
    say!("{verified:?}");
    assert_eq!((verified.differences, verified.pending), (vec![], 0));
    assert_eq!(verified.archived, verified.committed);
}
