//! Tests of the context's two inputs: the violations of request bodies, and the decision on a history and a command.
#![cfg(test)]

mod cotizacion;
mod cuerpo;
mod decisiones;
mod escenario;
mod propiedades;
mod tarifa;
mod viaje;
