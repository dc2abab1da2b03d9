//! Identifiers, each a type of its own so that one cannot stand in for another.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

identifier! {
    /// A reservation. Also the partition key of all its events, which makes one reservation one order in the log.
    IdReserva
}
identifier! {
    /// What ties together all that happens for one reservation; also the identity of its saga. Minted by the server.
    IdCorrelacion
}
identifier! {
    /// A command. The same id is the same intent: it takes effect once.
    CommandId
}
identifier! {
    /// An event: a UUID of version 7.
    EventId
}

/// Place of an event in its stream, from 1.
///
/// u32, since a stream lives in one item and cannot hold more.
pub type Version = u32;

/// A bounded context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Reservations.
    Vuelos,
    /// Payments.
    Pagos,
    /// Seat inventory of the global distribution system.
    Gds,
}

impl Context {
    /// Every context.
    pub const ALL: [Self; 3] = [Self::Vuelos, Self::Pagos, Self::Gds];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vuelos => "vuelos",
            Self::Pagos => "pagos",
            Self::Gds => "gds",
        }
    }

    /// The `source` of its events (CloudEvents).
    #[must_use]
    pub fn source(self) -> String {
        format!("/aeroalpes/{}", self.name())
    }

    /// What its stream ids begin with.
    #[must_use]
    pub fn stream_prefix(self) -> &'static str {
        match self {
            Self::Vuelos => "reserva",
            Self::Pagos => "pago",
            Self::Gds => "gds",
        }
    }
}

/// A stream: what one context knows of one reservation, `reserva-{id}`, `pago-{id}` or `gds-{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId {
    /// Whose stream.
    pub context: Context,
    /// Of which reservation.
    pub id: IdReserva,
}

/// A text that names no stream.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is not a stream id: reserva-, pago- or gds-, then a UUID")]
pub struct InvalidStreamId(String);

impl StreamId {
    /// The stream of a reservation in a context.
    #[must_use]
    pub fn new(context: Context, id: IdReserva) -> Self {
        Self { context, id }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.context.stream_prefix(), self.id)
    }
}

impl FromStr for StreamId {
    type Err = InvalidStreamId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('-').and_then(|(prefix, id)| {
            let context = Context::ALL
                .into_iter()
                .find(|context| context.stream_prefix() == prefix)?;
            let id: IdReserva = id.parse().ok()?;
            Some(Self { context, id })
        });
        // One stream, one text: a UUID can be written in several ways, of which only one is ours.
        let parts = parts.filter(|stream| stream.to_string() == text);
        parts.ok_or_else(|| InvalidStreamId(text.to_owned()))
    }
}

impl TryFrom<String> for StreamId {
    type Error = InvalidStreamId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StreamId> for String {
    fn from(stream: StreamId) -> Self {
        stream.to_string()
    }
}

impl JsonSchema for StreamId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StreamId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(reserva|pago|gds)-[0-9a-f-]{36}$" })
    }
}
