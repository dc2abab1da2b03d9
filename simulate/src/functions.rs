//! The system's functions, each put together as its `main.rs` does it.

use std::{sync::Arc, time::Duration};

use ::participant::Reactions;
use archive::Archive;
use consumer::Parking;
use event_store::{EventStore, StreamReader};
use events::{Catalogue, Context};
use futures::future::BoxFuture;
use jiff::Timestamp;
use lambda_kit::{RemoteConsumer, metrics::Metrics, participant};
use lambda_runtime::Diagnostic;
use notices::{Announcer, NOTIFIER};
use participant_gds as gds;
use participant_pagos as pagos;
use participant_vuelos as vuelos;
use ports::{Executions, FunctionName, Functions, Log, LogReader, Objects, Tables, Topic, World};
use projections::{Generations, Projector, REBUILDER, Rebuilder};
use reserva_saga::{FunctionParticipants, ORCHESTRATOR, definitions, function_of, wire};
use saga_engine::{Coordinator, Sagas};
use serde::{Serialize, de::DeserializeOwned};
use simulation::{Answer, Function, Runtime, Sandbox};

use crate::http;

/// The function behind the API's commands.
pub const HTTP_COMMANDS: FunctionName = FunctionName("http-commands");
/// The function behind the API's queries.
pub const HTTP_QUERIES: FunctionName = FunctionName("http-queries");
/// The function that archives.
pub const ARCHIVER: FunctionName = FunctionName("archiver");
/// The function that keeps the views.
pub const PROJECTOR: FunctionName = FunctionName(projections::CONSUMER);
/// The function that a schedule runs.
pub const TIMERS: FunctionName = FunctionName("timers");

/// The name of the stack.
pub const STACK: &str = "aeroalpes";

/// What functions stand on.
#[derive(Clone)]
pub struct Ports {
    pub tables: Arc<dyn Tables>,
    pub log: Arc<dyn Log>,
    pub reader: Arc<dyn LogReader>,
    pub functions: Arc<dyn Functions>,
    pub topic: Arc<dyn Topic>,
    pub archive: Arc<dyn Objects>,
    pub failures: Arc<dyn Objects>,
    pub executions: Arc<dyn Executions>,
    /// True where the runtime honours a partial batch response.
    pub partial_batch: bool,
}

