//! The context at its boundary: history and a command in, a decision out; and on the event store, where seats are taken.
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
