//! Keeps what the log will forget.

use alpes_archive::Archive;
use alpes_consumer::Outcome;
use alpes_lambda::kinesis::{self, RetryBatch};
use alpes_ports::LogRecord;
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};

/// What the function works with.
pub struct App {
    /// Where records go.
    pub archive: Archive,
    /// True where the runtime honours a partial batch response.
    pub partial_batch: bool,
}

impl App {
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
