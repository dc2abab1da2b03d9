//! The history of an execution.

use jiff::Timestamp;
use serde_json::Value;

/// The ending of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The execution reached a state that ends it successfully.
    Succeeded {
        /// The output of the execution.
        output: Value,
    },
    /// The execution failed, was stopped, or ran out of time.
    Failed {
        /// The kind of error.
        error: String,
        /// The cause in words.
        cause: String,
    },
}

/// An event in the history of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The execution entered the state of this name.
    Entered(String),
    /// The execution left the state of this name.
    Left(String),
    /// The function that the state called answered with this payload.
    Answered(Value),
    /// The state's call failed, or ran out of time.
    CallFailed {
        /// The kind of error.
        error: String,
        /// The cause in words.
        cause: String,
    },
    /// The execution ended.
    Ended(Ending),
}

/// An event in the history of an execution, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// The time of the event.
    pub when: Timestamp,
    /// The event.
    pub what: Happened,
}
