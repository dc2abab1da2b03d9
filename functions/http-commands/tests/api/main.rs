//! The function at its boundary: requests in, answers out, with tables and a log in memory.

#![cfg(test)]

mod aceptadas;
mod cancelacion;
mod eventos;
mod fallas;
mod openapi;
mod reanudacion;
mod rechazadas;
mod support;
