//! The function at its boundary: requests in, answers out, with tables and a log in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod aceptadas;
mod cancelacion;
mod eventos;
mod fallas;
mod openapi;
mod reanudacion;
mod rechazadas;
mod support;
