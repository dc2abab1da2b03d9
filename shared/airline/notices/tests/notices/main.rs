//! Given what is in the log, when batches of it are delivered, then these notices.

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
