//! Consumers of the log. A [`Consumer`] passes batches of records to a [`Handler`], and parks the records that cannot
//! be handled.
//!
//! ```text
//! batch ─► decode ─► group by subject, in order ─► Handler ─► first failed record, or none
//!             │                                           │
//!             └─ undecodable, unknown type ─► Parking ◄───┘ (a view's stream that cannot be folded)
//! ```
//!
//! A bad record never stops a shard and is never dropped: it is parked, visible, and can be redriven.

#![deny(missing_docs)]

mod batch;
mod parking;
mod redrive;

pub use batch::{Consumer, Group, Handler, Incoming, Outcome, Stop, Then};
pub use parking::{
    Discarded, Lot, Parked, ParkedWhat, Parking, Reason, TABLE, Trouble, Unreadable,
};
pub use redrive::{Look, Redrive, Redriven, Redriver, Redriving};
