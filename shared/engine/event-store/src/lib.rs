//! The event store: it commits each event exactly once to a table, by a conditional write, and publishes the event at
//! least once to a log, which has no conditional writes.
//!
//! ```text
//! handle(command)
//!   read the stream ─► receipt? same reply ─► publish what is pending ─► decide
//!     ─► one conditional write: events, receipt, version        the commit
//!     ─► append each event to the log, in order                 the append
//!     ─► published = version, and out of the sweeper's index
//! ```
//!
//! A command takes effect at its commit and nowhere else. If a later call fails, the next command on the stream or the
//! [`Sweeper`] finishes the publication.

#![deny(missing_docs)]

mod decider;
mod paired;
mod secret;
mod store;
mod stream;
mod sweeper;
mod verify;

pub use decider::{Case, Decider, Decision, Route, StoreRefusal, Unavailable};
pub use paired::{Pair, PairRules, Paired};
pub use secret::{SECRETS, Secret, Signer};
pub use store::{EventStore, HandleError, Handled, Limits};
pub use stream::{Receipt, StoredEvent, Stream, StreamError, StreamReader, TABLE};
pub use sweeper::{PAGE, Sweeper, Swept};
pub use verify::{Beyond, Difference, Readings, Source, Verification, VerifyError, verify};
