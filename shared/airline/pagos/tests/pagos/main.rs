//! The context at its boundary (history and command in, decision out), and on the event store, where it moves money.
#![cfg(test)]

mod bench;
mod carreras;
mod decisiones;
mod escenario;
mod fallas;
mod planted;
mod propiedades;
mod simulador;
