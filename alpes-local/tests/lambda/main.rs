//! Functions in real processes: the binary `probe` is their program.

#![cfg(test)]

mod asynchronous;
mod failures;
mod sandboxes;
mod support;
