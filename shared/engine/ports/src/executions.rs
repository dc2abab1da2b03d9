//! Executions of a state machine that an outside service runs. On AWS, this service is Step Functions.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

/// Errors of a request about an execution.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ExecutionError {
    /// The service did not answer, or throttled the request. The request **may have taken effect**.
    #[error("the state machine did not answer: {0}")]
    Unavailable(String),
    /// The service refuses the request, and refuses it again at every repetition (no such state machine, not allowed,
    /// input too large).
    #[error("the state machine refused: {0}")]
    Refused(String),
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The execution reached a state that ends it successfully.
    Succeeded {
        /// The output of the execution; null if it has none.
        output: Value,
    },
    /// The execution failed, was stopped, or ran out of time.
    Failed {
        /// The kind of error; empty if unknown.
        error: String,
        /// The error in words; empty if unknown.
        cause: String,
    },
}

/// The status of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No execution has this name, or the service has forgotten it. Step Functions forgets an execution 90 days after
    /// its end.
    Unknown,
    /// The execution runs.
    Running,
    /// The execution has ended.
    Ended(Ending),
}

/// A step in the history of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The execution entered the state of this name.
    Entered(String),
    /// The execution left the state of this name.
    Left(String),
    /// The function that the state called answered with this payload; null if the payload is unknown.
    Answered(Value),
    /// The state's call failed, or ran out of time.
    CallFailed {
        /// The kind of error.
        error: String,
        /// The error in words.
        cause: String,
    },
    /// The execution ended.
    Ended(Ending),
}

/// A step in the history of an execution, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// The time of the step.
    pub when: Timestamp,
    /// The step.
    pub what: Happened,
}

/// Executions of one state machine, each by its name.
#[async_trait]
pub trait Executions: Send + Sync {
    /// Starts an execution. A name is used once: if an execution of this name exists already, nothing happens and the
    /// call succeeds.
    ///
    /// Names have at most 80 characters, of letters, digits, `-` and `_`.
    ///
    /// # Errors
    ///
    /// See [`ExecutionError`].
    async fn start(&self, name: &str, input: &Value) -> Result<(), ExecutionError>;

    /// The status of the execution with this name.
    ///
    /// # Errors
    ///
    /// See [`ExecutionError`].
    async fn progress(&self, name: &str) -> Result<Progress, ExecutionError>;

    /// The steps of an execution in order, except steps for which [`Happened`] has no variant. `None` if the execution
    /// is unknown ([`Progress::Unknown`]).
    ///
    /// # Errors
    ///
    /// See [`ExecutionError`].
    async fn history(&self, name: &str) -> Result<Option<Vec<HistoryEvent>>, ExecutionError>;
}
