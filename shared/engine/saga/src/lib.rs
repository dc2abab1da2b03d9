//! Sagas by orchestration: long transactions over participants that each commit by themselves, undone step by step where one fails.
//!
//! ```text
//!  events ─┐                                                    ┌─► Participants: one command at a time
//!  wakes  ─┼─► Coordinator ─► transition(definition, saga, input) ─► (saga, command to send)
//!  people ─┘        │                    pure                   │
//!                   └── load ◄── Sagas, a table ◄── save ───────┘   what follows is stored before anything is sent
//! ```
//!
//! - A [`Definition`] is data: steps, whom each asks, how its command is built from what was heard ([`Mapping`]), how it is undone.
//! - A [`Saga`] is the fold of its log ([`Entry`]). [`transition`] says what an input makes of it; nothing else does.
//! - [`Sagas`] keeps them: one conditional write a transition.
//! - [`state_machine`] is a definition in Amazon States Language, for another engine to run; [`executed`] reads what that one did.
//! - [`Coordinator`] runs them. Whoever sees one with something due sends it again, under the same id.
//! - [`LocalParticipants`] and [`Listener`] join it with event store and log in one process.
//!
//! What is asked of participants: a command takes effect once by its id; undoing is possible before, after and instead of doing; and
//! after it, doing is refused. Then every saga ends: completed, undone, or waiting for a person.
//!
//! The engine has words of its own, [`Fact`], [`Answer`] and [`Dispatch`], so that [`transition`] needs no envelope. [`fact`],
//! [`answer`] and [`command`] make them from messages, and messages from them.

#![deny(missing_docs)]

mod coordinator;
mod definition;
mod executed;
mod local;
mod machine;
mod messages;
mod saga;
mod store;
mod transition;

pub use alpes_messages::mapping::{FieldPath, Mapping, OF_THE_SAGA, Source, Unknown};
pub use coordinator::{Coordinator, NoAnswer, Participants, Request, Requested, Rules, Trouble};
pub use definition::{Call, Compensation, Definition, Definitions, Expiry, Retry, Step};
pub use executed::executed;
pub use local::{Listener, LocalParticipants};
pub use machine::{Ask, Wire, execution_input, execution_name, state_machine};
pub use messages::{answer, command, conduct, fact, saga_id};
pub use saga::{
    Conduct, Direction, Entry, Estado, Fact, Heard, LONGEST_REASON, LONGEST_TEXT, Meaning,
    Outstanding, Saga, SagaId, StepStatus, TOLD_ATTEMPTS, Via, What,
};
pub use store::{Due, LoadError, Page, Sagas, SaveError, Stored, TABLE};
pub use transition::{Answer, Dispatch, Input, command_id, start, taken_over_id, transition};
