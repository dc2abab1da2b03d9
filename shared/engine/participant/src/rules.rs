//! The rules of a context: its decisions, its failures for tests, and its policies.

use std::sync::Arc;

use alpes_event_store::{Decider, EventStore};
use alpes_messages::{Context, DomainEvent};
use alpes_ports::{Tables, World};

use crate::{Failure, Faults, Participant, Policy, Reactor};

/// The rules of a context: its decisions about commands, its failures for tests, and its policies.
///
/// An example of a choreography: the desk hands the book over after the till has received the deposit.
///
/// ```
/// use std::sync::Arc;
///
/// use alpes_consumer::{Consumer, Parking};
/// use alpes_event_store::EventStore;
/// use alpes_messages::{Event, SagaMode};
/// use alpes_participant::reaction_id;
/// use alpes_ports::{Log, NewRecord, Tables};
/// use futures::executor::block_on;
/// use jiff::Timestamp;
/// use toy::{deposits::DepositPaid, loan, loans};
/// use twins::{MemoryLog, MemoryTables, world};
///
/// let (world, _) = world(1);
/// let tables = Arc::new(MemoryTables::new());
/// let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
/// block_on(tables.write(&loans::stock(1).into())).unwrap();
///
/// let store = EventStore::new(tables.clone(), log.clone(), world.clone(), toy::catalogue());
/// let desk = loans::rules().reactor(store, tables.clone(), world.clone(), false);
///
/// let paid = toy::event(DepositPaid { loan: loan(7), cents: 500 }, 1);
/// let paid = Event { sagamode: SagaMode::Choreography, time: world.clock.now().into(), ..paid };
/// block_on(log.append(NewRecord::new("7", paid.encode()?.as_bytes())))?;
///
/// let parking = Parking::new(tables, world.clock, &toy::catalogue());
/// let handler = desk.handler(Timestamp::MAX);
/// let consumer = Consumer { name: "desk", catalogue: &toy::catalogue(), parking: &parking, handler: &handler };
/// block_on(consumer.consume(&log.records()));
///
/// let (heard, _) = Event::decode(&log.records()[1].data, &toy::catalogue())?;
/// assert_eq!(heard.kind, "BookHandedOver");
/// assert_eq!(heard.causationid, reaction_id(&paid, "HandOver").0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rules<P> {
    /// The context of the rules.
    pub context: Context,
    /// The rules that decide about commands.
    pub decider: Arc<dyn Decider<P>>,
    /// The failure that tests can induce.
    pub failure: Failure<P>,
    /// The reactions to events of other contexts.
    pub policies: Vec<Policy>,
}

impl<P: DomainEvent> Rules<P> {
    /// A reactor with these rules. Tests may inject faults if `allows_tests` is true.
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
