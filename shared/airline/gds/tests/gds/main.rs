//! Tests of the context's decisions, each on a history and a command, and of the context on the event store, where it
//! takes seats.
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
