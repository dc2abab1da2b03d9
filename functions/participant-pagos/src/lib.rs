//! Takes the commands of pagos, with the simulated provider, and hears of the other contexts for it.

use std::sync::Arc;

use alpes_participant::Rules;
use alpes_ports::{Tables, World};
use events::Context;
use pagos::{Pagos, simulador::Simulador};

/// What pagos does. The provider has its ledger in `tables`.
#[must_use]
pub fn rules(tables: Arc<dyn Tables>, world: World) -> Rules {
    let gateway = Arc::new(Simulador::new(tables, world));
    Rules {
        context: Context::Pagos,
        decider: Arc::new(Pagos { gateway }),
        failure: pagos::FAILURE,
        policies: pagos::policies(),
    }
}
