//! Given a log, when its batches are delivered, then these notices.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bench;
mod fallas;
mod lotes;
mod planted;
mod propiedades;
