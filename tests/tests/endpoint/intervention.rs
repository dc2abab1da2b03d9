//! A saga whose compensation fails waits for a person. The person sees the saga and resumes it.

use alpes_saga::Status;
use e2e::{
    Answer, Booked, Falla, Outcome, Stack, at_its_own_time, eventually, flights, nobody, sample,
    story, unique,
};
use serde_json::{Value, json};

/// The reservation is charged and has no seat, and its refund fails.
const STUCK: Outcome = Outcome {
    saga: Status::NeedsIntervention,
    reserva: "Pendiente",
    charges: 1,
    refunds: 0,
    seated: false,
};

/// A fault of the refund in this mode, which affects more attempts than the saga makes.
fn failing(modo: &str) -> Falla<'_> {
    Falla {
        contexto: "pagos",
        comando: "RevertirPago",
        modo,
        veces: 1_000,
    }
}

/// Makes a reservation whose saga gets stuck.
fn stuck(stack: &Stack, modo: &str) -> Booked {
    let (key, body) = (unique("atascada"), at_its_own_time(sample()));
    stack.misbehave(&key, failing(modo));
    stack.set_seats(&flights(&body)[0], 0);
    let booked = stack.booked_as(&key, &body);
    assert_eq!(stack.outcomes(&[booked]), [STUCK]);
    booked
}

fn resume(stack: &Stack, booked: Booked, body: &Value) -> Answer {
    let path = format!("/sagas/{}/reanudacion", booked.saga);
    stack.api.send(&path, body)
}

/// Waits until the list of sagas that wait for a person shows this saga, or no longer shows it. The list is an index, so
/// it may be a moment late.
fn listed(stack: &Stack, booked: Booked, wanted: bool) {
    eventually("the list of sagas is up to date", || {
        (is_listed(stack, booked) == wanted).then_some(())
    });
}

/// True if the list of sagas that wait for a person shows this saga.
fn is_listed(stack: &Stack, booked: Booked) -> bool {
    let mut after = String::new();
    loop {
        let path = format!("/sagas?estado=RequiereIntervencion&limite=50{after}");
        let page = stack.api.get(&path).expect(200);
        let sagas = page["sagas"].as_array().unwrap();
        let ours = |saga: &Value| saga["id_correlacion"] == booked.saga.to_string();
        if let Some(saga) = sagas.iter().find(|saga| ours(saga)) {
            assert_eq!(saga["estado"], "RequiereIntervencion");
            assert_eq!(saga["id_reserva"], booked.id.to_string());
            return true;
        }
        match page["siguiente"].as_str() {
            Some(next) => after = format!("&siguiente={next}"),
            None => return false,
        }
    }
}

#[test]
fn an_undoing_that_is_refused_waits_and_goes_on_when_it_is_resumed() {
    let stack = Stack::from_env();
    let booked = stuck(&stack, "falla");
    listed(&stack, booked, true);
    let again = json!({ "nota": "otra vez" });
    resume(&stack, booked, &again).accepted();
    assert_eq!(stack.outcomes(&[booked]), [STUCK], "it is refused still");

    let healed = Falla {
        veces: 0,
        ..failing("falla")
    };
    stack.change_fault(booked.id, healed);
    let answer = resume(&stack, booked, &json!({})).accepted();
    assert_eq!(answer["id_correlacion"], booked.saga.to_string());
    assert_eq!(stack.outcome(booked), Outcome::REFUNDED);
    listed(&stack, booked, false);
    let story = story(&stack.saga(booked));
    let resumed = story.iter().filter(|line| line.starts_with("Reanudada"));
    assert_eq!(
        resumed.collect::<Vec<_>>(),
        ["Reanudada otra vez", "Reanudada "]
    );
    resume(&stack, booked, &again).problem(409);
}

#[test]
fn an_undoing_that_nobody_answers_is_given_up_and_a_person_does_it() {
    let stack = Stack::from_env();
    let booked = stuck(&stack, "error");
    listed(&stack, booked, true);
    let saga = stack.saga(booked);
    let given_up = saga["log"].as_array().unwrap().iter();
    let given_up: Vec<_> = given_up
        .filter(|line| line["tipo"] == "TiempoAgotado" && line["direccion"] == "deshacer")
        .map(|line| &line["intentos"])
        .collect();
    assert_eq!(given_up, [8]);

    resume(&stack, booked, &json!({ "hecho": true })).problem(400);
    let done = json!({ "hecho": true, "paso": 2, "nota": "devuelto en la caja" });
    resume(&stack, booked, &done).accepted();
    let by_hand = Outcome {
        charges: 1,
        ..Outcome::NOT_CHARGED
    };
    assert_eq!(stack.outcome(booked), by_hand, "the provider was not asked");
    let story = story(&stack.saga(booked));
    assert!(story.contains(&"PasoMarcado devuelto en la caja".to_owned()));
}

#[test]
fn only_what_waits_for_a_person_is_resumed() {
    let stack = Stack::from_env();
    let booked = stack.booked(&at_its_own_time(sample()));
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    resume(&stack, booked, &json!({})).problem(409);
    let path = format!("/sagas/{}/reanudacion", nobody());
    stack.api.send(&path, &json!({})).problem(404);
}
