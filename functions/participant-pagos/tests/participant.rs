//! The function at its boundary: commands in, replies or errors out, over tables and a log in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{fs, path::Path, sync::Arc};

use events::{Context, IdReserva};
use futures::executor::block_on;
use lambda_kit::participant::answer;
use lambda_runtime::Diagnostic;
use pagos::simulador::{balance, ledger};
use participant::{Faults, MOTIVO, Modo, Participant};
use participant_pagos::participant;
use ports::memory::{MemoryLog, MemoryTables, world};
use serde_json::{Value, json};

/// In the order in which they make a story: what comes of each, and what then stands charged.
const SAMPLES: [(&str, &str, &str); 5] = [
    ("pagar_reserva", "ReservaPagada", "119.00"),
    ("pagar_reserva_rechazada", "PagoFallido", "0"),
    (
        "pagar_reserva_invalida",
        "urn:aeroalpes:problema:solicitud-invalida",
        "0",
    ),
    ("revertir_pago", "PagoRevertido", "0.00"),
    ("pagar_reserva", "ReservaPagada", "0.00"),
];

struct Fixture {
    tables: Arc<MemoryTables>,
    participant: Participant,
}

impl Fixture {
    fn new(allows_tests: bool) -> Self {
        let (world, _) = world(1);
        let tables = Arc::new(MemoryTables::new());
        let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
        Self {
            participant: participant(tables.clone(), log, world, allows_tests),
            tables,
        }
    }

    /// What the runtime is told.
    fn invoke(&self, payload: Value) -> Result<Value, Diagnostic> {
        let reply = block_on(answer(&self.participant, payload));
        Ok(serde_json::to_value(reply?).unwrap())
    }

    fn charged(&self, id: IdReserva) -> String {
        let movements = block_on(ledger(&*self.tables, &pagos::key(id))).unwrap();
        balance(&movements).to_string()
    }
}

fn events() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("events")
}

fn sample(name: &str) -> Value {
    let path = events().join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The type of the one event or of the problem.
fn told(reply: &Value) -> &str {
    let eventos = reply["eventos"].as_array();
    assert!(eventos.is_none_or(|eventos| eventos.len() == 1), "{reply}");
    let told = eventos.map_or(&reply["problema"], |eventos| &eventos[0]);
    told["type"].as_str().unwrap()
}

#[test]
fn the_samples_tell_a_story() {
    let fixture = Fixture::new(false);
    for (name, outcome, charged) in SAMPLES {
        let sample = sample(name);
        let id: IdReserva = sample["subject"].as_str().unwrap().parse().unwrap();
        let reply = fixture.invoke(sample).unwrap();
        assert_eq!(told(&reply), outcome, "{name}");
        assert_eq!(fixture.charged(id), charged, "{name}");
    }
    for file in fs::read_dir(events()).unwrap() {
        let name = file.unwrap().path();
        let name = name.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(SAMPLES.iter().any(|(sample, ..)| *sample == name), "{name}");
    }
}

#[test]
fn what_is_refused_names_its_fields() {
    let reply = Fixture::new(false)
        .invoke(sample("pagar_reserva_invalida"))
        .unwrap();
    let faults = reply["problema"]["errores"].as_array().unwrap();
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| (fault["campo"].as_str().unwrap(), &fault["regla"]))
        .collect();
    assert_eq!(
        faults,
        [
            ("monto", &json!("monto-positivo")),
            ("moneda", &json!("formato"))
        ]
    );
}

#[test]
fn what_is_no_command_is_an_error_of_its_own() {
    let mut command = sample("pagar_reserva");
    command["subject"] = "reserva-1".into();
    let error = Fixture::new(false).invoke(command).unwrap_err();
    assert_eq!(error.error_type, "ComandoInvalido");
    assert!(
        error.error_message.contains("subject"),
        "{}",
        error.error_message
    );
}

#[test]
fn a_provider_that_does_not_answer_is_unavailable() {
    let fixture = Fixture::new(false);
    let mut command = sample("pagar_reserva");
    command["data"]["medio"] = "tok_timeout".into();
    let error = fixture.invoke(command).unwrap_err();
    assert_eq!(error.error_type, "Unavailable");
}

#[test]
fn it_misbehaves_only_where_tests_are_allowed() {
    for (allows_tests, motivo) in [(true, json!(MOTIVO)), (false, Value::Null)] {
        let fixture = Fixture::new(allows_tests);
        let faults = Faults::new(fixture.tables.clone());
        block_on(faults.set(Context::Pagos, pagos::PAGAR_RESERVA, None, Modo::Falla, 1)).unwrap();
        let reply = fixture.invoke(sample("pagar_reserva")).unwrap();
        assert_eq!(reply["eventos"][0]["data"]["motivo"], motivo);
    }
}
