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
    pub vista: String,
    /// What of it.
    #[serde(default)]
    pub accion: Action,
    /// For so many seconds at most; for as long as the function may run, if left out.
    #[serde(default)]
    pub segundos: Option<u32>,
}

/// What to do with a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Rebuild it: begin, or go on if that was begun.
    #[default]
    Reconstruir,
    /// Go on with what was begun, and begin nothing.
    Seguir,
    /// Give up what was begun.
    Abandonar,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Which view.
    pub vista: String,
    /// The generation that is built, or was.
    pub generacion: u32,
    /// `listado`, `archivo`, `log`, `retiro`, `borrado`; or `fin`.
    pub fase: String,
    /// Objects of the archive that are replayed.
    pub objetos: u64,
    /// Objects of the archive that are listed.
    pub listados: u64,
    /// Events folded so far, each as often as it was read.
    pub eventos: u64,
    /// Records passed by, that are no events.
    pub omitidos: u64,
    /// When the last record that was replayed arrived.
    pub hasta: Option<String>,
    /// The log is replayed up to what arrived by then.
    pub meta: String,
    /// Invoke again after so many seconds, if it is not done.
    pub esperar_segundos: u64,
    /// True once there is nothing left to do.
    pub terminada: bool,
}

impl From<Progress> for Done {
    fn from(progress: Progress) -> Self {
        let fase = match progress.phase {
            Some(Phase::Survey) => "listado",
            Some(Phase::Archive) => "archivo",
            Some(Phase::Log) => "log",
            Some(Phase::Retire) => "retiro",
            Some(Phase::Drop) => "borrado",
            None => "fin",
        };
        Self {
            vista: progress.generation.view.to_owned(),
            generacion: progress.generation.number,
            fase: fase.to_owned(),
            objetos: progress.objects,
            listados: progress.listed,
            eventos: progress.events,
            omitidos: progress.foreign,
            hasta: progress.reached.map(|reached| reached.to_string()),
            meta: progress.goal.to_string(),
            esperar_segundos: progress
                .wait
                .as_millis()
                .div_ceil(1_000)
                .try_into()
                .unwrap_or(u64::MAX),
            terminada: progress.phase.is_none(),
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
            vista,
            accion,
            segundos,
        } = order;
        let left = deadline.duration_since(self.world.clock.now());
        let left = Duration::try_from(left.saturating_sub(RESERVE)).unwrap_or(Duration::ZERO);
        let budget = segundos.map_or(left, |seconds| {
            left.min(Duration::from_secs(seconds.into()))
        });
        let progress = match accion {
            Action::Reconstruir => self.rebuilder.run(&vista, budget).await?,
            Action::Seguir => self.rebuilder.resume(&vista, budget).await?,
            Action::Abandonar => self.rebuilder.abandon(&vista).await?,
        };
        let done = Done::from(progress);
        tracing::info!(
            vista,
            generacion = done.generacion,
            fase = done.fase,
            eventos = done.eventos,
            hasta = done.hasta,
            "rebuilding"
        );
        Ok(done)
    }
}
