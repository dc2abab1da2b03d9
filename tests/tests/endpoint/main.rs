//! The system from end to end, against the stack that the environment names: the local runtime, LocalStack or AWS.
//!
//! All in one program, which is linked once and runs its tests side by side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod adapters;
mod bad_input;
mod book;
mod crash;
mod health_and_docs;
mod idempotency;
mod poison;
mod sagas;
mod volume;
