//! The shop under faults: the saga kit plans one fault at a time, and the simulation draws faults from a seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod check;
mod decisions;
mod kit;
mod planted;
mod provider;
mod seeds;
mod size;
mod world;
