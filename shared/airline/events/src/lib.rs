//! The messages of the system: what its parts say to one another, and all that they know of one another.
//!
//! - An [`Event`] is a fact, committed to a stream and published to the log: the tutorials' integration event.
//! - Its [`Payload`], lifted to the newest version as it is read, is the domain event.
//! - A [`Command`] asks a participant to do something; a [`Reply`] tells what came of it.
//!
//! The [`Catalogue`] knows every event type with its versions. A JSON Schema and a golden sample of each lie in `schemas/`
//! and `samples/`; a test refuses a changed schema without a new version.

#![deny(missing_docs)]

mod catalogue;
mod command;
mod event;
pub mod gds;
mod ids;
pub mod pagos;
mod problem;
mod reply;
mod upcast;
pub mod vuelos;

pub use alpes_messages::moment::{Moment, NotRfc3339, rfc3339};
pub use catalogue::{Catalogue, EventType, Payload};
pub use command::{Command, SagaMode};
pub use event::{DecodeError, Event, NewEvent, Origin};
pub use ids::{
    CommandId, Context, EventId, IdCorrelacion, IdReserva, InvalidStreamId, StreamId, Version,
};
pub use problem::{Problem, Violation, kinds};
pub use reply::Reply;
