//! The ports in memory: for tests, and for the simulation of the whole system.

mod log;
mod tables;
mod world;

pub use log::MemoryLog;
pub use tables::MemoryTables;
pub use world::{ManualClock, SeededRandomness, SequentialIds, world};
