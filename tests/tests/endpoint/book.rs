//! Booking, and seeing what was booked.

use std::collections::BTreeMap;

use e2e::{Stack, amount, reservation, sample, unique};
use serde_json::{Value, json};

#[test]
fn the_tutorials_sample_is_booked_and_seen() {
    let stack = Stack::from_env();
    let answer = stack.api.book(sample().to_string().as_bytes(), &[]);
    let id = reservation(&answer);
    let correlacion = answer.json()["id_correlacion"].clone();
    assert_eq!(
        answer.json(),
        json!({ "id_reserva": id.to_string(), "id_correlacion": correlacion, "estado": "Pendiente" })
    );
    assert_eq!(answer.header("x-correlacion"), correlacion.as_str());

    let at_once = stack.api.follow(&answer).expect(200);
    let seen = stack.seen_as(id, "Pendiente");
    assert_eq!(seen["id_reserva"], id.to_string());
    assert_eq!(seen["id_correlacion"], correlacion);
    assert_eq!(seen["id_cliente"], Value::Null);
    assert_eq!(seen["itinerarios"], sample()["itinerarios"]);
    assert_eq!(seen["pago"]["moneda"], "USD");
    assert_eq!(seen["pago"]["medio"], "tok_visa");
    let apart_from_origin = |mut reserva: Value| {
        reserva["origen"] = Value::Null;
        reserva
    };
    assert_eq!(
        apart_from_origin(at_once),
        apart_from_origin(seen),
        "the stream and the view tell the same"
    );

    let stream = stack.stream(id);
    let event: Value = serde_json::from_str(&stream.events[0]).unwrap();
    assert_eq!(event["type"], "ReservaCreada");
    let eventos = stack
        .api
        .get(&format!("/vuelos/reserva/{id}/eventos"))
        .expect(200);
    assert_eq!(eventos, json!({ "eventos": [event] }));
    let log = stack.log_of(id);
    assert!(!log.is_empty());
    for record in log {
        assert_eq!(
            record,
            stream.events[0].as_bytes(),
            "the log has exactly what was committed"
        );
    }
}

/// The view follows a moment later; whoever looks before that is told from the stream.
#[test]
fn what_was_accepted_is_found_at_once() {
    let stack = Stack::from_env();
    let mut journey = sample();
    journey["id_cliente"] = unique("race").into();
    let body = journey.to_string();
    let mut last = None;
    let mut origins: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..amount("AEROALPES_E2E_RACE", 200) {
        let answer = stack.api.book(body.as_bytes(), &[]);
        last = Some(reservation(&answer));
        let found = stack.api.follow(&answer).expect(200);
        assert_eq!(found["id_reserva"], answer.json()["id_reserva"]);
        assert_eq!(found["estado"], "Pendiente");
        let origin = found["origen"].as_str().unwrap();
        assert!(["comando", "vista"].contains(&origin));
        *origins.entry(origin.to_owned()).or_default() += 1;
    }
    println!("answered from: {origins:?}");
    if let Some(id) = last {
        stack.seen_as(id, "Pendiente");
    }
}
