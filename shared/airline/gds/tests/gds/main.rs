//! The context at its boundary (history and command in, decision out), and on the event store, where it takes seats.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod bench;
mod carreras;
mod cuerpo;
mod decisiones;
mod escenario;
mod fallas;
mod inventario;
mod planted;
mod propiedades;
