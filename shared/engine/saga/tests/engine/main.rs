//! The saga engine alone: transitions under any inputs in any order, and the stored form.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;
mod executed;
mod machine;
mod missed;
mod store;
mod transitions;
