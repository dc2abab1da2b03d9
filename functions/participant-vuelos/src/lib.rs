//! Takes the commands of vuelos, and hears of the other contexts for it.

use std::sync::Arc;

use alpes_participant::Rules;
use events::Context;
use vuelos::Vuelos;

/// What vuelos does.
#[must_use]
pub fn rules() -> Rules {
    Rules {
        context: Context::Vuelos,
        decider: Arc::new(Vuelos),
        failure: vuelos::FAILURE,
        policies: vuelos::policies(),
    }
}
