//! The messages of the airline: all that its contexts know of one another.
//!
//! [`Payload`] is the data of an event in its newest version, the domain event; [`catalogue`] knows every event type with its
//! versions. A JSON Schema and a golden sample of each lie in `schemas/` and `samples/`; a test refuses a changed schema without a new
//! version. What a message is made of besides its data is `alpes-messages`.

#![deny(missing_docs)]

mod catalogue;
mod contexts;
pub mod gds;
pub mod kinds;
pub mod pagos;
mod upcast;
pub mod vuelos;

pub use catalogue::Payload;
pub use contexts::{CONTEXTS, GDS, PAGOS, VUELOS};

/// A reservation: what every message of the airline is about.
pub use alpes_messages::SubjectId as IdReserva;

/// Events as this build knows them, those of the tutorials' own code among them.
pub type Catalogue = alpes_messages::Catalogue<Payload>;

/// Every event type that this build knows, and the envelope of the tutorials' own code.
#[must_use]
pub fn catalogue() -> Catalogue {
    catalogue::catalogue().with_older_envelope(upcast::older_envelope)
}
