//! The envelope of an event: CloudEvents 1.0 in JSON, structured mode.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use crate::{
    Catalogue, Command, Context, CorrelationId, EventId, SagaMode, StreamId, SubjectId, Version,
    moment::Moment,
};

const SPEC_VERSION: &str = "1.0";

/// An event, as it is stored, published and read.
///
/// The text of an event is written once, at the commit. Every component passes on that same text, so the log holds
/// exactly what was committed. The only exception is a notice, which escapes characters that its topic does not carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The version of CloudEvents, always `1.0`.
    pub specversion: String,
    /// The id of the event.
    pub id: EventId,
    /// The context of the event, as in `/shop/stock`.
    pub source: String,
    /// The type of the event, as in `OrderPlaced`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The subject of the event, which is also its partition key in the log.
    pub subject: SubjectId,
    /// The time of the commit.
    pub time: Moment,
    /// The media type of the data, always `application/json`.
    pub datacontenttype: String,
    /// The context, type and version of `data`: `urn:shop:schema:orders:OrderPlaced:v2`.
    pub dataschema: String,
    /// The id of the event's stream.
    pub stream: StreamId,
    /// The version of the event in its stream, from 1 without gaps. Deduplicate and order events by `stream` and
    /// `streamversion` only.
    pub streamversion: Version,
    /// The correlation id, which is also the id of the event's saga.
    pub correlationid: CorrelationId,
    /// The id of the command or event that caused this event.
    pub causationid: Uuid,
    /// The engine that drives the saga.
    #[serde(default)]
    pub sagamode: SagaMode,
    /// The W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The person whose command led to the event; absent if a part of the system sent the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// True if the event follows from a command of a test endpoint.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prueba: bool,
    /// The data of the event, in the version that `dataschema` names.
    pub data: Value,
}

/// An event that a decision returns, before it has a place in a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// The context of the event.
    pub context: Context,
    /// The type of the event.
    pub kind: &'static str,
    /// The version of the event's data.
    pub schema_version: u32,
    /// The data of the event.
    pub data: Value,
}

/// The properties of an event that the commit sets. The decision sets the others.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The command that led to the decision.
    pub command: &'a Command,
    /// The stream of the commit.
    pub stream: StreamId,
    /// The version of the event in the stream.
    pub version: Version,
    /// The id of the event.
    pub id: EventId,
    /// The time of the commit.
    pub time: Moment,
}

/// Bytes that this build cannot read as an event.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes are no event, or its data does not match its schema.
    #[error("not an event: {0}")]
    Undecodable(String),
    /// The event has a type or version that this catalogue does not have. Most likely a newer build wrote the event.
    #[error("unknown event type {0}")]
    UnknownType(String),
}

impl Event {
    /// Gives a new event its place in a stream.
    #[must_use]
    pub fn placed(new: NewEvent, origin: Origin<'_>) -> Self {
        let Origin {
            command,
            stream,
            version,
            id,
            time,
        } = origin;
        Self {
            specversion: SPEC_VERSION.into(),
            id,
            source: new.context.source.into(),
            dataschema: schema_name(new.context, new.kind, new.schema_version),
            kind: new.kind.into(),
            subject: stream.id,
            time,
            datacontenttype: "application/json".into(),
            stream,
            streamversion: version,
            correlationid: command.correlationid,
            causationid: command.id.0,
            sagamode: command.sagamode,
            traceparent: command.traceparent.clone(),
            actor: command.actor.clone(),
            prueba: command.prueba,
            data: new.data,
        }
    }

    /// The text that is committed and published.
    ///
    /// # Errors
    ///
    /// None in practice, since every part of an event has a JSON form.
    pub fn encode(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// The time of an event, read from its text in any format of the envelope, whether or not this build knows the
    /// event's type; `None` if the text has no time.
    #[must_use]
    pub fn time_of(text: &str) -> Option<Moment> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Time {
            Moment(Moment),
            /// Milliseconds since 1970, as in envelopes of an older format.
            Milliseconds(i64),
        }
        #[derive(Deserialize)]
        struct When {
            time: Time,
        }
        let When { time } = serde_json::from_str(text).ok()?;
        match time {
            Time::Moment(moment) => Some(moment),
            Time::Milliseconds(number) => {
                Timestamp::from_millisecond(number).ok().map(Moment::from)
            }
        }
    }

    /// Reads an event. The result has the event's data lifted to the newest version in `catalogue`, and a `dataschema`
    /// that names this version.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`].
    pub fn decode<P>(bytes: &[u8], catalogue: &Catalogue<P>) -> Result<(Self, P), DecodeError> {
        let value: Value = serde_json::from_slice(bytes).map_err(undecodable)?;
        let value = catalogue.modern(value)?;
        // serde would also accept an array of the fields' values.
        if !value.is_object() {
            return Err(undecodable("not an object"));
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let missing = |name: &str| undecodable(format!("{name} is missing"));
        let spec_version = text("specversion").ok_or_else(|| missing("specversion"))?;
        if spec_version != SPEC_VERSION {
            return Err(undecodable(format!("specversion {spec_version:?}")));
        }
        // The schema is read before the rest of the envelope. An event of a context that this build does not know may
        // have a stream id that the build cannot parse. The event must count as unknown rather than undecodable, so
        // that a newer catalogue retries it.
        let schema = text("dataschema").ok_or_else(|| missing("dataschema"))?;
        let unknown = DecodeError::UnknownType(schema.to_owned());
        let Some((known, version)) = catalogue.of_schema(schema) else {
            return Err(unknown);
        };
        let mut event: Self = serde_json::from_value(value).map_err(undecodable)?;
        if event.kind != known.name
            || event.source != known.context.source
            || !event.stream.is_of(known.context)
        {
            return Err(DecodeError::Undecodable(format!(
                "{} does not fit its dataschema",
                event.kind
            )));
        }
        if event.subject != event.stream.id || event.streamversion == 0 {
            return Err(DecodeError::Undecodable(
                "its subject, stream and streamversion disagree".into(),
            ));
        }
        let data = known
            .lift(version, std::mem::take(&mut event.data))?
            .ok_or(unknown)?;
        let payload = known.parse(data.clone())?;
        event.data = data;
        event.dataschema = schema_name(known.context, known.name, known.newest());
        Ok((event, payload))
    }
}

fn schema_name(context: Context, kind: &str, version: u32) -> String {
    format!("{}:{kind}:v{version}", context.schemas)
}

/// The error for bytes that are no event, with the reason.
pub fn undecodable(error: impl std::fmt::Display) -> DecodeError {
    DecodeError::Undecodable(error.to_string())
}
