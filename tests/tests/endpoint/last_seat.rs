//! Two reservations want one seat: one gets it, and the other is refunded.

use std::{sync::Barrier, time::Instant};

use e2e::{Booked, Outcome, Stack, amount, at_its_own_time, by_choreography, flights, sample};
use gds::inventory::Vuelo;
use serde_json::{Value, json};

use crate::choreography::undone;

/// The number of pairs in a wave. The next wave begins when the sagas of this one have ended, because sagas of other
/// tests wait in the same log.
const AT_ONCE: usize = 10;

/// Sends two reservations of one flight at the same moment.
fn race(stack: &Stack, body: &Value) -> [Booked; 2] {
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let send = || {
            start.wait();
            stack.booked(body)
        };
        let racers = [scope.spawn(send), scope.spawn(send)];
        racers.map(|racer| racer.join().unwrap())
    })
}

/// Runs some races at once. Returns how often the first of a pair won.
fn races(stack: &Stack, count: usize, variant: fn(Value) -> Value) -> usize {
    let made: Vec<(Vuelo, [Booked; 2])> = std::thread::scope(|scope| {
        let of_one_seat = || {
            let body = variant(at_its_own_time(sample()));
            let vuelo = flights(&body).remove(0);
            stack.set_seats(&vuelo, 1);
            let pair = race(stack, &body);
            (vuelo, pair)
        };
        let races: Vec<_> = (0..count).map(|_| scope.spawn(of_one_seat)).collect();
        races.into_iter().map(|race| race.join().unwrap()).collect()
    });
    let booked: Vec<_> = made.iter().flat_map(|(_, pair)| *pair).collect();
    let outcomes = stack.outcomes(&booked);
    for ((vuelo, pair), outcomes) in made.iter().zip(outcomes.chunks(2)) {
        let won = outcomes.contains(&Outcome::APPROVED);
        assert!(
            won || pair.iter().any(|booked| stack.gave_up(*booked)),
            "{pair:?}"
        );
        let mut both: Vec<_> = pair.iter().zip(outcomes).collect();
        both.sort_unstable_by_key(|(_, outcome)| **outcome);
        for (booked, outcome) in both.into_iter().skip(usize::from(won)) {
            stack.must_be(*booked, *outcome, Outcome::REFUNDED);
        }
        let seats = stack.seats(vuelo);
        assert_eq!(
            (seats.held, seats.free),
            (i64::from(won), i64::from(!won)),
            "{vuelo}"
        );
    }
    let firsts = outcomes.iter().step_by(2);
    firsts
        .filter(|outcome| **outcome == Outcome::APPROVED)
        .count()
}

/// Three passengers get three seats or none, and a cancellation frees as many.
fn together(stack: &Stack, variant: fn(Value) -> Value) {
    let book = |free: u32| {
        let mut body = variant(at_its_own_time(sample()));
        body["pasajeros"] = json!([{"nombre": "Ana"}, {"nombre": "Luz"}, {}]);
        let vuelo = flights(&body).remove(0);
        stack.set_seats(&vuelo, free);
        (vuelo, stack.booked(&body))
    };
    let (full, refused) = book(2);
    let (enough, approved) = book(4);
    let outcomes = stack.outcomes(&[refused, approved]);
    assert_eq!(outcomes, [Outcome::REFUNDED, Outcome::APPROVED]);
    let seats = |vuelo: &Vuelo| {
        let seats = stack.seats(vuelo);
        (seats.held, seats.free)
    };
    assert_eq!((seats(&full), seats(&enough)), ((0, 2), (3, 1)));
    stack.api.cancel(approved.id, &json!({})).accepted();
    assert_eq!(undone(stack, approved), Outcome::REFUNDED);
    assert_eq!(seats(&enough), (0, 4));
}

#[test]
fn passengers_get_their_seats_together() {
    let stack = Stack::from_env();
    let variants: [fn(Value) -> Value; 2] = [|body| body, by_choreography];
    for variant in variants {
        together(&stack, variant);
    }
}

#[test]
fn the_last_seat_goes_to_one_of_two() {
    race_for_each(|body| body);
}

#[test]
fn by_choreography_it_goes_to_one_of_two() {
    race_for_each(by_choreography);
}

fn race_for_each(variant: fn(Value) -> Value) {
    let stack = Stack::from_env();
    let pairs = amount("ALPES_E2E_RACE", 30);
    let clock = Instant::now();
    let (mut left, mut first_won) = (pairs, 0);
    while left > 0 {
        let now = left.min(AT_ONCE);
        first_won += races(&stack, now, variant);
        left -= now;
    }
    println!(
        "{pairs} seats after {:?}, {first_won} of them went to the first of the pair",
        clock.elapsed()
    );
}
