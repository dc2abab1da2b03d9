//! Tests of the context's decisions, each on a history and a command, and of the context on the event store, where it
//! moves money.
#![cfg(test)]

mod bench;
mod carreras;
mod decisiones;
mod escenario;
mod fallas;
mod planted;
mod propiedades;
mod simulador;
