//! `despertar`: sagas whose time has come.
//!
//! What a saga waits for is a time in an index: to send a command again, to give up waiting, to begin at all where nobody has heard of
//! it. The orchestrator moves it on; this finds it.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use lambda_kit::metrics::Unit;
use reserva_saga::{ORCHESTRATOR, wake_up};
use saga_engine::{Estado, SagaId};
use serde::Deserialize;

use crate::{App, Done, TaskFailed};

/// Sagas of one call: as many as the orchestrator runs side by side, so that it answers soon.
const AT_A_CALL: usize = 16;
/// Calls at a time.
const CALLS: usize = 4;

/// What the orchestrator answers.
#[derive(Deserialize)]
struct Woken {
    despertadas: usize,
}

impl App {
    pub(crate) async fn despertar(&self, until: Timestamp) -> Result<Done, TaskFailed> {
        let start = self.world.clock.now();
        let due = self
            .sagas
            .due(self.limits.sagas)
            .await
            .map_err(TaskFailed::because)?;
        let calls = due.sagas.chunks(AT_A_CALL).map(<[_]>::to_vec);
        let calls = stream::iter(calls).map(|sagas| self.wake(sagas, until));
        let woken: Vec<usize> = calls.buffer_unordered(CALLS).collect().await;
        let stuck = self
            .sagas
            .count(Estado::RequiereIntervencion, self.limits.sagas)
            .await;
        let atascadas = stuck.map_err(TaskFailed::because)?;
        let age = due
            .oldest
            .map_or(0, |oldest| start.duration_since(oldest).as_secs());
        self.metrics.emit(
            self.world.clock.now(),
            &[
                (
                    "SagasStuck",
                    Unit::Count,
                    u64::try_from(atascadas).unwrap_or(u64::MAX),
                ),
                ("SagaLate", Unit::Seconds, u64::try_from(age).unwrap_or(0)),
            ],
        );
        let (encontradas, despertadas) = (due.sagas.len(), woken.iter().sum());
        let fallidas = encontradas.saturating_sub(despertadas);
        tracing::info!(encontradas, despertadas, fallidas, atascadas, "sagas woken");
        Ok(Done::Despertar {
            encontradas,
            despertadas,
            fallidas,
            mas_antigua: due.oldest.map(|oldest| oldest.to_string()),
            atascadas,
        })
    }

    /// Has the orchestrator look at some sagas; how many of them it could.
    async fn wake(&self, sagas: Vec<SagaId>, until: Timestamp) -> usize {
        if self.world.clock.now() >= until {
            return 0;
        }
        let woken = self.functions.call(ORCHESTRATOR, &wake_up(&sagas)).await;
        let answer = match woken {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, "the orchestrator did not wake sagas");
                return 0;
            }
        };
        match serde_json::from_slice::<Woken>(&answer) {
            Ok(woken) => woken.despertadas,
            Err(error) => {
                tracing::error!(%error, "the orchestrator's answer cannot be read");
                0
            }
        }
    }
}
