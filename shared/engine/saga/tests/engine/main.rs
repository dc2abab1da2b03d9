//! The engine by itself: what any inputs in any order make of a saga, and how it is stored.

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
