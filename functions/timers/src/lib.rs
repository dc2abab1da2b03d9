//! What must happen though nobody asks: run by a schedule, a task at a time.

mod barrido;
mod calls;
mod despertar;
mod estacionados;
mod reacciones;
mod reconstruir;

use std::sync::Arc;

use alpes_event_store::EventStore;
use alpes_lambda::{RemoteConsumer, metrics::Metrics};
use alpes_participant::Reactions;
use alpes_ports::{Functions, Objects, Platform, World};
use alpes_projections::Projector;
use alpes_saga::Sagas;
use events::Payload;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wiring::Wiring;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tarea", rename_all = "lowercase", deny_unknown_fields)]
pub enum Task {
    /// Publish what was committed and not published.
    Barrido {
        /// Only what has waited for so many seconds; 10 if left out.
        #[serde(default)]
        antiguedad_segundos: Option<u64>,
    },
    /// Take in what the runtime gave up delivering, and try again what an older build did not know.
    Estacionados {},
    /// Move on the sagas whose time has come.
    Despertar {},
    /// Have the contexts do what they put off, and see to deadlines.
    Reacciones {},
    /// Have the rebuilds of views go on that nobody goes on with.
    Reconstruir {},
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "tarea", rename_all = "lowercase")]
pub enum Done {
    /// Of a sweep.
    Barrido {
        /// Streams found that waited to be published.
        encontrados: usize,
        /// Streams published.
        publicados: usize,
        /// Streams that could not be published, and wait on.
        fallidos: usize,
        /// Since when the longest waiting one waited.
        mas_antiguo: Option<String>,
    },
    /// Of a look at the parking lot.
    Estacionados {
        /// Records that the runtime gave up delivering, parked now.
        recogidos: usize,
        /// Things parked, and handled now.
        liberados: usize,
        /// Things that stay parked.
        quedan: usize,
        /// Objects in the bucket of undelivered batches that cannot be read or taken in, and parked things that this build cannot read.
        /// They stay as they are.
        ilegibles: usize,
        /// True if time ended before all was seen: the numbers are of a part, and the next run goes on.
        sin_terminar: bool,
    },
    /// Of waking sagas.
    Despertar {
        /// Sagas whose time had come.
        encontradas: usize,
        /// Sagas that were looked at.
        despertadas: usize,
        /// Sagas that could not be moved on, and are put off.
        aplazadas: usize,
        /// Sagas that could not be looked at, and stay due.
        fallidas: usize,
        /// Since when the longest waiting one waited.
        mas_antigua: Option<String>,
        /// Sagas that wait for a person.
        atascadas: usize,
    },
    /// Of what the contexts put off.
    Reacciones {
        /// Reactions whose time had come.
        encontradas: usize,
        /// Reactions that are done.
        hechas: usize,
        /// Reactions that were tried in vain, and are put off once more.
        aplazadas: usize,
        /// Reactions that nobody could be asked to do, and stay due.
        fallidas: usize,
        /// Since when the longest waiting one waited.
        mas_antigua: Option<String>,
    },
    /// Of going on with rebuilds.
    Reconstruir {
        /// The views whose rebuild was begun, and goes on now.
        vistas: Vec<&'static str>,
    },
}

/// A task could not be done to its end. Running it again is safe, and goes on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the task could not be done: {0}")]
pub struct TaskFailed(String);

impl TaskFailed {
    fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl From<TaskFailed> for Diagnostic {
    fn from(error: TaskFailed) -> Self {
        Self {
            error_type: "TaskFailed".into(),
            error_message: error.to_string(),
        }
    }
}

/// How long before its own deadline a run begins nothing more: longer than what it has begun may take. A call of a function waits for
/// 15 seconds, and nothing that a run begins makes two of them.
const RESERVE: SignedDuration = SignedDuration::from_secs(20);

/// How much one run takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams that a sweep reads from its index at once.
    pub streams: usize,
    /// Sagas that a run reads at once from each partition of their index.
    pub sagas: usize,
    /// Reactions that a run reads at once from each partition of their index.
    pub reactions: usize,
    /// Objects of the bucket of undelivered batches that a run lists at once.
    pub objects: usize,
}

impl Default for Limits {
    /// Few reads where there is much to do. A run goes on as long as its time lasts.
    fn default() -> Self {
        Self {
            streams: alpes_event_store::PAGE,
            sagas: 100,
            reactions: 100,
            objects: 100,
        }
    }
}

/// What the function works with.
pub struct App {
    /// The store.
    store: EventStore<Payload>,
    /// Time.
    world: World,
    /// The views, to try again what is parked for them.
    projector: Projector<Payload>,
    /// The other consumers, to try again what is parked for them.
    remote: Vec<RemoteConsumer<Payload>>,
    /// The functions, to have sagas, contexts and rebuilds go on.
    functions: Arc<dyn Functions>,
    /// The sagas.
    sagas: Sagas,
    /// What the contexts put off.
    reactions: Reactions,
    /// Name of the stack, which begins the functions' names.
    stack: String,
    /// What operators look at.
    metrics: Metrics,
    /// Where the runtime leaves what it gave up delivering.
    undelivered: Arc<dyn Objects>,
    /// How much one run takes on.
    limits: Limits,
}

impl App {
    /// The function over a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks what the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            store: wiring.store()?,
            world: wiring.platform.world(),
            projector: wiring.projector(),
            remote: wiring.consumers(),
            functions: wiring.platform.functions(),
            sagas: wiring.sagas(),
            reactions: wiring.reactions(),
            stack: wiring.platform.stack()?,
            metrics: wiring.metrics()?,
            undelivered: wiring.platform.undelivered()?,
            limits: Limits::default(),
        })
    }

    /// The same, taking on no more than this in one run.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Does a task. `deadline` is when the runtime ends this invocation.
    ///
    /// # Errors
    ///
    /// [`TaskFailed`] if tables or objects cannot be read. What fails for one stream or record alone is counted and logged, and holds
    /// up no other.
    pub async fn handle(&self, task: Task, deadline: Timestamp) -> Result<Done, TaskFailed> {
        let until = deadline.checked_sub(RESERVE).unwrap_or(deadline);
        match task {
            Task::Barrido {
                antiguedad_segundos,
            } => self.barrido(antiguedad_segundos, until).await,
            Task::Estacionados {} => self.estacionados(until).await,
            Task::Despertar {} => self.despertar(until).await,
            Task::Reacciones {} => self.reacciones(until).await,
            Task::Reconstruir {} => self.reconstruir(until).await,
        }
    }
}
