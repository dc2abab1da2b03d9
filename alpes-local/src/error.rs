//! Errors, as AWS's services answer them.

use std::fmt;

use serde_json::{Map, Value};

/// A service's error: the HTTP status, the code by which a client tells errors apart, and the message.
#[derive(Clone, Debug, PartialEq)]
pub struct AwsError {
    /// The HTTP status of the answer.
    pub status: u16,
    /// The code, without namespace: `ResourceNotFoundException`.
    pub code: String,
    /// The message for people.
    pub message: String,
    /// Further members of the error's shape in JSON, for example `Reason` of a throttled invocation.
    pub members: Map<String, Value>,
}

impl AwsError {
    /// An error that the request caused: status 400.
    pub fn client(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(400, code, message)
    }

    /// An error with a status of its own.
    pub fn of(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            members: Map::new(),
        }
    }

    /// A failure of this runtime: status 500, which clients retry.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::of(500, "InternalFailure", cause.to_string())
    }

    /// Adds a member to the error's shape.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for AwsError {}

impl From<rusqlite::Error> for AwsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(format!("the data folder: {error}"))
    }
}
