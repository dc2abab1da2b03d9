//! Every event type, with its versions.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Context, DecodeError, NewEvent, event::undecodable, gds, pagos, upcast, vuelos};

/// Lifts the data of one version to the next.
type Lift = fn(&Value) -> Result<Value, DecodeError>;

/// One type of event.
#[derive(Clone, Copy)]
pub struct EventType {
    /// Whose events.
    pub context: Context,
    /// Its name.
    pub name: &'static str,
    /// From version 1 to 2, from 2 to 3, …; the newest version is one more than there are.
    lifts: &'static [Lift],
    parse: fn(Value) -> Result<Payload, DecodeError>,
    schema: fn() -> schemars::Schema,
}

impl EventType {
    /// The newest version of its data.
    #[must_use]
    pub fn newest(&self) -> u32 {
        u32::try_from(self.lifts.len()).map_or(u32::MAX, |older| older.saturating_add(1))
    }

    /// The JSON Schema of the newest version of its data.
    #[must_use]
    pub fn schema(&self) -> schemars::Schema {
        (self.schema)()
    }

    /// `data` of `version` in the newest version; `None` for a version that is not known.
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
    pub(crate) fn parse(&self, data: Value) -> Result<Payload, DecodeError> {
        (self.parse)(data)
    }
}

fn parse<T: DeserializeOwned>(data: Value) -> Result<T, DecodeError> {
    // serde would also take an array of the fields' values.
    if !data.is_object() {
        return Err(undecodable("data is not an object"));
    }
    serde_json::from_value(data).map_err(undecodable)
}

/// Writes [`Payload`], its conversions and [`Catalogue::current`] from one list.
macro_rules! catalogue {
    ($($context:ident: $module:ident { $($name:ident [$($lift:path),*]),* $(,)? })*) => {
        /// The data of an event, in its newest version: the domain event.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "each variant is the event of its name, documented there")]
        pub enum Payload {
            $($($name($module::$name),)*)*
        }

        $($(
            impl From<$module::$name> for NewEvent {
                fn from(payload: $module::$name) -> Self {
                    new_event(Context::$context, stringify!($name), &[$($lift as Lift),*], &payload)
                }
            }
        )*)*

        impl Catalogue {
            /// Every type that this build knows.
            #[must_use]
            pub fn current() -> Self {
                Self(vec![$($(EventType {
                    context: Context::$context,
                    name: stringify!($name),
                    lifts: &[$($lift as Lift),*],
                    parse: |data| parse(data).map(Payload::$name),
                    schema: || schemars::schema_for!($module::$name),
                },)*)*])
            }
        }
    };
}

catalogue! {
    Vuelos: vuelos {
        ReservaCreada [upcast::reserva_creada_v1],
        ReservaAprobada [],
        AprobacionReservaFallida [],
        ReservaCancelada [],
    }
    Pagos: pagos {
        ReservaPagada [],
        PagoFallido [],
        PagoRevertido [],
    }
    Gds: gds {
        ReservaGDSConfirmada [],
        ConfirmacionFallida [],
        ConfirmacionGDSRevertida [],
    }
}

fn new_event(
    context: Context,
    kind: &'static str,
    lifts: &[Lift],
    payload: &impl Serialize,
) -> NewEvent {
    NewEvent {
        context,
        kind,
        schema_version: u32::try_from(lifts.len())
            .map_or(u32::MAX, |older| older.saturating_add(1)),
        // Payloads are structs with named fields of JSON types: they always have a JSON form.
        data: serde_json::to_value(payload).unwrap_or_default(),
    }
}

/// The event types that a reader knows. A value, so that a test or a simulation can be older than the writer.
#[derive(Clone)]
pub struct Catalogue(Vec<EventType>);

impl Catalogue {
    /// Looks a type up.
    #[must_use]
    pub fn find(&self, context: &str, name: &str) -> Option<&EventType> {
        self.0
            .iter()
            .find(|known| known.context.name() == context && known.name == name)
    }

    /// Every type.
    pub fn types(&self) -> impl Iterator<Item = &EventType> {
        self.0.iter()
    }

    /// Tells two catalogues apart: what one could not decode, another may.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let types = self.0.iter().map(|known| {
            format!(
                "{}:{}:v{}",
                known.context.name(),
                known.name,
                known.newest()
            )
        });
        let types: Vec<_> = types.collect();
        format!("{:x}", Sha256::digest(types.join("\n")))
            .chars()
            .take(16)
            .collect()
    }

    /// This catalogue without the type `name`: that of a build from before it existed.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|known| known.name != name);
        self
    }
}
