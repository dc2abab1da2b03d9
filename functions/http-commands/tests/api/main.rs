//! Tests of the whole function: it gets requests, and returns answers, with tables and a log in memory.

#![cfg(test)]

mod aceptadas;
mod callers;
mod cancelacion;
mod cotizacion;
mod eventos;
mod fallas;
mod openapi;
mod reanudacion;
mod rechazadas;
mod sin_pagar;
mod support;
