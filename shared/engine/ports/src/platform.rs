//! The ports of a process, together.

use std::sync::Arc;

use crate::{Executions, Functions, Log, LogReader, Objects, Tables, Topic, World};

/// Writes a line to the function's own log. Metrics are lines of this log.
pub type Lines = Arc<dyn Fn(&str) + Send + Sync>;

/// Everything that a function is built on: the adapters of its ports, and the features of its runtime.
///
/// A deployed function takes its adapters from its environment; tests and simulations use twins. An adapter is built
/// when its method is called, so a function builds only the adapters that it uses.
pub trait Platform {
    /// The reason why an adapter is missing. A deployed function may lack the configuration of an adapter.
    type Error;

    /// Time, identifiers, randomness and tasks.
    fn world(&self) -> World;

    /// The tables.
    fn tables(&self) -> Arc<dyn Tables>;

    /// The other functions.
    fn functions(&self) -> Arc<dyn Functions>;

    /// The log, for appending.
    ///
    /// # Errors
    ///
    /// The log is not configured.
    fn log(&self) -> Result<Arc<dyn Log>, Self::Error>;

    /// The log, for reading.
    ///
    /// # Errors
    ///
    /// The log is not configured.
    fn log_reader(&self) -> Result<Arc<dyn LogReader>, Self::Error>;

    /// The bucket of the archive.
    ///
    /// # Errors
    ///
    /// The bucket is not configured.
    fn archive(&self) -> Result<Arc<dyn Objects>, Self::Error>;

    /// The bucket in which the runtime stores the batches that it has stopped retrying.
    ///
    /// # Errors
    ///
    /// The bucket is not configured.
    fn undelivered(&self) -> Result<Arc<dyn Objects>, Self::Error>;

    /// The topic for notices.
    ///
    /// # Errors
    ///
    /// The topic is not configured.
    fn topic(&self) -> Result<Arc<dyn Topic>, Self::Error>;

    /// The name of the stack, with which the names of the stack's functions begin.
    ///
    /// # Errors
    ///
    /// The name is not configured.
    fn stack(&self) -> Result<String, Self::Error>;

    /// Executions of the sagas' state machine; `None` where Step Functions runs no sagas.
    fn executions(&self) -> Option<Arc<dyn Executions>>;

    /// True where Step Functions also runs sagas. A function that starts no execution itself uses this method instead
    /// of [`Self::executions`].
    fn offers_executions(&self) -> bool;

    /// True where tests may inject failures into participants.
    fn allows_tests(&self) -> bool;

    /// The web origin whose pages may call the functions over HTTP, as `https://shop.example`; `None` if no page may.
    fn web_origin(&self) -> Option<String>;

    /// A setting of the domain's own, by its name; `None` if it is not set.
    fn setting(&self, name: &str) -> Option<String>;

    /// The function's own log, for writing lines.
    fn lines(&self) -> Lines;
}
