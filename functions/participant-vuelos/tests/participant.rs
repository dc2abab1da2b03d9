//! Tests of the whole function: it gets commands, and returns replies or errors, with tables and a log in memory.

#![cfg(test)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use alpes_lambda::participant::App;
use alpes_messages::Event;
use alpes_participant::{FaultMode, Faults, Reactions};
use alpes_ports::{TableError, World};
use events::{CONTEXTS, Payload, VUELOS};
use futures::executor::block_on;
use http_testing::{TablesDown, listen, logged};
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use parse::FALLA_INDUCIDA;
use serde_json::{Value, json};
use twins::{ManualClock, MemoryLog, MemoryTables, Ports, world};
use wiring::Wiring;

/// The sample commands in the order in which the test sends them, each with its outcome.
const SAMPLES: [(&str, &str); 5] = [
    ("aprobar_reserva", "urn:aeroalpes:problema:no-existe"),
    ("crear_reserva", "ReservaCreada"),
    ("aprobar_reserva", "ReservaAprobada"),
    ("cancelar_reserva", "ReservaCancelada"),
    ("aprobar_reserva", "ReservaAprobada"),
];

/// The samples of batches and of retried reactions.
const HEARD: [&str; 3] = ["lote", "lote_con_ilegible", "reactions"];

struct Fixture {
    tables: Arc<MemoryTables>,
    log: Arc<MemoryLog>,
    world: World,
    clock: Arc<ManualClock>,
    app: App<Payload>,
}

impl Fixture {
    fn new(allows_tests: bool) -> Self {
        listen();
        let (world, clock) = world(1);
        let tables = Arc::new(MemoryTables::new());
        let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
        let wiring = Wiring::new(Ports {
            tables: tables.clone(),
            log: log.clone(),
            allows_tests,
            ..Ports::new(world.clone())
        });
        let Ok(app) = wiring.participant(VUELOS);
        Self {
            tables,
            log,
            world,
            clock,
            app,
        }
    }

    /// The function's answer to the runtime.
    fn invoke(&self, payload: Value) -> Result<Value, Diagnostic> {
        let reply = block_on(self.app.answer(payload, Timestamp::MAX));
        Ok(serde_json::to_value(reply?).unwrap())
    }

    /// The types of the events in the log.
    fn kinds(&self) -> Vec<String> {
        let records = self.log.records().into_iter();
        let events = records.map(|record| serde_json::from_slice(&record.data).unwrap());
        events.map(|event: Event| event.kind).collect()
    }

    fn misbehave(&self, comando: &str, modo: FaultMode) {
        let faults = Faults::new(self.tables.clone());
        block_on(faults.set(VUELOS, comando, None, modo, 1)).unwrap();
    }
}

fn events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("events")
}

