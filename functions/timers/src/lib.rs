//! The tasks that run by schedule. Each invocation runs one task.

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

/// The payload of an invocation: a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "lowercase", deny_unknown_fields)]
pub enum Task {
    /// Publish committed events that are not in the log.
    Sweep {
        /// Only events that are older than this number of seconds. The default is 10.
        #[serde(default)]
        age_seconds: Option<u64>,
    },
    /// Park the records of batches that Lambda gave up, and retry the parked records that are due.
    Parked {},
    /// Advance the sagas that are due.
    Wake {},
    /// Retry the pending reactions of the contexts, and apply deadlines.
    Reactions {},
    /// Continue the rebuilds of views that were left unfinished.
    Rebuilds {},
}

/// The answer of an invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Done {
    /// The answer to a sweep.
    Sweep {
        /// Streams found with unpublished events.
        found: usize,
        /// Streams whose events were published.
        published: usize,
        /// Streams whose events could not be published. The next sweep retries these streams.
        failed: usize,
        /// Commit time of the oldest unpublished event.
        oldest: Option<String>,
    },
    /// The answer to the task of the parking lot.
    Parked {
        /// Records that the runtime gave up and this run parked.
        records: usize,
        /// Parked entries that this run processed.
        redriven: usize,
        /// Entries that stay parked.
        still_parked: usize,
        /// Objects in the bucket of undelivered batches that cannot be read or parked, and parked entries that this
        /// build cannot read. All of these stay unchanged.
        unreadable: usize,
        /// True if the time was over before all entries were seen. The numbers then cover only a part of the entries,
        /// and the next run continues.
        unfinished: bool,
    },
    /// The answer to waking sagas.
    Wake {
        /// Sagas that were due.
        found: usize,
        /// Sagas that were processed.
        woken: usize,
        /// Sagas that could not advance, and are put off.
        put_off: usize,
        /// Sagas that could not be processed, and stay due.
        failed: usize,
        /// Due time of the saga that has waited longest.
        oldest: Option<String>,
        /// Sagas that wait for a person.
        stuck: usize,
    },
    /// The answer to the task of the reactions.
    Reactions {
        /// Reactions that were due.
        found: usize,
        /// Reactions that are done.
        done: usize,
        /// Reactions that failed, and are put off again.
        put_off: usize,
        /// Reactions whose function could not be called. These reactions stay due.
        failed: usize,
        /// Due time of the reaction that has waited longest.
        oldest: Option<String>,
    },
    /// The answer to continuing rebuilds.
    Rebuilds {
        /// The views whose unfinished rebuild was continued.
        views: Vec<&'static str>,
    },
}

/// A task stopped before its end. Running the task again is safe, and continues the work.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the task failed: {0}")]
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

/// Time before the invocation's deadline at which a run begins nothing more. This time exceeds the longest unit of
/// work: one call of a function takes up to 15 seconds, and no unit makes two calls.
const RESERVE: SignedDuration = SignedDuration::from_secs(20);

/// The sizes of the pages that a run reads.
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
    /// Large pages, so that a run with much work makes few reads. A run continues with further pages until its time is
    /// over.
    fn default() -> Self {
        Self {
            streams: alpes_event_store::PAGE,
            sagas: 100,
            reactions: 100,
            objects: 100,
        }
    }
}

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Publishes events.
    store: EventStore<Payload>,
    /// Time.
    world: World,
    /// Folds events into views, to retry the records that are parked for them.
    projector: Projector<Payload>,
    /// Calls the other consumers, to retry the records that are parked for them.
    remote: Vec<RemoteConsumer<Payload>>,
    /// Calls the functions that continue sagas, reactions and rebuilds.
    functions: Arc<dyn Functions>,
    /// Reads the stored sagas.
    sagas: Sagas,
    /// Reads the pending reactions of the contexts.
    reactions: Reactions,
    /// Name of the stack, with which the functions' names begin.
    stack: String,
    /// Emits the metrics for operators.
    metrics: Metrics,
    /// The bucket of batches that the runtime gave up.
    undelivered: Arc<dyn Objects>,
    /// The sizes of the pages that a run reads.
    limits: Limits,
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks a port that the function needs.
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

    /// The same function with these page sizes.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Runs a task. The runtime ends this invocation at `deadline`.
    ///
    /// # Errors
    ///
    /// [`TaskFailed`] if tables or objects cannot be read. A failure of one stream or record is counted and logged, and
    /// does not stop the others.
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
