//! What went wrong, as one paragraph that says what to do about it.

use std::fmt;

/// An error for the developer to read. Nothing here catches one to go on, so text is all it needs to be.
#[derive(Debug)]
pub struct Failure(String);

pub type Result<T> = std::result::Result<T, Failure>;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A failure with this text.
pub fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure(text.into()))
}

/// Puts before a lower error the sentence that makes sense of it.
pub trait Explain<T> {
    fn explain(self, text: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Explain<T> for std::result::Result<T, E> {
    fn explain(self, text: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{text}: {error}")))
    }
}
