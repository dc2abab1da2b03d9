//! The envelope of an event: CloudEvents 1.0 in JSON, structured mode.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use crate::{
    Catalogue, Command, Context, EventId, IdCorrelacion, IdReserva, Moment, Payload, SagaMode,
    StreamId, Version, upcast,
};

const SPEC_VERSION: &str = "1.0";
const SCHEMA_PREFIX: &str = "urn:aeroalpes:esquema:";

/// An event as it is stored, published and read.
///
/// Its text is written once, at the commit; whoever passes it on passes on that text, so that the log holds exactly what was
/// committed. A notice alone escapes characters that its topic does not carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Version of CloudEvents, always `1.0`.
    pub specversion: String,
    /// Its identity.
    pub id: EventId,
    /// The context it comes from, `/aeroalpes/vuelos`.
    pub source: String,
    /// What happened, as `ReservaCreada`.
    #[serde(rename = "type")]
    pub kind: String,
    /// To which reservation; also its partition key in the log.
    pub subject: IdReserva,
    /// When it was committed.
    pub time: Moment,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// Context, type and version of `data`: `urn:aeroalpes:esquema:vuelos:ReservaCreada:v2`.
    pub dataschema: String,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Its place there, from 1 without gaps. With `stream` it tells duplicates and order; nothing else does.
    pub streamversion: Version,
    /// The saga it belongs to.
    pub correlationid: IdCorrelacion,
    /// The command or event that led to it.
    pub causationid: Uuid,
    /// Who drives that saga.
    #[serde(default)]
    pub sagamode: SagaMode,
    /// W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// True if it did not come about by itself, but from a test endpoint.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prueba: bool,
    /// The particulars, in the version that `dataschema` names.
    pub data: Value,
}

/// An event that a decision asks for, before it has a place in a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Its context.
    pub context: Context,
    /// Its type.
    pub kind: &'static str,
    /// Version of its data.
    pub schema_version: u32,
    /// Its data.
    pub data: Value,
}

/// What an event gets from its commit rather than from its decision.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The command decided on.
    pub command: &'a Command,
    /// The stream committed to.
    pub stream: StreamId,
    /// Its place there.
    pub version: Version,
    /// Its identity.
    pub id: EventId,
    /// When.
    pub time: Moment,
}

/// Bytes that are not an event we can use.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Not an event at all, or not of its schema.
    #[error("not an event: {0}")]
    Undecodable(String),
    /// An event of a type or version that this catalogue does not have: most likely it is newer than we are.
    #[error("unknown event type {0}")]
    UnknownType(String),
}

impl Event {
    /// Gives a new event its place.
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
            source: new.context.source(),
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
            prueba: command.prueba,
            data: new.data,
        }
    }

    /// The text that is committed and published.
    ///
    /// # Errors
    ///
    /// None in practice: every part of an event has a JSON form.
    pub fn encode(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// When an event happened, told by its text, in whatever form that was committed and whether or not this build knows its type;
    /// `None` if the text does not tell.
    #[must_use]
    pub fn time_of(text: &str) -> Option<Moment> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Time {
            Moment(Moment),
            /// As the tutorials' own code has it.
            Milliseconds(i64),
        }
        #[derive(Deserialize)]
        struct When {
            time: Time,
        }
        let When { time } = serde_json::from_str(text).ok()?;
        match time {
            Time::Moment(moment) => Some(moment),
            Time::Milliseconds(number) => upcast::moment(number).ok(),
        }
    }

    /// Reads an event and lifts its data, and the version that `dataschema` names, to the newest that `catalogue` has.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8], catalogue: &Catalogue) -> Result<(Self, Payload), DecodeError> {
        let value: Value = serde_json::from_slice(bytes).map_err(undecodable)?;
        let value = if upcast::is_base_code(&value) {
            upcast::envelope(&value)?
        } else {
            value
        };
        // serde would also take an array of the fields' values.
        if !value.is_object() {
            return Err(undecodable("not an object"));
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let missing = |name: &str| undecodable(format!("{name} is missing"));
        let spec_version = text("specversion").ok_or_else(|| missing("specversion"))?;
        if spec_version != SPEC_VERSION {
            return Err(undecodable(format!("specversion {spec_version:?}")));
        }
        // Before the rest of the envelope: an event of a context newer than we are has a stream we cannot read, and is unknown
        // rather than undecodable, so that a newer catalogue takes it up.
        let schema = text("dataschema").ok_or_else(|| missing("dataschema"))?;
        let unknown = DecodeError::UnknownType(schema.to_owned());
        let Some((context, kind, version)) = schema_parts(schema) else {
            return Err(unknown);
        };
        let Some(known) = catalogue.find(context, kind) else {
            return Err(unknown);
        };
        let mut event: Self = serde_json::from_value(value).map_err(undecodable)?;
        if event.kind != known.name
            || event.source != known.context.source()
            || event.stream.context != known.context
        {
            return Err(DecodeError::Undecodable(format!(
                "{} does not fit its dataschema",
                event.kind
            )));
        }
        if event.subject != event.stream.id || event.streamversion == 0 {
            return Err(DecodeError::Undecodable(
                "its subject, stream and streamversion do not fit".into(),
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
    format!("{SCHEMA_PREFIX}{}:{kind}:v{version}", context.name())
}

/// Context, type and version of the name of a schema; `None` for a name of another form.
fn schema_parts(schema: &str) -> Option<(&str, &str, u32)> {
    let mut parts = schema.strip_prefix(SCHEMA_PREFIX)?.split(':');
    let (context, kind, version) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Some((context, kind, version.strip_prefix('v')?.parse().ok()?))
}

pub(crate) fn undecodable(error: impl std::fmt::Display) -> DecodeError {
    DecodeError::Undecodable(error.to_string())
}
