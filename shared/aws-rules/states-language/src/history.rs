//! The history of an execution.

use jiff::Timestamp;
use serde_json::Value;

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It came to a state that ends it well.
    Succeeded {
        /// The data that it ended with.
        output: Value,
    },
    /// It failed, was stopped by somebody, or ran out of time.
    Failed {
        /// The kind of error.
        error: String,
        /// The error in words.
        cause: String,
    },
}

/// A change in an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A state was entered, by its name.
    Entered(String),
    /// A state was left, by its name.
    Left(String),
    /// A function that the state called answered: its payload.
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
