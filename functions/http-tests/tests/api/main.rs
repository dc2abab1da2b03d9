//! Tests of the whole function: it gets requests, and returns answers, with tables, a log and participants in memory.

#![cfg(test)]

mod comandos;
mod cuerpos;
mod eventos;
mod fallas;
mod inventario;
mod muestras;
mod openapi;
mod support;
