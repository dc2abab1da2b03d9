//! What every function does when it starts, and how those that speak HTTP answer.

#![deny(missing_docs)]

mod environment;
pub mod http;
pub mod kinesis;
mod logging;
pub mod metrics;

pub use environment::{Environment, StartError};
pub use logging::start as start_logging;
