//! Functions that take commands: a command in, a reply or an error out, one log line each.

use events::{Command, Reply};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use participant::{Participant, ParticipantError};
use serde_json::Value;
use thiserror::Error;
use tracing::{info, warn};

/// There is no reply to what came in.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CommandError {
    /// It is no command: the field at fault, and what is wrong with it.
    #[error("not a command: {campo}: {cause}")]
    Invalid {
        /// The field, as a path; `.` for all of it.
        campo: String,
        /// What is wrong.
        cause: String,
    },
    /// The participant has no answer now.
    #[error(transparent)]
    NoAnswer(#[from] ParticipantError),
}

impl From<CommandError> for Diagnostic {
    fn from(error: CommandError) -> Self {
        let error_type = match &error {
            CommandError::Invalid { .. } => "ComandoInvalido",
            CommandError::NoAnswer(error) => error.error_type(),
        };
        Self {
            error_type: error_type.into(),
            error_message: error.to_string(),
        }
    }
}

/// Answers what the function was invoked with.
///
/// # Errors
///
/// See [`CommandError`].
pub async fn answer(participant: &Participant, payload: Value) -> Result<Reply, CommandError> {
    let command = read(payload).inspect_err(|error| warn!(%error, "what came in is no command"))?;
    let answer = participant.handle(&command).await;
    let Command { id, kind, .. } = &command;
    let (reserva, correlacion) = (command.subject, command.correlationid);
    match &answer {
        Ok(reply) => {
            let outcome = outcome(reply);
            info!(%kind, %id, %reserva, %correlacion, outcome, "command answered");
        }
        Err(error) => {
            let outcome = error.error_type();
            warn!(%kind, %id, %reserva, %correlacion, outcome, %error, "command not answered");
        }
    }
    Ok(answer?)
}

/// Answers commands until the runtime ends the process.
///
/// # Errors
///
/// Whatever the Lambda runtime fails with.
pub async fn serve(participant: Participant) -> Result<(), Error> {
    let participant = &participant;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        answer(participant, event.payload)
    }))
    .await
}

fn read(payload: Value) -> Result<Command, CommandError> {
    serde_path_to_error::deserialize(payload).map_err(|error| CommandError::Invalid {
        campo: error.path().to_string(),
        cause: error.inner().to_string(),
    })
}

/// What came of a command, for its log line: the types of its events, or the type of its problem.
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
    use serde_json::json;

    use super::*;

    const COMMAND: &str = include_str!("../../events/samples/pagos/PagarReserva.json");

    fn broken(field: &str, value: Value) -> (String, String) {
        let mut payload: Value = serde_json::from_str(COMMAND).unwrap();
        if value.is_null() {
            payload.as_object_mut().unwrap().remove(field);
        } else {
            payload[field] = value;
        }
        let error = read(payload).unwrap_err();
        let Diagnostic {
            error_type,
            error_message,
        } = error.into();
        (error_type, error_message)
    }

    #[test]
    fn what_is_no_command_is_told_with_its_field() {
        assert!(read(serde_json::from_str(COMMAND).unwrap()).is_ok());
        for (field, value) in [
            ("id", json!("x")),
            ("type", json!(1)),
            ("subject", json!("reserva-1")),
            ("correlationid", Value::Null),
            ("sagamode", json!("ambos")),
            ("data", Value::Null),
        ] {
            let (error_type, message) = broken(field, value);
            assert_eq!(error_type, "ComandoInvalido");
            assert!(message.contains(field), "{message}");
        }
        let error = read(json!(["?"])).unwrap_err();
        assert!(matches!(error, CommandError::Invalid { .. }), "{error}");
    }

    #[test]
    fn an_error_of_a_participant_keeps_its_type() {
        let diagnostic = Diagnostic::from(CommandError::from(ParticipantError::Silencio));
        assert_eq!(diagnostic.error_type, "Silencio");
    }
}
