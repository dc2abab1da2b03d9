//! Planted mistakes around Step Functions.

use std::sync::Arc;

use alpes_ports::{Ending, ExecutionError, Executions, HistoryEvent, Progress};
use async_trait::async_trait;
use serde_json::Value;
use twins::Ports;

use super::{Planted, Seed};

pub(super) fn around(ports: Ports, seed: &Seed) -> Ports {
    if seed.what != Planted::EndlessExecutions {
        return ports;
    }
    Ports {
        executions: ports
            .executions
            .map(|inner| Arc::new(BadExecutions(inner)) as Arc<_>),
        ..ports
    }
}

struct BadExecutions(Arc<dyn Executions>);

#[async_trait]
impl Executions for BadExecutions {
    async fn start(&self, name: &str, input: &Value) -> Result<(), ExecutionError> {
        self.0.start(name, input).await
    }

    async fn progress(&self, name: &str) -> Result<Progress, ExecutionError> {
        Ok(match self.0.progress(name).await? {
            Progress::Ended(Ending::Failed { .. }) => Progress::Running,
            other => other,
        })
    }

    async fn history(&self, name: &str) -> Result<Option<Vec<HistoryEvent>>, ExecutionError> {
        self.0.history(name).await
    }
}
