//! One seat, two who want it: one gets it, and the other their money back.

use std::{
    sync::{
        Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use e2e::{Api, Booked, Outcome, Stack, amount, at_its_own_time, flights, sample};
use gds::inventory::Vuelo;

/// Pairs that are booked at a time.
const AT_ONCE: usize = 4;

/// Two reservations of one flight, sent at the same moment.
fn race(api: &Api, body: &str) -> [Booked; 2] {
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let send = || {
            start.wait();
            Booked::from(&api.book(body.as_bytes(), &[]))
        };
        let racers = [scope.spawn(send), scope.spawn(send)];
        racers.map(|racer| racer.join().unwrap())
    })
}

#[test]
fn the_last_seat_goes_to_one_of_two() {
    let stack = Stack::from_env();
    let pairs = amount("AEROALPES_E2E_RACE", 40);
    let clock = Instant::now();
    let next = AtomicUsize::new(0);
    let made: Mutex<Vec<(Vuelo, [Booked; 2])>> = Mutex::default();
    let pairs_of_one = || {
        while next.fetch_add(1, Ordering::Relaxed) < pairs {
            let body = at_its_own_time(sample());
            let vuelo = flights(&body).remove(0);
            stack.set_seats(&vuelo, 1);
            let pair = race(&stack.api, &body.to_string());
            made.lock().unwrap().push((vuelo, pair));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(pairs_of_one);
        }
    });
    println!("{pairs} pairs accepted after {:?}", clock.elapsed());
    let made = made.into_inner().unwrap();
    let booked: Vec<_> = made.iter().flat_map(|(_, pair)| *pair).collect();
    let outcomes = stack.outcomes(&booked);
    println!("{pairs} pairs at rest after {:?}", clock.elapsed());
    let mut first_won = 0;
    for ((vuelo, pair), outcomes) in made.iter().zip(outcomes.chunks(2)) {
        let mut both = outcomes.to_vec();
        both.sort_unstable();
        assert_eq!(both, [Outcome::APPROVED, Outcome::REFUNDED], "{pair:?}");
        first_won += usize::from(outcomes[0] == Outcome::APPROVED);
        let seats = stack.seats(vuelo);
        assert_eq!((seats.held, seats.free), (1, 0), "{vuelo}");
    }
    println!("of {pairs} seats, {first_won} went to the first of the pair");
}
