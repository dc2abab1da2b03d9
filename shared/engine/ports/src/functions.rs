//! Calls of functions by their names. On AWS, a call is an `Invoke` request to Lambda.

use async_trait::async_trait;
use thiserror::Error;

/// The logical name of a function; adapters map it to a physical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName(pub &'static str);

/// Errors of a call of a function.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CallError {
    /// The function began to run, and then answered with an error, died, or ran out of time. The function's effects
    /// **may have happened**.
    #[error("the function failed, {error_type}: {message}")]
    Failed {
        /// The kind of error, as the function names it; empty if unknown.
        error_type: String,
        /// The error in words.
        message: String,
    },
    /// The function did not answer, or too many calls were made at once. The function **may have run**, or may still be
    /// running.
    #[error("the function did not answer: {0}")]
    Unavailable(String),
    /// The call is refused, and is refused again at every repetition (no such function, not allowed, payload too
    /// large). The function has not run.
    #[error("the call was refused: {0}")]
    Refused(String),
}

/// Calls functions. Payloads are JSON.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Runs a function once and waits for its answer. No implementation retries a call: retrying is the caller's
    /// decision.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    async fn call(&self, function: FunctionName, payload: &[u8]) -> Result<Vec<u8>, CallError>;

    /// Requests a run of a function, without waiting for the run or its answer. The function may run more than once.
    ///
    /// # Errors
    ///
    /// [`CallError::Unavailable`] or [`CallError::Refused`].
    async fn start(&self, function: FunctionName, payload: &[u8]) -> Result<(), CallError>;
}
