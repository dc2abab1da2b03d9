//! The context at its boundary: bodies in, violations out; history and command in, decision out.
#![cfg(test)]

mod cuerpo;
mod decisiones;
mod escenario;
mod propiedades;
mod tarifa;
