//! Takes the commands of pagos, with the simulated provider.

use std::sync::Arc;

use event_store::EventStore;
use events::Catalogue;
use pagos::{Pagos, simulador::Simulador};
use participant::{Faults, Participant};
use ports::{Log, Tables, World};

/// The participant. `allows_tests` is whether tests may make it misbehave.
#[must_use]
pub fn participant(
    tables: Arc<dyn Tables>,
    log: Arc<dyn Log>,
    world: World,
    allows_tests: bool,
) -> Participant {
    let catalogue = Catalogue::current();
    let gateway = Arc::new(Simulador::new(tables.clone(), world.clone()));
    Participant {
        store: EventStore::new(tables.clone(), log, world.clone(), catalogue),
        decider: Arc::new(Pagos { gateway }),
        failure: pagos::FAILURE,
        faults: allows_tests.then(|| Faults::new(tables)),
        world,
    }
}
