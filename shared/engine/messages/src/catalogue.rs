//! The catalogue: every event type of a domain, with its versions.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Context, DecodeError, NewEvent, StreamId, event::undecodable};

/// The payloads of a domain's events, in their newest versions, as one type. [`catalogue!`](crate::catalogue) makes an
/// enum with a variant for each event type.
pub trait DomainEvent: Clone + Debug + PartialEq + Send + Sync + 'static {}

impl<P: Clone + Debug + PartialEq + Send + Sync + 'static> DomainEvent for P {}

/// A function that lifts data from one version to the next.
pub type Lift = fn(&Value) -> Result<Value, DecodeError>;

/// Converts an envelope of an older format to the current format; `None` if the value is not in the older format.
pub type OlderEnvelope = fn(&Value) -> Option<Result<Value, DecodeError>>;

/// One type of event.
#[derive(Clone, Copy)]
pub struct EventType<P> {
    /// The context of the type's events.
    pub context: Context,
    /// The name of the type, as in `OrderPlaced`.
    pub name: &'static str,
    /// The functions that lift data from version 1 to 2, from 2 to 3, and so on. The newest version is the number of
    /// these functions plus 1.
    lifts: &'static [Lift],
    parse: fn(Value) -> Result<P, DecodeError>,
    schema: fn() -> schemars::Schema,
}

impl<P> EventType<P> {
    /// A type of event. `parse` reads data of the newest version; for a struct, pass [`read_data`].
    #[must_use]
    pub fn new(
        context: Context,
        name: &'static str,
        lifts: &'static [Lift],
        parse: fn(Value) -> Result<P, DecodeError>,
        schema: fn() -> schemars::Schema,
    ) -> Self {
        Self {
            context,
            name,
            lifts,
            parse,
            schema,
        }
    }

    /// The newest version of the type's data, from 1.
    #[must_use]
    pub fn newest(&self) -> u32 {
        newest(self.lifts)
    }

    /// The JSON Schema of the newest version of the type's data.
    #[must_use]
    pub fn schema(&self) -> schemars::Schema {
        (self.schema)()
    }

    /// Lifts `data` of `version` to the newest version; `None` if `version` is unknown.
    pub(crate) fn lift(&self, version: u32, data: Value) -> Result<Option<Value>, DecodeError> {
        if version == 0 || version > self.newest() {
            return Ok(None);
        }
        let older = usize::try_from(version - 1).unwrap_or(usize::MAX);
        self.lifts
            .iter()
            .skip(older)
            .try_fold(data, |data, lift| lift(&data))
            .map(Some)
    }

    /// Reads data of the newest version.
    pub(crate) fn parse(&self, data: Value) -> Result<P, DecodeError> {
        (self.parse)(data)
    }

    /// The version in the schema name `schema`; `None` if the schema is of another type.
    fn version_of(&self, schema: &str) -> Option<u32> {
        let rest = schema.strip_prefix(self.context.schemas)?;
        let rest = rest.strip_prefix(':')?.strip_prefix(self.name)?;
        rest.strip_prefix(":v")?.parse().ok()
    }
}

fn newest(lifts: &[Lift]) -> u32 {
    u32::try_from(lifts.len()).map_or(u32::MAX, |older| older.saturating_add(1))
}

/// Reads the data of an event as a struct.
///
/// # Errors
///
/// [`DecodeError::Undecodable`] if the data does not fit the struct.
pub fn read_data<T: DeserializeOwned>(data: Value) -> Result<T, DecodeError> {
    // serde would also accept an array of the fields' values.
    if !data.is_object() {
        return Err(undecodable("data is not an object"));
    }
    serde_json::from_value(data).map_err(undecodable)
}

impl NewEvent {
    /// A new event of the type `kind`. The type's `lifts` determine the version of the event's data.
    pub fn of(
        context: Context,
        kind: &'static str,
        lifts: &[Lift],
        payload: &impl Serialize,
    ) -> Self {
        Self {
            context,
            kind,
            schema_version: newest(lifts),
            // Payloads are structs with named fields of JSON types, so they always have a JSON form.
            data: serde_json::to_value(payload).unwrap_or_default(),
        }
    }
}

