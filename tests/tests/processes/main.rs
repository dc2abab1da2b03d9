//! Function processes die at random while clients make reservations and sagas run. Every accepted reservation must
//! survive, every saga must end, and money and seats must agree with the reservations.
//!
//! This is a program of its own, because it would break other tests' requests. It kills function processes on this
//! machine. Where the runtime has no function processes here, the test is skipped.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use alpes_event_store::verify;
use alpes_saga::Status;
use e2e::{
    Api, Booked, Ending, Fate, Order, Outcome, PATIENCE, Stack, amount, eventually, flights,
    journeys, kill, pause_after, processes, side_by_side,
};
use gds::inventory::Vuelo;
use serde_json::json;
use twins::SeededRandomness;

const CLIENTS: usize = 8;
/// The average time between two deaths.
const LIFE: Duration = Duration::from_millis(150);
/// The longest time for which processes are killed after the last reservation was made. A saga makes slow progress if a
/// process dies in each batch.
const UNDER_FIRE: Duration = Duration::from_secs(30);

/// Kills one process after the other until `stop` is set. Returns how many processes of each function were killed.
fn killer(stop: &AtomicBool) -> BTreeMap<String, usize> {
    let dice = SeededRandomness::new(7);
    let mut killed = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(LIFE.mul_f64(2.0 * alpes_ports::Randomness::fraction(&dice)));
        let alive: Vec<_> = processes().into_iter().collect();
        let pick = |count: usize| usize::try_from(dice.bits()).unwrap() % count;
        if alive.is_empty() {
            continue;
        }
        // Pick each function equally often, whatever its number of processes.
        let (function, processes) = &alive[pick(alive.len())];
        if kill(&processes[pick(processes.len())]) {
            *killed.entry(function.clone()).or_default() += 1;
        }
    }
    killed
}

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

/// Resumes, as an operator does, the sagas that wait for a person because a compensation's participant died at every
/// attempt. Returns the outcomes.
fn settled(stack: &Stack, booked: &[Booked]) -> Vec<Outcome> {
    let mut resumed = 0;
    let outcomes = eventually("nothing waits for an operator", || {
        let outcomes = stack.outcomes(booked);
        let found = booked.iter().zip(&outcomes);
        let waiting: Vec<_> = found
            .filter(|(_, outcome)| outcome.saga == Status::NeedsIntervention)
            .map(|(booked, _)| booked)
            .collect();
        for booked in &waiting {
            let path = format!("/sagas/{}/reanudacion", booked.saga);
            stack.api.send(&path, &json!({})).accepted();
        }
        resumed += waiting.len();
        waiting.is_empty().then_some(outcomes)
    });
    println!("an operator resumed {resumed}");
    outcomes
}

/// Checks that every flight has as many seats taken as its approved reservations hold.
fn seats_agree(stack: &Stack, orders: &[Order], outcomes: &[Outcome]) {
    let mut held: BTreeMap<Vuelo, i64> = BTreeMap::new();
    for (order, outcome) in orders.iter().zip(outcomes) {
        for vuelo in flights(&order.body) {
            *held.entry(vuelo).or_default() += i64::from(*outcome == Outcome::APPROVED);
        }
    }
    for (vuelo, held) in held {
        assert_eq!(stack.seats(&vuelo).held, held, "{vuelo}");
    }
}

/// Waits until the view has each reservation in its state.
fn view_agrees(stack: &Stack, booked: &[Booked], outcomes: &[Outcome]) {
    let start = Instant::now();
    for (booked, outcome) in booked.iter().zip(outcomes) {
        // Rows arrive in the order of shards and retries, so the time limit is for all of them together.
        loop {
            let look = Instant::now();
            let row = stack.row(booked.id);
            if row.is_some_and(|row| row.get("estado") == Some(&outcome.reserva.into())) {
                break;
            }
            assert!(
                start.elapsed() < 4 * PATIENCE,
                "the view does not have {} as {}",
                booked.id,
                outcome.reserva
            );
            thread::sleep(pause_after(look));
        }
    }
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
        let killer = scope.spawn(|| killer(&stop));
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
    let outcomes = settled(&stack, &booked);
    println!("all at rest after {:?}", clock.elapsed());
    let mut counted: BTreeMap<Outcome, usize> = BTreeMap::new();
    for ((order, booked), outcome) in orders.iter().zip(&booked).zip(&outcomes) {
        assert!(order.fate.allows(*outcome), "{booked:?}: {outcome:?}");
        *counted.entry(*outcome).or_default() += 1;
    }
    for (outcome, count) in &counted {
        println!("{count} times {outcome:?}");
    }
    seats_agree(&stack, &orders, &outcomes);
    view_agrees(&stack, &booked, &outcomes);
    log_agrees(&stack, &booked);
    archive_agrees(&stack, &booked);
    println!("everything agrees after {:?}", clock.elapsed());
}

/// Checks that the log has every committed event, of these reservations and of all others on the stack.
fn log_agrees(stack: &Stack, booked: &[Booked]) {
    stack.sweep();
    let mut logged: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for record in stack.log() {
        let of = logged.entry(record.partition_key).or_default();
        of.insert(record.data);
    }
    for Booked { id, .. } in booked {
        assert_eq!(logged.get(&id.to_string()), Some(&stack.committed(*id)));
    }
    let streams = stack.streams();
    let verified = verify(&*stack.tables, &*stack.reader, &streams, None);
    let verified = stack.wait(verified).unwrap();
    assert_eq!((verified.differences, verified.pending), (vec![], 0));
}

/// Checks that the archive has every event too, although archiver processes were killed as well.
fn archive_agrees(stack: &Stack, booked: &[Booked]) {
    let ids: Vec<_> = booked.iter().map(|booked| booked.id).collect();
    let committed: BTreeMap<_, _> = ids
        .iter()
        .map(|id| (id.to_string(), stack.committed(*id)))
        .collect();
    eventually("the archive has every committed event", || {
        let mut archived: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for record in stack.archived(&ids) {
            let of = archived.entry(record.partition_key).or_default();
            of.insert(record.data);
        }
        (archived == committed).then_some(())
    });
}
