//! Many at once want the same seats, or cancel one reservation, in each of the three ways in which a saga runs.

use e2e::{
    Booked, Outcome, Stack, amount, at_its_own_time, by_choreography, by_step_functions, flights,
    sample, side_by_side,
};
use serde_json::{Value, json};

use crate::choreography::undone;

/// The ways in which a saga runs.
const WAYS: [fn(Value) -> Value; 3] = [|body| body, by_choreography, by_step_functions];
/// How many requests are sent at once.
const AT_ONCE: usize = 12;

/// The stack under test, if it serves many requests at once.
fn for_crowds() -> Option<Stack> {
    let stack = Stack::from_env();
    if stack.serves_crowds() {
        return Some(stack);
    }
    println!("not run: this runtime answers too few at once");
    None
}

/// How many want the seats of one flight. Twice as many are cancelled, and three times as often one is disturbed.
fn crowd() -> usize {
    amount("ALPES_E2E_CROWD", 30)
}

/// Cancels, and resumes as an operator would, and returns the status.
fn disturb(stack: &Stack, booked: Booked, number: usize) -> u16 {
    if number.is_multiple_of(3) {
        let path = format!("/sagas/{}/reanudacion", booked.saga);
        return stack.api.send(&path, &json!({})).status;
    }
    stack.api.cancel(booked.id, &json!({})).status
}

/// The reservation is cancelled, nothing of it is held, and its money is back.
fn assert_undone(outcome: Outcome) {
    assert_eq!(
        (outcome.reserva, outcome.seated),
        ("Cancelada", false),
        "{outcome:?}"
    );
    assert!(outcome.charges <= 1, "{outcome:?}");
    assert_eq!(outcome.charges, outcome.refunds, "{outcome:?}");
}

#[test]
fn a_hundred_cancel_and_resume_one_reservation_and_it_is_undone_once() {
    let Some(stack) = for_crowds() else {
        return;
    };
    for way in WAYS {
        let body = way(at_its_own_time(sample()));
        let booked = stack.booked(&body);
        if body["saga"] == "stepfunctions" {
            // An execution cannot be stopped half-way, so it is cancelled when it has ended.
            stack.outcome(booked);
        }
        let numbers: Vec<_> = (0..3 * crowd() + 10).collect();
        let told = side_by_side(AT_ONCE, &numbers, |number| disturb(&stack, booked, *number));
        let known = |status: &u16| [202, 409].contains(status) || stack.is_unkind();
        assert!(told.iter().all(known), "{told:?}");
        assert!(told.contains(&202), "{told:?}");
        assert_undone(undone(&stack, booked));
        assert_eq!(stack.seats(&flights(&body)[0]).held, 0);
    }
}

#[test]
fn of_sixty_that_are_cancelled_while_they_are_approved_each_is_one_or_the_other() {
    let Some(stack) = for_crowds() else {
        return;
    };
    for way in WAYS {
        let bodies = (0..2 * crowd()).map(|_| way(at_its_own_time(sample())));
        let bodies: Vec<_> = bodies.collect();
        let made = side_by_side(AT_ONCE, &bodies, |body| {
            let booked = stack.booked(body);
            let answer = stack.api.cancel(booked.id, &json!({}));
            (booked, answer.status)
        });
        let mut cancelled = 0;
        for ((booked, status), body) in made.into_iter().zip(&bodies) {
            let seats = || stack.seats(&flights(body)[0]).held;
            if status == 202 {
                cancelled += 1;
                assert_undone(undone(&stack, booked));
                assert_eq!(seats(), 0);
                continue;
            }
            // Only an execution that runs refuses to be cancelled.
            assert!(status == 409 || stack.is_unkind(), "{status}");
            let outcome = stack.outcome(booked);
            if outcome != Outcome::APPROVED {
                assert_undone(outcome);
            }
            assert_eq!(seats(), i64::from(outcome.seated));
        }
        println!("{cancelled} of {} cancelled", bodies.len());
    }
}

#[test]
fn of_thirty_who_want_five_seats_five_get_one() {
    let Some(stack) = for_crowds() else {
        return;
    };
    for way in WAYS {
        let body = way(at_its_own_time(sample()));
        let vuelo = &flights(&body)[0];
        stack.set_seats(vuelo, 5);
        let made = side_by_side(AT_ONCE, &vec![(); crowd()], |()| stack.booked(&body));
        let outcomes = stack.outcomes(&made);
        let approved = |outcome: &&Outcome| **outcome == Outcome::APPROVED;
        let held = outcomes.iter().filter(approved).count();
        let gave_up = made.iter().filter(|booked| stack.gave_up(**booked)).count();
        assert!((5 - gave_up.min(5)..=5).contains(&held), "{held} seats");
        for (booked, outcome) in made.iter().zip(&outcomes) {
            if *outcome != Outcome::APPROVED {
                stack.must_be(*booked, *outcome, Outcome::REFUNDED);
            }
        }
        let seats = stack.seats(vuelo);
        let held = i64::try_from(held).unwrap();
        assert_eq!((seats.held, seats.free), (held, 5 - held));
    }
}
