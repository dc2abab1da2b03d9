//! A client cancels before, during and after the saga.

use e2e::{
    Falla, Outcome, Stack, at_its_own_time, eventually, flights, nobody, sample, story, unique,
};
use serde_json::json;

#[test]
fn cancelled_as_soon_as_it_was_accepted_nothing_stays() {
    let stack = Stack::from_env();
    let made: Vec<_> = (0..10)
        .map(|_| {
            let body = at_its_own_time(sample());
            let booked = stack.booked(&body);
            let answer = stack.api.cancel(booked.id, &json!({})).accepted();
            assert_eq!(answer["id_reserva"], booked.id.to_string());
            assert_eq!(answer["id_correlacion"], booked.saga.to_string());
            (body, booked)
        })
        .collect();
    let mut found = vec![];
    for (body, booked) in made {
        let outcome = stack.outcome(booked);
        // The outcome depends on which command came first, the charge or the cancellation.
        assert!(
            [Outcome::NOT_CHARGED, Outcome::REFUNDED].contains(&outcome),
            "{outcome:?}"
        );
        assert_eq!(stack.seats(&flights(&body)[0]).held, 0);
        let motivo = stack.saga(booked)["motivo"].clone();
        assert_eq!(motivo, "cancelada por el cliente");
        found.push(outcome.charges);
    }
    println!("charged and refunded: {}", found.iter().sum::<usize>());
}

#[test]
fn cancelled_while_a_participant_is_silent() {
    let stack = Stack::from_env();
    let key = unique("cancelada");
    stack.misbehave(&key, Falla::SILENT_PAYMENT);
    let booked = stack.booked_as(&key, &at_its_own_time(sample()));
    eventually("the charge is asked for", || {
        stack.tick();
        let saga = stack.api.get(&format!("/sagas/{}", booked.saga));
        let asked = saga.expect(200)["pendiente"]["intentos"].as_u64();
        asked.filter(|attempts| *attempts > 0)
    });
    let answer = stack
        .api
        .cancel(booked.id, &json!({ "motivo": "cambio de planes" }))
        .accepted();
    assert_eq!(answer["estado"], "Compensando");
    assert_eq!(stack.outcome(booked), Outcome::NOT_CHARGED);
    assert_eq!(
        story(&stack.saga(booked)),
        [
            "Inicio ReservaCreada",
            "ComandoEnviado PagarReserva",
            "CancelacionPedida cambio de planes",
            // The charge may have happened, since its answer is missing.
            "CompensacionEnviada RevertirPago",
            "EventoRecibido PagoRevertido",
            "CompensacionEnviada CancelarReserva",
            "EventoRecibido ReservaCancelada",
            "Fin Compensada",
        ]
    );
}

#[test]
fn cancelled_after_it_was_approved_all_of_it_is_undone() {
    let stack = Stack::from_env();
    let body = at_its_own_time(sample());
    let vuelo = &flights(&body)[0];
    let booked = stack.booked(&body);
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    let free = stack.seats(vuelo).free;

    let asked = json!({ "motivo": "cambio de planes" });
    stack.api.cancel(booked.id, &asked).accepted();
    assert_eq!(stack.outcome(booked), Outcome::REFUNDED);
    let seats = stack.seats(vuelo);
    assert_eq!((seats.held, seats.free), (0, free + 1));
    let saga = stack.saga(booked);
    assert_eq!(saga["motivo"], "cambio de planes");
    let story = story(&saga);
    let cancelled = story
        .iter()
        .position(|line| line == "CancelacionPedida cambio de planes");
    assert_eq!(
        story[cancelled.unwrap() + 1..],
        [
            "CompensacionEnviada CancelarReserva",
            "EventoRecibido ReservaCancelada",
            "CompensacionEnviada RevertirConfirmacion",
            "EventoRecibido ConfirmacionGDSRevertida",
            "CompensacionEnviada RevertirPago",
            "EventoRecibido PagoRevertido",
            "CompensacionEnviada CancelarReserva",
            "EventoRecibido ReservaCancelada",
            "Fin Compensada",
        ]
    );
    stack.api.cancel(booked.id, &asked).problem(409);
}

#[test]
fn cancelled_again_and_again_it_is_cancelled_once() {
    let stack = Stack::from_env();
    let booked = stack.booked(&at_its_own_time(sample()));
    stack.api.cancel(booked.id, &json!({})).accepted();
    let again: Vec<u16> = std::thread::scope(|scope| {
        let send = || {
            stack
                .api
                .cancel(booked.id, &json!({ "motivo": "otro" }))
                .status
        };
        let senders: Vec<_> = (0..6).map(|_| scope.spawn(send)).collect();
        senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .collect()
    });
    assert!(
        again.iter().all(|status| [202, 409].contains(status)),
        "{again:?}"
    );
    let outcome = stack.outcome(booked);
    assert_eq!(outcome.reserva, "Cancelada");
    assert_eq!(outcome.charges, outcome.refunds);
    let saga = stack.saga(booked);
    assert_eq!(
        saga["motivo"], "cancelada por el cliente",
        "the first reason stands"
    );
    stack.api.cancel(booked.id, &json!({})).problem(409);
}

#[test]
fn what_was_never_made_cannot_be_cancelled() {
    let stack = Stack::from_env();
    stack.api.cancel(nobody(), &json!({})).problem(404);
}
