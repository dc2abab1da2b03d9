//! The source of an answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The source of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origen {
    /// The view of reservations, or the stored saga.
    Vista,
    /// The stream itself, because the view or the stored saga does not have the reservation yet. The answer shows the
    /// reservation as it was made, so that no later answer shows an older state.
    Comando,
}
