//! Reads the data of commands. The reader walks through the JSON, continues after a fault, and collects every fault
//! with its path.
//!
//! [`json()`] parses a text and [`read`] begins the walk. A [`Node`] is a value with its path, and an [`Object`] is a
//! node with fields. If a reader cannot read a value, it records the broken [`Regla`] and returns `None`. Every text
//! must obey the rule of [`text`], and no text may have the number of a payment card; [`hidden`] hides such a number.

#![deny(missing_docs)]

mod forms;
mod json;
mod node;
mod reglas;
mod tarjeta;
pub mod text;

use alpes_event_store::StoreRefusal;
use alpes_messages::{Problem, Violation};
use events::kinds;
use serde_json::Value;

pub use json::json;
pub use node::{MAX_VIOLATIONS, Node, Object, Path, Violations, read};
pub use reglas::Regla;
pub use tarjeta::hidden;

/// The `motivo` of every failure that a test asked for.
pub const FALLA_INDUCIDA: &str = "falla inducida";

/// Checks that the data of a command is an empty object.
///
/// # Errors
///
/// A [`Problem`] if the data are not an empty object.
pub fn empty(data: &Value) -> Result<(), Problem> {
    let empty =
        |data: Node<'_>, violations: &mut Violations| data.object(&[], violations).map(drop);
    read(data, empty).map_err(invalid)
}

/// The problem for invalid data. The problem lists at most [`MAX_VIOLATIONS`] violations.
#[must_use]
pub fn invalid(violations: impl IntoIterator<Item = Violation>) -> Problem {
    let told = violations.into_iter().take(MAX_VIOLATIONS);
    Problem::of(kinds::INVALID).at(told.collect())
}

/// Converts a refusal by the event store to a problem.
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

/// The problem for a command of an unknown type.
#[must_use]
pub fn unknown_command(known: &[&str]) -> Problem {
    let regla = Regla::ComandoDesconocido.name();
    let detalle = format!("Se admiten: {}", known.join(", "));
    invalid(vec![Violation::new("type", regla, detalle)])
}
