//! Where an answer comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origen {
    /// The view of reservations, or the saga log.
    Vista,
    /// The stream itself, because the view or the log has not heard of the reservation yet. The answer has the reservation as it was made,
    /// so that no later answer goes back.
    Comando,
}
