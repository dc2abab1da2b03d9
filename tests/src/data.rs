//! What the tests ask for.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::Value;
use uuid::Uuid;

/// The tutorials' own sample request.
pub fn sample() -> Value {
    serde_json::from_str(include_str!("../data/crear_reserva.json")).unwrap()
}

/// So many requests for journeys on real flights, beginning anew where there are no more.
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

/// A text that no other test and no other run has, good as a client's id.
pub fn unique(name: &str) -> String {
    format!("{name}-{}", Uuid::new_v4().simple())
}
