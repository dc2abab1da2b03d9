//! The context at its boundary: bodies in, violations out; history and command in, decision out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod cuerpo;
mod decisiones;
mod escenario;
mod propiedades;
mod tarifa;
