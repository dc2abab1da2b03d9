//! The replies of participants.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Event, Problem};

/// The outcome of a command. If the outcome is unknown and the command should be sent again, the call returns an error
/// instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "resultado", rename_all = "lowercase")]
pub enum Reply {
    /// The command took effect, now or earlier. Its events are committed and in the log.
    Eventos {
        /// The events in the order of their versions.
        eventos: Vec<Event>,
    },
    /// The command was refused, and had no effect.
    Rechazado {
        /// The reason for the refusal.
        problema: Problem,
    },
}
