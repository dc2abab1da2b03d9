//! The function at its boundary: tasks in, results out, with tables, a log and functions in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod parked;
mod reactions;
mod rebuilds;
mod support;
mod sweep;
mod wake;
