//! Tests of the whole function: it gets commands, and returns replies or errors, with tables and a log in memory.

#![cfg(test)]

use std::{fs, path::Path, sync::Arc};

use alpes_lambda::participant::App;
use alpes_participant::{FaultMode, Faults};
use events::{IdReserva, PAGOS, Payload};
use futures::executor::block_on;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use pagos::simulador::{balance, ledger};
use parse::FALLA_INDUCIDA;
use serde_json::{Value, json};
use twins::{MemoryTables, Ports, world};
use wiring::Wiring;

/// The sample commands in the order in which the test sends them: the file, the outcome, and the amount that is charged
/// afterwards.
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

/// The samples of batches and of retried reactions.
const HEARD: [&str; 3] = ["lote", "lote_con_ilegible", "reactions"];

struct Fixture {
    tables: Arc<MemoryTables>,
    app: App<Payload>,
}

impl Fixture {
    fn new(allows_tests: bool) -> Self {
        let (world, _) = world(1);
        let tables = Arc::new(MemoryTables::new());
        let wiring = Wiring::new(Ports {
            tables: tables.clone(),
            allows_tests,
            ..Ports::new(world)
        });
        let Ok(app) = wiring.participant(PAGOS);
        Self { tables, app }
    }

    /// The function's answer to the runtime.
    fn invoke(&self, payload: Value) -> Result<Value, Diagnostic> {
        let reply = block_on(self.app.answer(payload, Timestamp::MAX));
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

/// The type of the reply's only event, or of its problem.
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
        let told = SAMPLES.map(|(sample, ..)| sample);
        assert!(told.contains(&&*name) || HEARD.contains(&&*name), "{name}");
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
    assert_eq!(error.error_type, "InvalidCommand");
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
    for (allows_tests, motivo) in [(true, json!(FALLA_INDUCIDA)), (false, Value::Null)] {
        let fixture = Fixture::new(allows_tests);
        let faults = Faults::new(fixture.tables.clone());
        block_on(faults.set(PAGOS, pagos::PAGAR_RESERVA, None, FaultMode::Failure, 1)).unwrap();
        let reply = fixture.invoke(sample("pagar_reserva")).unwrap();
        assert_eq!(reply["eventos"][0]["data"]["motivo"], motivo);
    }
}

#[test]
fn a_reservation_that_is_heard_of_is_charged_once() {
    let fixture = Fixture::new(true);
    let id: IdReserva = sample("pagar_reserva")["subject"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let faults = Faults::new(fixture.tables.clone());
    block_on(faults.set(PAGOS, pagos::PAGAR_RESERVA, None, FaultMode::Error, 1)).unwrap();
    let all_taken = json!({"batchItemFailures": []});
    assert_eq!(fixture.invoke(sample("lote")).unwrap(), all_taken);
    assert_eq!(fixture.charged(id), "0", "it is put off");
    for _ in 0..2 {
        let resumed = fixture.invoke(sample("reactions")).unwrap();
        assert_eq!(resumed, json!({"done": 1, "put_off": 0}));
        assert_eq!(fixture.invoke(sample("lote")).unwrap(), all_taken);
        assert_eq!(fixture.charged(id), "119.00");
    }
    let parked = || block_on(fixture.app.parking.list()).unwrap();
    assert_eq!(parked(), []);
    let unreadable = fixture.invoke(sample("lote_con_ilegible")).unwrap();
    assert_eq!(unreadable, all_taken);
    let parked = parked();
    let owners: Vec<_> = parked.iter().map(|parked| parked.owner.as_str()).collect();
    assert_eq!(owners, ["participant-pagos"]);
}
