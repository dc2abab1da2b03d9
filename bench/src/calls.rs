//! Counts the AWS calls of a command and of a projector's batch, over tables and a log in memory.

use std::sync::Arc;

use alpes_event_store::{Case, Decider, Decision, Handled, Route, StoreRefusal, Unavailable};
use alpes_messages::{Command, Moment, NewEvent, Problem, StreamId};
use anyhow::{Result, bail};
use async_trait::async_trait;
use events::{IdReserva, Payload, VUELOS};
use serde::Serialize;
use serde_json::{Value, json};
use simulation::Faults;
use twins::{self, MemoryLog, MemoryTables, Ports};
use uuid::Uuid;
use vuelos::Vuelos;
use wiring::Wiring;

use crate::commands;

#[derive(Debug, Serialize)]
pub struct Calls {
    /// The calls of a command that opens an event stream, and of a command on an existing event stream.
    pub opening: usize,
    pub existing: usize,
    /// The events and reservations of the batch, and the reads and writes of the view for them.
    pub batch_events: usize,
    pub batch_reservations: usize,
    pub batch_reads: usize,
    pub batch_writes: usize,
}

const RESERVATIONS: usize = 50;
const EVENTS_EACH: i64 = 10;

pub async fn count(sample: &Value) -> Result<Calls> {
    let (world, _) = twins::world(1);
    let tables = Arc::new(MemoryTables::new());
    let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
    let wiring = |faults: &Faults| {
        Wiring::new(Ports {
            tables: Arc::new(faults.tables(tables.clone())),
            log: Arc::new(faults.log(log.clone())),
            ..Ports::new(world.clone())
        })
    };
    let store = |faults: &Faults| {
        let Ok(store) = wiring(faults).store();
        store
    };

    let faults = Faults::none();
    let create = commands::create(sample)?;
    committed(&store(&faults).handle(&Vuelos, &create).await?)?;
    let opening = faults.count();

    let faults = Faults::none();
    let cancel = commands::command(
        vuelos::CANCELAR_RESERVA,
        create.subject,
        json!({ "motivo": "bench" }),
    );
    committed(&store(&faults).handle(&Vuelos, &cancel).await?)?;
    let existing = faults.count();

    let before = log.records().len();
    for _ in 0..RESERVATIONS {
        let command = commands::command("Sintetico", IdReserva(Uuid::now_v7()), Value::Null);
        committed(&store(&Faults::none()).handle(&Synthetic, &command).await?)?;
    }
    let mut records = log.records();
    let batch = records.split_off(before);
    let faults = Faults::none();
    let projector = wiring(&faults).projector();
    let outcome = projector.consumer().consume(&batch).await;
    if outcome.failed.is_some() || outcome.parked > 0 {
        bail!("the batch failed: {outcome:?}");
    }
    let trace = faults.trace();
    let reads = trace
        .iter()
        .filter(|call| {
            ["get ", "query ", "list "]
                .iter()
                .any(|read| call.starts_with(read))
        })
        .count();
    Ok(Calls {
        opening,
        existing,
        batch_events: batch.len(),
        batch_reservations: RESERVATIONS,
        batch_reads: reads,
        batch_writes: trace.len() - reads,
    })
}

fn committed(handled: &Handled) -> Result<()> {
    match handled {
        Handled::Committed { appended: true, .. } => Ok(()),
        other => bail!("the command was not committed: {other:?}"),
    }
}

/// A decider that commits all events of an invented reservation at once.
struct Synthetic;

#[async_trait]
impl Decider<Payload> for Synthetic {
    fn route(&self, command: &Command) -> Route {
        Route {
            stream: StreamId::new(VUELOS, command.subject),
            opens: true,
            undoes: false,
        }
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        parse::refusal(refusal)
    }

    async fn decide(&self, case: &Case<'_, Payload>) -> Result<Decision, Unavailable> {
        let (id_reserva, now) = (case.command.subject, case.now);
        let failed = (1..EVENTS_EACH).map(|_| failed(id_reserva, now));
        let events = std::iter::once(created(id_reserva, now)).chain(failed);
        Ok(Decision::commit(events.collect()))
    }
}

fn created(id_reserva: IdReserva, now: Moment) -> NewEvent {
    events::vuelos::ReservaCreada {
        id_reserva,
        id_cliente: None,
        estado: events::vuelos::EstadoReserva::Pendiente,
        fecha_creacion: now,
        itinerarios: vec![],
        pago: None,
        pasajeros: events::vuelos::Pasajero::one(),
    }
    .into()
}

fn failed(id_reserva: IdReserva, now: Moment) -> NewEvent {
    events::vuelos::AprobacionReservaFallida {
        id_reserva,
        fecha_actualizacion: now,
        motivo: "bench".to_owned(),
    }
    .into()
}
