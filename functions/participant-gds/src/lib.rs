//! Takes the commands of gds, and hears of the other contexts for it.

use std::sync::Arc;

use alpes_participant::Rules;
use events::Context;
use gds::Gds;

/// What gds does.
#[must_use]
pub fn rules() -> Rules {
    Rules {
        context: Context::Gds,
        decider: Arc::new(Gds),
        failure: gds::FAILURE,
        policies: gds::policies(),
    }
}
