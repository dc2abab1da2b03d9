//! What must happen though nobody asks: run by a schedule, a task at a time.

mod calls;
mod parked;
mod reactions;
mod rebuilds;
mod sweep;
mod wake;

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
#[serde(tag = "task", rename_all = "lowercase", deny_unknown_fields)]
pub enum Task {
    /// Publish what was committed and not published.
    Sweep {
        /// Only what has waited for so many seconds; 10 if left out.
        #[serde(default)]
        age_seconds: Option<u64>,
    },
    /// Take in what the runtime gave up delivering, and try again what an older build did not know.
    Parked {},
    /// Move on the sagas whose time has come.
    Wake {},
    /// Have the contexts do what they put off, and see to deadlines.
    Reactions {},
    /// Have the rebuilds of views go on that nobody goes on with.
    Rebuilds {},
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Done {
    /// Of a sweep.
    Sweep {
        /// Streams found that waited to be published.
        found: usize,
        /// Streams published.
        published: usize,
        /// Streams that could not be published, and wait on.
        failed: usize,
        /// Since when the longest waiting one waited.
        oldest: Option<String>,
    },
    /// Of a look at the parking lot.
    Parked {
        /// Records that the runtime gave up delivering, parked now.
        records: usize,
        /// Things parked, and handled now.
        redriven: usize,
        /// Things that stay parked.
        still_parked: usize,
        /// Objects in the bucket of undelivered batches that cannot be read or taken in, and parked things that this build cannot read.
        /// They stay as they are.
        unreadable: usize,
        /// True if time ended before all was seen: the numbers are of a part, and the next run goes on.
        unfinished: bool,
    },
    /// Of waking sagas.
    Wake {
        /// Sagas whose time had come.
        found: usize,
        /// Sagas that were looked at.
        woken: usize,
        /// Sagas that could not be moved on, and are put off.
        put_off: usize,
        /// Sagas that could not be looked at, and stay due.
        failed: usize,
        /// Since when the longest waiting one waited.
        oldest: Option<String>,
        /// Sagas that wait for a person.
        stuck: usize,
    },
    /// Of what the contexts put off.
    Reactions {
        /// Reactions whose time had come.
        found: usize,
        /// Reactions that are done.
        done: usize,
        /// Reactions that were tried in vain, and are put off once more.
        put_off: usize,
        /// Reactions that nobody could be asked to do, and stay due.
        failed: usize,
        /// Since when the longest waiting one waited.
        oldest: Option<String>,
    },
    /// Of going on with rebuilds.
    Rebuilds {
        /// The views whose rebuild was begun, and goes on now.
        views: Vec<&'static str>,
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
            Task::Sweep { age_seconds } => self.sweep(age_seconds, until).await,
            Task::Parked {} => self.parked(until).await,
            Task::Wake {} => self.wake(until).await,
            Task::Reactions {} => self.reactions(until).await,
            Task::Rebuilds {} => self.rebuilds(until).await,
        }
    }
}
