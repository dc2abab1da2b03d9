//! Keeps the views up to date with the log.

use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use lambda_kit::kinesis;
use lambda_runtime::Diagnostic;
use ports::SequenceNumber;
use projections::Projector;
use thiserror::Error;

/// Records that cannot be decoded are parked under this name.
pub const CONSUMER: &str = "projector";

/// What the function works with.
pub struct App {
    /// Folds events into views.
    pub projector: Projector,
    /// True where the runtime honours a partial batch response.
    pub partial_batch: bool,
}

/// The batch must be delivered again, from a record on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("record {sequence} could not be handled now: {cause}")]
pub struct RetryBatch {
    /// The first record that was not handled.
    pub sequence: String,
    /// Why.
    pub cause: String,
}

impl From<RetryBatch> for Diagnostic {
    fn from(error: RetryBatch) -> Self {
        Self {
            error_type: "RetryBatch".into(),
            error_message: error.to_string(),
        }
    }
}

impl App {
    /// Takes in a batch of records.
    ///
    /// # Errors
    ///
    /// [`RetryBatch`] if something must be delivered again and the runtime has no other way to be told.
    pub async fn handle(&self, event: KinesisEvent) -> Result<KinesisEventResponse, RetryBatch> {
        let records = kinesis::records(event);
        let outcome = self.projector.consumer(CONSUMER).consume(&records).await;
        tracing::info!(
            records = outcome.records,
            parked = outcome.parked,
            failed = outcome.failed.as_ref().map(|(sequence, _)| &*sequence.0),
            "batch consumed"
        );
        let mut response = KinesisEventResponse::default();
        if let Some((SequenceNumber(sequence), cause)) = outcome.failed {
            if !self.partial_batch {
                return Err(RetryBatch { sequence, cause });
            }
            tracing::warn!(
                sequence,
                cause,
                "the batch is to be delivered again from here"
            );
            response.add_failure(sequence);
        }
        Ok(response)
    }
}
