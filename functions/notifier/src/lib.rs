//! Announces on a topic that reservations were approved or cancelled.

use alpes_lambda::kinesis;
use alpes_ports::Platform;
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use notices::Announcer;
use wiring::Wiring;

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Announces events on the topic.
    announcer: Announcer,
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks a port that the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            announcer: wiring.announcer()?,
        })
    }

    /// Processes a batch of records.
    pub async fn handle(&self, event: KinesisEvent) -> KinesisEventResponse {
        let records = kinesis::records(event);
        let outcome = self.announcer.consumer().consume(&records).await;
        kinesis::respond(outcome)
    }
}
