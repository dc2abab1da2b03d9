//! The shop under all that can happen to it: by the saga kit, a fault at a time, and by the simulation, a seed at a time.

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
