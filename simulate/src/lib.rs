//! Runs the whole system in a simulated world that a seed decides, and searches for broken invariants.
//!
//! ```text
//! clients ──► http-commands ──► tables ──► stream ══ mappings ══► orchestrator, participants, projector, archiver, notifier
//!    └──────► http-queries                    schedule ──► timers        operator ──► rebuilder
//! ```
//!
//! The functions are the real ones. The crate [`simulation`] provides their world: time that jumps, slow, lost, doubled
//! and late effects, processes that die, skewed clocks, and a Kinesis stream whose records are delivered by AWS's
//! rules. [`run()`] plays a [`Scenario`] with a seed. Clients book, cancel and read for a while; then all faults cease,
//! the system settles, and the [invariants](check) are checked. The same seed gives the same trace, byte for byte.
//! [`search()`] plays many seeds, and [`exercised`] counts the situations that the runs reached. [`Planted`] mistakes
//! show that the search can find mistakes.

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
