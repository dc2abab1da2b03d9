//! The task `sweep`: publishes committed events that are not in the log.

use std::time::Duration;

use alpes_event_store::Sweeper;
use alpes_lambda::metrics::Unit;
use jiff::Timestamp;

use crate::{App, Done, TaskFailed};

/// Minimal age of an event, in seconds. The process that committed a younger event is most likely still publishing it.
const USUAL_AGE: u64 = 10;

impl App {
    pub(crate) async fn sweep(
        &self,
        age_seconds: Option<u64>,
        until: Timestamp,
    ) -> Result<Done, TaskFailed> {
        let left = until.duration_since(self.world.clock.now());
        let sweeper = Sweeper {
            store: &self.store,
            older_than: Duration::from_secs(age_seconds.unwrap_or(USUAL_AGE)),
            budget: Duration::try_from(left).unwrap_or_default(),
            page: self.limits.streams,
        };
        let swept = sweeper.sweep().await.map_err(TaskFailed::because)?;
        for (stream, error) in &swept.failed {
            tracing::error!(%stream, %error, "the stream's events could not be published");
        }
        let age = swept.oldest.map_or(0, |oldest| {
            self.world
                .clock
                .now()
                .duration_since(oldest.timestamp())
                .as_secs()
        });
        self.metrics.emit(
            self.world.clock.now(),
            &[
                (
                    "SweeperWaiting",
                    Unit::Count,
                    u64::try_from(swept.found).unwrap_or(u64::MAX),
                ),
                (
                    "SweeperFailed",
                    Unit::Count,
                    u64::try_from(swept.failed.len()).unwrap_or(u64::MAX),
                ),
                ("SweeperAge", Unit::Seconds, u64::try_from(age).unwrap_or(0)),
            ],
        );
        let (found, published, failed) = (swept.found, swept.published, swept.failed.len());
        tracing::info!(found, published, failed, unfinished = swept.more, "swept");
        Ok(Done::Sweep {
            found,
            published,
            failed,
            oldest: swept.oldest.map(|oldest| oldest.to_string()),
        })
    }
}
