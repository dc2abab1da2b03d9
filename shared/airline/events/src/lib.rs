//! The messages of the airline. The contexts know one another only by these messages.
//!
//! [`Payload`] is the data of an event in its newest version, the domain event. [`catalogue`] lists every event type
//! with its versions, and [`COMMANDS`] every type of command. `schemas/` has a JSON Schema, and `samples/` a golden
//! sample, of each event version and each command. A test refuses a changed schema of an event if the event has no new
//! version. `alpes-messages` defines the envelopes around the data.

#![deny(missing_docs)]

mod catalogue;
mod contexts;
pub mod gds;
pub mod kinds;
pub mod pagos;
mod upcast;
pub mod vuelos;

pub use catalogue::{COMMANDS, CommandType, EventoVuelos, Payload};
pub use contexts::{CONTEXTS, GDS, PAGOS, VUELOS};

/// The id of a reservation. Every message of the airline is about one reservation.
pub use alpes_messages::SubjectId as IdReserva;

/// The longest name of a person in events and in the logs of sagas, in bytes, with its `cliente:` or `operador:`.
pub const MAX_ACTOR: usize = 256;

/// The events that this build can decode, including the events that the tutorials' own code published.
pub type Catalogue = alpes_messages::Catalogue<Payload>;

/// The catalogue of this build: every event type, and the envelope of the tutorials' own code.
#[must_use]
pub fn catalogue() -> Catalogue {
    catalogue::catalogue().with_older_envelope(upcast::older_envelope)
}
