//! A world with faults that can be repeated exactly.
//!
//! [`Faults`] stands between a process and the in-memory twins of its ports. This wrapper counts every effect (a call
//! to a table, the log, the objects, a function, a topic or an execution) and decides whether the effect meets a fault.
//! Faults can follow a plan: a test repeats a run with the fault one effect further on, until every effect has had the
//! fault. For long searches, faults follow [`Dice`]. The [`Scheduler`] runs processes concurrently, one effect at a
//! time, in an order that the dice decide, and kills them at any effect. One seed gives one run. With [`VirtualTasks`],
//! a sleeping process waits until the clock is advanced, while other processes continue. For two short processes,
//! [`every_order`] tries every order without dice.
//!
//! A whole system runs in a world in which time passes by itself. A [`Kernel`] runs its processes. A [`Runtime`] runs
//! its functions as Lambda does. A [`Stream`] stands for a Kinesis stream, and delivers the appended records as event
//! source mappings do. A [`Sky`] makes effects take time and fail. This world knows only the system's ports. When
//! faults have ceased, [`Kernel::settle`] waits until the system has settled; then the system's promises can be
//! checked. [`play_seeds`] runs many seeds on all cores.

#![deny(missing_docs)]

mod ambient;
mod contention;
mod dice;
mod faults;
mod kernel;
mod orders;
mod runtime;
mod scheduler;
mod seeds;
mod stale;
mod stream;
mod tasks;
mod times;
mod trace;
mod weather;

pub use contention::Contended;
pub use dice::Dice;
pub use faults::{
    Course, Fault, Faults, FaultyExecutions, FaultyFunctions, FaultyLog, FaultyObjects,
    FaultyReader, FaultyTables, FaultyTopic,
};
pub use kernel::{End, Kernel, Sleep, TimerId};
pub use orders::every_order;
pub use runtime::{Answer, Ended, Fate, Function, Runtime, Sandbox, function};
pub use scheduler::{ProcessId, Scheduler, Step};
pub use seeds::play_seeds;
pub use stale::{LAG, Stale};
pub use stream::{MappingId, Stream};
pub use tasks::VirtualTasks;
pub use times::{uneven_times, uneven_times_in};
pub use trace::Trace;
pub use weather::{Sky, Weather};
