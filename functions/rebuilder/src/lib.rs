//! Rebuilds a view from the archive and the log while it serves.

use std::time::Duration;

use alpes_ports::{Platform, World};
use alpes_projections::{Phase, Progress, RebuildError, Rebuilder};
use events::Payload;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wiring::Wiring;

/// How long before its own deadline the function begins nothing more: as long as a page may take.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Which view.
    pub view: String,
    /// What of it.
    #[serde(default)]
    pub action: Action,
    /// For so many seconds at most; for as long as the function may run, if left out.
    #[serde(default)]
    pub seconds: Option<u32>,
}

/// What to do with a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Rebuild it: begin, or go on if that was begun.
    #[default]
    Rebuild,
    /// Go on with what was begun, and begin nothing.
    Resume,
    /// Give up what was begun.
    Abandon,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Which view.
    pub view: String,
    /// The generation that is built, or was.
    pub generation: u32,
    /// `survey`, `archive`, `log`, `retire`, `drop`; or `done`.
    pub phase: String,
    /// Objects of the archive that are replayed.
    pub objects: u64,
    /// Objects of the archive that are listed.
    pub listed: u64,
    /// Events folded so far, each as often as it was read.
    pub events: u64,
    /// Records passed by, that are no events.
    pub skipped: u64,
    /// When the last record that was replayed arrived.
    pub reached: Option<String>,
    /// The log is replayed up to what arrived by then.
    pub goal: String,
    /// Invoke again after so many seconds, if it is not done.
    pub wait_seconds: u64,
    /// True once there is nothing left to do.
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

/// It could not go on. Invoking it again does.
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

/// What the function works with.
pub struct App {
    /// Does it.
    rebuilder: Rebuilder<Payload>,
    /// Time.
    world: World,
}

impl App {
    /// The function over a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks what the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            rebuilder: wiring.rebuilder()?,
            world: wiring.platform.world(),
        })
    }

    /// Rebuilds a view, as far as time allows. `deadline` is when the runtime ends this invocation.
    ///
    /// # Errors
    ///
    /// [`RebuildFailed`]; what was done is noted, and invoking it again goes on.
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
