//! Tests of the rules over all legs of a reservation.

use serde_json::{Value, json};
use vuelos::crear_reserva::parse;

use crate::escenario::{body, leg, sample};

/// Every violation of a body, as `campo: regla`.
fn faults(body: &Value) -> Vec<String> {
    let violations = parse(body).err().unwrap_or_default();
    let faults = violations.into_iter();
    faults
        .map(|fault| format!("{}: {}", fault.campo, fault.regla))
        .collect()
}

/// A body with an itinerario for each of these legs.
fn apart(legs: &[Value]) -> Value {
    let itinerarios = legs.iter().map(|leg| {
        let mut body = body(&[vec![leg.clone()]]);
        body["itinerarios"][0].take()
    });
    json!({"itinerarios": itinerarios.collect::<Vec<_>>()})
}

fn place(itinerario: usize) -> String {
    format!("itinerarios[{itinerario}].odos[0].segmentos[0].legs[0]")
}

/// The request that took 50 seats of one flight: ten legs in each of five equal itinerarios.
#[test]
fn a_flight_is_in_a_reservation_once() {
    let day = |day| {
        let time = |hour| format!("2022-11-{day:02}T{hour}:10:00Z");
        leg("BOG", &time("13"), "JFK", &time("15"))
    };
    let odos: Vec<_> = (1..=10)
        .map(|number| json!({"segmentos": [{"legs": [day(number)]}]}))
        .collect();
    let equal = json!({"itinerarios": vec![json!({"odos": odos}); 5]});
    let found = faults(&equal);
    assert_eq!(found.len(), 40, "each leg but the first of its flight");
    for fault in found {
        assert!(fault.ends_with(".fecha_salida: leg-repetido"), "{fault}");
    }

    let once = sample()["itinerarios"][0].clone();
    assert_eq!(
        faults(&json!({"itinerarios": vec![once; 10]})).len(),
        9,
        "ten itinerarios of one flight"
    );
    // A flight is one flight however its departure is written, and whenever it is said to arrive.
    let same = apart(&[
        leg("BOG", "2022-11-22T13:10:00Z", "JFK", "2022-11-22T15:10:00Z"),
        leg(
            "BOG",
            "2022-11-22T08:10:00-05:00",
            "JFK",
            "2022-11-22T19:10:00Z",
        ),
    ]);
    let repeated = format!("{}.fecha_salida: leg-repetido", place(1));
    assert_eq!(faults(&same), [repeated]);
}

#[test]
fn no_two_legs_are_flown_at_once() {
    let first = || leg("BOG", "2022-11-22T10:00:00Z", "MIA", "2022-11-22T14:00:00Z");
    let at_once = format!("{}.fecha_salida: legs-a-la-vez", place(1));
    for (salida, llegada, overlaps) in [
        ("2022-11-22T13:59:59Z", "2022-11-22T19:00:00Z", true),
        ("2022-11-22T06:00:00Z", "2022-11-22T10:00:01Z", true),
        ("2022-11-22T11:00:00Z", "2022-11-22T13:00:00Z", true),
        ("2022-11-22T05:00:00Z", "2022-11-22T20:00:00Z", true),
        ("2022-11-22T10:00:00Z", "2022-11-22T14:00:00Z", true),
        ("2022-11-22T14:00:00Z", "2022-11-22T19:00:00Z", false),
        ("2022-11-22T05:00:00Z", "2022-11-22T10:00:00Z", false),
    ] {
        let other = leg("SCL", salida, "LIM", llegada);
        let expected = Vec::from_iter(overlaps.then(|| at_once.clone()));
        assert_eq!(faults(&apart(&[first(), other.clone()])), expected);
        // The order of the itinerarios does not matter.
        assert_eq!(faults(&apart(&[other, first()])), expected);
    }
}

#[test]
fn no_leg_is_faster_than_an_aircraft() {
    let too_fast = format!("{}.fecha_llegada: velocidad", place(0));
    // BOG-JFK is 3,996 km on the sphere, to the whole km: about 5,754 seconds at 2,500 km/h.
    for (llegada, is_too_fast) in [
        ("2022-11-22T13:10:01Z", true),
        ("2022-11-22T14:45:53Z", true),
        ("2022-11-22T14:45:55Z", false),
        ("2022-11-22T15:10:00Z", false),
    ] {
        let body = body(&[vec![leg("BOG", "2022-11-22T13:10:00Z", "JFK", llegada)]]);
        let expected = Vec::from_iter(is_too_fast.then(|| too_fast.clone()));
        assert_eq!(faults(&body), expected, "{llegada}");
    }
}

/// A leg that does not take any time is refused for this fault alone, and an airport without a position for its code.
#[test]
fn what_has_another_fault_is_not_judged_by_its_speed() {
    for (destino, llegada, fault) in [
        (
            "JFK",
            "2022-11-22T13:10:00Z",
            "fecha_llegada: llegada-antes-de-salida",
        ),
        (
            "ZZZ",
            "2022-11-22T13:10:01Z",
            "destino.codigo: aeropuerto-desconocido",
        ),
    ] {
        let body = body(&[vec![leg("BOG", "2022-11-22T13:10:00Z", destino, llegada)]]);
        assert_eq!(faults(&body), [format!("{}.{fault}", place(0))]);
    }
}
