//! Printing. std's macros panic when nobody reads what is printed.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    process::exit,
};

/// Writes to standard output. A reader that went away has what it wanted, so that ends the program.
pub fn out(text: fmt::Arguments<'_>) {
    shown(io::stdout().lock().write_fmt(text));
}

/// Goes on if it was written, and ends the program if not.
pub fn shown(written: io::Result<()>) {
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(0),
        Err(error) => {
            err(format_args!(
                "error: cannot write to standard output: {error}\n"
            ));
            exit(1)
        }
    }
}

/// Writes to standard error, where somebody reads it.
pub fn err(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}
