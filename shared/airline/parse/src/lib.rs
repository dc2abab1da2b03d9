//! Reading the data of commands: a walk over JSON that goes on after a fault, and gathers every one with its path.
//!
//! [`json()`] makes a body of a text, [`read`] starts at it; a [`Node`] is a value at its place, an [`Object`] one with fields. A reader
//! returns `None` for what it could not read, having said why by a [`Regla`]. Every text of a body is held to one rule, that of [`text`].

#![deny(missing_docs)]

mod forms;
mod json;
mod node;
mod reglas;
pub mod text;

use alpes_event_store::StoreRefusal;
use alpes_messages::{Problem, Violation};
use events::kinds;

pub use json::json;
pub use node::{MAX_VIOLATIONS, Node, Object, Path, Violations, read};
pub use reglas::Regla;

/// The motivo of every failure that a test asked for.
pub const FALLA_INDUCIDA: &str = "falla inducida";

/// The refusal of data that break rules; it tells the first [`MAX_VIOLATIONS`].
#[must_use]
pub fn invalid(violations: impl IntoIterator<Item = Violation>) -> Problem {
    let told = violations.into_iter().take(MAX_VIOLATIONS);
    Problem::of(kinds::INVALID).at(told.collect())
}

/// The words of a refusal that the event store makes.
#[must_use]
pub fn refusal(refusal: StoreRefusal) -> Problem {
    match refusal {
        StoreRefusal::KeyReused => Problem::of(kinds::KEY_REUSED),
        StoreRefusal::StreamFull { bytes } => {
            let detalle = format!("Los eventos de una reserva ocupan a lo sumo {bytes} bytes");
            Problem::of(kinds::STATE).at(vec![Violation::new("data", "tamano", detalle)])
        }
        StoreRefusal::Induced => Problem::of(kinds::STATE).because(FALLA_INDUCIDA),
    }
}

/// The refusal of a command that is none of these.
#[must_use]
pub fn unknown_command(known: &[&str]) -> Problem {
    let regla = Regla::ComandoDesconocido.name();
    let detalle = format!("Se admiten: {}", known.join(", "));
    invalid(vec![Violation::new("type", regla, detalle)])
}
