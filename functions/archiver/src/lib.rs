//! Archives the log in S3, beyond the retention of Kinesis.

use alpes_archive::Archive;
use alpes_consumer::Outcome;
use alpes_lambda::kinesis;
use alpes_ports::{LogRecord, Platform};
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use wiring::Wiring;

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Stores the records of the log in S3.
    archive: Archive,
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks a port that the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            archive: wiring.archive()?,
        })
    }

    /// Archives a batch of records, whatever their content. A record that is not archived is redelivered.
    pub async fn handle(&self, event: KinesisEvent) -> KinesisEventResponse {
        let records = kinesis::records(event);
        kinesis::respond(self.archive(&records).await)
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
