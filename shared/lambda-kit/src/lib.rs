//! What every function does when it starts, and how those that speak HTTP and those that take commands answer.

#![deny(missing_docs)]

mod environment;
pub mod http;
pub mod kinesis;
mod logging;
pub mod metrics;
pub mod participant;
mod remote;

pub use environment::{Environment, StartError};
pub use logging::start as start_logging;
pub use remote::RemoteConsumer;
