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
        /// The sweep publishes only events that are older than this number of seconds. The default is 10.
        #[serde(default)]
        age_seconds: Option<u64>,
    },
    /// Park the records of batches that Lambda discarded after its retries, and retry the parked records that are due.
    Parked {},
    /// Advance the sagas that are due.
    Wake {},
    /// Retry the pending reactions of the contexts, and apply deadlines.
    Reactions {},
    /// Continue the unfinished rebuilds of views.
    Rebuilds {},
}

/// The answer of an invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Done {
    /// The answer to a sweep.
    Sweep {
        /// Number of event streams found with unpublished events.
        found: usize,
        /// Number of event streams whose events were published.
        published: usize,
        /// Number of event streams whose events could not be published. The next sweep retries these streams.
        failed: usize,
        /// Commit time of the oldest unpublished event.
        oldest: Option<String>,
    },
    /// The answer to the task `parked`.
    Parked {
        /// Number of records that this run parked, from batches that Lambda discarded.
        records: usize,
        /// Number of parked records that this run retried with success.
        redriven: usize,
        /// Number of records that stay parked.
        still_parked: usize,
        /// Number of objects in the bucket of undelivered batches that cannot be read or parked, plus the number of
        /// parked records that this build cannot read. These objects and records stay unchanged.
        unreadable: usize,
        /// True if the time was over before the run had seen all objects and all parked records. The numbers then count
        /// only a part of them, and the next run continues.
        unfinished: bool,
    },
    /// The answer to waking sagas.
    Wake {
        /// Number of sagas that were due.
        found: usize,
        /// Number of sagas that were processed.
        woken: usize,
        /// Number of sagas that could not advance, and are retried after a pause.
        put_off: usize,
        /// Number of sagas that could not be processed, and stay due.
        failed: usize,
        /// Due time of the saga that has waited longest.
        oldest: Option<String>,
        /// Number of sagas that wait for a person.
        stuck: usize,
    },
    /// The answer to the task `reactions`.
    Reactions {
        /// Number of reactions that were due.
        found: usize,
        /// Number of reactions that are done.
        done: usize,
        /// Number of reactions that failed, and are retried after a pause.
        put_off: usize,
        /// Number of reactions whose function could not be called. These reactions stay due.
        failed: usize,
        /// Due time of the reaction that has waited longest.
        oldest: Option<String>,
    },
    /// The answer to the task `rebuilds`.
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

/// Within this time before the invocation's deadline, a run begins no further unit of work. This time exceeds the
/// longest unit of work: one call to a Lambda function takes up to 15 seconds, and each unit makes at most one call.
const RESERVE: SignedDuration = SignedDuration::from_secs(20);

/// The sizes of the pages that a run reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Number of event streams that a sweep reads at once from each partition of its index.
    pub streams: usize,
    /// Number of sagas that a run reads at once from each partition of their index.
    pub sagas: usize,
    /// Number of reactions that a run reads at once from each partition of their index.
    pub reactions: usize,
    /// Number of objects of the bucket of undelivered batches that a run lists at once.
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
    /// Publishes committed events to the log.
    store: EventStore<Payload>,
    /// The clock.
    world: World,
    /// Folds events into views, to retry the records that are parked for the projector.
    projector: Projector<Payload>,
    /// Calls the functions of the other consumers, to retry the records that are parked for these consumers.
    remote: Vec<RemoteConsumer<Payload>>,
    /// Calls the functions that continue sagas, reactions and rebuilds.
    functions: Arc<dyn Functions>,
    /// Reads the stored sagas.
    sagas: Sagas,
    /// Reads the pending reactions of the contexts.
    reactions: Reactions,
    /// Name of the stack. The name of every function begins with it.
    stack: String,
    /// Emits the metrics for operators.
    metrics: Metrics,
    /// The bucket to which Lambda writes the batches that it discards.
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
    /// [`TaskFailed`] if tables or objects cannot be read. A failure of one event stream or record is counted and
    /// logged, and does not stop the work on the others.
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
