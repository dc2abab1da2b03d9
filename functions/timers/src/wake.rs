//! The task `wake`: advances the sagas that are due.
//!
//! A saga that waits has an entry with its due time in an index. At its due time, the saga retries a command or
//! abandons it, reads events that it missed, or asks for the progress of its execution in Step Functions. This task
//! finds the due sagas and calls the orchestrator, which advances each saga or puts it off.

use std::time::Duration;

use alpes_lambda::metrics::Unit;
use alpes_ports::{FunctionName, TableError, due::DueItem};
use alpes_saga::{SagaId, Sagas, Status};
use async_trait::async_trait;
use jiff::Timestamp;
use reserva_saga::{ORCHESTRATOR, wake_up};
use serde::Deserialize;

use crate::{App, Done, TaskFailed, calls::Lane};

/// Largest count of the sagas that wait for a person. Further sagas are not counted.
const STUCK: usize = 1_000;

/// The answer of the orchestrator.
#[derive(Deserialize)]
struct Woken {
    woken: usize,
    #[serde(default)]
    put_off: usize,
}

struct Waking<'a>(&'a Sagas);

#[async_trait]
impl Lane for Waking<'_> {
    fn function(&self) -> FunctionName {
        ORCHESTRATOR
    }

    fn payload(&self, items: &[DueItem]) -> Vec<u8> {
        let named = |item: &DueItem| {
            let named = item.pk.parse::<SagaId>();
            named
                .inspect_err(|_| tracing::error!(pk = item.pk, "a due key is not the id of a saga"))
                .ok()
        };
        let sagas: Vec<_> = items.iter().filter_map(named).collect();
        wake_up(&sagas)
    }

    fn answer(&self, answer: &[u8]) -> Result<(usize, usize), serde_json::Error> {
        let woken: Woken = serde_json::from_slice(answer)?;
        Ok((woken.woken, woken.put_off))
    }

    async fn put_off(&self, item: &DueItem, pause: Duration) -> Result<(), TableError> {
        match item.pk.parse() {
            Ok(saga) => self.0.put_off(saga, pause).await.map(|_| ()),
            Err(_) => Ok(()),
        }
    }
}

impl App {
    pub(crate) async fn wake(&self, until: Timestamp) -> Result<Done, TaskFailed> {
        let start = self.world.clock.now();
        let due = vec![self.sagas.waiting(self.limits.sagas)];
        let woken = self.drive(&Waking(&self.sagas), due, until).await?;
        let stuck = self.sagas.count(Status::NeedsIntervention, STUCK).await;
        let stuck = stuck.map_err(TaskFailed::because)?;
        self.metrics.emit(
            self.world.clock.now(),
            &[
                (
                    "SagasStuck",
                    Unit::Count,
                    u64::try_from(stuck).unwrap_or(u64::MAX),
                ),
                ("SagaLate", Unit::Seconds, woken.age(start)),
            ],
        );
        let (found, put_off, failed) = (woken.found, woken.put_off, woken.left());
        let oldest = woken.oldest.map(|oldest| oldest.to_string());
        let woken = woken.done;
        tracing::info!(found, woken, put_off, failed, stuck, "sagas woken");
        Ok(Done::Wake {
            found,
            woken,
            put_off,
            failed,
            oldest,
            stuck,
        })
    }
}
