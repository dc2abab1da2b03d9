//! Errors of states.

use serde_json::{Value, json};

use crate::Ending;

/// The size limit of data between states, in bytes.
pub const DATA_LIMIT: usize = 256 * 1024;

/// The depth limit of data. A machine that nests its data deeper in a loop reaches a great depth before the size limit,
/// and recursion over deep data exhausts the stack. Real data stay far below this depth.
const DEPTH_LIMIT: usize = 256;

pub(crate) const RUNTIME: &str = "States.Runtime";
pub(crate) const TIMEOUT: &str = "States.Timeout";
pub(crate) const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
pub(crate) const REFERENCE_PATH_CONFLICT: &str = "States.ReferencePathConflict";

/// The error of a state, or of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of error.
    pub error: String,
    /// The cause in words.
    pub cause: String,
}

impl Failure {
    /// An error of this kind, with its cause.
    #[must_use]
    pub fn new(error: &str, cause: impl Into<String>) -> Self {
        Self {
            error: error.to_owned(),
            cause: cause.into(),
        }
    }

    pub(crate) fn runtime(cause: impl Into<String>) -> Self {
        Self::new(RUNTIME, cause)
    }

    /// The data that a catcher passes on.
    pub(crate) fn output(&self) -> Value {
        json!({"Error": self.error, "Cause": self.cause})
    }
}

impl From<Failure> for Ending {
    fn from(Failure { error, cause }: Failure) -> Self {
        Self::Failed { error, cause }
    }
}

/// Returns `data`, or an error if it is too large.
pub(crate) fn within_limit(data: Value, state: &str) -> Result<Value, Failure> {
    // AWS does not document how it counts the size. This crate counts the bytes of the JSON text without spaces.
    if is_deeper_than(&data, DEPTH_LIMIT) || data.to_string().len() > DATA_LIMIT {
        let cause = format!(
            "The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        return Err(Failure::new(DATA_LIMIT_EXCEEDED, cause));
    }
    Ok(data)
}

fn is_deeper_than(data: &Value, levels: usize) -> bool {
    let deeper = |inner: &Value| levels == 0 || is_deeper_than(inner, levels - 1);
    match data {
        Value::Array(items) => items.iter().any(deeper),
        Value::Object(fields) => fields.values().any(deeper),
        _ => false,
    }
}
