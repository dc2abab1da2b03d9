//! `reconstruir`: rebuilds of views that whoever began them has left.
//!
//! Until a rebuild has ended, the projector writes two generations, and an old one is kept. So one that was begun goes on.

use jiff::{SignedDuration, Timestamp};
use projections::{REBUILDER, left_alone, rebuild_on};

use crate::{App, Done, TaskFailed};

/// A rebuild that somebody runs notes how far it is more often than this.
const LEFT: SignedDuration = SignedDuration::from_secs(60);

impl App {
    pub(crate) async fn reconstruir(&self) -> Result<Done, TaskFailed> {
        let now = self.world.clock.now();
        let before = now.checked_sub(LEFT).unwrap_or(Timestamp::MIN);
        let vistas = left_alone(&self.projector, before).await;
        let vistas = vistas.map_err(TaskFailed::because)?;
        for vista in &vistas {
            let started = self.functions.start(REBUILDER, &rebuild_on(vista)).await;
            started.map_err(TaskFailed::because)?;
            tracing::info!(vista, "the rebuild goes on");
        }
        Ok(Done::Reconstruir { vistas })
    }
}
