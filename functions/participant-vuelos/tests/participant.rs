//! The function at its boundary: commands in, replies or errors out, over tables and a log in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use events::Context;
use futures::executor::block_on;
use lambda_kit::participant::answer;
use lambda_runtime::Diagnostic;
use participant::{Faults, MOTIVO, Modo, Participant};
use participant_vuelos::participant;
use ports::memory::{MemoryLog, MemoryTables, world};
use serde_json::{Value, json};

/// In the order in which they make a story, with what comes of each.
const SAMPLES: [(&str, &str); 5] = [
    ("aprobar_reserva", "urn:aeroalpes:problema:no-existe"),
    ("crear_reserva", "ReservaCreada"),
    ("aprobar_reserva", "ReservaAprobada"),
    ("cancelar_reserva", "ReservaCancelada"),
    ("aprobar_reserva", "ReservaAprobada"),
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

    fn misbehave(&self, comando: &str, modo: Modo) {
        let faults = Faults::new(self.tables.clone());
        block_on(faults.set(Context::Vuelos, comando, None, modo, 1)).unwrap();
    }
}

fn events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("events")
}

fn sample(name: &str) -> Value {
    let path = events().join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The sample as another command.
fn another(name: &str) -> Value {
    let mut command = sample(name);
    command["id"] = "019c1350-60ff-5e55-8f05-91a2b3c4d5e6".into();
    command
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
    for (name, outcome) in SAMPLES {
        let reply = fixture.invoke(sample(name)).unwrap();
        assert_eq!(told(&reply), outcome, "{name}");
    }
    // Another command to approve hears of the cancellation.
    let late = fixture.invoke(another("aprobar_reserva")).unwrap();
    assert_eq!(told(&late), "AprobacionReservaFallida");
    for file in fs::read_dir(events()).unwrap() {
        let name = file.unwrap().path();
        let name = name.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(SAMPLES.iter().any(|(sample, _)| *sample == name), "{name}");
    }
}

#[test]
fn an_approval_fails_as_an_event_when_a_test_wants_it_to() {
    let fixture = Fixture::new(true);
    fixture.invoke(sample("crear_reserva")).unwrap();
    fixture.misbehave(vuelos::APROBAR_RESERVA, Modo::Falla);
    let failed = fixture.invoke(sample("aprobar_reserva")).unwrap();
    assert_eq!(told(&failed), "AprobacionReservaFallida");
    assert_eq!(failed["eventos"][0]["data"]["motivo"], json!(MOTIVO));
    assert_eq!(fixture.invoke(sample("aprobar_reserva")).unwrap(), failed);

    // What is approved stays so.
    let approved = fixture.invoke(another("aprobar_reserva")).unwrap();
    assert_eq!(told(&approved), "ReservaAprobada");
    fixture.misbehave(vuelos::APROBAR_RESERVA, Modo::Falla);
    let mut third = sample("aprobar_reserva");
    third["id"] = "019c1350-60fe-5e55-8f05-91a2b3c4d5e6".into();
    assert_eq!(fixture.invoke(third).unwrap(), approved);
}

#[test]
fn a_cancellation_is_refused_when_a_test_wants_it_to_fail() {
    let fixture = Fixture::new(true);
    fixture.invoke(sample("crear_reserva")).unwrap();
    fixture.misbehave(vuelos::CANCELAR_RESERVA, Modo::Falla);
    let refused = fixture.invoke(sample("cancelar_reserva")).unwrap();
    assert_eq!(refused["problema"]["detail"], json!(MOTIVO));
    let cancelled = fixture.invoke(sample("cancelar_reserva")).unwrap();
    assert_eq!(told(&cancelled), "ReservaCancelada");
}

#[test]
fn an_error_has_the_type_that_callers_know() {
    let fixture = Fixture::new(true);
    fixture.misbehave(vuelos::APROBAR_RESERVA, Modo::Error);
    let error = fixture.invoke(sample("aprobar_reserva")).unwrap_err();
    assert_eq!(error.error_type, "FallaInducida");
}
