//! The system's functions, each put together as in its `main.rs`.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, LazyLock},
    time::Duration,
};

use alpes_lambda::kinesis;
use alpes_ports::{FunctionName, World};
use alpes_projections::REBUILDER;
use api::HttpApp;
use aws_lambda_events::kinesis::KinesisEvent;
use events::{CONTEXTS, VUELOS};
use futures::future::BoxFuture;
use lambda_runtime::Diagnostic;
use notices::NOTIFIER;
use reserva_saga::{
    ORCHESTRATOR, PARTICIPANT_GDS, PARTICIPANT_PAGOS, PARTICIPANT_VUELOS, function_of,
};
use serde::{Serialize, de::DeserializeOwned};
use simulation::{Answer, Function, Kernel, Runtime, Sandbox, function};
use source_mapping::Settings;
use template::{Stack, Template};
use timers::Limits;
use twins::Ports;
use wiring::{Build, Wiring};

use crate::{http, versions};

/// The function that answers the API's commands.
pub const HTTP_COMMANDS: FunctionName = FunctionName("http-commands");
/// The function that answers the API's queries.
pub const HTTP_QUERIES: FunctionName = FunctionName("http-queries");
/// The function that writes the archive.
pub const ARCHIVER: FunctionName = FunctionName("archiver");
/// The function that writes the views.
pub const PROJECTOR: FunctionName = FunctionName(alpes_projections::CONSUMER);
/// The function that the schedule invokes.
pub const TIMERS: FunctionName = FunctionName("timers");

/// The name of the stack.
pub const STACK: &str = "aeroalpes";

/// The environment of deployed functions: ports, and settings from the template.
#[derive(Clone)]
pub struct Ground {
    pub ports: Ports,
    /// The most items that the timers handle in one pass.
    limits: Limits,
    template: &'static Template,
    /// The timeout of each function's invocations.
    timeouts: Arc<BTreeMap<&'static str, Duration>>,
}

impl Ground {
    pub fn new(ports: Ports, limits: Limits) -> Result<Self, String> {
        static DEPLOYED: LazyLock<Result<Template, String>> = LazyLock::new(deployed);
        let template = DEPLOYED.as_ref().map_err(Clone::clone)?;
        let timeout = |name: FunctionName| {
            let function = template.function(&deployed_as(name));
            let function = function.map_err(|error| error.to_string())?;
            Ok((name.0, function.timeout))
        };
        Ok(Self {
            ports,
            limits,
            template,
            timeouts: Arc::new(
                ALL.into_iter()
                    .map(timeout)
                    .collect::<Result<_, String>>()?,
            ),
        })
    }

    /// Each function that consumes the log, with the settings of its event source mapping.
    pub fn mappings(&self) -> Result<Vec<(FunctionName, Settings)>, String> {
        let settings = |mapped: &str| {
            let found = ALL.into_iter().find(|name| deployed_as(*name) == mapped);
            let name = found.ok_or_else(|| format!("{mapped} is not simulated"))?;
            let settings = self.template.mapping(mapped);
            Ok((name, settings.map_err(|error| error.to_string())?))
        };
        self.template.mapped().map(settings).collect()
    }
}

fn deployed() -> Result<Template, String> {
    let text = include_str!("../../infra/template.yaml");
    let template = Template::of(text, &Stack::new(STACK), &[]);
    template.map_err(|error| error.to_string())
}

fn deployed_as(name: FunctionName) -> String {
    format!("{STACK}-{}", name.0)
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

/// A mistake in a build: the function fails on batches with certain records.
#[derive(Clone)]
pub struct Allergy {
    pub kernel: Kernel,
    /// On average one record in `one_in` triggers the mistake.
    pub one_in: u64,
    /// Selects the records that trigger the mistake: those whose digest modulo `one_in` is this number.
    pub which: u64,
    /// True if the mistake kills the function's process; otherwise the function returns an error.
    pub dies: bool,
    /// True if the function handles the batch before it fails; otherwise the batch is not handled.
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
        self.kernel.count("lambda", "failed on a record");
        if self.dies {
            self.kernel.die().await;
        }
        Err((
            "Mistake".to_owned(),
            "a record on which this build fails".to_owned(),
        ))
    }

    /// Wraps a function so that it has this mistake.
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

/// Turns the code that wires a function into code that builds the function in a given world.
fn wired<A: 'static>(
    (ground, build): (&Ground, Build),
    app: impl Fn(&Wiring<Ports>) -> Result<A, Infallible> + Send + Sync + 'static,
) -> impl Fn(World) -> A + Send + Sync + 'static {
    let ports = ground.ports.clone();
    move |world: World| {
        let ports = Ports {
            world,
            ..ports.clone()
        };
        let Ok(app) = app(&Wiring::of(ports, build.clone()));
        app
    }
}

