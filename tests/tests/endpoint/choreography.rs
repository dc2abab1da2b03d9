//! Reservations in a choreography, without a coordinator: charges and seats still agree with the reservations.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use alpes_messages::{CommandId, Event, StreamId};
use alpes_participant::reaction_id;
use alpes_saga::Status;
use e2e::{
    Booked, Falla, Fate, Order, Outcome, Stack, amount, at_its_own_time, by_choreography,
    eventually, flights, journeys, paid_with, sample, side_by_side, unique,
};
use events::PAGOS;
use serde_json::{Value, json};

const SENDERS: usize = 8;
/// Each fate happens to two reservations, one with a coordinator and one without.
const FATES: [Fate; 5] = [
    Fate::Good,
    Fate::Declined,
    Fate::Good,
    Fate::NoSeat,
    Fate::Cancelled,
];

fn journey(medio: &str) -> Value {
    by_choreography(paid_with(at_its_own_time(sample()), medio))
}

/// Makes a reservation. A participant has this fault from the first command on.
fn with(stack: &Stack, falla: Falla) -> (Value, Booked) {
    let key = unique("coreografia");
    stack.misbehave(&key, falla);
    let body = journey("tok_visa");
    let booked = stack.booked_as(&key, &body);
    (body, booked)
}

/// Waits until a reservation is undone, perhaps after it was approved, and returns its outcome.
pub(crate) fn undone(stack: &Stack, booked: Booked) -> Outcome {
    eventually("the reservation is undone", || {
        stack.tick();
        let saga = stack.api.get(&format!("/sagas/{}", booked.saga));
        (saga.expect(200)["estado"] == "Compensada").then_some(())
    });
    stack.outcome(booked)
}

/// All events of a reservation, in every context.
fn events(stack: &Stack, booked: Booked) -> Vec<Event> {
    let texts = stack.committed(booked.id).into_iter();
    let decoded = texts.map(|text| Event::decode(&text, &events::catalogue()).unwrap().0);
    decoded.collect()
}

fn of_kind<'a>(events: &'a [Event], kind: &str) -> &'a Event {
    let mut of_kind = events.iter().filter(|event| event.kind == kind);
    let found = of_kind.next().expect(kind);
    assert!(of_kind.next().is_none(), "one {kind} only");
    found
}

/// The event types in a saga's log.
fn heard(saga: &Value) -> BTreeSet<&str> {
    let lines = saga["log"].as_array().unwrap().iter();
    lines.filter_map(|line| line["evento"].as_str()).collect()
}

#[track_caller]
fn assert_told(stack: &Stack, booked: Booked, estado: &str, kinds: &[&str]) {
    let saga = stack.saga(booked);
    assert_eq!(saga["modo"], "coreografia", "{saga}");
    assert_eq!(saga["estado"], estado, "{saga}");
    let heard = heard(&saga);
    for kind in kinds {
        assert!(heard.contains(kind), "{kind}: {saga}");
    }
}

#[test]
fn a_reservation_is_charged_seated_and_approved_by_events_alone() {
    let stack = Stack::from_env();
    let body = journey("tok_visa");
    let booked = stack.booked(&body);
    let beside = stack.booked(&paid_with(at_its_own_time(sample()), "tok_visa"));
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    assert_eq!(stack.seats(&flights(&body)[0]).held, 1);
    let kinds = [
        "ReservaCreada",
        "ReservaPagada",
        "ReservaGDSConfirmada",
        "ReservaAprobada",
    ];
    assert_told(&stack, booked, "Completada", &kinds);

    // By a policy, each step's command follows from the event of the step before it.
    let carried = events(&stack, booked);
    let steps = [
        ("ReservaCreada", pagos::PAGAR_RESERVA, "ReservaPagada"),
        (
            "ReservaPagada",
            gds::CONFIRMAR_RESERVA,
            "ReservaGDSConfirmada",
        ),
        (
            "ReservaGDSConfirmada",
            vuelos::APROBAR_RESERVA,
            "ReservaAprobada",
        ),
    ];
    for (cause, command, effect) in steps {
        let command = reaction_id(of_kind(&carried, cause), command);
        assert_eq!(of_kind(&carried, effect).causationid, command.0, "{effect}");
    }
    // The other reservation has a coordinator, and none of its commands follows from a policy.
    assert_eq!(stack.outcome(beside), Outcome::APPROVED);
    let moved = events(&stack, beside);
    assert_eq!(stack.saga(beside)["modo"], "orquestacion");
    for (cause, command, effect) in steps {
        let CommandId(command) = reaction_id(of_kind(&moved, cause), command);
        assert_ne!(of_kind(&moved, effect).causationid, command, "{effect}");
    }
}

