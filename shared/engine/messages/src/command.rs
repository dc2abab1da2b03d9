//! Commands. A command is a request to one participant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{CommandId, CorrelationId, SubjectId};

/// The engine that drives a saga.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SagaMode {
    // The published schemas and samples of the envelope have these Spanish words, and never change.
    /// A coordinator sends commands to the participants.
    #[default]
    #[serde(rename = "orquestacion")]
    Orchestration,
    /// Each context reacts to the events of the others, without a coordinator.
    #[serde(rename = "coreografia")]
    Choreography,
    /// AWS Step Functions runs the saga's definition, in place of a coordinator.
    StepFunctions,
}

impl SagaMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Orchestration, Self::Choreography, Self::StepFunctions];
}

/// A command. Participants deduplicate on its `id`: the same `id` takes effect once, however often it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// The id of the command.
    pub id: CommandId,
    /// The type of the command, as in `PlaceOrder`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The subject of the command.
    pub subject: SubjectId,
    /// The correlation id, which is also the id of the saga.
    pub correlationid: CorrelationId,
    /// The id of the command or event that caused this command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causationid: Option<Uuid>,
    /// The engine that drives the saga.
    #[serde(default)]
    pub sagamode: SagaMode,
    /// The caller's W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The person who sends the command, if the person is known. Its events carry the same actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// True if a test endpoint created the command. Its events carry the same flag.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prueba: bool,
    /// The data of the command; their form depends on `kind`.
    pub data: Value,
}

impl Command {
    /// A command that opens a saga. Its own id and the saga's id are the subject's id, so the command takes effect once
    /// for a subject, however often it is sent.
    ///
    /// ```
    /// use alpes_messages::{Command, SubjectId};
    ///
    /// let order = SubjectId(uuid::Uuid::from_u128(7));
    /// let command = Command::opening("PlaceOrder", order, serde_json::json!({ "total": 3 }));
    /// assert_eq!((command.id.0, command.correlationid.0), (order.0, order.0));
    /// ```
    #[must_use]
    pub fn opening(kind: impl Into<String>, subject: SubjectId, data: Value) -> Self {
        Self {
            id: CommandId(subject.0),
            kind: kind.into(),
            subject,
            correlationid: CorrelationId(subject.0),
            causationid: None,
            sagamode: SagaMode::default(),
            traceparent: None,
            actor: None,
            prueba: false,
            data,
        }
    }

    /// A hash of the command's request: two commands with one id must have the same hash.
    ///
    /// The hash covers only the type, subject and data. The correlation id and the trace context may differ when a
    /// client repeats its request.
    #[must_use]
    pub fn body_hash(&self) -> String {
        let body = serde_json::json!([self.kind, self.subject, self.data]);
        crate::hex(&Sha256::digest(canonical(&body)))
    }
}

/// The value as JSON text, with sorted keys in every object. Equal values have equal texts.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries: Vec<_> = entries
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(list) => format!(
            "[{}]",
            list.iter().map(canonical).collect::<Vec<_>>().join(",")
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn command(correlation: u128, data: Value) -> Command {
        Command {
            id: CommandId(Uuid::from_u128(1)),
            kind: "PlaceOrder".into(),
            subject: SubjectId(Uuid::from_u128(2)),
            correlationid: CorrelationId(Uuid::from_u128(correlation)),
            causationid: None,
            actor: None,
            prueba: false,
            sagamode: SagaMode::Orchestration,
            traceparent: None,
            data,
        }
    }

    #[test]
    fn the_hash_is_of_what_is_asked_not_of_how_it_is_written() {
        let one = command(
            3,
            serde_json::from_str(r#"{"a": {"x": 1, "y": [1, 2]}, "b": null}"#).unwrap(),
        );
        let same = command(
            4,
            serde_json::from_str(r#"{"b": null, "a": {"y": [1, 2], "x": 1}}"#).unwrap(),
        );
        assert_eq!(one.body_hash(), same.body_hash());
        assert_ne!(
            one.body_hash(),
            command(3, json!({"a": {"x": 1, "y": [2, 1]}, "b": null})).body_hash()
        );
    }
}
