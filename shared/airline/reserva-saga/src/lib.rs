//! The saga of a reservation. Only this crate knows all three contexts.
//!
//! [`definitions`] is the table of its steps as data: each with its command, the events of its success and failure, and
//! its compensation. [`fact`], [`FunctionParticipants`] and [`wake_up`] convert between the system's messages and the
//! engine's. [`wire`] says how a state machine of that table talks to the participants.

#![deny(missing_docs)]

mod definition;
mod machine;
mod messages;
mod orchestrator;
mod participants;

pub use alpes_saga::{answer, fact, saga_id};
pub use definition::{VENCIDA, current, definitions};
pub use machine::{as_it_went, placeholders, state_machine, wire};
pub use messages::{command, opening, saga_of, stream_of};
pub use orchestrator::{ORCHESTRATOR, nudge, wake_up};
pub use participants::{
    FunctionParticipants, PARTICIPANT_GDS, PARTICIPANT_PAGOS, PARTICIPANT_VUELOS, function_of,
};
