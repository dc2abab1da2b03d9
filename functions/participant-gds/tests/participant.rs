//! Tests of the whole function: it gets commands, and returns replies, with tables and a log in memory.

#![cfg(test)]

use std::{collections::BTreeMap, fs, sync::Arc};

use alpes_lambda::participant::{Answer, App, InvocationError};
use alpes_messages::{Event, Reply};
use alpes_participant::{FaultMode, Faults};
use events::{GDS, Payload, gds::Sillas, kinds};
use futures::executor::block_on;
use gds::{
    CONFIRMAR_RESERVA, REVERTIR_CONFIRMACION,
    inventory::{self, Vuelo},
};
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use parse::FALLA_INDUCIDA;
use serde_json::{Value, json};
use twins::{MemoryLog, MemoryTables, Ports, world};
use wiring::Wiring;

struct Bench {
    tables: Arc<MemoryTables>,
    log: Arc<MemoryLog>,
    app: App<Payload>,
}

impl Bench {
    fn new(allows_tests: bool) -> Self {
        let (world, _) = world(1);
        let tables = Arc::new(MemoryTables::new());
        let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
        let wiring = Wiring::new(Ports {
            tables: tables.clone(),
            log: log.clone(),
            allows_tests,
            ..Ports::new(world)
        });
        let Ok(app) = wiring.participant(GDS);
        Self { tables, log, app }
    }

    fn answer(&self, payload: &Value) -> Result<Reply, InvocationError> {
        match block_on(self.app.answer(payload.clone(), Timestamp::MAX))? {
            Answer::Reply(reply) => Ok(reply),
            other => panic!("no reply: {other:?}"),
        }
    }

    fn hear(&self, name: &str) -> Value {
        let answer = block_on(self.app.answer(sample(name), Timestamp::MAX));
        serde_json::to_value(answer.unwrap()).unwrap()
    }

    /// The only event of the reply.
    fn event(&self, payload: &Value) -> Event {
        match self.answer(payload) {
            Ok(Reply::Eventos { mut eventos }) if eventos.len() == 1 => eventos.remove(0),
            other => panic!("not one event: {other:?}"),
        }
    }

    /// Number of free seats and of held seats of the sample's flight.
    fn seats(&self) -> (i64, i64) {
        let found = block_on(inventory::read(&*self.tables, &vuelo())).unwrap();
        (found.free, found.held)
    }

    fn set(&self, command: &str, modo: FaultMode) {
        let faults = Faults::new(self.tables.clone());
        block_on(faults.set(GDS, command, None, modo, 1)).unwrap();
    }
}

fn vuelo() -> Vuelo {
    Vuelo {
        origen: "BOG".into(),
        destino: "JFK".into(),
        fecha_salida: "2022-11-22T13:10:00Z".parse().unwrap(),
    }
}

fn sillas() -> Value {
    let Vuelo {
        origen,
        destino,
        fecha_salida,
    } = vuelo();
    json!([Sillas {
        origen,
        destino,
        fecha_salida,
        sillas: 1
    }])
}

/// Every sample of the folder `events`, by its file name.
fn samples() -> BTreeMap<String, Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let files = fs::read_dir(folder).unwrap().map(|file| {
        let file = file.unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        let name = file.file_name().into_string().unwrap();
        (name, serde_json::from_str(&text).unwrap())
    });
    files.collect()
}

fn sample(name: &str) -> Value {
    samples()[name].clone()
}

fn confirm() -> Value {
    sample("confirmar_reserva.json")
}

fn revert() -> Value {
    sample("revertir_confirmacion.json")
}

#[test]
fn every_sample_does_what_it_says() {
    let bench = Bench::new(false);
    let (all, _) = bench.seats();
    let mut kinds = vec![];
    let commands = |(_, payload): &(String, Value)| payload.get("type").is_some();
    for (name, payload) in samples().into_iter().filter(commands) {
        let event = bench.event(&payload);
        assert_eq!(event.data["sillas"], sillas(), "{name}");
        assert_eq!(bench.event(&payload), event, "{name}, again");
        kinds.push((event.kind, bench.seats()));
    }
    assert_eq!(
        kinds,
        [
            ("ReservaGDSConfirmada".into(), (all - 1, 1)),
            ("ConfirmacionGDSRevertida".into(), (all, 0)),
        ]
    );
    assert_eq!(bench.log.records().len(), 2);
}