/// A function behind the HTTP API.
fn behind_api<A: HttpApp>(
    timeout: Duration,
    made: impl Fn(World) -> A + Send + Sync + 'static,
) -> Function {
    function(timeout, made, |app: Arc<A>, payload, _| {
        Box::pin(async move {
            let request = http::request(&payload)?;
            Ok(http::written(app.handle(&request).await))
        })
    })
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, (String, String)> {
    serde_json::from_slice(payload)
        .map_err(|error| ("Runtime.UnmarshalError".to_owned(), error.to_string()))
}

fn written<T: Serialize>(answer: &T) -> Answer {
    serde_json::to_vec(answer)
        .map_err(|error| ("Runtime.MarshalError".to_owned(), error.to_string()))
}

fn failed(error: impl Into<Diagnostic>) -> (String, String) {
    let told: Diagnostic = error.into();
    (told.error_type, told.error_message)
}

/// Deploys all functions of a build.
pub fn deploy(runtime: &Runtime, ground: &Ground, build: &Build) {
    for name in ALL {
        runtime.deploy(name, of(name, ground, build));
    }
}

/// The function of this name in a build.
pub fn of(name: FunctionName, ground: &Ground, build: &Build) -> Function {
    let timeout = ground.timeouts.get(name.0).copied().unwrap_or_default();
    let on = (ground, versions::known_to(name, build));
    match name {
        HTTP_COMMANDS => behind_api(timeout, wired(on, http_commands::App::new)),
        HTTP_QUERIES => behind_api(
            timeout,
            wired(on, |wiring| Ok(http_queries::App::new(wiring))),
        ),
        ORCHESTRATOR => function(
            timeout,
            wired(on, |wiring| Ok(orchestrator::App::new(wiring))),
            |app, payload, deadline| {
                Box::pin(async move { written(&app.handle(read(&payload)?, deadline).await) })
            },
        ),
        PROJECTOR => function(
            timeout,
            wired(on, |wiring| Ok(projector::App::new(wiring))),
            |app, payload, _| Box::pin(async move { written(&app.handle(read(&payload)?).await) }),
        ),
        ARCHIVER => function(timeout, wired(on, archiver::App::new), |app, payload, _| {
            Box::pin(async move { written(&app.handle(read(&payload)?).await) })
        }),
        NOTIFIER => function(timeout, wired(on, notifier::App::new), |app, payload, _| {
            Box::pin(async move { written(&app.handle(read(&payload)?).await) })
        }),
        TIMERS => {
            let limits = ground.limits;
            let app = move |wiring: &_| Ok(timers::App::new(wiring)?.with_limits(limits));
            function(timeout, wired(on, app), |app, payload, deadline| {
                Box::pin(async move {
                    let done = app.handle(read(&payload)?, deadline).await;
                    written(&done.map_err(failed)?)
                })
            })
        }
        REBUILDER => function(
            timeout,
            wired(on, rebuilder::App::new),
            |app, payload, deadline| {
                Box::pin(async move {
                    let done = app.handle(read(&payload)?, deadline).await;
                    written(&done.map_err(failed)?)
                })
            },
        ),
        _ => {
            let own = |context: &_| function_of(*context) == name;
            let context = CONTEXTS.into_iter().find(own).unwrap_or(VUELOS);
            let app = move |wiring: &Wiring<Ports>| wiring.participant(context);
            function(timeout, wired(on, app), |app, payload, deadline| {
                Box::pin(async move {
                    let answer = app.answer(read(&payload)?, deadline).await;
                    written(&answer.map_err(failed)?)
                })
            })
        }
    }
}
