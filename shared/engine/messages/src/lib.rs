//! Messages: the events, commands and replies that the parts of a system exchange.
//!
//! - An [`Event`] is a fact, committed to a stream and published to the log: `CloudEvents` 1.0.
//! - The payload of an event is a type of the domain ([`DomainEvent`]). Reading an event lifts its data to the newest
//!   version.
//! - A [`Command`] asks a participant to do something. A [`Reply`] carries the events of the command, or the
//!   [`Problem`] that refused it.
//!
//! A domain uses this crate in three steps:
//!
//! 1. Write a [`Context`] constant for each bounded context.
//! 2. Write a struct for the data of each event.
//! 3. List all events in one [`catalogue!`]. The catalogue defines the type of the domain's payloads, and names the
//!    functions that lift old versions.
//!
//! ```
//! use alpes_messages::{
//!     Command, CommandId, Context, CorrelationId, Event, EventId, NewEvent, Origin, StreamId, SubjectId,
//! };
//! use serde_json::json;
//! use uuid::Uuid;
//!
//! const ORDERS: Context = Context {
//!     name: "orders",
//!     category: "order",
//!     participant: "participant-orders",
//!     source: "/shop/orders",
//!     schemas: "urn:shop:schema:orders",
//! }
//! .checked();
//!
//! mod orders {
//!     #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
//!     pub struct OrderPlaced {
//!         pub total: u32,
//!     }
//! }
//!
//! alpes_messages::catalogue! {
//!     pub enum Fact;
//!     ORDERS: orders { OrderPlaced [] }
//! }
//!
//! let order = SubjectId(Uuid::from_u128(7));
//! let command = Command {
//!     id: CommandId(Uuid::from_u128(1)),
//!     kind: "PlaceOrder".into(),
//!     subject: order,
//!     correlationid: CorrelationId(Uuid::from_u128(2)),
//!     causationid: None,
//!     sagamode: Default::default(),
//!     traceparent: None,
//!     actor: None,
//!     prueba: false,
//!     data: json!({ "total": 3 }),
//! };
//! let placed = NewEvent::from(orders::OrderPlaced { total: 3 });
//! let event = Event::placed(placed, Origin {
//!     command: &command,
//!     stream: StreamId::new(ORDERS, order),
//!     version: 1,
//!     id: EventId(Uuid::from_u128(3)),
//!     time: jiff::Timestamp::UNIX_EPOCH.into(),
//! });
//! let text = event.encode()?;
//! let (read, fact) = Event::decode(text.as_bytes(), &catalogue())?;
//! assert_eq!((read, fact), (event, Fact::OrderPlaced(orders::OrderPlaced { total: 3 })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs)]

mod catalogue;
mod command;
mod event;
mod hex;
mod ids;
pub mod mapping;
pub mod moment;
mod problem;
mod reply;

pub use catalogue::{Catalogue, DomainEvent, EventType, Lift, OlderEnvelope, read_data};
pub use command::{Command, SagaMode};
pub use event::{DecodeError, Event, NewEvent, Origin, undecodable};
pub use hex::{hex, letters, of_letters};
pub use ids::{
    CommandId, Context, CorrelationId, EventId, InvalidStreamId, StreamId, SubjectId, Version,
};
pub use moment::Moment;
pub use problem::{Kind, Problem, Violation};
pub use reply::Reply;
