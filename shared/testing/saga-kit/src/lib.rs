//! A test kit for any saga definition: it runs the real engine with the real participants over twins in memory, does to them all
//! that can happen, and says what did not end as it must.
//!
//! ```text
//! Play: definition, participants, what must hold      yours
//!   └─► run(play, script) ─► Run: how the saga ended, what was violated
//!   └─► campaign(play, …) ─► every script: each step failing, each compensation failing, a fault at every effect, …
//! ```
//!
//! After every run these must hold, besides what the [`Play`] asks for: the saga has ended as the script says, or waits for a
//! person where the script says so; whatever has not ended is woken by itself; compensations went in reverse order; a command was
//! logged before it was sent; the log replays to the state; and all of it still holds after everything came once more, late.

#![deny(missing_docs)]

mod campaign;
mod line;
mod play;
mod run;

pub use campaign::{Report, at_every_effect, campaign, hunt};
pub use play::{Play, Setting};
pub use run::{Cancel, Run, Script, Stream, Undo, run};
