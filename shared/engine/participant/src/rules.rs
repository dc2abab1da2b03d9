//! What differs from one context to the next.

use std::sync::Arc;

use alpes_event_store::{Decider, EventStore};
use alpes_messages::{Context, DomainEvent};
use alpes_ports::{Tables, World};

use crate::{Failure, Faults, Participant, Policy, Reactor};

/// The rules of a context: what it does about commands, and about what it hears of the others.
pub struct Rules<P> {
    /// Which context it is.
    pub context: Context,
    /// What it does about commands.
    pub decider: Arc<dyn Decider<P>>,
    /// How it fails when a test wants it to.
    pub failure: Failure<P>,
    /// What it does about events of the others.
    pub policies: Vec<Policy>,
}

impl<P: DomainEvent> Rules<P> {
    /// A context with these rules. `allows_tests` is whether tests may make it misbehave.
    #[must_use]
    pub fn reactor(
        self,
        store: EventStore<P>,
        tables: Arc<dyn Tables>,
        world: World,
        allows_tests: bool,
    ) -> Reactor<P> {
        let participant = Participant {
            context: self.context,
            store,
            decider: self.decider,
            failure: self.failure,
            faults: allows_tests.then(|| Faults::new(tables.clone())),
            world,
        };
        Reactor::new(participant, self.policies, tables)
    }
}
