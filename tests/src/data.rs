//! Bodies of requests for the tests.

use std::io::Read;

use flate2::read::GzDecoder;
use gds::inventory::Vuelo;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// The sample request of the tutorials.
pub fn sample() -> Value {
    serde_json::from_str(include_str!("../data/crear_reserva.json")).unwrap()
}

/// `count` requests for journeys on real flights. The journeys repeat if there are fewer than `count`.
pub fn journeys(count: usize) -> Vec<Value> {
    let mut text = String::new();
    GzDecoder::new(&include_bytes!("../data/reservas_h1.jsonl.gz")[..])
        .read_to_string(&mut text)
        .unwrap();
    text.lines()
        .cycle()
        .take(count)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Moves a journey to a time of its own, so that no other test books its flights. The system does not know these
/// flights, and gives each the default number of seats.
pub fn at_its_own_time(mut body: Value) -> Value {
    let (_, seconds) = Uuid::new_v4().as_u64_pair();
    // At most 68 years are added, so that the API still accepts the dates.
    let later = SignedDuration::from_secs(i64::try_from(seconds >> 33).unwrap());
    each_leg(&mut body["itinerarios"], &mut |leg| {
        for date in ["fecha_salida", "fecha_llegada"] {
            let time: Timestamp = leg[date].as_str().unwrap().parse().unwrap();
            leg[date] = (time + later).to_string().into();
        }
    });
    body
}

/// Sets the payment token, which must be one of the test provider's tokens.
pub fn paid_with(mut body: Value, medio: &str) -> Value {
    body["pago"] = json!({ "medio": medio });
    body
}

/// Asks for a choreography instead of an orchestrated saga.
pub fn by_choreography(mut body: Value) -> Value {
    body["saga"] = "coreografia".into();
    body
}

/// Asks for a saga that Step Functions runs.
pub fn by_step_functions(mut body: Value) -> Value {
    body["saga"] = "stepfunctions".into();
    body
}

/// The flights of a journey, one for each leg.
pub fn flights(body: &Value) -> Vec<Vuelo> {
    let mut found = vec![];
    each_leg(&mut body["itinerarios"].clone(), &mut |leg| {
        let place = |end: &str| leg[end]["codigo"].as_str().unwrap().to_owned();
        found.push(Vuelo {
            origen: place("origen"),
            destino: place("destino"),
            fecha_salida: leg["fecha_salida"].as_str().unwrap().parse().unwrap(),
        });
    });
    found
}

fn each_leg(part: &mut Value, change: &mut impl FnMut(&mut Value)) {
    match part {
        Value::Array(parts) => parts.iter_mut().for_each(|part| each_leg(part, change)),
        Value::Object(fields) => match fields.get_mut("legs") {
            Some(legs) => legs.as_array_mut().unwrap().iter_mut().for_each(change),
            None => fields.values_mut().for_each(|part| each_leg(part, change)),
        },
        _ => {}
    }
}

/// A text that no other test and no other run uses, valid as a client's id.
pub fn unique(name: &str) -> String {
    format!("{name}-{}", Uuid::new_v4().simple())
}
