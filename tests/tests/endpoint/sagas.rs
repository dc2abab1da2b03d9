//! Tests the outcomes of reservations, and that charges and seats agree with the outcomes.

use alpes_messages::StreamId;
use alpes_ports::{Consistency, Key};
use e2e::{
    Booked, Falla, Outcome, Stack, at_its_own_time, flights, paid_with, sample, story, unique,
};
use events::{GDS, IdReserva, PAGOS, VUELOS};
use pagos::simulador;
use serde_json::{Value, json};

#[test]
fn a_reservation_is_charged_seated_and_approved() {
    let stack = Stack::from_env();
    let body = paid_with(at_its_own_time(sample()), "tok_visa");
    let booked = stack.booked(&body);
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    assert_eq!(stack.seats(&flights(&body)[0]).held, 1);
    let saga = stack.saga(booked);
    assert_eq!(saga["estado"], "Completada");
    assert_eq!(saga["id_reserva"], booked.id.to_string());
    assert_eq!(
        story(&saga),
        [
            "Inicio ReservaCreada",
            "ComandoEnviado PagarReserva",
            "EventoRecibido ReservaPagada",
            "ComandoEnviado ConfirmarReserva",
            "EventoRecibido ReservaGDSConfirmada",
            "ComandoEnviado AprobarReserva",
            "EventoRecibido ReservaAprobada",
            "Fin Completada",
        ]
    );
    for (context, kinds) in [
        (VUELOS, ["ReservaCreada", "ReservaAprobada"].as_slice()),
        (PAGOS, &["ReservaPagada"]),
        (GDS, &["ReservaGDSConfirmada"]),
    ] {
        assert_eq!(stack.kinds(StreamId::new(context, booked.id)), kinds);
    }
}

#[test]
fn a_declined_payment_cancels_and_charges_nothing() {
    let stack = Stack::from_env();
    for medio in ["tok_rechazada", "tok_fondos_insuficientes"] {
        let body = paid_with(at_its_own_time(sample()), medio);
        let booked = stack.booked(&body);
        assert_eq!(stack.outcome(booked), Outcome::NOT_CHARGED, "{medio}");
        assert_eq!(stack.seats(&flights(&body)[0]).held, 0);
        let saga = stack.saga(booked);
        assert_eq!(saga["motivo"], "PagoFallido");
        let in_doubt = [
            "CompensacionEnviada RevertirPago",
            "EventoRecibido PagoRevertido",
        ];
        let expected = [
            [
                "Inicio ReservaCreada",
                "ComandoEnviado PagarReserva",
                "EventoRecibido PagoFallido",
            ]
            .as_slice(),
            when_in_doubt(&saga, &in_doubt),
            &[
                "CompensacionEnviada CancelarReserva",
                "EventoRecibido ReservaCancelada",
                "Fin Compensada",
            ],
        ];
        assert_eq!(story(&saga), expected.concat());
    }
}

