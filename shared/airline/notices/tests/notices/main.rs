//! Tests of the notices that the batches of a log cause.

#![cfg(test)]

mod bench;
mod fallas;
mod lotes;
mod planted;
mod propiedades;
