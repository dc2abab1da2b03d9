//! Twins: each port in memory, for tests and for the simulation of the whole system, and the suite that every
//! implementation of a port passes.
//!
//! A twin does what its AWS service does, as far as the system relies on it. [`suite`] has one function for each port.
//! The twins pass the suite in the tests of this crate, and the AWS adapters pass it against a runtime.
//!
//! ```
//! use alpes_ports::{Consistency, Key, TableName, Tables, Update};
//! use futures::executor::block_on;
//! use twins::MemoryTables;
//!
//! let tables = MemoryTables::new();
//! let key = Key::new(TableName("views"), "a", "b");
//! block_on(tables.write(&Update::of(key.clone()).into()))?;
//! assert!(block_on(tables.get_one(&key, Consistency::Strong))?.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs)]

mod executions;
mod functions;
mod log;
mod objects;
mod over;
mod platform;
pub mod suite;
mod tables;
mod topic;
mod world;

pub use executions::{MachineError, MemoryExecutions};
pub use functions::MemoryFunctions;
pub use log::MemoryLog;
pub use objects::MemoryObjects;
pub use over::{Over, TablesOver};
pub use platform::Ports;
pub use tables::MemoryTables;
pub use topic::MemoryTopic;
pub use world::{ManualClock, SeededRandomness, SequentialIds, world};
