//! The calls of AWS of one approved reservation: the functions' own code, over tables, log and functions in memory.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use consumer::Parking;
use event_store::{EventStore, StreamReader};
use events::{Catalogue, Command, Event};
use jiff::Timestamp;
use orchestrator::Invocation;
use participant::{Participant, Rules};
use ports::{
    CallError, FunctionName, LogRecord, World,
    memory::{self, MemoryFunctions, MemoryLog, MemoryTables},
};
use reserva_saga::{
    FunctionParticipants, PARTICIPANT_GDS, PARTICIPANT_PAGOS, PARTICIPANT_VUELOS, definitions,
    fact, saga_of,
};
use saga_engine::{Coordinator, Estado, Fact, SagaId, Sagas};
use serde::Serialize;
use serde_json::{Value, json};

use super::meter::{Metered, Share};

/// Who makes the reservation, and who drives its saga.
pub const API: &str = "http-commands";
pub const ORCHESTRATOR: &str = "orchestrator";

/// One approved reservation.
#[derive(Debug, Serialize)]
pub struct SagaCalls {
    pub shares: Vec<(&'static str, Share)>,
    /// Invocations of the orchestrator: the batch with the event that opens the saga, and the one with those that it led to.
    pub batches: usize,
    /// The reservation's events, as sagas hear them.
    #[serde(skip)]
    pub facts: Vec<Fact>,
}

impl SagaCalls {
    pub fn of(&self, function: &str) -> Share {
        let found = self.shares.iter().find(|(name, _)| *name == function);
        found.map(|(_, share)| share.clone()).unwrap_or_default()
    }

    /// All that is done whoever drives the saga.
    pub fn common(&self) -> impl Iterator<Item = &Share> {
        let others = self.shares.iter();
        others
            .filter(|(name, _)| *name != ORCHESTRATOR)
            .map(|(_, share)| share)
    }
}

/// Everything in memory, each function with a meter of its own.
struct System {
    world: World,
    tables: Arc<MemoryTables>,
    log: Arc<MemoryLog>,
    functions: Arc<MemoryFunctions>,
}

impl System {
    fn new() -> Self {
        let (world, _) = memory::world(1);
        Self {
            tables: Arc::default(),
            log: Arc::new(MemoryLog::new(1, world.clock.clone())),
            functions: Arc::default(),
            world,
        }
    }

    fn meter(&self) -> Arc<Metered> {
        let (tables, log) = (self.tables.clone(), self.log.clone());
        Arc::new(Metered::new(tables, log, self.functions.clone()))
    }

    fn deploy(&self, name: FunctionName, participant: Participant) {
        let participant = Arc::new(participant);
        self.functions.deploy(name, move |payload| {
            let participant = participant.clone();
            async move {
                let refused = |error: serde_json::Error| CallError::Refused(error.to_string());
                let command: Command = serde_json::from_slice(&payload).map_err(refused)?;
                let reply = participant.handle(&command).await;
                let reply = reply.map_err(|error| CallError::Failed {
                    error_type: error.error_type().to_owned(),
                    message: error.to_string(),
                })?;
                serde_json::to_vec(&reply).map_err(refused)
            }
        });
    }

    fn api(&self, meter: &Arc<Metered>) -> http_commands::App {
        let (world, catalogue) = (self.world.clone(), Catalogue::current());
        http_commands::App {
            store: EventStore::new(meter.clone(), meter.clone(), world.clone(), catalogue),
            sagas: Sagas::new(meter.clone(), definitions(), world.clone()),
            functions: meter.clone(),
            world,
        }
    }

