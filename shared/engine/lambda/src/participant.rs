//! A participant's function: it answers commands, writes one log line for each, and handles the events of the other
//! contexts.

use alpes_consumer::{Consumer, Parking};
use alpes_event_store::EventStore;
use alpes_messages::{Catalogue, Command, DomainEvent, Reply};
use alpes_participant::{ParticipantError, ReactionKey, Reactor, Rules};
use alpes_ports::Platform;
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Diagnostic;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use thiserror::Error;
use tracing::{info, warn};

use crate::kinesis;

/// In this time before the invocation's deadline, the function begins no further reaction. The time suffices to store
/// the reactions that are put off.
const RESERVE: SignedDuration = SignedDuration::from_secs(5);

/// Asks a participant to try pending reactions. The timers send this request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The keys of the reactions.
    pub reactions: Vec<ReactionKey>,
}

/// The answer to [`Resume`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The number of reactions that are done.
    pub done: usize,
    /// The number of reactions that were put off once more.
    pub put_off: usize,
}

/// An answer of the function.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The answer to a command.
    Reply(Reply),
    /// The answer to a batch of the log.
    Batch(KinesisEventResponse),
    /// The answer to [`Resume`].
    Resumed(Resumed),
}

/// The function cannot answer the input.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvocationError {
    /// The input is invalid. The error names the field at fault, and its fault.
    #[error("not {expected}: {field}: {cause}")]
    Invalid {
        /// The kind of input that was expected.
        expected: &'static str,
        /// The field, as a path; `.` for the whole input.
        field: String,
        /// The fault in words.
        cause: String,
    },
    /// The participant cannot answer now.
    #[error(transparent)]
    NoAnswer(#[from] ParticipantError),
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        let error_type = match &error {
            InvocationError::Invalid { .. } => "InvalidCommand",
            InvocationError::NoAnswer(error) => error.error_type(),
        };
        Self {
            error_type: error_type.into(),
            error_message: error.to_string(),
        }
    }
}

/// The parts of a participant's function.
pub struct App<P> {
    /// Handles commands, and events of the other contexts.
    pub reactor: Reactor<P>,
    /// The parking lot for bad records.
    pub parking: Parking,
}

impl<P: DomainEvent> App<P> {
    /// A function of the context with these rules.
    ///
    /// # Errors
    ///
    /// The platform lacks the configuration of an adapter that a participant needs.
    pub fn new<T: Platform>(
        platform: &T,
        catalogue: Catalogue<P>,
        rules: Rules<P>,
    ) -> Result<Self, T::Error> {
        let (tables, world) = (platform.tables(), platform.world());
        let parking = Parking::new(tables.clone(), world.clock.clone(), &catalogue);
        let store = EventStore::new(tables.clone(), platform.log()?, world.clone(), catalogue);
        Ok(Self {
            reactor: rules.reactor(store, tables, world, platform.allows_tests()),
            parking,
        })
    }

    /// Answers an input of the function: a command, a batch of the log, or [`Resume`]. `deadline` is the time at which
    /// the runtime ends this invocation.
    ///
    /// # Errors
    ///
    /// See [`InvocationError`].
    pub async fn answer(
        &self,
        payload: Value,
        deadline: Timestamp,
    ) -> Result<Answer, InvocationError> {
        let until = deadline.checked_sub(RESERVE).unwrap_or(deadline);
        if payload.get("Records").is_some() {
            return Ok(self.consume(read(payload, "a batch")?, until).await);
        }
        if payload.get("reactions").is_some() {
            return Ok(self.resume(read(payload, "reactions")?, until).await);
        }
        self.command(read(payload, "a command")?).await
    }

    async fn command(&self, command: Command) -> Result<Answer, InvocationError> {
        let answer = self.reactor.participant.handle(&command).await;
        let Command { id, kind, .. } = &command;
        let (subject, correlation) = (command.subject, command.correlationid);
        match &answer {
            Ok(reply) => {
                let outcome = outcome(reply);
                info!(%kind, %id, %subject, %correlation, outcome, "command answered");
            }
            Err(error) => {
                let outcome = error.error_type();
                warn!(%kind, %id, %subject, %correlation, outcome, %error, "command not answered");
            }
        }
        Ok(Answer::Reply(answer?))
    }

    async fn consume(&self, batch: KinesisEvent, until: Timestamp) -> Answer {
        let consumer = Consumer {
            name: self.reactor.context.participant,
            catalogue: self.reactor.participant.store.reader().catalogue(),
            parking: &self.parking,
            handler: &self.reactor.handler(until),
        };
        let outcome = consumer.consume(&kinesis::records(batch)).await;
        Answer::Batch(kinesis::respond(outcome))
    }

    async fn resume(&self, Resume { reactions }: Resume, until: Timestamp) -> Answer {
        let resumed = self.reactor.resume(&reactions, until).await;
        let (done, put_off) = (resumed.done, resumed.put_off);
        info!(done, put_off, "reactions resumed");
        Answer::Resumed(Resumed { done, put_off })
    }
}

fn read<T: DeserializeOwned>(payload: Value, expected: &'static str) -> Result<T, InvocationError> {
    serde_path_to_error::deserialize(payload)
        .map_err(|error| InvocationError::Invalid {
            expected,
            field: error.path().to_string(),
            cause: error.inner().to_string(),
        })
        .inspect_err(|error| warn!(%error, "the input cannot be read"))
}

/// The outcome of a command for its log line: the types of its events, or the type of its problem.
fn outcome(reply: &Reply) -> String {
    match reply {
        Reply::Eventos { eventos } => {
            let kinds: Vec<_> = eventos.iter().map(|event| event.kind.as_str()).collect();
            kinds.join(" ")
        }
        Reply::Rechazado { problema } => problema.kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use alpes_messages::SagaMode;
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "id": "00000000-0000-0000-0000-000000000001",
            "type": "PlaceOrder",
            "subject": "00000000-0000-0000-0000-000000000002",
            "correlationid": "00000000-0000-0000-0000-000000000003",
            "sagamode": SagaMode::default(),
            "data": {},
        })
    }

    fn command(payload: Value) -> Result<Command, InvocationError> {
        read(payload, "a command")
    }

    fn broken(field: &str, value: Value) -> (String, String) {
        let mut payload = sample();
        if value.is_null() {
            payload.as_object_mut().unwrap().remove(field);
        } else {
            payload[field] = value;
        }
        let error = command(payload).unwrap_err();
        let Diagnostic {
            error_type,
            error_message,
        } = error.into();
        (error_type, error_message)
    }

    #[test]
    fn what_is_no_command_is_told_with_its_field() {
        assert!(command(sample()).is_ok());
        for (field, value) in [
            ("id", json!("x")),
            ("type", json!(1)),
            ("subject", json!("order-1")),
            ("correlationid", Value::Null),
            ("sagamode", json!("both")),
            ("data", Value::Null),
        ] {
            let (error_type, message) = broken(field, value);
            assert_eq!(error_type, "InvalidCommand");
            assert!(message.contains(field), "{message}");
        }
        let error = command(json!(["?"])).unwrap_err();
        assert!(matches!(error, InvocationError::Invalid { .. }), "{error}");
    }

    #[test]
    fn an_error_of_a_participant_keeps_its_type() {
        let diagnostic = Diagnostic::from(InvocationError::from(ParticipantError::InducedSilence));
        assert_eq!(diagnostic.error_type, "InducedSilence");
    }
}
