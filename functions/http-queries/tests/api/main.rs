//! Tests of the whole function: it gets requests, and returns answers, with tables and a log in memory.

#![cfg(test)]

mod callers;
mod consultas_malas;
mod eventos;
mod front;
mod lista;
mod meanwhile;
mod muestras;
mod reportes;
mod reserva;
mod saga;
mod sagas;
mod support;