fn sample(name: &str) -> Value {
    let path = events().join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The sample command with a new command id.
fn another(name: &str) -> Value {
    let mut command = sample(name);
    command["id"] = "019c1350-60ff-5e55-8f05-91a2b3c4d5e6".into();
    command
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
    for (name, outcome) in SAMPLES {
        let reply = fixture.invoke(sample(name)).unwrap();
        assert_eq!(told(&reply), outcome, "{name}");
    }
    // A later approval fails, because the reservation is cancelled.
    let late = fixture.invoke(another("aprobar_reserva")).unwrap();
    assert_eq!(told(&late), "AprobacionReservaFallida");
    // The events of other contexts in this batch cause reactions, and the reservation's deadline is stored.
    assert_eq!(
        fixture.invoke(sample("lote")).unwrap(),
        json!({"batchItemFailures": []})
    );
    assert_eq!(
        fixture.invoke(sample("reactions")).unwrap(),
        json!({"done": 1, "put_off": 0})
    );
    for file in fs::read_dir(events()).unwrap() {
        let name = file.unwrap().path();
        let name = name.file_stem().unwrap().to_str().unwrap().to_owned();
        let told = SAMPLES.map(|(sample, _)| sample);
        assert!(told.contains(&&*name) || HEARD.contains(&&*name), "{name}");
    }
}

#[test]
fn an_approval_fails_as_an_event_when_a_test_wants_it_to() {
    let fixture = Fixture::new(true);
    fixture.invoke(sample("crear_reserva")).unwrap();
    fixture.misbehave(vuelos::APROBAR_RESERVA, FaultMode::Failure);
    let failed = fixture.invoke(sample("aprobar_reserva")).unwrap();
    assert_eq!(told(&failed), "AprobacionReservaFallida");
    assert_eq!(
        failed["eventos"][0]["data"]["motivo"],
        json!(FALLA_INDUCIDA)
    );
    assert_eq!(fixture.invoke(sample("aprobar_reserva")).unwrap(), failed);

    // An approved reservation stays approved.
    let approved = fixture.invoke(another("aprobar_reserva")).unwrap();
    assert_eq!(told(&approved), "ReservaAprobada");
    fixture.misbehave(vuelos::APROBAR_RESERVA, FaultMode::Failure);
    let mut third = sample("aprobar_reserva");
    third["id"] = "019c1350-60fe-5e55-8f05-91a2b3c4d5e6".into();
    assert_eq!(fixture.invoke(third).unwrap(), approved);
}

#[test]
fn a_cancellation_is_refused_when_a_test_wants_it_to_fail() {
    let fixture = Fixture::new(true);
    fixture.invoke(sample("crear_reserva")).unwrap();
    fixture.misbehave(vuelos::CANCELAR_RESERVA, FaultMode::Failure);
    let refused = fixture.invoke(sample("cancelar_reserva")).unwrap();
    assert_eq!(refused["problema"]["detail"], json!(FALLA_INDUCIDA));
    let cancelled = fixture.invoke(sample("cancelar_reserva")).unwrap();
    assert_eq!(told(&cancelled), "ReservaCancelada");
}

#[test]
fn an_error_has_the_type_that_callers_know() {
    let fixture = Fixture::new(true);
    fixture.misbehave(vuelos::APROBAR_RESERVA, FaultMode::Error);
    let error = fixture.invoke(sample("aprobar_reserva")).unwrap_err();
    assert_eq!(error.error_type, "InducedError");
}

#[test]
fn a_reservation_that_has_its_seats_is_approved_and_one_that_waits_too_long_cancelled() {
    for (heard, kinds) in [
        (&["lote"][..], ["ReservaCreada", "ReservaAprobada"]),
        // The stored deadline passes before the reservation has seats.
        (
            &["plazo", "reactions"],
            ["ReservaCreada", "ReservaCancelada"],
        ),
    ] {
        let fixture = Fixture::new(false);
        fixture.invoke(sample("crear_reserva")).unwrap();
        let mut batch = sample("lote");
        for name in heard {
            if *name == "plazo" {
                batch["Records"].as_array_mut().unwrap().truncate(1);
            }
            let payload = if *name == "reactions" {
                sample(name)
            } else {
                batch.clone()
            };
            fixture.invoke(payload).unwrap();
        }
        assert_eq!(fixture.kinds(), kinds);
    }
}

#[test]
fn a_bad_record_is_parked_under_the_name_of_the_function() {
    let fixture = Fixture::new(false);
    fixture.invoke(sample("lote")).unwrap();
    assert_eq!(block_on(fixture.app.parking.list()).unwrap(), []);
    fixture.invoke(sample("lote_con_ilegible")).unwrap();
    let parked = block_on(fixture.app.parking.list()).unwrap();
    let owners: Vec<_> = parked.iter().map(|parked| parked.owner.as_str()).collect();
    assert_eq!(owners, ["participant-vuelos"]);
}

/// A reaction whose command fails is retried once the reaction is due, and not before.
#[test]
fn what_fails_is_put_off_and_resumed() {
    let fixture = Fixture::new(true);
    fixture.invoke(sample("crear_reserva")).unwrap();
    fixture.misbehave(vuelos::APROBAR_RESERVA, FaultMode::Error);
    fixture.invoke(sample("lote")).unwrap();
    assert_eq!(fixture.kinds(), ["ReservaCreada"]);
    let reactions = Reactions::new(fixture.tables.clone(), fixture.world.clone());
    assert_eq!(
        block_on(reactions.due(&CONTEXTS, 10)).unwrap().reactions,
        []
    );
    fixture.clock.advance(Duration::from_secs(30));
    let due = block_on(reactions.due(&CONTEXTS, 10)).unwrap().reactions;
    assert_eq!(due.len(), 1);
    let resumed = fixture.invoke(json!({ "reactions": due })).unwrap();
    assert_eq!(resumed, json!({"done": 1, "put_off": 0}));
    assert_eq!(fixture.kinds(), ["ReservaCreada", "ReservaAprobada"]);
}

#[test]
fn what_is_put_off_is_logged_with_its_attempt_and_when_it_goes_on() {
    let fixture = Fixture::new(true);
    fixture.invoke(sample("crear_reserva")).unwrap();
    let faults = Faults::new(fixture.tables.clone());
    let (context, modo) = (VUELOS, FaultMode::Error);
    block_on(faults.set(context, vuelos::APROBAR_RESERVA, None, modo, 2)).unwrap();
    let reactions = Reactions::new(fixture.tables.clone(), fixture.world.clone());
    let mut payload = sample("lote");
    for attempt in 1..=2 {
        let now = fixture.world.clock.now();
        let (_, lines) = logged(|| fixture.invoke(payload).unwrap());
        let mut told = lines
            .iter()
            .filter(|line| line["level"] == "WARN" && line.get("next").is_some());
        let line = told.next().unwrap();
        assert!(
            line["message"]
                .as_str()
                .unwrap()
                .starts_with("reaction put off")
        );
        assert_eq!(
            (&line["command"], &line["attempt"]),
            (&"AprobarReserva".into(), &attempt.into())
        );
        let next: Timestamp = line["next"].as_str().unwrap().parse().unwrap();
        assert!(
            next > now && line["next"].as_str().unwrap().len() == 24,
            "{line}"
        );
        fixture.clock.advance(Duration::from_secs(30));
        let due = block_on(reactions.due(&CONTEXTS, 10)).unwrap().reactions;
        assert_eq!(due.len(), 1);
        payload = json!({ "reactions": due });
    }
    fixture.invoke(payload).unwrap();
    assert_eq!(fixture.kinds(), ["ReservaCreada", "ReservaAprobada"]);
}

#[test]
fn what_is_malformed_names_its_field() {
    let fixture = Fixture::new(false);
    for (payload, campo) in [
        (json!({"reactions": [{"pk": "vuelos-1"}]}), "reactions[0]"),
        (json!({"reactions": 1}), "reactions"),
        (
            json!({"Records": [{"kinesis": {"data": "?"}}]}),
            "Records[0].kinesis",
        ),
    ] {
        let error = fixture.invoke(payload).unwrap_err();
        assert_eq!(error.error_type, "InvalidCommand");
        assert!(
            error.error_message.contains(campo),
            "{}",
            error.error_message
        );
    }
}

#[test]
fn without_time_everything_is_put_off_and_without_tables_delivered_again() {
    let fixture = Fixture::new(false);
    fixture.invoke(sample("crear_reserva")).unwrap();
    let now = fixture.world.clock.now();
    block_on(fixture.app.answer(sample("lote"), now)).unwrap();
    assert_eq!(fixture.kinds(), ["ReservaCreada"]);

    let down = TableError::Unavailable("down".into());
    let wiring = Wiring::new(Ports {
        tables: Arc::new(TablesDown(down)),
        ..Ports::new(fixture.world)
    });
    let Ok(app) = wiring.participant(VUELOS);
    let mut batch = sample("lote");
    batch["Records"].as_array_mut().unwrap().truncate(1);
    let first = batch["Records"][0]["kinesis"]["sequenceNumber"].clone();
    let answer = block_on(app.answer(batch, Timestamp::MAX)).unwrap();
    assert_eq!(
        serde_json::to_value(answer).unwrap(),
        json!({"batchItemFailures": [{"itemIdentifier": first}]})
    );
}
