//! Given a log, when its batches are delivered, then these notices.

#![cfg(test)]

mod bench;
mod fallas;
mod lotes;
mod planted;
mod propiedades;
