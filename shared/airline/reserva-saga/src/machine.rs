//! The saga as a state machine of AWS Step Functions, and the messages of its states.

use std::collections::BTreeMap;

use alpes_messages::{Context, Reply};
use alpes_ports::{ExecutionError, Executions, FunctionName};
use alpes_saga::{Ask, Definitions, Heard, Saga, SagaMode, Wire, executed, execution_name};
use events::CONTEXTS;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{answer, function_of};

/// The state machine of the saga, in Amazon States Language. `infra/saga-reserva.asl.json` is the state machine of
/// [`definitions`](crate::definitions). The state machine has placeholders in place of the functions, for example
/// `${ParticipantPagos}`, which the template replaces.
#[must_use]
pub fn state_machine(definitions: &Definitions) -> Value {
    alpes_saga::state_machine(definitions, &wire())
}

/// The messages between a state machine and the participants: [`alpes_messages::Command`] and [`Reply`] in JSON.
#[must_use]
pub fn wire() -> Wire {
    Wire {
        function: placeholder,
        request,
        event_type: "eventos[0].type",
        event_id: "eventos[0].id",
        event_data: "eventos[0].data",
        answer_of,
        answer: |payload| Reply::deserialize(payload).ok().as_ref().map(answer),
    }
}

/// The full log of a saga. For a saga on Step Functions, the stored log is only a part of the full log, and the
/// histories of the saga's executions have the rest. For every other saga, the stored log is the full log.
///
/// Step Functions deletes old histories. Once the histories of a saga are deleted, the result is only the stored part.
///
/// # Errors
///
/// See [`ExecutionError`].
pub async fn as_it_went(
    saga: Saga,
    definitions: &Definitions,
    executions: Option<&dyn Executions>,
) -> Result<Saga, ExecutionError> {
    let definition = definitions.find(&saga.definition, saga.version);
    let (Some(executions), Some(definition), SagaMode::StepFunctions) =
        (executions, definition, saga.mode)
    else {
        return Ok(saga);
    };
    let mut histories = vec![];
    let started: Vec<_> = saga.executions().collect();
    for direction in started {
        let name = execution_name(saga.id, direction);
        let Some(history) = executions.history(&name).await? else {
            return Ok(saga);
        };
        histories.push(history);
    }
    Ok(executed(definition, &saga, &histories, &wire()))
}

/// The placeholders in the tasks of the state machine, each with the function that it stands for. The template replaces
/// the placeholders by the deployed functions.
#[must_use]
pub fn placeholders() -> BTreeMap<String, FunctionName> {
    let named = |context: Context| (placeholder(context.name), function_of(context));
    CONTEXTS.map(named).into()
}

fn placeholder(participant: &str) -> String {
    let mut contexts = CONTEXTS.into_iter();
    let context = contexts.find(|context| context.name == participant);
    let function = context.map_or(participant, |context| context.participant);
    let words = function.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    let name: String = words.collect();
    format!("${{{name}}}")
}

/// The payload of a task, in the form of [`alpes_messages::Command`].
fn request(ask: &Ask<'_>) -> Value {
    json!({
        "id.$": ask.id,
        "type": ask.kind,
        "subject.$": ask.subject,
        "correlationid.$": ask.saga,
        "causationid.$": ask.cause,
        "sagamode": SagaMode::StepFunctions,
        "traceparent.$": ask.trace,
        "data": ask.data,
    })
}

/// The fields that a state machine reads of a [`Reply::Eventos`] with one event.
fn answer_of(heard: &Heard) -> Value {
    json!({
        "eventos": [{"type": heard.kind, "id": heard.id, "data": heard.data}],
    })
}

#[cfg(test)]
mod tests {
    use alpes_messages::Command;

    use super::*;

    /// Fills in a payload as a state machine does: each path is replaced by its value in `data`.
    fn filled(template: &Value, data: &Value) -> Value {
        let Value::Object(template) = template else {
            return template.clone();
        };
        let fields = template.iter().map(|(name, value)| {
            let Some(name) = name.strip_suffix(".$") else {
                return (name.clone(), filled(value, data));
            };
            let path = value.as_str().unwrap().strip_prefix("$.").unwrap();
            let pointer = format!("/{}", path.replace("[0]", "/0").replace('.', "/"));
            (name.to_owned(), data.pointer(&pointer).unwrap().clone())
        });
        Value::Object(fields.collect())
    }

    #[test]
    fn what_is_sent_is_a_command() {
        let id = "019b76da-a800-7a51-9d4f-1c7a1e0b6c11";
        let ask = Ask {
            kind: "PagarReserva",
            id: "$.command".into(),
            subject: "$.saga.subject",
            saga: "$.saga.id",
            cause: "$.answer.eventos[0].id".into(),
            trace: "$.saga.trace",
            data: json!({"monto.$": "$.answer.eventos[0].data.monto", "medio": "tok_visa"}),
        };
        for trace in [Value::Null, json!("00-trace")] {
            let data = json!({
                "command": id, "saga": {"id": id, "subject": id, "trace": trace},
                "answer": {"eventos": [{"id": id, "data": {"monto": "1.00"}}]},
            });
            let command = Command::deserialize(filled(&request(&ask), &data)).unwrap();
            assert_eq!(command.kind, "PagarReserva");
            assert_eq!(command.sagamode, SagaMode::StepFunctions);
            assert_eq!(command.traceparent.as_deref(), trace.as_str());
            assert_eq!(command.data, json!({"monto": "1.00", "medio": "tok_visa"}));
        }
    }
}
