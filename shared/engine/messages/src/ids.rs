//! Identifiers. Each kind of identifier has a type of its own, so that one kind cannot be passed for another.

use std::{fmt, str::FromStr};

use arrayvec::ArrayString;
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
    /// The subject of a message, such as an order or an account. The log keeps the events of one subject in order,
    /// since the subject is their partition key.
    SubjectId
}
identifier! {
    /// The id that all messages of one request share, which is also the id of their saga.
    CorrelationId
}
identifier! {
    /// The id of a command. A command takes effect once for each id.
    CommandId
}
identifier! {
    /// The id of an event: a UUID of version 7.
    EventId
}

/// The position of an event in its stream, from 1.
///
/// u32 is enough, since a stream is one item of limited size.
pub type Version = u32;

/// A bounded context and its names in messages. A domain has a constant for each of its contexts.
///
/// ```
/// use alpes_messages::{Context, StreamId, SubjectId};
///
/// const STOCK: Context = Context {
///     name: "stock",
///     category: "stock",
///     participant: "participant-stock",
///     source: "/shop/stock",
///     schemas: "urn:shop:schema:stock",
/// }
/// .checked();
///
/// let stream = StreamId::new(STOCK, SubjectId(uuid::Uuid::nil()));
/// assert_eq!(stream.to_string(), "stock-00000000-0000-0000-0000-000000000000");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context {
    /// The name of the context.
    pub name: &'static str,
    /// The beginning of the ids of the context's streams: 1 to 24 lowercase ASCII letters and digits.
    pub category: &'static str,
    /// The function that handles the context's commands.
    pub participant: &'static str,
    /// The `source` (CloudEvents) of the context's events.
    pub source: &'static str,
    /// The beginning of the schema names of the context's events. Type and version follow: `{schemas}:OrderPlaced:v1`.
    pub schemas: &'static str,
}

impl Context {
    /// The same context, after a check of its category.
    ///
    /// # Panics
    ///
    /// If the category is invalid. For a constant, the compiler reports the panic as an error.
    #[must_use]
    pub const fn checked(self) -> Self {
        assert!(
            is_category(self.category.as_bytes()),
            "a category has 1 to 24 letters of ASCII in lower case, and digits"
        );
        self
    }
}

const LONGEST_CATEGORY: usize = 24;

const fn is_category(text: &[u8]) -> bool {
    let (mut rest, mut is) = (text, !text.is_empty() && text.len() <= LONGEST_CATEGORY);
    while let [first, after @ ..] = rest {
        is &= first.is_ascii_lowercase() || first.is_ascii_digit();
        rest = after;
    }
    is
}

/// The id of a stream, `{category}-{subject}`. A stream holds the events of one subject in one context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId {
    category: ArrayString<LONGEST_CATEGORY>,
    /// The subject of the stream.
    pub id: SubjectId,
}

/// The text is no stream id.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is not a stream id: a category, a hyphen, then a UUID")]
pub struct InvalidStreamId(String);

impl StreamId {
    /// The stream of a subject in a context.
    #[must_use]
    pub fn new(context: Context, id: SubjectId) -> Self {
        // A checked category always fits into the array.
        let category = ArrayString::from(context.category).unwrap_or_default();
        Self { category, id }
    }

    /// The first part of the id, which names the context.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }

    /// True if the stream belongs to this context.
    #[must_use]
    pub fn is_of(&self, context: Context) -> bool {
        self.category() == context.category
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.category, self.id)
    }
}

impl FromStr for StreamId {
    type Err = InvalidStreamId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('-').and_then(|(category, id)| {
            let category = is_category(category.as_bytes()).then_some(category)?;
            let category = ArrayString::from(category).ok()?;
            let id: SubjectId = id.parse().ok()?;
            Some(Self { category, id })
        });
        // A stream id has one spelling: a UUID can be written in several ways, and only one is accepted.
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
        schemars::json_schema!({ "type": "string", "pattern": "^[a-z0-9]{1,24}-[0-9a-f-]{36}$" })
    }
}
