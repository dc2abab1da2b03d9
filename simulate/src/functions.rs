//! The system's functions, each put together as its `main.rs` does it.

use std::sync::Arc;

use alpes_archive::Archive;
use alpes_consumer::Parking;
use alpes_event_store::{EventStore, StreamReader};
use alpes_lambda::{RemoteConsumer, kinesis, metrics::Metrics, participant};
use alpes_participant::{Reactions, Rules};
use alpes_ports::{
    Executions, FunctionName, Functions, Log, LogReader, Objects, Tables, Topic, World,
};
use alpes_projections::{Generations, Projector, REBUILDER, Rebuilder};
use alpes_saga::{Coordinator, Sagas};
use aws_lambda_events::kinesis::KinesisEvent;
use events::{Catalogue, Payload};
use futures::future::BoxFuture;
use lambda_runtime::Diagnostic;
use notices::{Announcer, NOTIFIER};
use reserva_saga::{
    FunctionParticipants, ORCHESTRATOR, PARTICIPANT_GDS, PARTICIPANT_PAGOS, PARTICIPANT_VUELOS,
    wire,
};
use serde::{Serialize, de::DeserializeOwned};
use simulation::{Answer, Function, Kernel, Runtime, Sandbox, function};
use timers::Limits;

use crate::{http, versions::Build};

/// The function behind the API's commands.
pub const HTTP_COMMANDS: FunctionName = FunctionName("http-commands");
/// The function behind the API's queries.
pub const HTTP_QUERIES: FunctionName = FunctionName("http-queries");
/// The function that archives.
pub const ARCHIVER: FunctionName = FunctionName("archiver");
/// The function that keeps the views.
pub const PROJECTOR: FunctionName = FunctionName(alpes_projections::CONSUMER);
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
    /// True where participants misbehave as they are told.
    pub allows_tests: bool,
    /// How much the timers take on at a time.
    pub limits: Limits,
}

/// Every function.
pub const ALL: [FunctionName; 11] = [
    HTTP_COMMANDS,
    HTTP_QUERIES,
    PARTICIPANT_VUELOS,
    PARTICIPANT_PAGOS,
    PARTICIPANT_GDS,
    ORCHESTRATOR,
    PROJECTOR,
    ARCHIVER,
    NOTIFIER,
    TIMERS,
    REBUILDER,
];

/// A mistake in a build: there are records that it cannot bear.
#[derive(Clone)]
pub struct Allergy {
    pub kernel: Kernel,
    /// It is allergic to one record in so many.
    pub one_in: u64,
    /// Which of them.
    pub which: u64,
    /// It dies of them; else it fails.
    pub dies: bool,
    /// It does its work before that; else nothing.
    pub works: bool,
}

impl Allergy {
    fn is_hit(&self, payload: &[u8]) -> bool {
        let batch = serde_json::from_slice::<KinesisEvent>(payload);
        let records = batch.map(kinesis::records).unwrap_or_default();
        let digest = |data: &[u8]| {
            let add = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
            data.iter().fold(7, add)
        };
        let mut digests = records.iter().map(|record| digest(&record.data));
        digests.any(|digest| digest % self.one_in == self.which)
    }

    async fn suffer(self, work: BoxFuture<'static, Answer>) -> Answer {
        if self.works {
            drop(work.await);
        }
        self.kernel.count("lambda", "could not bear a record");
        if self.dies {
            self.kernel.die().await;
        }
        Err((
            "Mistake".to_owned(),
            "a record that I cannot bear".to_owned(),
        ))
    }

