//! Announces on a topic that a reservation was approved or cancelled.
//!
//! ```text
//! log ─► events of interest ─► news? ─► not noted yet? ─► Topic ─► noted, in the table of notices
//!                               │                           │
//!                               └─ too old: passed by       └─ refused for good: parked
//! ```
//!
//! Every approval and cancellation is announced at least once, and normally once. The announcement is recorded after it
//! was published. A process that dies in between therefore announces the event again, and the listener deduplicates on
//! the event's id in the message.

#![deny(missing_docs)]

mod announcer;

pub use announcer::{Announcer, NEWS, TABLE};

use alpes_ports::FunctionName;

/// Name of the function that announces events. Its parked records have this name too.
pub const NOTIFIER: FunctionName = FunctionName("notifier");
