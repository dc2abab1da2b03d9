//! A world that fails on purpose, and the same way each time.
//!
//! [`Faults`] stands between a process and the in-memory twins of its ports. It counts every effect, a call of a table, of the
//! log, of the objects, of a function, of a topic or about an execution, and decides what happens there: by a plan, so that a test can repeat a run
//! with the fault one step further until it has been at every step; or by [`Dice`], for long runs that search. The [`Scheduler`] runs processes side by side, one effect at a time, in
//! an order that the dice decide, and kills them anywhere. One seed, one run. With [`VirtualTasks`] those who sleep wait until the
//! clock is moved on, while others go on. Where two processes are short, [`every_order`] needs no dice.

#![deny(missing_docs)]

mod dice;
mod faults;
mod orders;
mod scheduler;
mod tasks;

pub use dice::Dice;
pub use faults::{
    Fault, Faults, FaultyExecutions, FaultyFunctions, FaultyLog, FaultyObjects, FaultyTables,
    FaultyTopic,
};
pub use orders::every_order;
pub use scheduler::{ProcessId, Scheduler, Step};
pub use tasks::VirtualTasks;
