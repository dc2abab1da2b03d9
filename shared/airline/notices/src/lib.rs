//! Telling others what became of a reservation: it was approved, or it was cancelled.
//!
//! ```text
//! log ─► events of interest ─► news? ─► not noted yet? ─► Topic ─► noted, in the table of notices
//!                               │                           │
//!                               └─ too old: passed by       └─ refused for good: parked
//! ```
//!
//! Every such event is announced at least once, and normally once. What was announced is noted after it was, so only who dies between
//! the two announces it again; its message has the event's id, by which a listener knows it.

#![deny(missing_docs)]

mod announcer;

pub use announcer::{Announcer, NEWS, TABLE};

use alpes_ports::FunctionName;

/// The function that announces, and the name that it parks records under.
pub const NOTIFIER: FunctionName = FunctionName("notifier");
