//! Keeps the views up to date with the log.

use alpes_lambda::kinesis::{self, RetryBatch};
use alpes_ports::Platform;
use alpes_projections::Projector;
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use events::Payload;
use wiring::Wiring;

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Folds events into views.
    projector: Projector<Payload>,
    /// True if the Lambda runtime honours a partial batch response.
    partial_batch: bool,
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks a port that the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            projector: wiring.projector(),
            partial_batch: wiring.platform.partial_batch()?,
        })
    }

    /// Processes a batch of records.
    ///
    /// # Errors
    ///
    /// [`RetryBatch`] if records must be redelivered and the runtime does not honour partial batch responses.
    pub async fn handle(&self, event: KinesisEvent) -> Result<KinesisEventResponse, RetryBatch> {
        let records = kinesis::records(event);
        let outcome = self.projector.consumer().consume(&records).await;
        kinesis::respond(outcome, self.partial_batch)
    }
}
