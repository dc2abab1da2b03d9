//! The function at its boundary: requests in, answers out, with tables and a log in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod consultas_malas;
mod eventos;
mod lista;
mod meanwhile;
mod muestras;
mod reportes;
mod reserva;
mod saga;
mod sagas;
mod support;
