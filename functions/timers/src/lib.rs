//! What must happen though nobody asks: run by a schedule.

use std::{sync::Arc, time::Duration};

use event_store::{EventStore, Sweeper};
use lambda_runtime::Diagnostic;
use ports::{TableError, Tables, World};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Events younger than this are most likely being published by whoever committed them.
const USUAL_AGE: u64 = 10;
/// Rounds of one run: each takes up to 1,600 streams.
const ROUNDS: usize = 5;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tarea", rename_all = "lowercase", deny_unknown_fields)]
pub enum Task {
    /// Publish what was committed and not published.
    Barrido {
        /// Only what has waited for so many seconds; 10 if left out.
        #[serde(default)]
        antiguedad_segundos: Option<u64>,
    },
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Streams found that waited to be published.
    pub encontrados: usize,
    /// Streams published.
    pub publicados: usize,
    /// Streams that could not be published, and wait on.
    pub fallidos: usize,
    /// Since when the longest waiting one waited.
    pub mas_antiguo: Option<String>,
}

/// The index of waiting streams could not be read. Running the task again is safe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("could not sweep: {0}")]
pub struct SweepFailed(#[from] TableError);

impl From<SweepFailed> for Diagnostic {
    fn from(error: SweepFailed) -> Self {
        Self {
            error_type: "SweepFailed".into(),
            error_message: error.to_string(),
        }
    }
}

/// What the function works with.
pub struct App {
    /// The store.
    pub store: EventStore,
    /// Its tables.
    pub tables: Arc<dyn Tables>,
    /// Time.
    pub world: World,
}

impl App {
    /// Does a task.
    ///
    /// # Errors
    ///
    /// [`SweepFailed`]. A stream that cannot be published is counted and logged, and
    /// holds up no other.
    pub async fn handle(&self, task: Task) -> Result<Done, SweepFailed> {
        let Task::Barrido {
            antiguedad_segundos,
        } = task;
        let older_than = Duration::from_secs(antiguedad_segundos.unwrap_or(USUAL_AGE));
        let sweeper = Sweeper {
            store: &self.store,
            tables: &*self.tables,
            world: &self.world,
            older_than,
        };
        let mut done = Done::default();
        for _ in 0..ROUNDS {
            let swept = sweeper.sweep().await?;
            for (stream, error) in &swept.failed {
                tracing::error!(%stream, %error, "could not publish");
            }
            done.encontrados += swept.found;
            done.publicados += swept.published;
            done.fallidos += swept.failed.len();
            done.mas_antiguo = done
                .mas_antiguo
                .or(swept.oldest.map(|oldest| oldest.to_string()));
            if !swept.more || swept.published == 0 {
                break;
            }
        }
        tracing::info!(
            encontrados = done.encontrados,
            publicados = done.publicados,
            fallidos = done.fallidos,
            mas_antiguo = done.mas_antiguo,
            "swept"
        );
        Ok(done)
    }
}
