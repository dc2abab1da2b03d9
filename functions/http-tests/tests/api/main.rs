//! The function at its boundary: requests in, answers out, with tables, a log and participants in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod comandos;
mod cuerpos;
mod eventos;
mod fallas;
mod inventario;
mod muestras;
mod openapi;
mod support;
