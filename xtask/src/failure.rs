//! Failures of this tool. Each failure is a paragraph for the developer that says what to do.

use std::{fmt, process::ExitCode};

/// An error for the developer to read. No code here recovers from an error, so an error is only text.
#[derive(Debug)]
pub enum Failure {
    /// The work could not be done.
    Undone(String),
    /// The command line is wrong.
    Wrong(String),
    /// Another program failed with this exit code, and has printed why.
    Told(u8),
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// Prints the failure, and returns the exit code of this program.
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

/// An error with this text.
pub fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Undone(text.into()))
}

/// An error about the command line, with this text.
pub fn wrong<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Wrong(text.into()))
}

/// Puts an explaining sentence before the text of an underlying error.
pub trait Explain<T> {
    fn explain(self, text: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Explain<T> for std::result::Result<T, E> {
    fn explain(self, text: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure::Undone(format!("{text}: {error}")))
    }
}
