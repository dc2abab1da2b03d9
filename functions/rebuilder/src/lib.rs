//! Rebuilds a view from the archive and the log, while the view answers queries.

use std::time::Duration;

use alpes_ports::{Platform, World};
use alpes_projections::{Phase, Progress, RebuildError, Rebuilder};
use events::Payload;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wiring::Wiring;

/// Within this time before the invocation's deadline, the function begins no further page. One page may take this long.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);

/// The payload of an invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Name of the view.
    pub view: String,
    /// The action on the view.
    #[serde(default)]
    pub action: Action,
    /// Longest run, in seconds. If the field is absent, the function runs as long as the runtime allows.
    #[serde(default)]
    pub seconds: Option<u32>,
}

/// An action on a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Begin a rebuild, or continue a rebuild that was begun.
    #[default]
    Rebuild,
    /// Continue a rebuild that was begun, and begin none.
    Resume,
    /// Abandon the rebuild that was begun.
    Abandon,
}

/// The progress of a rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Name of the view.
    pub view: String,
    /// The generation of the view that the rebuild writes.
    pub generation: u32,
    /// The phase: `survey`, `archive`, `log`, `retire`, `drop` or `done`.
    pub phase: String,
    /// Number of objects of the archive that were replayed.
    pub objects: u64,
    /// Number of objects of the archive that were listed.
    pub listed: u64,
    /// Number of events folded so far. An event that was read twice counts twice.
    pub events: u64,
    /// Number of skipped records, which are not events.
    pub skipped: u64,
    /// Arrival time of the last record that was replayed.
    pub reached: Option<String>,
    /// Arrival time up to which the log must be replayed.
    pub goal: String,
    /// Seconds after which the caller should invoke the function again, if the rebuild is not done.
    pub wait_seconds: u64,
    /// True once the rebuild has nothing left to do.
    pub is_done: bool,
}

impl From<Progress> for Done {
    fn from(progress: Progress) -> Self {
        let phase = match progress.phase {
            Some(Phase::Survey) => "survey",
            Some(Phase::Archive) => "archive",
            Some(Phase::Log) => "log",
            Some(Phase::Retire) => "retire",
            Some(Phase::Drop) => "drop",
            None => "done",
        };
        Self {
            view: progress.generation.view.to_owned(),
            generation: progress.generation.number,
            phase: phase.to_owned(),
            objects: progress.objects,
            listed: progress.listed,
            events: progress.events,
            skipped: progress.foreign,
            reached: progress.reached.map(|reached| reached.to_string()),
            goal: progress.goal.to_string(),
            wait_seconds: progress
                .wait
                .as_millis()
                .div_ceil(1_000)
                .try_into()
                .unwrap_or(u64::MAX),
            is_done: progress.phase.is_none(),
        }
    }
}

/// The rebuild stopped before its end. The next invocation of the function continues the rebuild.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the view could not be rebuilt: {0}")]
pub struct RebuildFailed(#[from] RebuildError);

impl From<RebuildFailed> for Diagnostic {
    fn from(error: RebuildFailed) -> Self {
        let error_type = match &error.0 {
            RebuildError::Overtaken(_) => "Overtaken",
            RebuildError::NotRebuilding(_) => "NotRebuilding",
            _ => "RebuildFailed",
        };
        Self {
            error_type: error_type.into(),
            error_message: error.to_string(),
        }
    }
}

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Rebuilds views.
    rebuilder: Rebuilder<Payload>,
    /// The clock.
    world: World,
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks a port that the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            rebuilder: wiring.rebuilder()?,
            world: wiring.platform.world(),
        })
    }

    /// Executes an order. A rebuild continues as far as the time allows. The runtime ends this invocation at
    /// `deadline`.
    ///
    /// # Errors
    ///
    /// [`RebuildFailed`]. The progress is stored, and another invocation continues the rebuild.
    pub async fn handle(&self, order: Order, deadline: Timestamp) -> Result<Done, RebuildFailed> {
        let Order {
            view,
            action,
            seconds,
        } = order;
        let left = deadline.duration_since(self.world.clock.now());
        let left = Duration::try_from(left.saturating_sub(RESERVE)).unwrap_or(Duration::ZERO);
        let budget = seconds.map_or(left, |seconds| {
            left.min(Duration::from_secs(seconds.into()))
        });
        let progress = match action {
            Action::Rebuild => self.rebuilder.run(&view, budget).await?,
            Action::Resume => self.rebuilder.resume(&view, budget).await?,
            Action::Abandon => self.rebuilder.abandon(&view).await?,
        };
        let done = Done::from(progress);
        tracing::info!(
            view,
            generation = done.generation,
            phase = done.phase,
            events = done.events,
            reached = done.reached,
            "rebuilding"
        );
        Ok(done)
    }
}
