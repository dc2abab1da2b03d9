//! The same saga definition run by two engines: the coordinator and Step Functions.

use alpes_saga::Status;
use e2e::{
    Booked, Falla, Outcome, Stack, at_its_own_time, by_step_functions, eventually, flights,
    journeys, paid_with, sample, story, unique,
};
use gds::inventory::Inventory;
use serde_json::{Value, json};

/// The planned course of a reservation.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    medio: &'static str,
    /// The index of the leg that has no seat.
    full: Option<usize>,
    falla: Option<Falla<'static>>,
    ends: Outcome,
}

const PLAIN: Scenario = Scenario {
    name: "approved",
    medio: "tok_visa",
    full: None,
    falla: None,
    ends: Outcome::APPROVED,
};

const fn failing(
    contexto: &'static str,
    comando: &'static str,
    modo: &'static str,
    veces: u32,
) -> Falla<'static> {
    Falla {
        contexto,
        comando,
        modo,
        veces,
    }
}

const SCENARIOS: [Scenario; 9] = [
    PLAIN,
    Scenario {
        name: "declined",
        medio: "tok_rechazada",
        ends: Outcome::NOT_CHARGED,
        ..PLAIN
    },
    Scenario {
        name: "insufficient funds",
        medio: "tok_fondos_insuficientes",
        ends: Outcome::NOT_CHARGED,
        ..PLAIN
    },
    Scenario {
        name: "transient payment error",
        medio: "tok_intermitente",
        ..PLAIN
    },
    Scenario {
        name: "payment timeout",
        medio: "tok_timeout",
        ends: Outcome::REFUNDED,
        ..PLAIN
    },
    Scenario {
        name: "no seat on the first leg",
        full: Some(0),
        ends: Outcome::REFUNDED,
        ..PLAIN
    },
    Scenario {
        name: "no seat on the last leg",
        full: Some(1),
        ends: Outcome::REFUNDED,
        ..PLAIN
    },
    Scenario {
        name: "approval fails",
        falla: Some(failing("vuelos", "AprobarReserva", "falla", 1_000)),
        ends: Outcome::REFUNDED,
        ..PLAIN
    },
    Scenario {
        name: "compensation fails twice, then succeeds",
        full: Some(0),
        falla: Some(failing("pagos", "RevertirPago", "error", 2)),
        ends: Outcome::REFUNDED,
        ..PLAIN
    },
];

/// A journey of 2 legs, on flights of its own.
fn journey() -> Value {
    let mut known = journeys(200).into_iter();
    let two_legs = known.find(|body| flights(body).len() == 2).unwrap();
    at_its_own_time(two_legs)
}

/// Makes a reservation for a scenario; also returns its journey.
fn book(stack: &Stack, scenario: &Scenario, by: fn(Value) -> Value) -> (Booked, Value) {
    let (key, body) = (unique("motor"), by(paid_with(journey(), scenario.medio)));
    if let Some(leg) = scenario.full {
        stack.set_seats(&flights(&body)[leg], 0);
    }
    if let Some(falla) = scenario.falla {
        stack.misbehave(&key, falla);
    }
    (stack.booked_as(&key, &body), body)
}

fn seats(stack: &Stack, body: &Value) -> Vec<Inventory> {
    flights(body)
        .iter()
        .map(|flight| stack.seats(flight))
        .collect()
}

/// The log of a saga in a form that both engines share. Repeated attempts and the entries about executions are left
/// out.
fn told(saga: &Value) -> Option<Vec<String>> {
    let log = saga["log"].as_array().unwrap();
    let slow = |line: &Value| line["sentido"] == "duda" || line["tipo"] == "TiempoAgotado";
    let mut story = story(saga);
    story.retain(|line| !line.starts_with("EjecucionIniciada"));
    (!log.iter().any(slow)).then_some(story)
}

