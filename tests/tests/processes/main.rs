//! Function processes die at random while clients make reservations and sagas run. Every accepted reservation must
//! survive, every saga must end, and money and seats must agree with the reservations.
//!
//! This is a program of its own, because it would break other tests' requests. It kills function processes on this
//! machine. Where the runtime has no function processes here, the test is skipped.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant},
};

use e2e::{
    Api, Booked, Ending, Fate, Order, Outcome, Stack, amount, journeys, kill_at_random, processes,
    side_by_side,
};

const CLIENTS: usize = 8;
const SEED: u64 = 7;
/// The average time between two deaths.
const LIFE: Duration = Duration::from_millis(150);
/// The longest time for which processes are killed after the last reservation was made. A saga makes slow progress if a
/// process dies in each batch.
const UNDER_FIRE: Duration = Duration::from_secs(30);

/// The planned fate of a reservation. Half of the reservations are good.
fn fate(number: usize) -> Fate {
    match number % 6 {
        1 => Fate::Declined,
        3 => Fate::NoSeat,
        5 => Fate::NoAnswer,
        _ => Fate::Good,
    }
}

/// Makes all reservations, several at a time.
fn book(api: &Api, orders: &[Order]) -> Vec<Booked> {
    let answered = side_by_side(CLIENTS, orders, |order| api.insist(order));
    let lost: u32 = answered.iter().map(|(_, lost)| lost).sum();
    println!("{} accepted, {lost} answers lost", answered.len());
    answered.into_iter().map(|(booked, _)| booked).collect()
}

/// Lets sagas run while processes die, until half of the sagas have ended or wait for a person, or the time is over.
fn under_fire(stack: &Stack, booked: &[Booked]) {
    let start = Instant::now();
    while stack.resting(booked) * 2 < booked.len() && start.elapsed() < UNDER_FIRE {
        stack.tick();
        thread::sleep(LIFE);
    }
    println!("{} at rest when the killing ends", stack.resting(booked));
}

#[test]
fn whatever_dies_sagas_end_and_money_seats_log_and_view_agree() {
    let stack = Stack::from_env();
    stack.api.get("/health").expect(200);
    if processes().is_empty() {
        println!("not run: no function of the stack runs on this machine");
        return;
    }
    let clock = Instant::now();
    let journeys = journeys(amount("ALPES_E2E_KILL", 60)).into_iter();
    let orders: Vec<_> = journeys
        .enumerate()
        .map(|(number, journey)| stack.order(fate(number), journey))
        .collect();
    let stop = AtomicBool::new(false);
    let (booked, killed) = thread::scope(|scope| {
        let cease_fire = Ending(&stop);
        let killer = scope.spawn(|| kill_at_random(SEED, LIFE, &stop));
        let booked = book(&stack.api, &orders);
        under_fire(&stack, &booked);
        drop(cease_fire);
        (booked, killer.join().unwrap())
    });
    println!("killed {killed:?} in {:?}", clock.elapsed());
    let ids: BTreeSet<_> = booked.iter().map(|booked| booked.id).collect();
    assert_eq!(ids.len(), orders.len(), "one key, one reservation");
    assert!(
        killed.contains_key("orchestrator"),
        "no orchestrator was killed: the test shows nothing"
    );

    stack.sweep();
    let (outcomes, resumed) = stack.settled(&booked);
    println!("an operator resumed {resumed}");
    println!("all at rest after {:?}", clock.elapsed());
    let mut counted: BTreeMap<Outcome, usize> = BTreeMap::new();
    for ((order, booked), outcome) in orders.iter().zip(&booked).zip(&outcomes) {
        assert!(order.fate.allows(*outcome), "{booked:?}: {outcome:?}");
        *counted.entry(*outcome).or_default() += 1;
    }
    for (outcome, count) in &counted {
        println!("{count} times {outcome:?}");
    }
    stack.seats_agree(&orders, &outcomes);
    stack.view_agrees(&booked, &outcomes);
    stack.log_agrees(&booked);
    // Archiver processes were killed too.
    stack.archive_agrees(&booked);
    println!("everything agrees after {:?}", clock.elapsed());
}
