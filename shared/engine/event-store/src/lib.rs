//! The event store: committing events exactly once, over a table that has conditions and a log that has none.
//!
//! ```text
//! handle(command)
//!   read the stream ─► receipt? same reply ─► publish what is pending ─► decide
//!     ─► one conditional write: events, receipt, version        the commit
//!     ─► append each event to the log, in order                 the append
//!     ─► published = version, and out of the sweeper's index
//! ```
//!
//! The commit is the only point where something happens. Whatever fails after it, the next command on the stream or the
//! [`Sweeper`] finishes.

#![deny(missing_docs)]

mod decider;
mod paired;
mod store;
mod stream;
mod sweeper;
mod verify;

pub use decider::{Circumstances, Decider, Decision, StoreRefusal, Unavailable, latest};
pub use paired::{Pair, PairRules, Paired};
pub use store::{EventStore, HandleError, Handled, Limits};
pub use stream::{Receipt, StoredEvent, Stream, StreamError, StreamReader, TABLE};
pub use sweeper::{PAGE, Sweeper, Swept};
pub use verify::{Beyond, Difference, Readings, Source, Verification, VerifyError, verify};
