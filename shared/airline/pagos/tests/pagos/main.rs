//! The context at its boundary: history and a command in, a decision out; and on the event store, where money is moved.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod bench;
mod carreras;
mod decisiones;
mod escenario;
mod fallas;
mod planted;
mod propiedades;
mod simulador;
