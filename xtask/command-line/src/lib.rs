//! The command line of `cargo xtask`: the commands, the parsing of their words, and printing.
//!
//! [`COMMANDS`] is the one table of all commands. The help texts, the table of `docs/operating.md` and the parser are
//! made from it. The programs that run commands (`xtask`, `ops`, `simulate`) parse their words here too.
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

/// Like std's macro, except that a closed pipe (`| head`) ends the program quietly.
#[macro_export]
macro_rules! print {
    ($($part:tt)*) => { $crate::out(format_args!($($part)*)) };
}

/// Like std's macro, except that a closed pipe (`| head`) ends the program quietly.
#[macro_export]
macro_rules! println {
    () => { $crate::out(format_args!("\n")) };
    ($($part:tt)*) => { $crate::out(format_args!("{}\n", format_args!($($part)*))) };
}

/// Like std's macro, except that a closed standard error is ignored.
#[macro_export]
macro_rules! eprintln {
    ($($part:tt)*) => { $crate::err(format_args!("{}\n", format_args!($($part)*))) };
}
