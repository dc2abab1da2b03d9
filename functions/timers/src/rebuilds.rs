//! The task `rebuilds`: continues the rebuilds of views whose caller stopped.
//!
//! Until the rebuild of a view has ended, the projector may write two generations of the view, and the old generation
//! is kept. So a rebuild must not stay unfinished.

use alpes_projections::{REBUILDER, left_alone, rebuild_on};
use jiff::Timestamp;

use crate::{App, Done, TaskFailed};

impl App {
    pub(crate) async fn rebuilds(&self, until: Timestamp) -> Result<Done, TaskFailed> {
        let left = left_alone(&self.projector).await;
        let (mut views, mut failed) = (vec![], None);
        for view in left.map_err(TaskFailed::because)? {
            if self.world.clock.now() >= until {
                break;
            }
            match self.functions.start(REBUILDER, &rebuild_on(view)).await {
                Ok(()) => {
                    tracing::info!(view, "the rebuild is continued");
                    views.push(view);
                }
                Err(error) => failed = Some(TaskFailed::because(error)),
            }
        }
        failed.map_or(Ok(Done::Rebuilds { views }), Err)
    }
}
