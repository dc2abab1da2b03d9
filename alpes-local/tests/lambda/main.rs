//! Functions in real processes: the binary `probe` is their program.

#![cfg(test)]

mod asynchronous;
mod chaos;
mod failures;
mod sandboxes;
mod support;