/// A function: how it is started, and how it handles what it is invoked with.
fn function<A: Send + Sync + 'static>(
    timeout: u64,
    build: impl Fn(World) -> A + Send + Sync + 'static,
    handle: impl Fn(Arc<A>, Vec<u8>, Timestamp) -> BoxFuture<'static, Answer>
    + Copy
    + Send
    + Sync
    + 'static,
) -> Function {
    Function {
        timeout: Duration::from_secs(timeout),
        concurrency: 50,
        start: Arc::new(move |world| {
            let app = Arc::new(build(world));
            let sandbox: Sandbox =
                Arc::new(move |payload, deadline| handle(app.clone(), payload, deadline));
            sandbox
        }),
    }
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, (String, String)> {
    serde_json::from_slice(payload)
        .map_err(|error| ("Runtime.UnmarshalError".to_owned(), error.to_string()))
}

fn written<T: Serialize, E: Into<Diagnostic>>(answer: Result<T, E>) -> Answer {
    match answer {
        Ok(answer) => serde_json::to_vec(&answer)
            .map_err(|error| ("Runtime.MarshalError".to_owned(), error.to_string())),
        Err(error) => {
            let told: Diagnostic = error.into();
            Err((told.error_type, told.error_message))
        }
    }
}

/// Deploys them all.
pub fn deploy(runtime: &Runtime, ports: &Ports) {
    runtime.deploy(HTTP_COMMANDS, http_commands(ports.clone()));
    runtime.deploy(HTTP_QUERIES, http_queries(ports.clone()));
    for context in Context::ALL {
        runtime.deploy(function_of(context), participant(context, ports.clone()));
    }
    runtime.deploy(ORCHESTRATOR, orchestrator(ports.clone()));
    runtime.deploy(PROJECTOR, projector(ports.clone()));
    runtime.deploy(ARCHIVER, archiver(ports.clone()));
    runtime.deploy(NOTIFIER, notifier(ports.clone()));
    runtime.deploy(TIMERS, timers(ports.clone()));
    runtime.deploy(REBUILDER, rebuilder(ports.clone()));
}

fn http_commands(ports: Ports) -> Function {
    let build = move |world: World| {
        let Ports {
            tables,
            log,
            functions,
            ..
        } = ports.clone();
        http_commands::App {
            store: EventStore::new(tables.clone(), log, world.clone(), Catalogue::current()),
            sagas: Sagas::new(tables, definitions(), world.clone()),
            functions,
            world,
            step_functions: true,
        }
    };
    function(10, build, |app, payload, _| {
        Box::pin(async move {
            let request = http::request(&payload)?;
            Ok(http::written(app.handle(&request).await))
        })
    })
}

fn http_queries(ports: Ports) -> Function {
    let build = move |world: World| {
        let Ports {
            tables, executions, ..
        } = ports.clone();
        http_queries::App {
            reader: StreamReader::new(tables.clone(), Catalogue::current()),
            generations: Generations::new(tables.clone(), world.clock.clone()),
            clock: world.clock.clone(),
            executions: Some(executions),
            sagas: Sagas::new(tables.clone(), definitions(), world),
            tables,
        }
    };
    function(10, build, |app, payload, _| {
        Box::pin(async move {
            let request = http::request(&payload)?;
            Ok(http::written(app.handle(&request).await))
        })
    })
}

fn participant(context: Context, ports: Ports) -> Function {
    let build = move |world: World| {
        let Ports {
            tables,
            log,
            partial_batch,
            ..
        } = ports.clone();
        let rules = match context {
            Context::Vuelos => vuelos::rules(),
            Context::Pagos => pagos::rules(tables.clone(), world.clone()),
            Context::Gds => gds::rules(),
        };
        participant::App::new(rules, tables, log, world, false, partial_batch)
    };
    function(10, build, |app, payload, deadline| {
        Box::pin(async move { written(app.answer(read(&payload)?, deadline).await) })
    })
}

fn orchestrator(ports: Ports) -> Function {
    let build = move |world: World| {
        let Ports {
            tables,
            functions,
            executions,
            partial_batch,
            ..
        } = ports.clone();
        let catalogue = Catalogue::current();
        let sagas = Sagas::new(tables.clone(), definitions(), world.clone());
        let participants = Arc::new(FunctionParticipants(functions));
        orchestrator::App {
            coordinator: Coordinator::new(sagas, participants).with_machine(executions, wire()),
            parking: Parking::new(tables, world.clock.clone(), &catalogue),
            catalogue,
            partial_batch,
            world,
        }
    };
    function(60, build, |app, payload, deadline| {
        Box::pin(async move { written(app.handle(read(&payload)?, deadline).await) })
    })
}

fn views(tables: &Arc<dyn Tables>, world: World) -> Projector {
    let reader = StreamReader::new(tables.clone(), Catalogue::current());
    Projector::new(tables.clone(), reader, world, projections::registry())
}

fn projector(ports: Ports) -> Function {
    let build = move |world| projector::App {
        projector: views(&ports.tables, world),
        partial_batch: ports.partial_batch,
    };
    function(60, build, |app, payload, _| {
        Box::pin(async move { written(app.handle(read(&payload)?).await) })
    })
}

fn archiver(ports: Ports) -> Function {
    let build = move |_| archiver::App {
        archive: Archive::new(ports.archive.clone()),
        partial_batch: ports.partial_batch,
    };
    function(60, build, |app, payload, _| {
        Box::pin(async move { written(app.handle(read(&payload)?).await) })
    })
}

fn notifier(ports: Ports) -> Function {
    let build = move |world: World| {
        let (tables, topic) = (ports.tables.clone(), ports.topic.clone());
        notifier::App {
            announcer: Announcer::new(tables, topic, world.clock, Catalogue::current()),
            partial_batch: ports.partial_batch,
        }
    };
    function(60, build, |app, payload, _| {
        Box::pin(async move { written(app.handle(read(&payload)?).await) })
    })
}

fn timers(ports: Ports) -> Function {
    let build = move |world: World| {
        let Ports {
            tables,
            log,
            functions,
            failures,
            ..
        } = ports.clone();
        let catalogue = Catalogue::current();
        let projector = views(&tables, world.clone());
        timers::App {
            remote: RemoteConsumer::all(&functions, projector.parking(), &catalogue),
            functions,
            projector,
            reactions: Reactions::new(tables.clone(), world.clone()),
            sagas: Sagas::new(tables.clone(), definitions(), world.clone()),
            store: EventStore::new(tables.clone(), log, world.clone(), catalogue),
            metrics: Metrics::new(STACK.to_owned(), |_| {}),
            stack: STACK.to_owned(),
            undelivered: failures,
            tables,
            world,
        }
    };
    function(60, build, |app, payload, _| {
        Box::pin(async move { written(app.handle(read(&payload)?).await) })
    })
}

fn rebuilder(ports: Ports) -> Function {
    let build = move |world: World| rebuilder::App {
        rebuilder: Rebuilder {
            projector: views(&ports.tables, world.clone()),
            archive: Archive::new(ports.archive.clone()),
            log: ports.reader.clone(),
        },
        world,
    };
    function(900, build, |app, payload, deadline| {
        Box::pin(async move { written(app.handle(read(&payload)?, deadline).await) })
    })
}
