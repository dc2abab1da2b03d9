//! Makes reservations and reads them.

use std::collections::{BTreeMap, BTreeSet};

use e2e::{
    Booked, Outcome, Stack, amount, at_its_own_time, eventually, flights, reservation, sample,
    unique,
};
use serde_json::{Value, json};

#[test]
fn its_saga_is_there_as_soon_as_it_is_accepted() {
    let stack = Stack::from_env();
    for _ in 0..30 {
        let body = at_its_own_time(sample()).to_string();
        let booked = Booked::from(&stack.api.book(body.as_bytes(), &[]));
        let saga = stack.saga(booked);
        assert_eq!(saga["id_reserva"], booked.id.to_string());
        match saga["origen"].as_str() {
            Some("comando") => assert_eq!(saga["estado"], "EnCurso"),
            Some("vista") => assert_eq!(saga["log"][0]["tipo"], "Inicio"),
            _ => panic!("{saga}"),
        }
    }
}

#[test]
fn the_tutorials_sample_is_booked_and_seen() {
    let stack = Stack::from_env();
    // Give the sample's flight enough seats, because every user who tries the system books this flight.
    stack.set_seats(&flights(&sample())[0], 100);
    let answer = stack.api.book(sample().to_string().as_bytes(), &[]);
    let id = reservation(&answer);
    let correlacion = answer.json()["id_correlacion"].clone();
    assert_eq!(
        answer.json(),
        json!({ "id_reserva": id.to_string(), "id_correlacion": correlacion, "estado": "Pendiente" })
    );
    assert_eq!(answer.header("x-correlacion"), correlacion.as_str());
    assert_eq!(correlacion, id.to_string(), "one id for both");

    let at_once = stack.api.follow(&answer).expect(200);
    assert_eq!(stack.outcome(Booked::from(&answer)), Outcome::APPROVED);
    let seen = stack.seen_as(id, "Aprobada");
    assert_eq!(seen["id_reserva"], id.to_string());
    assert_eq!(seen["id_correlacion"], correlacion);
    assert_eq!(seen["id_cliente"], Value::Null);
    assert_eq!(seen["itinerarios"], sample()["itinerarios"]);
    assert_eq!(seen["pago"]["moneda"], "USD");
    assert_eq!(seen["pago"]["medio"], "tok_visa");
    let as_made = |mut reserva: Value| {
        for later in ["origen", "estado", "fecha_actualizacion"] {
            reserva[later] = Value::Null;
        }
        reserva
    };
    assert_eq!(
        as_made(at_once),
        as_made(seen),
        "the stream and the view agree"
    );

    let eventos = stack
        .api
        .get(&format!("/vuelos/reserva/{id}/eventos"))
        .expect(200);
    let kinds = eventos["eventos"].as_array().unwrap().iter();
    let kinds: Vec<_> = kinds.map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "ReservaCreada",
            "ReservaPagada",
            "ReservaGDSConfirmada",
            "ReservaAprobada"
        ]
    );
    let committed = stack.committed(id);
    assert_eq!(committed.len(), kinds.len());
    let log: BTreeSet<_> = stack.log_of(id).into_iter().collect();
    assert_eq!(log, committed, "the log has exactly what was committed");
}

#[test]
fn reports_count_what_was_booked() {
    let stack = Stack::from_env();
    let booked = stack.booked(&at_its_own_time(sample()));
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    let made = stack.seen_as(booked.id, "Aprobada")["fecha_creacion"].clone();
    let day = &made.as_str().unwrap()[..10];
    let row = |report: &str| {
        let path = format!("/vuelos/reportes/{report}?desde={day}&hasta={day}");
        let report = stack.api.get(&path).expect(200);
        let rows = report["filas"].as_array().unwrap();
        assert!(rows.len() <= 1, "{report}");
        rows.first().cloned()
    };
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
    eventually("the report counts it", || {
        let row = row("reservas-por-dia")?;
        assert_eq!(row["dia"], day);
        let sum: u64 = STATES.iter().map(|estado| number(&row, estado)).sum();
        assert_eq!(number(&row, "total"), sum, "{row}");
        (number(&row, "Aprobada") > 0).then_some(())
    });
    let total = row("totales").unwrap();
    assert_eq!(total["dia"], day);
    assert!(number(&total, "total") > 0, "{total}");
    let days = stack.api.get("/vuelos/reportes/totales").expect(200);
    let days = days["filas"].as_array().unwrap();
    assert!(days.iter().any(|row| row["dia"] == day), "{days:?}");
}

/// Every state (estado) of a reservation.
const STATES: [&str; 4] = ["Pendiente", "Pagada", "Aprobada", "Cancelada"];

/// The view has the reservation a moment later. An earlier read is answered from the event stream.
#[test]
fn what_was_accepted_is_found_at_once() {
    let stack = Stack::from_env();
    let mut journey = at_its_own_time(sample());
    let mut last = None;
    let mut origins: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..amount("ALPES_E2E_RACE", 50) {
        // A client can have at most 20 unpaid reservations, so each reservation is of another client.
        journey["id_cliente"] = unique("race").into();
        let answer = stack.api.book(journey.to_string().as_bytes(), &[]);
        last = Some(Booked::from(&answer));
        let found = stack.api.follow(&answer).expect(200);
        assert_eq!(found["id_reserva"], answer.json()["id_reserva"]);
        let estado = found["estado"].as_str().unwrap();
        assert!(STATES.contains(&estado), "{found}");
        let origin = found["origen"].as_str().unwrap();
        assert!(["comando", "vista"].contains(&origin));
        *origins.entry(origin.to_owned()).or_default() += 1;
    }
    println!("answered from: {origins:?}");
    if let Some(last) = last {
        stack.outcome(last);
    }
}