#[test]
fn a_full_flight_is_an_event_and_a_tombstone_a_rejection() {
    let bench = Bench::new(false);
    block_on(inventory::set_free(&*bench.tables, &vuelo(), 0)).unwrap();
    let event = bench.event(&confirm());
    assert_eq!(event.kind, "ConfirmacionFallida");
    assert_eq!(event.data["sin_sillas"], sillas());

    let bench = Bench::new(false);
    assert_eq!(bench.event(&revert()).data["sillas"], json!([]));
    let Ok(Reply::Rechazado { problema }) = bench.answer(&confirm()) else {
        panic!("accepted")
    };
    assert!(problema.is(kinds::STATE));
    assert_eq!(bench.seats().1, 0);
}

#[test]
fn what_is_not_for_this_function_is_refused() {
    let bench = Bench::new(false);
    let mut foreign = confirm();
    foreign["type"] = json!("PagarReserva");
    let Ok(Reply::Rechazado { problema }) = bench.answer(&foreign) else {
        panic!("accepted")
    };
    assert_eq!(problema.errores[0].campo, "type");
    let mut nothing = confirm();
    nothing.as_object_mut().unwrap().remove("subject");
    let error = Diagnostic::from(bench.answer(&nothing).unwrap_err());
    assert_eq!(error.error_type, "InvalidCommand");
    assert!(error.error_message.contains("subject"));
    assert_eq!(bench.tables.all(alpes_event_store::TABLE), []);
}

#[test]
fn a_test_can_make_it_fail_where_tests_are_allowed() {
    let bench = Bench::new(true);
    bench.set(CONFIRMAR_RESERVA, FaultMode::Failure);
    let failed = bench.event(&confirm());
    assert_eq!(failed.kind, "ConfirmacionFallida");
    assert_eq!(failed.data["motivo"], FALLA_INDUCIDA);
    assert_eq!(bench.event(&confirm()), failed);
    assert_eq!(bench.seats().1, 0);

    bench.set(REVERTIR_CONFIRMACION, FaultMode::Error);
    let error = Diagnostic::from(bench.answer(&revert()).unwrap_err());
    assert_eq!(error.error_type, "InducedError");
    assert_eq!(bench.event(&revert()).kind, "ConfirmacionGDSRevertida");
}

#[test]
fn elsewhere_it_does_not_look() {
    let bench = Bench::new(false);
    bench.set(CONFIRMAR_RESERVA, FaultMode::Failure);
    assert_eq!(bench.event(&confirm()).kind, "ReservaGDSConfirmada");
}

/// `ReservaCreada` has the legs of the journey, and `ReservaPagada` causes the confirmation.
#[test]
fn a_reservation_that_is_heard_of_and_paid_gets_its_seats_once() {
    let bench = Bench::new(true);
    bench.set(CONFIRMAR_RESERVA, FaultMode::Error);
    let all_taken = json!({"batchItemFailures": []});
    assert_eq!(bench.hear("lote.json"), all_taken);
    assert_eq!(bench.log.records().len(), 0, "it is put off");
    for _ in 0..2 {
        assert_eq!(
            bench.hear("reactions.json"),
            json!({"done": 1, "put_off": 0})
        );
        assert_eq!(bench.hear("lote.json"), all_taken);
        assert_eq!(bench.log.records().len(), 1);
    }
    let seated: Event = serde_json::from_slice(&bench.log.records()[0].data).unwrap();
    assert_eq!(seated.kind, "ReservaGDSConfirmada");
    assert_eq!(
        seated.data["sillas"].as_array().unwrap().len(),
        2,
        "a leg each"
    );
    let parked = || block_on(bench.app.parking.list()).unwrap();
    assert_eq!(parked(), []);
    assert_eq!(bench.hear("lote_con_ilegible.json"), all_taken);
    assert_eq!(parked()[0].owner, "participant-gds");
}
