//! Helps to test the functions behind the HTTP API. This crate has requests in the form that API Gateway sends, answers
//! with assertions, and all other functions over twins (ports in memory).
//!
//! ```text
//! ask, post, samples ──► the function under test ──► Answer
//!                               │
//!                            System: tables, log, participants, orchestrator, views
//! ```

#![deny(missing_docs)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a test fails by panicking"
)]

mod answer;
mod description;
mod down;
mod fixture;
mod logs;
mod requests;
mod system;

pub use answer::Answer;
pub use description::{Description, Operation};
pub use down::{LogDown, SECRET, TablesDown};
pub use fixture::Fixture;
pub use logs::{listen, logged};
pub use requests::{
    SAMPLE, ask, post, read, sample, samples, with_context, with_header, with_other_header,
    without_header,
};
pub use system::System;
