//! The context at its boundary (history and command in, decision out), and on the event store, where it takes seats.
#![cfg(test)]

mod bench;
mod carreras;
mod cuerpo;
mod decisiones;
mod escenario;
mod fallas;
mod inventario;
mod planted;
mod propiedades;