/// Writes a domain's [`DomainEvent`] and the function `catalogue`, which returns its [`Catalogue`], from one list. The
/// list has the contexts. Each context names the module with the structs of its events, and each event names the
/// functions that lift its data from one version to the next.
///
/// A name after `as` gives the context an enum of this name, with the context's own events only, and gives the domain
/// event a method that returns this enum. A fold of one context matches this enum. The compiler then reports an event
/// of the context that the fold does not handle, and the fold needs no line for events of other contexts.
///
/// ```
/// use alpes_messages::{Context, NewEvent};
///
/// pub const ORDERS: Context = Context {
///     name: "orders",
///     category: "order",
///     participant: "participant-orders",
///     source: "/shop/orders",
///     schemas: "urn:shop:schema:orders",
/// }
/// .checked();
///
/// pub mod orders {
///     #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
///     pub struct OrderPlaced {
///         pub total: u32,
///     }
/// }
///
/// alpes_messages::catalogue! {
///     /// What happens in the shop.
///     pub enum Fact;
///     ORDERS: orders as OrderFact {
///         OrderPlaced [],
///     }
/// }
///
/// let placed = orders::OrderPlaced { total: 3 };
/// let fact = Fact::OrderPlaced(placed.clone());
/// assert_eq!(fact.orders(), Some(OrderFact::OrderPlaced(&placed)));
/// let new = NewEvent::from(placed);
/// assert_eq!((new.kind, new.schema_version), ("OrderPlaced", 1));
/// assert_eq!(catalogue().types().count(), 1);
/// ```
#[macro_export]
macro_rules! catalogue {
    (
        $(#[$doc:meta])* pub enum $payload:ident;
        $($context:path: $module:ident $(as $own:ident)? { $($name:ident [$($lift:path),*]),* $(,)? })*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each variant is the event of its name, documented there")]
        pub enum $payload {
            $($($name($module::$name),)*)*
        }

        $($(
            impl From<$module::$name> for $crate::NewEvent {
                fn from(payload: $module::$name) -> Self {
                    Self::of($context, stringify!($name), &[$($lift as $crate::Lift),*], &payload)
                }
            }
        )*)*

        $($crate::catalogue!(@own $payload $module [$($own)?] $($name)*);)*

        /// The catalogue of every event type that this build knows.
        #[must_use]
        pub fn catalogue() -> $crate::Catalogue<$payload> {
            $crate::Catalogue::new(vec![$($($crate::EventType::new(
                $context,
                stringify!($name),
                &[$($lift as $crate::Lift),*],
                |data| $crate::read_data(data).map($payload::$name),
                || schemars::schema_for!($module::$name),
            ),)*)*])
        }
    };
    (@own $payload:ident $module:ident [] $($name:ident)*) => {};
    (@own $payload:ident $module:ident [$own:ident] $($name:ident)*) => {
        #[doc = concat!("An event of `", stringify!($module), "`.")]
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each variant is the event of its name, documented there")]
        pub enum $own<'a> {
            $($name(&'a $module::$name),)*
        }

        impl $payload {
            #[doc = concat!("The event, if it is one of `", stringify!($module), "`.")]
            #[must_use]
            pub fn $module(&self) -> Option<$own<'_>> {
                match self {
                    $(Self::$name(event) => Some($own::$name(event)),)*
                    #[allow(unreachable_patterns, reason = "the domain may have one context")]
                    _ => None,
                }
            }
        }
    };
}

/// The event types that a reader knows. A catalogue is a value, so a test or a simulation can give the reader an older
/// catalogue than the writer.
#[derive(Clone)]
pub struct Catalogue<P> {
    types: Vec<EventType<P>>,
    older_envelope: Option<OlderEnvelope>,
}

impl<P> Catalogue<P> {
    /// A catalogue of these types.
    #[must_use]
    pub fn new(types: Vec<EventType<P>>) -> Self {
        Self {
            types,
            older_envelope: None,
        }
    }

    /// The same catalogue, which also reads envelopes of an older format. Use this catalogue for a log that has events
    /// in the older format.
    #[must_use]
    pub fn with_older_envelope(mut self, older_envelope: OlderEnvelope) -> Self {
        self.older_envelope = Some(older_envelope);
        self
    }

    /// Finds a type by its context and name.
    #[must_use]
    pub fn find(&self, context: &str, name: &str) -> Option<&EventType<P>> {
        self.types
            .iter()
            .find(|known| known.context.name == context && known.name == name)
    }

    /// The type and version in the schema name `schema`.
    pub(crate) fn of_schema(&self, schema: &str) -> Option<(&EventType<P>, u32)> {
        self.types
            .iter()
            .find_map(|known| Some((known, known.version_of(schema)?)))
    }

    /// `value`, converted to the current format of the envelope.
    pub(crate) fn modern(&self, value: Value) -> Result<Value, DecodeError> {
        let lifted = self.older_envelope.and_then(|lift| lift(&value));
        lifted.unwrap_or(Ok(value))
    }

    /// True if the stream belongs to one of the catalogue's contexts. A well-formed stream id may belong to a context
    /// that the catalogue does not have.
    #[must_use]
    pub fn knows(&self, stream: StreamId) -> bool {
        self.types.iter().any(|known| stream.is_of(known.context))
    }

    /// Every type of the catalogue.
    pub fn types(&self) -> impl Iterator<Item = &EventType<P>> {
        self.types.iter()
    }

    /// A hash of the catalogue's types and their newest versions. After the hash changes, retry the events that could
    /// not be decoded.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let types = self
            .types
            .iter()
            .map(|known| format!("{}:{}:v{}", known.context.name, known.name, known.newest()));
        let types: Vec<_> = types.collect();
        crate::hex(&Sha256::digest(types.join("\n")))
            .chars()
            .take(16)
            .collect()
    }

    /// This catalogue without the type `name`, as in a build from before the type existed.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.types.retain(|known| known.name != name);
        self
    }
}
