//! The saga of a reservation. Only this crate knows all three contexts.
//!
//! [`definitions`] has the saga's steps as a table. Each step has its command, the events of its success and failure,
//! and its compensation. [`fact`], [`FunctionParticipants`] and [`wake_up`] convert between the system's messages and
//! the messages of the saga engine. [`wire`] says in which form a state machine sends commands to the participants, and
//! reads their replies.

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
