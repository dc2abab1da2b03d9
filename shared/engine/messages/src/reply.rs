//! Replies of participants.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Event, Problem};

/// What came of a command. A third outcome, "not known, send it again", is an error of the call itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "resultado", rename_all = "lowercase")]
pub enum Reply {
    /// It took effect, now or before: its events, committed and in the log.
    Eventos {
        /// In the order of their versions.
        eventos: Vec<Event>,
    },
    /// It was refused, and nothing happened.
    Rechazado {
        /// Why.
        problema: Problem,
    },
}
