//! The words after `cargo xtask`: which commands there are, what a line of words means, and how answers are printed.
//!
//! [`COMMANDS`] is the one table of all commands. `cargo xtask help`, the help of each command, the operators' table and the reading of
//! words follow from it. The programs that run commands (`xtask`, `ops`, `simulate`) read their words here too.
//!
//! This package depends on nothing, so the first `cargo xtask help` in a clone compiles it alone.

mod help;
mod moment;
mod print;
mod table;
mod words;

pub use help::markdown;
pub use moment::{moment, since};
pub use print::{Progress, colours, err, out, shown, visible};
pub use table::{Argument, COMMANDS, Check, Command, Need, Opt, Rule, Runner, Value, command};
pub use words::{Words, read, root, wrong};

/// As std's, but a reader that went away (`| head`) ends the program quietly.
#[macro_export]
macro_rules! print {
    ($($part:tt)*) => { $crate::out(format_args!($($part)*)) };
}

/// As std's, but a reader that went away (`| head`) ends the program quietly.
#[macro_export]
macro_rules! println {
    () => { $crate::out(format_args!("\n")) };
    ($($part:tt)*) => { $crate::out(format_args!("{}\n", format_args!($($part)*))) };
}

/// As std's, but a reader that went away is no trouble.
#[macro_export]
macro_rules! eprintln {
    ($($part:tt)*) => { $crate::err(format_args!("{}\n", format_args!($($part)*))) };
}
