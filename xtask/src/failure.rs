//! What went wrong, as one paragraph that says what to do about it.

use std::{fmt, process::ExitCode};

/// An error for the developer to read. Nothing here catches one to go on, so text is all it needs to be.
#[derive(Debug)]
pub enum Failure {
    /// It could not be done.
    Undone(String),
    /// The words of the command are wrong.
    Wrong(String),
    /// A program that does the work ended with this code, and has told why.
    Told(u8),
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// Tells it, and how this program ends for it.
    pub fn end(&self) -> ExitCode {
        match self {
            Self::Wrong(text) => command_line::wrong(text),
            Self::Told(code) => ExitCode::from(*code),
            Self::Undone(text) => {
                eprintln!("error: {text}");
                ExitCode::FAILURE
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undone(text) | Self::Wrong(text) => f.write_str(text),
            Self::Told(code) => write!(f, "It ended with {code}, and its own messages are above."),
        }
    }
}

/// A failure with this text.
pub fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Undone(text.into()))
}

/// A failure for words that are wrong.
pub fn wrong<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Wrong(text.into()))
}

/// Puts before a lower error the sentence that makes sense of it.
pub trait Explain<T> {
    fn explain(self, text: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Explain<T> for std::result::Result<T, E> {
    fn explain(self, text: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure::Undone(format!("{text}: {error}")))
    }
}
