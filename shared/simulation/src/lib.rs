//! A world that fails on purpose, and the same way each time.
//!
//! [`Faults`] counts every effect that goes through it, a call of a table or of the log, and lets the test choose what happens at
//! each. Over the in-memory twins it makes a run that a test can repeat with the fault one step further, until it has been at
//! every step.

#![deny(missing_docs)]

mod faults;

pub use faults::{Fault, Faults, FaultyLog, FaultyTables};
