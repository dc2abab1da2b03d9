//! Runs the whole system in a world that a seed decides, and looks for broken promises.
//!
//! ```text
//! clients ──► http-commands ──► tables ──► stream ══ mappings ══► orchestrator, participants, projector, archiver, notifier
//!    └──────► http-queries                    schedule ──► timers        operator ──► rebuilder
//! ```
//!
//! The functions are the real ones, unchanged; what they stand on is [`simulation`]'s: time that jumps, effects that take their
//! time, get lost, come twice or late, processes that die, clocks that are off, a stream that is delivered by the rules of AWS.
//! [`run`] plays a [`Scenario`] with a seed: clients book, cancel and look for a while, then all faults cease, and when everything
//! has settled the [invariants](check) are looked at. The same seed is the same trace, byte for byte. [`search()`] plays many seeds, and
//! [`exercised`] tells what they came by. That a search finds anything is seen with mistakes that are [`Planted`].

#![deny(missing_docs)]

pub mod check;
mod clients;
mod executions;
pub mod exercised;
mod foreign;
mod functions;
mod gaps;
mod http;
mod insistence;
mod notices;
mod operator;
mod planted;
mod poison;
mod probe;
mod readers;
mod refusals;
mod remap;
mod run;
mod scenario;
mod search;
mod system;
mod trouble;
mod versions;

pub use planted::Planted;
pub use run::{Report, run, run_with};
pub use scenario::{SCENARIOS, Scenario};
pub use search::{Plan, Tally, search};