#[test]
fn each_scenario_ends_the_same_by_either_engine() {
    let stack = Stack::from_env();
    let own = |body| body;
    let cancelled = Scenario {
        name: "cancelled after it was approved",
        ..PLAIN
    };
    let scenarios: Vec<_> = SCENARIOS.into_iter().chain([cancelled]).collect();
    let booked: Vec<_> = scenarios
        .iter()
        .flat_map(|scenario| {
            [own as fn(Value) -> Value, by_step_functions].map(|by| book(&stack, scenario, by))
        })
        .collect();
    let ids: Vec<_> = booked.iter().map(|(booked, _)| *booked).collect();
    let before = stack.outcomes(&ids);
    let asked = json!({ "motivo": "cambio de planes" });
    for (booked, outcome) in ids.iter().zip(before).skip(ids.len() - 2) {
        stack.must_be(*booked, outcome, Outcome::APPROVED);
        if outcome == Outcome::APPROVED {
            stack.api.cancel(booked.id, &asked).accepted();
        }
    }
    let outcomes = stack.outcomes(&ids);
    for (number, scenario) in scenarios.iter().enumerate() {
        let name = scenario.name;
        let place = 2 * number;
        let ends = if number == SCENARIOS.len() {
            Outcome::REFUNDED
        } else {
            scenario.ends
        };
        println!("{name}, by the coordinator and by Step Functions");
        for (booked, outcome) in ids.iter().zip(&outcomes).skip(place).take(2) {
            stack.must_be(*booked, *outcome, ends);
        }
        if outcomes[place..place + 2] != [ends; 2] {
            // One of the two gave up on an unkind stack.
            continue;
        }
        let held = |(_, body): &(Booked, Value)| {
            let held = seats(&stack, body).into_iter();
            held.map(|seats| (seats.held, seats.free))
                .collect::<Vec<_>>()
        };
        assert_eq!(held(&booked[place]), held(&booked[place + 1]), "{name}");
        let sagas = [place, place + 1].map(|place| stack.saga(booked[place].0));
        let modes = sagas.each_ref().map(|saga| saga["modo"].as_str().unwrap());
        assert_eq!(modes, ["orquestacion", "stepfunctions"]);
        assert_eq!(sagas[0]["estado"], sagas[1]["estado"], "{name}");
        assert_eq!(sagas[0]["motivo"], sagas[1]["motivo"], "{name}");
        if let [Some(own), Some(other)] = sagas.each_ref().map(told) {
            assert_eq!(own, other, "{name}");
        }
    }
}

#[test]
fn an_execution_is_not_cancelled_while_it_runs_nor_resumed_from_here() {
    let stack = Stack::from_env();
    let (key, body) = (
        unique("motor"),
        by_step_functions(at_its_own_time(sample())),
    );
    stack.misbehave(&key, Falla::SILENT_PAYMENT);
    let booked = stack.booked_as(&key, &body);
    eventually("its execution runs", || {
        let found = stack.saga(booked);
        story(&found)
            .iter()
            .any(|line| line.starts_with("EjecucionIniciada"))
            .then_some(())
    });
    let problem = stack.api.cancel(booked.id, &json!({})).problem(409);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("Step Functions"),
        "{problem}"
    );
    stack
        .api
        .send(&format!("/sagas/{}/reanudacion", booked.saga), &json!({}))
        .problem(409);
    // The charge got no answer, so its outcome is unknown, and the saga undoes it too.
    assert_eq!(stack.outcome(booked), Outcome::NOT_CHARGED);
    assert_eq!(stack.saga(booked)["motivo"], "PagarReserva: sin respuesta");
}

#[test]
fn an_execution_that_cannot_undo_requires_a_person_and_is_taken_over() {
    let stack = Stack::from_env();
    let scenario = Scenario {
        full: Some(0),
        falla: Some(failing("pagos", "RevertirPago", "falla", 1_000)),
        ..PLAIN
    };
    let (booked, _) = book(&stack, &scenario, by_step_functions);
    let outcome = stack.outcomes(&[booked])[0];
    assert_eq!(outcome.saga, Status::NeedsIntervention);
    assert_eq!((outcome.charges, outcome.refunds), (1, 0));
    let saga = stack.saga(booked);
    assert_eq!(saga["estado"], "RequiereIntervencion");
    // The coordinator takes the saga over, once the bank answers again.
    stack.change_fault(booked.id, failing("pagos", "RevertirPago", "falla", 0));
    stack
        .api
        .send(&format!("/sagas/{}/reanudacion", booked.saga), &json!({}))
        .accepted();
    assert_eq!(stack.outcome(booked), Outcome::REFUNDED);
    let story = story(&stack.saga(booked));
    assert!(story.contains(&"Relevo ".to_owned()), "{story:#?}");
}