#[test]
fn what_is_declined_is_cancelled_and_nothing_is_charged() {
    let stack = Stack::from_env();
    let body = journey("tok_rechazada");
    let booked = stack.booked(&body);
    assert_eq!(stack.outcome(booked), Outcome::NOT_CHARGED);
    assert_eq!(stack.seats(&flights(&body)[0]).held, 0);
    assert_told(
        &stack,
        booked,
        "Compensada",
        &["PagoFallido", "ReservaCancelada"],
    );
}

#[test]
fn without_a_seat_money_comes_back() {
    let stack = Stack::from_env();
    let body = journey("tok_visa");
    let vuelo = &flights(&body)[0];
    stack.set_seats(vuelo, 0);
    let booked = stack.booked(&body);
    assert_eq!(stack.outcome(booked), Outcome::REFUNDED);
    let seats = stack.seats(vuelo);
    assert_eq!((seats.held, seats.free), (0, 0));
    let kinds = ["ConfirmacionFallida", "ReservaCancelada", "PagoRevertido"];
    assert_told(&stack, booked, "Compensada", &kinds);
}

#[test]
fn an_approval_that_fails_undoes_everything() {
    let stack = Stack::from_env();
    let falla = Falla {
        contexto: "vuelos",
        comando: "AprobarReserva",
        modo: "falla",
        veces: 1,
    };
    let (body, booked) = with(&stack, falla);
    assert_eq!(stack.outcome(booked), Outcome::REFUNDED);
    assert_eq!(stack.seats(&flights(&body)[0]).held, 0);
    let kinds = ["AprobacionReservaFallida", "ConfirmacionGDSRevertida"];
    assert_told(&stack, booked, "Compensada", &kinds);
}

#[test]
fn who_is_silent_for_a_while_is_asked_again() {
    let stack = Stack::from_env();
    let silent = |contexto, comando| Falla {
        contexto,
        comando,
        modo: "silencio",
        veces: 2,
    };
    let all = [
        silent("pagos", "PagarReserva"),
        silent("gds", "ConfirmarReserva"),
        silent("vuelos", "AprobarReserva"),
    ];
    let booked = all.map(|falla| with(&stack, falla).1);
    assert_eq!(stack.outcomes(&booked), [Outcome::APPROVED; 3]);
}

#[test]
fn a_provider_that_fails_twice_charges_once_here_too() {
    let stack = Stack::from_env();
    let booked = stack.booked(&journey("tok_intermitente"));
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
}

/// The provider charges and never answers. The test moves the deadline to an earlier time, and invokes the reaction
/// directly.
#[test]
fn what_takes_too_long_is_cancelled_and_what_was_charged_comes_back() {
    let stack = Stack::from_env();
    let booked = stack.booked(&journey("tok_timeout"));
    let key = pagos::key(booked.id);
    eventually("the provider charges", || {
        let ledger = pagos::simulador::ledger(&*stack.tables, &key);
        (stack.wait(ledger).unwrap().len() == 1).then_some(())
    });
    let key = json!({
        "pk": format!("vuelos-{}", booked.id),
        "sk": "deadline#ReservaCreada#CancelarReserva",
    });
    let resume = json!({ "reactions": [key] });
    let noted = alpes_ports::Key::new(
        alpes_participant::REACTIONS,
        key["pk"].as_str().unwrap(),
        key["sk"].as_str().unwrap(),
    );
    eventually("the deadline is stored", || {
        let item = stack
            .tables
            .get_one(&noted, alpes_ports::Consistency::Strong);
        stack.wait(item).unwrap()
    });
    let answer = stack
        .invoke("participant-vuelos", &resume)
        .map(|answer| answer.expect(200));
    // An unkind stack may kill the function. The timers then invoke the reaction.
    if let Some(answer) = answer.filter(|_| !stack.is_unkind()) {
        assert_eq!(answer, json!({"done": 1, "put_off": 0}));
    }
    assert_eq!(undone(&stack, booked), Outcome::REFUNDED);
    let cancelled = events(&stack, booked);
    assert_eq!(
        of_kind(&cancelled, "ReservaCancelada").data["motivo"],
        "plazo"
    );
}

