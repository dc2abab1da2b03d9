//! Takes the commands of gds.

use std::sync::Arc;

use event_store::EventStore;
use events::Catalogue;
use gds::Gds;
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
    Participant {
        store: EventStore::new(tables.clone(), log, world.clone(), catalogue),
        decider: Arc::new(Gds),
        failure: gds::FAILURE,
        faults: allows_tests.then(|| Faults::new(tables)),
        world,
    }
}
