//! The common start of every function: it reads its environment, begins logging, and answers commands and batches of
//! the log.

#![deny(missing_docs)]

mod environment;
pub mod kinesis;
mod logging;
pub mod metrics;
pub mod participant;
mod remote;

pub use environment::{Environment, StartError};
pub use logging::start as start_logging;
pub use remote::RemoteConsumer;

/// The time at which the runtime ends an invocation.
#[must_use]
pub fn deadline(context: &lambda_runtime::Context) -> jiff::Timestamp {
    let deadline = i64::try_from(context.deadline).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(deadline).unwrap_or(jiff::Timestamp::MAX)
}
