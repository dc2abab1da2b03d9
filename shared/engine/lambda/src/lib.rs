//! The common start of every function: it reads its environment, begins logging, and answers commands and batches of
//! the log.

#![deny(missing_docs)]

use std::fmt::Debug;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};

mod environment;
pub mod kinesis;
mod logging;
pub mod metrics;
pub mod participant;
mod remote;

pub use environment::{Environment, StartError};
pub use remote::RemoteConsumer;

/// Starts logging, and returns the platform that the function's environment variables describe.
///
/// ```no_run
/// # use std::convert::Infallible;
/// # async fn main_of_function() -> Result<(), lambda_runtime::Error> {
/// let environment = alpes_lambda::start();
/// alpes_lambda::serve(|name: String, _deadline| async move { Ok::<_, Infallible>(format!("Hello, {name}")) }).await
/// # }
/// ```
#[must_use]
pub fn start() -> Environment {
    logging::start();
    Environment::of_function()
}

/// Answers invocations until the runtime ends the process. `handle` receives the payload, and the time at which the
/// runtime ends the invocation.
///
/// # Errors
///
/// Any error of the Lambda runtime.
pub async fn serve<I, O, E, F>(handle: impl Fn(I, Timestamp) -> F) -> Result<(), Error>
where
    I: DeserializeOwned,
    O: Serialize,
    E: Into<Diagnostic> + Debug,
    F: Future<Output = Result<O, E>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<I>| {
        handle(event.payload, deadline(&event.context))
    }))
    .await
}

/// The time at which the runtime ends an invocation.
fn deadline(context: &lambda_runtime::Context) -> Timestamp {
    let deadline = i64::try_from(context.deadline).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(deadline).unwrap_or(Timestamp::MAX)
}
