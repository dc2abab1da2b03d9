//! Keeps the views up to date with the log.

use alpes_lambda::kinesis;
use alpes_ports::Platform;
use alpes_projections::Projector;
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use events::Payload;
use wiring::Wiring;

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Folds events into views.
    projector: Projector<Payload>,
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    #[must_use]
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Self {
        Self {
            projector: wiring.projector(),
        }
    }

    /// Processes a batch of records.
    pub async fn handle(&self, event: KinesisEvent) -> KinesisEventResponse {
        let records = kinesis::records(event);
        let outcome = self.projector.consumer().consume(&records).await;
        kinesis::respond(outcome)
    }
}