/// If an attempt of the failed step was not answered in time, this step must be undone in addition: the attempt may
/// have had more effect than the answer to a later attempt says.
fn when_in_doubt<'a>(saga: &Value, undone: &'a [&'a str]) -> &'a [&'a str] {
    let log = saga["log"].as_array().unwrap();
    let in_doubt = log.iter().any(|line| line["sentido"] == "duda");
    if in_doubt { undone } else { &[] }
}

#[test]
fn without_a_seat_the_charge_is_given_back() {
    let stack = Stack::from_env();
    let body = at_its_own_time(sample());
    let vuelo = &flights(&body)[0];
    stack.set_seats(vuelo, 0);
    let booked = stack.booked(&body);
    assert_eq!(stack.outcome(booked), Outcome::REFUNDED);
    let seats = stack.seats(vuelo);
    assert_eq!((seats.held, seats.free), (0, 0));
    let saga = stack.saga(booked);
    assert_eq!(saga["motivo"], "ConfirmacionFallida");
    let in_doubt = [
        "CompensacionEnviada RevertirConfirmacion",
        "EventoRecibido ConfirmacionGDSRevertida",
    ];
    let expected = [
        [
            "Inicio ReservaCreada",
            "ComandoEnviado PagarReserva",
            "EventoRecibido ReservaPagada",
            "ComandoEnviado ConfirmarReserva",
            "EventoRecibido ConfirmacionFallida",
        ]
        .as_slice(),
        when_in_doubt(&saga, &in_doubt),
        &[
            "CompensacionEnviada RevertirPago",
            "EventoRecibido PagoRevertido",
            "CompensacionEnviada CancelarReserva",
            "EventoRecibido ReservaCancelada",
            "Fin Compensada",
        ],
    ];
    assert_eq!(story(&saga), expected.concat());
}

/// The provider charges, and the answers to all attempts are lost.
#[test]
fn a_provider_that_never_answers_is_undone_and_what_it_charged_is_given_back() {
    let stack = Stack::from_env();
    let booked = stack.booked(&paid_with(at_its_own_time(sample()), "tok_timeout"));
    assert_eq!(stack.outcome(booked), Outcome::REFUNDED);
    let saga = stack.saga(booked);
    assert_eq!(saga["motivo"], "PagarReserva: sin respuesta");
    let given_up = saga["log"].as_array().unwrap().iter();
    let given_up: Vec<_> = given_up
        .filter(|line| line["tipo"] == "TiempoAgotado" && line["direccion"] == "hacer")
        .map(|line| &line["intentos"])
        .collect();
    assert_eq!(given_up, [4]);
    // The saga's log has each attempt, with the pause after it.
    let attempts = saga["log"].as_array().unwrap().iter();
    let attempts: Vec<_> = attempts
        .filter(|line| line["tipo"] == "SinRespuesta" && line["direccion"] == "hacer")
        .map(|line| (&line["intento"], line["proximo"].is_string()))
        .collect();
    let told = [1, 2, 3, 4].map(|attempt| (json!(attempt), attempt < 4));
    let told: Vec<_> = told
        .iter()
        .map(|(attempt, again)| (attempt, *again))
        .collect();
    assert_eq!(attempts, told);
}

#[test]
fn a_provider_that_fails_twice_charges_once() {
    let stack = Stack::from_env();
    let booked = stack.booked(&paid_with(at_its_own_time(sample()), "tok_intermitente"));
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    let account = Key::new(simulador::TABLE, pagos::key(booked.id), "cargo");
    let account = stack.tables.get_one(&account, Consistency::Strong);
    let account = stack.wait(account).unwrap().unwrap();
    assert_eq!(account["fallas"], 2, "it was asked again each time");
}

/// The price and the payment token of a reservation.
fn paid(stack: &Stack, booked: Booked) -> Value {
    let path = format!("/vuelos/reserva/{}", booked.id);
    stack.api.get(&path).expect(200)["pago"].clone()
}

#[test]
fn two_who_charge_at_once_charge_once() {
    let stack = Stack::from_env();
    let body = paid_with(at_its_own_time(sample()), "tok_visa");
    let booked = stack.booked(&body);
    let charge = json!({ "id_reserva": booked.id, "data": paid(&stack, booked) });
    let send = || {
        let answer = stack.api.send("/pruebas/pagos/PagarReserva", &charge);
        answer.expect(202)
    };
    let replies: Vec<Value> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4).map(|_| scope.spawn(send)).collect();
        let replies = senders.into_iter().map(|sender| sender.join().unwrap());
        replies.collect()
    });
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    for reply in replies {
        assert_eq!(reply["eventos"][0]["type"], "ReservaPagada", "{reply}");
        assert_eq!(reply["eventos"], payments_of(&stack, booked.id));
    }
}

/// The events of a reservation's payment.
fn payments_of(stack: &Stack, id: IdReserva) -> Value {
    let stream = StreamId::new(PAGOS, id);
    let stream = stack.wait(stack.streams().read_one(stream)).unwrap();
    let events = stream.events.iter();
    events
        .map(|text| serde_json::from_str::<Value>(text).unwrap())
        .collect()
}

/// The payment participant does not answer, and the test appends the event of a payment.
#[test]
fn an_event_moves_a_saga_on_whose_participant_is_silent() {
    let stack = Stack::from_env();
    let key = unique("silencio");
    stack.misbehave(&key, Falla::SILENT_PAYMENT);
    let body = paid_with(at_its_own_time(sample()), "tok_visa");
    let booked = stack.booked_as(&key, &body);
    let event = json!({ "id_reserva": booked.id, "data": paid(&stack, booked) });
    let answer = stack
        .api
        .send("/pruebas/pagos/eventos/ReservaPagada", &event)
        .expect(202);
    assert_eq!(answer["prueba"], true);
    let outcome = stack.outcome(booked);
    assert_eq!(
        outcome,
        Outcome {
            charges: 0,
            ..Outcome::APPROVED
        },
        "the event says so, and no provider was asked"
    );
    let saga = stack.saga(booked);
    let paid = saga["log"].as_array().unwrap().iter();
    let mut paid = paid.filter(|line| line["evento"] == "ReservaPagada");
    assert_eq!(paid.next().unwrap()["via"], "flujo", "{saga}");
}
