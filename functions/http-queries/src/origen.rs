//! Where an answer comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origen {
    /// What is kept for queries: the view of reservations, or the saga log.
    Vista,
    /// The stream itself, because the other has not heard of the reservation yet: as it was made, so that nothing is seen to go back.
    Comando,
}
