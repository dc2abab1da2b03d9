//! Sagas: long transactions over participants that each commit on their own. When a step fails, the saga undoes the
//! finished steps, the last one first.
//!
//! ```text
//!  events ─┐                                                    ┌─► Participants: one command at a time
//!  wakes  ─┼─► Coordinator ─► transition(definition, saga, input) ─► (saga, command to send)
//!  people ─┘        │                    pure                   │
//!                   └── load ◄── Sagas, a table ◄── save ───────┘   the saga is stored before its command is sent
//! ```
//!
//! A domain uses this crate in three steps:
//!
//! 1. Write a [`Definition`]: its steps, the participant of each, and the command that undoes it. A test keeps
//!    [`Definition::faults`] empty.
//! 2. Implement [`Participants`]: send a command to a function, and return its answer.
//! 3. Build a [`Coordinator`] over [`Sagas`]. Call [`Coordinator::observe`] for each batch of the log, and
//!    [`Coordinator::wake`] for each saga that is due.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use alpes_saga::{
//!     Answer, Call, Compensation, Coordinator, Definition, Definitions, Dispatch, Expiry, Fact, Mapping, NoAnswer,
//!     Participants, Retry, SagaId, SagaMode, Sagas, Status, Step, Texts,
//! };
//! use async_trait::async_trait;
//! use futures::executor::block_on;
//! use jiff::Timestamp;
//! use serde_json::json;
//! use uuid::Uuid;
//!
//! // 1. An order is placed, and then paid for. The payment's command takes its data from the order's event.
//! const RETRY: Retry = Retry {
//!     attempts: 4,
//!     patience: Duration::from_secs(5),
//!     pause: Duration::from_millis(200),
//!     longest_pause: Duration::from_secs(10),
//! };
//!
//! fn undo(participant: &'static str, command: &'static str, success: &'static str) -> Option<Compensation> {
//!     let data = Mapping::empty().field("reason", "saga.reason");
//!     Some(Compensation { command, call: Call { participant, data, retry: RETRY }, success })
//! }
//!
//! let payment = Mapping::empty().field("amount", "OrderPlaced.total");
//! let orders = Definition {
//!     name: "order",
//!     version: 1,
//!     expiry: Expiry { after: Duration::from_hours(24), reason: "too late" },
//!     patience: Duration::from_mins(1),
//!     texts: Texts::ENGLISH,
//!     steps: vec![
//!         Step {
//!             command: "PlaceOrder",
//!             call: None,
//!             success: "OrderPlaced",
//!             failure: None,
//!             compensation: undo("orders", "CancelOrder", "OrderCancelled"),
//!         },
//!         Step {
//!             command: "PayOrder",
//!             call: Some(Call { participant: "payments", data: payment, retry: RETRY }),
//!             success: "OrderPaid",
//!             failure: Some("PaymentDeclined"),
//!             compensation: undo("payments", "RefundOrder", "OrderRefunded"),
//!         },
//!     ],
//! };
//! assert!(orders.faults().is_empty());
//!
//! // 2. The payment is declined, so the order is cancelled. Each participant answers with the event that it committed.
//! fn happened(kind: &str, stream: &str, version: u32) -> Fact {
//!     Fact {
//!         mode: SagaMode::Orchestration,
//!         kind: kind.to_owned(),
//!         id: Uuid::new_v5(&Uuid::nil(), kind.as_bytes()),
//!         stream: stream.to_owned(),
//!         version,
//!         subject: Uuid::from_u128(7),
//!         time: "2026-01-31T10:00:00Z".parse().unwrap_or_default(),
//!         trace: None,
//!         data: json!({ "total": 30 }),
//!     }
//! }
//!
//! struct Shop;
//!
//! #[async_trait]
//! impl Participants for Shop {
//!     async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
//!         Ok(Answer::Events(vec![match dispatch.kind {
//!             "PayOrder" => happened("PaymentDeclined", "payment-7", 1),
//!             _ => happened("OrderCancelled", "order-7", 2),
//!         }]))
//!     }
//! }
//!
//! // 3. The coordinator receives the order's event, and runs the order's saga to the end.
//! let (world, _clock) = twins::world(1);
//! let sagas = Sagas::new(Arc::new(twins::MemoryTables::new()), Definitions::new(vec![orders]), world);
//! let coordinator = Coordinator::new(sagas.clone(), Arc::new(Shop));
//! let id = SagaId(Uuid::from_u128(1));
//! let placed = happened("OrderPlaced", "order-7", 1);
//! block_on(coordinator.observe(id, &[placed], Timestamp::MAX))?;
//!
//! let saga = block_on(sagas.load(id))?.ok_or("it has begun")?.saga;
//! assert_eq!((saga.status, saga.reason.as_deref()), (Status::Compensated, Some("PaymentDeclined")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - A [`Saga`] is the fold of its log ([`Entry`]). Only [`transition`] decides which entries an input adds to the log.
//! - [`Sagas`] stores sagas, with one conditional write for each transition. Any process may repeat a command that is
//!   due, since every attempt has the same id.
//! - A saga's [`SagaMode`] says whether the coordinator sends the saga's commands, or only watches a choreography or an
//!   execution of a [`state_machine`]. [`executed`] reads the history of an execution; [`Streams`] finds events that a
//!   choreography missed.
//! - [`LocalParticipants`] and [`Listener`] connect a coordinator with an event store and a log in one process.
//!
//! Participants must keep three rules. They deduplicate commands on the id. They accept an undoing command whether it
//! arrives before the command that it undoes, after that command, or without it. Once a step is undone, they refuse the
//! command that does the step. If participants keep these rules, every saga ends: completed, compensated, or waiting
//! for a person.
//!
//! The engine has types of its own, [`Fact`], [`Answer`] and [`Dispatch`], so that [`transition`] does not depend on
//! the envelope. [`fact`] and [`answer`] convert from messages, and [`command`] converts to a message.

#![deny(missing_docs)]

mod coordinator;
mod definition;
mod executed;
mod local;
mod machine;
mod messages;
mod missed;
mod saga;
mod step_number;
mod store;
mod transition;
mod watcher;

pub use alpes_messages::{
    SagaMode,
    mapping::{FieldPath, Mapping, OF_THE_SAGA, Source, Unknown},
};
pub use coordinator::{Coordinator, NoAnswer, Participants, Request, Requested, Rules, Trouble};
pub use definition::{Call, Compensation, Definition, Definitions, Expiry, Retry, Step, Texts};
pub use executed::executed;
pub use local::{Listener, LocalParticipants};
pub use machine::{Ask, Wire, execution_input, execution_name, state_machine};
pub use messages::{answer, command, fact, saga_id};
pub use missed::Streams;
pub use saga::{
    Direction, Entry, Fact, Heard, LONGEST_REASON, LONGEST_TEXT, Meaning, Outstanding, Saga,
    SagaId, Status, StepStatus, TOLD_ATTEMPTS, Via, What,
};
pub use step_number::StepNumber;
pub use store::{Due, LoadError, Page, Sagas, SaveError, Stored, TABLE};
pub use transition::{Answer, Dispatch, Input, command_id, start, taken_over_id, transition};