    fn orchestrator(&self, meter: &Arc<Metered>) -> orchestrator::App {
        let (world, catalogue) = (self.world.clone(), Catalogue::current());
        let sagas = Sagas::new(meter.clone(), definitions(), world.clone());
        let participants = Arc::new(FunctionParticipants(meter.clone()));
        orchestrator::App {
            coordinator: Coordinator::new(sagas, participants),
            reader: StreamReader::new(meter.clone(), catalogue.clone()),
            parking: Parking::new(meter.clone(), world.clock.clone(), &catalogue),
            partial_batch: true,
            world,
        }
    }
}

/// `request` is the sample event of `http-commands`.
pub async fn count(request: &str) -> Result<SagaCalls> {
    let system = System::new();
    let meters = [(); 5].map(|()| system.meter());
    let [api, orchestrator, vuelos, pagos, gds] = &meters;
    let world = || system.world.clone();
    // Where it serves, tests are not allowed, and nobody looks for faults.
    let participant = |rules: Rules, meter: &Arc<Metered>| {
        let store = EventStore::new(meter.clone(), meter.clone(), world(), Catalogue::current());
        rules
            .reactor(store, meter.clone(), world(), false)
            .participant
    };
    let rules = participant_pagos::rules(pagos.clone(), world());
    system.deploy(PARTICIPANT_PAGOS, participant(rules, pagos));
    system.deploy(
        PARTICIPANT_VUELOS,
        participant(participant_vuelos::rules(), vuelos),
    );
    system.deploy(PARTICIPANT_GDS, participant(participant_gds::rules(), gds));

    let request = lambda_http::request::from_str(request)?;
    let answer = system.api(api).handle(&request).await;
    if !answer.status().is_success() {
        bail!("the sample reservation is refused: {}", answer.status());
    }
    let app = system.orchestrator(orchestrator);
    let (mut heard, mut batches) = (0, 0);
    loop {
        let records = system.log.records();
        let batch = records.get(heard..).unwrap_or_default();
        if batch.is_empty() {
            break;
        }
        let invocation: Invocation = serde_json::from_value(batch_of(batch))?;
        let done = app.handle(invocation, Timestamp::MAX).await;
        done.map_err(|error| anyhow::anyhow!("the orchestrator failed: {error:?}"))?;
        (heard, batches) = (records.len(), batches + 1);
    }
    let (id, facts) = facts(&system.log.records())?;
    let saga = app.coordinator.sagas().load(id).await?;
    let saga = saga.context("no saga began")?.saga;
    if saga.estado != Estado::Completada {
        bail!("the saga is {}", saga.estado);
    }
    let names = [
        API,
        ORCHESTRATOR,
        PARTICIPANT_VUELOS.0,
        PARTICIPANT_PAGOS.0,
        PARTICIPANT_GDS.0,
    ];
    let shares = names
        .into_iter()
        .zip(meters.iter().map(|meter| meter.share()));
    Ok(SagaCalls {
        shares: shares.collect(),
        batches,
        facts,
    })
}

/// The records, as Lambda hands them to a function.
fn batch_of(records: &[LogRecord]) -> Value {
    let records = records.iter().map(|record| {
        json!({
            "eventID": format!("{}:{}", record.shard, record.sequence.0),
            "kinesis": {
                "partitionKey": record.partition_key,
                "sequenceNumber": record.sequence.0,
                "data": STANDARD.encode(&record.data),
                "approximateArrivalTimestamp": record.arrived.as_second(),
            },
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

fn facts(records: &[LogRecord]) -> Result<(SagaId, Vec<Fact>)> {
    let (mut id, mut facts) = (None, vec![]);
    for record in records {
        let (event, _) = Event::decode(&record.data, &Catalogue::current())?;
        id = id.or(saga_of(&event));
        facts.push(fact(&event));
    }
    Ok((id.context("the reservation has no saga")?, facts))
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    const REQUEST: &str =
        include_str!("../../../functions/http-commands/events/crear_reserva.json");

    #[test]
    fn an_approved_saga_is_at_most_five_writes_of_its_log() {
        let calls = block_on(count(REQUEST)).unwrap();
        assert_eq!(calls.batches, 2);
        let saga = calls.of(ORCHESTRATOR);
        assert!(saga.count("UpdateItem") <= 5, "{saga:?}");
        assert_eq!(saga.count("Invoke"), 3);
        assert_eq!(
            saga.total(),
            saga.count("UpdateItem") + saga.count("GetItem") + saga.count("Invoke"),
            "{saga:?}"
        );
        assert_eq!(saga.written.len(), saga.count("UpdateItem"));
    }

    #[test]
    fn a_reservation_is_made_with_three_calls() {
        let calls = block_on(count(REQUEST)).unwrap();
        let api = calls.of(API);
        assert_eq!(api.calls, [("PutRecord", 1), ("UpdateItem", 2)].into());
        assert_eq!(calls.of(PARTICIPANT_GDS.0).count("TransactWriteItems"), 1);
        let kinds: Vec<_> = calls.facts.iter().map(|fact| fact.kind.as_str()).collect();
        let expected = [
            "ReservaCreada",
            "ReservaPagada",
            "ReservaGDSConfirmada",
            "ReservaAprobada",
        ];
        assert_eq!(kinds, expected);
    }
}
