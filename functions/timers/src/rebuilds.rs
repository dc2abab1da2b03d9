//! `reconstruir`: rebuilds of views that whoever began them has left.
//!
//! Until a rebuild has ended, the projector writes two generations, and an old one is kept. So one that was begun goes on.

use alpes_projections::{REBUILDER, left_alone, rebuild_on};
use jiff::Timestamp;

use crate::{App, Done, TaskFailed};

impl App {
    pub(crate) async fn reconstruir(&self, until: Timestamp) -> Result<Done, TaskFailed> {
        let left = left_alone(&self.projector).await;
        let (mut vistas, mut failed) = (vec![], None);
        for vista in left.map_err(TaskFailed::because)? {
            if self.world.clock.now() >= until {
                break;
            }
            match self.functions.start(REBUILDER, &rebuild_on(vista)).await {
                Ok(()) => {
                    tracing::info!(vista, "the rebuild goes on");
                    vistas.push(vista);
                }
                Err(error) => failed = Some(TaskFailed::because(error)),
            }
        }
        failed.map_or(Ok(Done::Reconstruir { vistas }), Err)
    }
}