#[test]
fn cancelled_at_once_on_its_way_or_when_it_is_approved_nothing_stays() {
    let stack = Stack::from_env();
    let cancel = |booked: Booked| {
        let body = json!({"motivo": "cambio de planes"});
        stack.api.cancel(booked.id, &body).accepted();
    };
    let at_once: Vec<_> = (0..5)
        .map(|_| {
            let body = journey("tok_visa");
            let booked = stack.booked(&body);
            cancel(booked);
            (body, booked)
        })
        .collect();
    let (body, silent) = with(&stack, Falla::SILENT_PAYMENT);
    eventually("its saga is watched", || {
        let saga = stack.api.get(&format!("/sagas/{}", silent.saga));
        (saga.expect(200)["origen"] == "vista").then_some(())
    });
    cancel(silent);
    assert_eq!(undone(&stack, silent), Outcome::NOT_CHARGED);
    assert_eq!(stack.seats(&flights(&body)[0]).held, 0);

    let body = journey("tok_visa");
    let approved = stack.booked(&body);
    assert_eq!(stack.outcome(approved), Outcome::APPROVED);
    cancel(approved);
    assert_eq!(undone(&stack, approved), Outcome::REFUNDED);
    assert_eq!(stack.seats(&flights(&body)[0]).held, 0);

    for (body, booked) in at_once {
        let outcome = undone(&stack, booked);
        assert!(Fate::Cancelled.allows(outcome), "{outcome:?}");
        assert_eq!(stack.seats(&flights(&body)[0]).held, 0);
    }
}

#[test]
fn both_kinds_side_by_side_each_end_as_they_should() {
    let stack = Stack::from_env();
    let count = amount("ALPES_E2E_MIXED", 40);
    let orders = journeys(count).into_iter().enumerate();
    let orders: Vec<(bool, Order)> = orders
        .map(|(number, journey)| {
            let fate = FATES[number / 2 % FATES.len()];
            let mut order = stack.order(fate, journey);
            let choreographed = number.is_multiple_of(2);
            if choreographed {
                order.body = by_choreography(order.body);
            }
            (choreographed, order)
        })
        .collect();
    let clock = Instant::now();
    let api = &stack.api;
    let booked = side_by_side(SENDERS, &orders, |(_, order)| api.insist(order).0);
    println!("{count} accepted after {:?}", clock.elapsed());
    for (one, (_, order)) in booked.iter().zip(&orders) {
        if order.fate == Fate::Cancelled {
            undone(&stack, *one);
        }
    }
    let outcomes = stack.outcomes(&booked);
    println!("{count} at rest after {:?}", clock.elapsed());
    for ((one, outcome), (choreographed, order)) in booked.iter().zip(outcomes).zip(&orders) {
        let expected = match order.fate {
            Fate::Good if !stack.gave_up(*one) => outcome == Outcome::APPROVED,
            fate => fate.allows(outcome),
        };
        let fate = order.fate;
        assert!(expected, "{one:?}, {fate:?}: {outcome:?}");
        let seats = stack.seats(&flights(&order.body)[0]);
        let held = i64::from(outcome == Outcome::APPROVED);
        assert_eq!(seats.held, held, "{one:?}, {fate:?}");
        let modo = if *choreographed {
            "coreografia"
        } else {
            "orquestacion"
        };
        assert_eq!(stack.saga(*one)["modo"], modo);
        if outcome == Outcome::APPROVED {
            let pagos = StreamId::new(PAGOS, one.id);
            assert_eq!(stack.kinds(pagos), ["ReservaPagada"]);
        }
    }
}

/// So long a reservation can wait for its charge without being cancelled.
const WELL_BEFORE_THE_DEADLINE: Duration = Duration::from_mins(1);

/// The charge of one reservation gets no answer. The other reservations are in the same shards.
#[test]
fn one_that_waits_does_not_hold_up_the_others() {
    let stack = Stack::from_env();
    let (_, silent) = with(&stack, Falla::SILENT_PAYMENT);
    let begun = Instant::now();
    let taken: Vec<Duration> = (0..10)
        .take_while(|_| begun.elapsed() < WELL_BEFORE_THE_DEADLINE)
        .map(|_| {
            let clock = Instant::now();
            let booked = stack.booked(&journey("tok_visa"));
            let estado = stack.at_rest(&[booked]);
            assert_eq!(estado, [Status::Completed]);
            clock.elapsed()
        })
        .collect();
    println!("from POST to Aprobada, next to one that waits: {taken:?}");
    assert!(
        stack.kinds(StreamId::new(PAGOS, silent.id)).is_empty(),
        "it still waits"
    );
    let answers = Falla {
        veces: 0,
        ..Falla::SILENT_PAYMENT
    };
    stack.change_fault(silent.id, answers);
    assert_eq!(stack.outcome(silent), Outcome::APPROVED);
}
