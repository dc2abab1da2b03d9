//! Keeps what the log will forget.

use alpes_archive::Archive;
use alpes_consumer::Outcome;
use alpes_lambda::kinesis::{self, RetryBatch};
use alpes_ports::{LogRecord, Platform};
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use wiring::Wiring;

/// What the function works with.
pub struct App {
    /// Where records go.
    archive: Archive,
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
            archive: wiring.archive()?,
            partial_batch: wiring.platform.partial_batch()?,
        })
    }

    /// Archives a batch of records, whatever is in them: all of it, or it is delivered again.
    ///
    /// # Errors
    ///
    /// [`RetryBatch`] if it is not archived and the runtime has no other way to be told.
    pub async fn handle(&self, event: KinesisEvent) -> Result<KinesisEventResponse, RetryBatch> {
        let records = kinesis::records(event);
        kinesis::respond(self.archive(&records).await, self.partial_batch)
    }

    async fn archive(&self, records: &[LogRecord]) -> Outcome {
        let stored = self.archive.store(records).await;
        let first = records.first().map(|record| record.sequence.clone());
        Outcome {
            records: records.len(),
            failed: first.zip(stored.err().map(|error| error.to_string())),
            ..Outcome::default()
        }
    }
}
