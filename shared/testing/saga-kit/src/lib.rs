//! A test kit for any saga definition. The kit runs the real engine with the real participants over twins in memory,
//! makes everything fail that can fail, and reports each run that did not end as it must.
//!
//! ```text
//! Play: definition, participants, what must hold      yours
//!   └─► run(play, script) ─► Run: how the saga ended, what was violated
//!   └─► campaign(play, …) ─► every script: each step failing, each compensation failing, a fault at every effect, …
//! ```
//!
//! After every run the kit checks the following, and the rules of the [`Play`]. The saga has ended as the script says,
//! or waits for a person where the script says so. A saga that has not ended has a time at which it wakes.
//! Compensations went in reverse order. Each command was logged before it was sent. Replaying the log gives the state.
//! All of this still holds after every message was redelivered late.

#![deny(missing_docs)]

mod campaign;
mod line;
mod play;
mod run;

pub use campaign::{Report, at_every_effect, campaign, hunt};
pub use play::{Play, Setting};
pub use run::{Cancel, Run, Script, Stream, Undo, run};
