//! Executions of a state machine, which somebody else runs by itself. On AWS, Step Functions.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

/// What can go wrong with a request about an execution.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ExecutionError {
    /// No answer, or asked to slow down. What was asked for **may have been done**.
    #[error("the state machine did not answer: {0}")]
    Unavailable(String),
    /// Refused, and will be every time (no such state machine, not allowed, input too large).
    #[error("the state machine refused: {0}")]
    Refused(String),
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It came to a state that ends it well.
    Succeeded {
        /// The data that it ended with; null if it is not told.
        output: Value,
    },
    /// It failed, was stopped by somebody, or ran out of time.
    Failed {
        /// The kind of error; empty if none is told.
        error: String,
        /// The error in words; empty if none are told.
        cause: String,
    },
}

/// How an execution stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is none of this name, or it is forgotten: Step Functions forgets one 90 days after its end.
    Unknown,
    /// It runs.
    Running,
    /// It has ended.
    Ended(Ending),
}

/// What happened in an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A state was entered, by its name.
    Entered(String),
    /// A state was left, by its name.
    Left(String),
    /// A function that the state called answered: its payload; null if it is not told.
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

/// Something that happened in an execution, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// When.
    pub when: Timestamp,
    /// What.
    pub what: Happened,
}

/// Executions of one state machine, each by its name.
#[async_trait]
pub trait Executions: Send + Sync {
    /// Has an execution run. A name is used once: if there is an execution of this name already, nothing happens and all is well.
    ///
    /// Names have at most 80 characters, of letters, digits, `-` and `_`.
    ///
    /// # Errors
    ///
    /// See [`ExecutionError`].
    async fn start(&self, name: &str, input: &Value) -> Result<(), ExecutionError>;

    /// How an execution stands.
    ///
    /// # Errors
    ///
    /// See [`ExecutionError`].
    async fn progress(&self, name: &str) -> Result<Progress, ExecutionError>;

    /// What happened in an execution, in order, as far as [`Happened`] has a word for it; `None` for [`Progress::Unknown`].
    ///
    /// # Errors
    ///
    /// See [`ExecutionError`].
    async fn history(&self, name: &str) -> Result<Option<Vec<HistoryEvent>>, ExecutionError>;
}
