//! The reservations of this test: every fate, by every kind of saga.

use e2e::{
    Fate, Order, Outcome, Stack, at_its_own_time, by_choreography, by_step_functions, flights,
    journeys,
};
use serde_json::Value;

/// One in this many reservations is of a flight with too few seats.
const CONTESTED_ONE_IN: usize = 5;
/// How many reservations share the seats of such a flight, and how many seats it has.
const RIVALS: usize = 8;
const SEATS: u32 = 3;
/// One in this many good reservations is cancelled after all were made.
const CANCELLED_LATER_ONE_IN: usize = 8;

/// A reservation to make, and whether its client wants to cancel it once all are made.
pub struct Planned {
    pub order: Order,
    pub cancelled_later: bool,
}

/// The fate of a reservation. Half of the reservations are good.
fn fate(number: usize) -> Fate {
    match number % 20 {
        1 | 6 | 11 => Fate::Declined,
        3 | 8 | 13 => Fate::NoSeat,
        5 | 10 | 15 => Fate::Cancelled,
        17 => Fate::NoAnswer,
        _ => Fate::Good,
    }
}

/// The kind of saga. The numbers of kinds and of fates have no common divisor, so every fate meets every kind. Only
/// [`Fate::NoAnswer`] never meets a choreography, which would wait for its deadline longer than this test lasts.
fn by(number: usize, fate: Fate, body: Value) -> Value {
    match number % 3 {
        1 if fate != Fate::NoAnswer => by_choreography(body),
        2 => by_step_functions(body),
        _ => body,
    }
}

/// Prepares reservations. Some of them want the same few seats.
pub fn plan(stack: &Stack, count: usize) -> Vec<Planned> {
    let contested = count / CONTESTED_ONE_IN;
    let journeys = journeys(count - contested).into_iter().enumerate();
    let mut planned: Vec<_> = journeys
        .map(|(number, journey)| Planned {
            order: stack.order(fate(number), by(number, fate(number), journey)),
            cancelled_later: fate(number) == Fate::Good
                && number.is_multiple_of(CANCELLED_LATER_ONE_IN),
        })
        .collect();
    for first in (0..contested).step_by(RIVALS) {
        let rivals = RIVALS.min(contested - first);
        let place = planned.len() * first / contested;
        planned.splice(place..place, rivalry(stack, rivals));
    }
    planned
}

/// Reservations of the same few seats.
fn rivalry(stack: &Stack, rivals: usize) -> Vec<Planned> {
    let body = at_its_own_time(journeys(1).remove(0));
    for flight in flights(&body) {
        stack.set_seats(&flight, SEATS);
    }
    let rivals = (0..rivals).map(|number| Planned {
        order: stack.order_on(Fate::Good, by(number, Fate::Good, body.clone())),
        cancelled_later: false,
    });
    rivals.collect()
}

/// True if the reservation may have this outcome. `cancelled` is true if its cancellation was accepted.
pub fn allows(planned: &Planned, cancelled: bool, outcome: Outcome) -> bool {
    if cancelled {
        return Fate::Cancelled.allows(outcome);
    }
    let fate = match planned.order.fate {
        // The saga had ended, or Step Functions ran it: the client could not cancel.
        Fate::Cancelled => Fate::Good,
        fate => fate,
    };
    fate.allows(outcome)
}
