//! Many reservations with different fates, and every event redelivered again and again in any order.

use std::{sync::atomic::AtomicBool, thread, time::Instant};

use e2e::{Booked, Ending, Fate, Order, Stack, amount, journeys};
use simulation::Dice;

use crate::{alone, book, calls, delivery, fold};

/// The number of reservations in a wave. The next wave begins when the sagas of this one have ended: sagas that wait
/// for others too long are undone.
const WAVE: usize = 100;

/// Every third reservation is not approved, for changing reasons.
fn fate(number: usize) -> Fate {
    match number % 9 {
        2 => Fate::Declined,
        5 => Fate::NoSeat,
        8 => Fate::Cancelled,
        _ => Fate::Good,
    }
}

#[test]
fn lists_totals_and_pivot_are_the_fold_though_all_is_delivered_twice_and_shuffled() {
    let _alone = alone();
    let stack = Stack::from_env();
    let count = amount("ALPES_E2E_ANALITICA", 60);
    let clock = Instant::now();
    let dice = Dice::new(5);
    let parked = delivery::parked(&stack);
    let orders = (0..).zip(journeys(count));
    let orders: Vec<_> = orders
        .map(|(number, journey)| stack.order(fate(number), journey))
        .collect();
    println!("{count} prepared after {:?}", clock.elapsed());
    let stop = AtomicBool::new(false);
    let (booked, batches) = thread::scope(|scope| {
        let ending = Ending(&stop);
        let courier = scope.spawn(|| delivery::deliver_as_it_comes(&stack, &dice, &stop));
        let mut booked = vec![];
        for orders in orders.chunks(WAVE) {
            let wave = book(&stack, orders);
            stack.at_rest(&wave);
            booked.extend(wave);
        }
        drop(ending);
        (booked, courier.join().unwrap())
    });
    println!(
        "all sagas ended after {:?}; {batches} batches were delivered meanwhile",
        clock.elapsed()
    );
    let log = stack.log();
    let batches = delivery::deliver_twice(&stack, &dice, &log);
    println!(
        "all {} records of the log delivered twice, in {batches} batches, after {:?}",
        log.len(),
        clock.elapsed()
    );
    let fold = fold::agree(&stack);
    println!(
        "lists and reports equal the fold of {} reservations after {:?}",
        fold.0.len(),
        clock.elapsed()
    );
    became(&stack, &fold, &orders, &booked);
    delivery::clear_up(&stack, &parked);
    calls::compare(&stack, &log);
}

/// Checks that each reservation has the outcome that its fate requires. A saga that gave up a step cancels its
/// reservation.
fn became(stack: &Stack, fold: &fold::Fold, orders: &[Order], booked: &[Booked]) {
    for (order, booked) in orders.iter().zip(booked) {
        let expected = match order.fate {
            Fate::Good if !stack.gave_up(*booked) => "Aprobada",
            _ => "Cancelada",
        };
        assert_eq!(
            fold.estado(booked.id),
            expected,
            "{:?} {booked:?}",
            order.fate
        );
    }
}
