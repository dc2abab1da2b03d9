//! Announces on a topic that a reservation was approved or cancelled.
//!
//! ```text
//! log ─► events of interest ─► news? ─► not noted yet? ─► Topic ─► noted, in the table of notices
//!                               │                           │
//!                               └─ too old: passed by       └─ refused for good: parked
//! ```
//!
//! Every approval and cancellation is announced at least once, and normally once. An announcement is published first,
//! and then recorded in the table of notices. If the process dies between the two steps, a redelivery announces the
//! event again. Subscribers deduplicate by the event's id, which is in the message.

#![deny(missing_docs)]

mod announcer;

pub use announcer::{Announcer, NEWS, TABLE};

use alpes_ports::FunctionName;

/// Name of the function that announces events. Records that this function parks have the same name.
pub const NOTIFIER: FunctionName = FunctionName("notifier");
