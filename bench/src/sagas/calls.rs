//! Counts the AWS calls of one approved reservation. The functions' own code runs over tables, log and functions in
//! memory.

use std::sync::Arc;

use alpes_lambda::kinesis::batch_of;
use alpes_messages::{Command, Context, Event};
use alpes_ports::{CallError, Executions, LogRecord, World};
use alpes_saga::{Direction, Fact, SagaId, Status, execution_name};
use anyhow::{Context as _, Result, bail};
use api::HttpApp;
use events::{GDS, PAGOS, VUELOS};
use jiff::Timestamp;
use orchestrator::Invocation;
use reserva_saga::{
    PARTICIPANT_GDS, PARTICIPANT_PAGOS, PARTICIPANT_VUELOS, fact, function_of, placeholders,
    saga_of,
};
use serde::Serialize;
use serde_json::Value;
use twins::{MemoryExecutions, MemoryFunctions, MemoryLog, MemoryTables, Ports};
use wiring::Wiring;

use super::meter::{Metered, MeteredExecutions, Share};

const MACHINE: &str = include_str!("../../../infra/saga-reserva.asl.json");

/// The names of the functions that make the reservation and run its saga.
pub const API: &str = "http-commands";
pub const ORCHESTRATOR: &str = "orchestrator";

/// The engine of a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The orchestrator runs the saga.
    Own,
    /// Step Functions runs the saga: the orchestrator starts the execution and watches it.
    StepFunctions,
    /// Choreography: each context reacts to events. A test of `shared/airline/reserva-saga` counts the calls of this
    /// mode.
    Choreography,
}

impl Engine {
    /// The engine's name in a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "orquestacion",
            Self::StepFunctions => "stepfunctions",
            Self::Choreography => "coreografia",
        }
    }
}

/// The calls of one approved reservation.
#[derive(Debug, Serialize)]
pub struct SagaCalls {
    pub shares: Vec<(&'static str, Share)>,
    /// The orchestrator's invocations: one for the batch with the event that opens the saga, and one for the batch with
    /// the events that follow from it.
    pub batches: usize,
    /// The number of state transitions of the saga's execution; 0 without an execution.
    pub transitions: u64,
    /// The reservation's events as the saga receives them.
    #[serde(skip)]
    pub facts: Vec<Fact>,
}

impl SagaCalls {
    pub fn of(&self, function: &str) -> Share {
        let found = self.shares.iter().find(|(name, _)| *name == function);
        found.map(|(_, share)| share.clone()).unwrap_or_default()
    }

    /// The calls that are the same in each engine.
    pub fn common(&self) -> impl Iterator<Item = &Share> {
        let others = self.shares.iter();
        others
            .filter(|(name, _)| *name != ORCHESTRATOR)
            .map(|(_, share)| share)
    }
}

/// The system in memory, with a meter for each function.
struct System {
    world: World,
    tables: Arc<MemoryTables>,
    log: Arc<MemoryLog>,
    functions: Arc<MemoryFunctions>,
}

impl System {
    fn new() -> Self {
        let (world, _) = twins::world(1);
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

    /// The parts of the system, with all calls counted by this meter.
    fn wiring(&self, meter: &Arc<Metered>, executions: Option<&MemoryExecutions>) -> Wiring<Ports> {
        let executions = executions.cloned().map(|executions| {
            let meter = meter.clone();
            Arc::new(MeteredExecutions { executions, meter }) as Arc<dyn Executions>
        });
        Wiring::new(Ports {
            tables: meter.clone(),
            log: meter.clone(),
            functions: meter.clone(),
            executions,
            // Test endpoints are off, as in production.
            allows_tests: false,
            ..Ports::new(self.world.clone())
        })
    }

    fn deploy(&self, context: Context, meter: &Arc<Metered>) {
        let Ok(app) = self.wiring(meter, None).participant(context);
        let app = Arc::new(app);
        self.functions.deploy(function_of(context), move |payload| {
            let app = app.clone();
            async move {
                let refused = |error: serde_json::Error| CallError::Refused(error.to_string());
                let command: Command = serde_json::from_slice(&payload).map_err(refused)?;
                let reply = app.reactor.participant.handle(&command).await;
                let reply = reply.map_err(|error| CallError::Failed {
                    error_type: error.error_type().to_owned(),
                    message: error.to_string(),
                })?;
                serde_json::to_vec(&reply).map_err(refused)
            }
        });
    }
}

/// The in-memory twin of Step Functions, with the deployed state machine.
fn executions(system: &System) -> Result<MemoryExecutions> {
    let machine = serde_json::from_str(MACHINE)?;
    let (functions, world) = (system.functions.clone(), system.world.clone());
    Ok(MemoryExecutions::new(
        &machine,
        placeholders(),
        functions,
        world,
    )?)
}

/// A request for a reservation whose saga this engine runs.
pub fn run_by(mut body: Value, engine: Engine) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.insert("saga".to_owned(), engine.name().into());
    }
    body
}

