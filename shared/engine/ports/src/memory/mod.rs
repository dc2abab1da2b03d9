//! The ports in memory: for tests, and for the simulation of the whole system.

mod functions;
mod log;
mod objects;
mod tables;
mod topic;
mod world;

pub use functions::MemoryFunctions;
pub use log::MemoryLog;
pub use objects::MemoryObjects;
pub use tables::MemoryTables;
pub use topic::MemoryTopic;
pub use world::{ManualClock, SeededRandomness, SequentialIds, world};