    /// The function with this mistake in it.
    pub fn in_function(self, function: &Function) -> Function {
        let start = function.start.clone();
        let start = Arc::new(move |world| {
            let (sound, allergy) = (start(world), self.clone());
            let sandbox: Sandbox = Arc::new(move |payload, deadline| {
                let hit = allergy.is_hit(&payload);
                let work = sound(payload, deadline);
                if hit {
                    Box::pin(allergy.clone().suffer(work))
                } else {
                    work
                }
            });
            sandbox
        });
        Function {
            start,
            ..function.clone()
        }
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

/// Deploys them all, each as a build has it.
pub fn deploy(runtime: &Runtime, ports: &Ports, build: &Build) {
    for name in ALL {
        runtime.deploy(name, of(name, ports, build));
    }
}

/// A function as a build has it.
pub fn of(name: FunctionName, ports: &Ports, build: &Build) -> Function {
    let (ports, build) = (ports.clone(), build.of(name));
    match name {
        HTTP_COMMANDS => http_commands(ports, build),
        HTTP_QUERIES => http_queries(ports, build),
        ORCHESTRATOR => orchestrator(ports, build),
        PROJECTOR => projector(ports, build),
        ARCHIVER => archiver(ports),
        NOTIFIER => notifier(ports, build),
        TIMERS => timers(ports, build),
        REBUILDER => rebuilder(ports, build),
        PARTICIPANT_PAGOS => participant(pagos::rules, ports, build),
        PARTICIPANT_GDS => participant(|_, _| gds::rules(), ports, build),
        _ => participant(|_, _| vuelos::rules(), ports, build),
    }
}

fn http_commands(ports: Ports, build: Build) -> Function {
    let Build {
        catalogue,
        definitions,
    } = build;
    let build = move |world: World| {
        let Ports {
            tables,
            log,
            functions,
            ..
        } = ports.clone();
        http_commands::App {
            store: EventStore::new(tables.clone(), log, world.clone(), catalogue.clone()),
            sagas: Sagas::new(tables, definitions.clone(), world.clone()),
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

fn http_queries(ports: Ports, build: Build) -> Function {
    let Build {
        catalogue,
        definitions,
    } = build;
    let build = move |world: World| {
        let Ports {
            tables, executions, ..
        } = ports.clone();
        http_queries::App {
            reader: StreamReader::new(tables.clone(), catalogue.clone()),
            generations: Generations::new(tables.clone(), world.clock.clone()),
            clock: world.clock.clone(),
            executions: Some(executions),
            sagas: Sagas::new(tables.clone(), definitions.clone(), world),
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

fn participant(
    rules: fn(Arc<dyn Tables>, World) -> Rules<Payload>,
    ports: Ports,
    build: Build,
) -> Function {
    let catalogue = build.catalogue;
    let build = move |world: World| {
        let Ports {
            tables,
            log,
            partial_batch,
            allows_tests,
            ..
        } = ports.clone();
        participant::App::new(
            rules(tables.clone(), world.clone()),
            catalogue.clone(),
            tables,
            log,
            world,
            allows_tests,
            partial_batch,
        )
    };
    function(10, build, |app, payload, deadline| {
        Box::pin(async move { written(app.answer(read(&payload)?, deadline).await) })
    })
}

fn orchestrator(ports: Ports, build: Build) -> Function {
    let Build {
        catalogue,
        definitions,
    } = build;
    let build = move |world: World| {
        let Ports {
            tables,
            functions,
            executions,
            partial_batch,
            ..
        } = ports.clone();
        let sagas = Sagas::new(tables.clone(), definitions.clone(), world.clone());
        let participants = Arc::new(FunctionParticipants(functions));
        orchestrator::App {
            coordinator: Coordinator::new(sagas, participants).with_machine(executions, wire()),
            reader: StreamReader::new(tables.clone(), catalogue.clone()),
            parking: Parking::new(tables, world.clock.clone(), &catalogue),
            partial_batch,
            world,
        }
    };
    function(60, build, |app, payload, deadline| {
        Box::pin(async move { written(app.handle(read(&payload)?, deadline).await) })
    })
}

fn views(tables: &Arc<dyn Tables>, world: World, catalogue: &Catalogue) -> Projector<Payload> {
    let reader = StreamReader::new(tables.clone(), catalogue.clone());
    Projector::new(tables.clone(), reader, world, views::registry())
}

fn projector(ports: Ports, build: Build) -> Function {
    let catalogue = build.catalogue;
    let build = move |world| projector::App {
        projector: views(&ports.tables, world, &catalogue),
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

fn notifier(ports: Ports, build: Build) -> Function {
    let catalogue = build.catalogue;
    let build = move |world: World| {
        let (tables, topic) = (ports.tables.clone(), ports.topic.clone());
        notifier::App {
            announcer: Announcer::new(tables, topic, world.clock, catalogue.clone()),
            partial_batch: ports.partial_batch,
        }
    };
    function(60, build, |app, payload, _| {
        Box::pin(async move { written(app.handle(read(&payload)?).await) })
    })
}

fn timers(ports: Ports, build: Build) -> Function {
    let Build {
        catalogue,
        definitions,
    } = build;
    let build = move |world: World| {
        let Ports {
            tables,
            log,
            functions,
            failures,
            limits,
            ..
        } = ports.clone();
        let projector = views(&tables, world.clone(), &catalogue);
        timers::App {
            remote: RemoteConsumer::of(
                wiring::consumers(),
                &functions,
                projector.parking(),
                &catalogue,
            ),
            functions,
            projector,
            reactions: Reactions::new(tables.clone(), world.clone()),
            sagas: Sagas::new(tables.clone(), definitions.clone(), world.clone()),
            store: EventStore::new(tables.clone(), log, world.clone(), catalogue.clone()),
            metrics: Metrics::new(wiring::METRICS, STACK.to_owned(), |_| {}),
            stack: STACK.to_owned(),
            undelivered: failures,
            limits,
            world,
        }
    };
    function(60, build, |app, payload, deadline| {
        Box::pin(async move { written(app.handle(read(&payload)?, deadline).await) })
    })
}

fn rebuilder(ports: Ports, build: Build) -> Function {
    let catalogue = build.catalogue;
    let build = move |world: World| rebuilder::App {
        rebuilder: Rebuilder {
            projector: views(&ports.tables, world.clone(), &catalogue),
            archive: Archive::new(ports.archive.clone()),
            log: ports.reader.clone(),
        },
        world,
    };
    function(900, build, |app, payload, deadline| {
        Box::pin(async move { written(app.handle(read(&payload)?, deadline).await) })
    })
}
