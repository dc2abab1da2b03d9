//! Takes the commands of vuelos that come from a saga.

use std::sync::Arc;

use event_store::EventStore;
use events::Catalogue;
use participant::{Faults, Participant};
use ports::{Log, Tables, World};
use vuelos::Vuelos;

/// The participant. `allows_tests` is whether tests may make it misbehave.
#[must_use]
pub fn participant(
    tables: Arc<dyn Tables>,
    log: Arc<dyn Log>,
    world: World,
    allows_tests: bool,
) -> Participant {
    let catalogue = Catalogue::current();
    Participant {
        store: EventStore::new(tables.clone(), log, world.clone(), catalogue),
        decider: Arc::new(Vuelos),
        failure: vuelos::FAILURE,
        faults: allows_tests.then(|| Faults::new(tables)),
        world,
    }
}