/// The sample event of `http-commands`, changed to ask for this engine.
fn asking_for(request: &str, engine: Engine) -> Result<String> {
    let mut request: Value = serde_json::from_str(request)?;
    let text = request.get("body").and_then(Value::as_str);
    let body: Value = serde_json::from_str(text.context("a request without a body")?)?;
    let body = run_by(body, engine).to_string();
    if let Value::Object(fields) = &mut request {
        fields.insert("body".to_owned(), body.into());
    }
    Ok(request.to_string())
}

/// Counts the calls for `request`, the sample event of `http-commands`.
///
/// The orchestrator receives the events of its own run in one batch. Of a saga in Step Functions, the orchestrator
/// receives each event in a batch of its own, which is the most expensive case.
pub async fn count(request: &str, engine: Engine) -> Result<SagaCalls> {
    let system = System::new();
    let executions = executions(&system)?;
    let machine = (engine == Engine::StepFunctions).then_some(&executions);
    let meters = [(); 5].map(|()| system.meter());
    let [api, orchestrator, vuelos, pagos, gds] = &meters;
    system.deploy(VUELOS, vuelos);
    system.deploy(PAGOS, pagos);
    system.deploy(GDS, gds);

    let request = asking_for(request, engine)?;
    let request = lambda_http::request::from_str(&request)?;
    let Ok(api) = http_commands::App::new(&system.wiring(api, Some(&executions)));
    let answer = api.handle(&request).await;
    if !answer.status().is_success() {
        bail!("the sample reservation is refused: {}", answer.status());
    }
    let wiring = system.wiring(orchestrator, machine);
    let app = orchestrator::App::new(&wiring);
    let (mut heard, mut batches) = (0, 0);
    loop {
        let records = system.log.records();
        let news = records.get(heard..).unwrap_or_default();
        let batch = match engine {
            Engine::Own | Engine::Choreography => news,
            Engine::StepFunctions => news.get(..1).unwrap_or_default(),
        };
        if batch.is_empty() {
            break;
        }
        let invocation: Invocation = serde_json::from_value(batch_of(batch))?;
        app.handle(invocation, Timestamp::MAX).await;
        (heard, batches) = (heard + batch.len(), batches + 1);
        for execution in executions.take_started() {
            execution.await;
        }
    }
    let (id, facts) = facts(&system.log.records())?;
    let saga = wiring.sagas().load(id).await?;
    let saga = saga.context("no saga began")?.saga;
    if saga.status != Status::Completed {
        bail!("the saga is {}", saga.status);
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
        transitions: executions.transitions(&execution_name(id, Direction::Do)),
        facts,
    })
}

fn facts(records: &[LogRecord]) -> Result<(SagaId, Vec<Fact>)> {
    let (mut id, mut facts) = (None, vec![]);
    for record in records {
        let (event, _) = Event::decode(&record.data, &events::catalogue())?;
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
    fn an_execution_is_started_once_and_watched() {
        let calls = block_on(count(REQUEST, Engine::StepFunctions)).unwrap();
        assert_eq!(calls.transitions, 8);
        let saga = calls.of(ORCHESTRATOR);
        assert_eq!((saga.count("StartExecution"), saga.count("Invoke")), (1, 0));
        assert!(saga.count("UpdateItem") <= 5, "{saga:?}");
    }

    #[test]
    fn an_approved_saga_is_at_most_five_writes_of_its_log() {
        let calls = block_on(count(REQUEST, Engine::Own)).unwrap();
        assert_eq!(calls.transitions, 0);
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
        let calls = block_on(count(REQUEST, Engine::Own)).unwrap();
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
