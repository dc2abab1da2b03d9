//! Keeps the views up to date with the log.

use alpes_lambda::kinesis::{self, RetryBatch};
use alpes_ports::Platform;
use alpes_projections::Projector;
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use events::Payload;
use wiring::Wiring;

/// What the function works with.
pub struct App {
    /// Folds events into views.
    projector: Projector<Payload>,
    /// True where the runtime honours a partial batch response.
    partial_batch: bool,
}

impl App {
    /// The function over a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks what the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            projector: wiring.projector(),
            partial_batch: wiring.platform.partial_batch()?,
        })
    }

    /// Takes in a batch of records.
    ///
    /// # Errors
    ///
    /// [`RetryBatch`] if something must be delivered again and the runtime has no other way to be told.
    pub async fn handle(&self, event: KinesisEvent) -> Result<KinesisEventResponse, RetryBatch> {
        let records = kinesis::records(event);
        let outcome = self.projector.consumer().consume(&records).await;
        kinesis::respond(outcome, self.partial_batch)
    }
}
