//! A world that fails on purpose, and the same way each time.
//!
//! [`Faults`] stands between a process and the in-memory twins of its ports. It counts every effect, a call of a table, of the
//! log, of the objects, of a function, of a topic or about an execution, and decides what happens there: by a plan, so that a test can repeat a run
//! with the fault one step further until it has been at every step; or by [`Dice`], for long runs that search. The [`Scheduler`] runs processes side by side, one effect at a time, in
//! an order that the dice decide, and kills them anywhere. One seed, one run. With [`VirtualTasks`] those who sleep wait until the
//! clock is moved on, while others go on. Where two processes are short, [`every_order`] needs no dice.
//!
//! For a whole system there is a world of its own, in which time passes by itself: a [`Kernel`] runs its processes, a [`Runtime`]
//! its functions as Lambda does, a [`Stream`] delivers what is appended to it as event source mappings do, and a [`Sky`] has
//! effects take their time and fail. It knows nothing of the system but its ports. Once faults have ceased, [`Kernel::settle`] waits
//! for the end, where promises are looked at; [`play_seeds`] plays many seeds on every core.

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
