//! All of the ports together.

use std::sync::Arc;

use crate::{Executions, Functions, Log, LogReader, Objects, Tables, Topic, World};

/// Takes lines for the log of a function, as metrics are.
pub type Lines = Arc<dyn Fn(&str) + Send + Sync>;

/// What functions stand on: the adapters of their ports, and the abilities of their runtime.
///
/// A deployed function has those that its environment names; tests and simulations have twins. Each adapter is built when it is
/// asked for, so a function pays for those that it uses, and starts without those that it does not.
pub trait Platform {
    /// Why something is missing: a deployed function may not be configured for it.
    type Error;

    /// Time, identifiers, chance and tasks.
    fn world(&self) -> World;

    /// The tables.
    fn tables(&self) -> Arc<dyn Tables>;

    /// The other functions.
    fn functions(&self) -> Arc<dyn Functions>;

    /// The log, to append to.
    ///
    /// # Errors
    ///
    /// The log is not configured.
    fn log(&self) -> Result<Arc<dyn Log>, Self::Error>;

    /// The log, to read.
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

    /// The bucket where the runtime leaves batches that it gave up delivering.
    ///
    /// # Errors
    ///
    /// The bucket is not configured.
    fn undelivered(&self) -> Result<Arc<dyn Objects>, Self::Error>;

    /// The topic of notices.
    ///
    /// # Errors
    ///
    /// The topic is not configured.
    fn topic(&self) -> Result<Arc<dyn Topic>, Self::Error>;

    /// The name of the stack, which begins the names of its functions.
    ///
    /// # Errors
    ///
    /// The name is not configured.
    fn stack(&self) -> Result<String, Self::Error>;

    /// Executions of the sagas' state machine; `None` where Step Functions runs no sagas.
    fn executions(&self) -> Option<Arc<dyn Executions>>;

    /// True where Step Functions runs sagas too, for a function that starts none itself.
    fn offers_executions(&self) -> bool;

    /// True where the runtime honours a partial batch response. Another runtime would take one as success and lose the rest, so
    /// there a failed record must fail the whole invocation.
    ///
    /// # Errors
    ///
    /// The ability is not configured, or as neither `true` nor `false`.
    fn partial_batch(&self) -> Result<bool, Self::Error>;

    /// True where tests may make participants misbehave.
    fn allows_tests(&self) -> bool;

    /// The function's own log.
    fn lines(&self) -> Lines;
}
