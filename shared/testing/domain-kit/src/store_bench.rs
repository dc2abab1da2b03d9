//! The rules of a context on the event store, over the in-memory twins.

use std::{sync::Arc, time::Duration};

use alpes_event_store::{
    Decider, EventStore, HandleError, Handled, PAGE, Stream, StreamReader, Sweeper, Swept, TABLE,
    Verification, verify,
};
use alpes_messages::{Catalogue, Command, DomainEvent, Event, StreamId, Version};
use alpes_ports::{Log, Tables, World};
use futures::{FutureExt, executor::block_on};
use simulation::Faults;
use twins::{ManualClock, MemoryLog, MemoryTables};

/// What outlives a process: the tables, the log, and time.
pub struct StoreBench<P> {
    /// The streams, and tables of the context's own.
    pub tables: Arc<MemoryTables>,
    /// The log, of two shards.
    pub log: Arc<MemoryLog>,
    /// Time and chance.
    pub world: World,
    /// Moves time.
    pub clock: Arc<ManualClock>,
    /// Every event type.
    pub catalogue: Catalogue<P>,
}

impl<P: DomainEvent> Clone for StoreBench<P> {
    fn clone(&self) -> Self {
        Self {
            tables: self.tables.clone(),
            log: self.log.clone(),
            world: self.world.clone(),
            clock: self.clock.clone(),
            catalogue: self.catalogue.clone(),
        }
    }
}

impl<P: DomainEvent> StoreBench<P> {
    /// An empty bench.
    pub fn new(catalogue: Catalogue<P>) -> Self {
        let (world, clock) = twins::world(1);
        Self {
            tables: Arc::new(MemoryTables::new()),
            log: Arc::new(MemoryLog::new(2, world.clock.clone())),
            world,
            clock,
            catalogue,
        }
    }

    /// The store of a process that works under `faults`.
    pub fn store(&self, faults: &Faults) -> EventStore<P> {
        let tables = Arc::new(faults.tables(self.tables.clone()));
        self.store_over(tables, Arc::new(faults.log(self.log.clone())))
    }

    /// The store of a process that reaches tables and log by these.
    pub fn store_over(&self, tables: Arc<dyn Tables>, log: Arc<dyn Log>) -> EventStore<P> {
        EventStore::new(tables, log, self.world.clone(), self.catalogue.clone())
    }

    /// Sends a command to a process under `faults`; `None` if the process died of it.
    pub fn send(
        &self,
        faults: &Faults,
        decider: &dyn Decider<P>,
        command: &Command,
    ) -> Option<Result<Handled, HandleError>> {
        self.store(faults).handle(decider, command).now_or_never()
    }

    /// A reader of the streams.
    pub fn reader(&self) -> StreamReader<P> {
        StreamReader::new(self.tables.clone(), self.catalogue.clone())
    }

    /// A stream.
    pub fn stream(&self, id: StreamId) -> Stream {
        block_on(self.reader().read_one(id)).unwrap()
    }

    /// The events of a stream.
    pub fn history(&self, id: StreamId) -> Vec<P> {
        let stored = self.stream(id).decode(&self.catalogue, 1, Version::MAX);
        let payloads = stored.unwrap().into_iter().map(|stored| stored.payload);
        payloads.collect()
    }

    /// The events of every stream.
    pub fn histories(&self) -> Vec<(StreamId, Vec<P>)> {
        let streams = self.tables.all(TABLE).into_iter();
        let ids = streams.map(|(key, _)| key.pk.parse().unwrap());
        ids.map(|id| (id, self.history(id))).collect()
    }

    /// Publishes what waits for it, a minute later.
    pub fn sweep(&self) -> Swept {
        let store = self.store(&Faults::none());
        let sweeper = Sweeper {
            store: &store,
            world: &self.world,
            older_than: Duration::ZERO,
            budget: Duration::MAX,
            page: PAGE,
        };
        self.clock.advance(Duration::from_mins(1));
        block_on(sweeper.sweep()).unwrap()
    }

    /// Compares the streams with the log.
    pub fn verify(&self) -> Verification {
        block_on(verify(&*self.tables, &*self.log, &self.reader(), None)).unwrap()
    }

    /// Publishes what waits for it. Then streams and log must be the same.
    ///
    /// # Errors
    ///
    /// Their differences, in words.
    pub fn settle(&self) -> Result<(), String> {
        self.sweep();
        let found = self.verify();
        if found.differences.is_empty() && found.pending == 0 {
            Ok(())
        } else {
            Err(format!("the log and the streams differ: {found:?}"))
        }
    }
}

/// Asks a process again until it answers, as a patient client does: each time a new one, only the first of which is under `faults`.
///
/// `ask` sends to a process under the faults given to it, and gives `None` if that died.
pub fn insist<T, E>(faults: &Faults, mut ask: impl FnMut(&Faults) -> Option<Result<T, E>>) -> T {
    let mut answer = ask(faults);
    for _ in 0..4 {
        if let Some(Ok(answer)) = answer {
            return answer;
        }
        answer = ask(&Faults::none());
    }
    answer
        .and_then(Result::ok)
        .expect("a healthy process answers")
}

/// The events of an answer that is one.
pub fn events_of(handled: &Handled) -> &[Event] {
    match handled {
        Handled::Committed { events, .. } => events,
        Handled::Rejected(problem) => panic!("rejected: {problem:?}"),
    }
}

/// The one event of an answer that has one.
pub fn event_of(handled: &Handled) -> Event {
    match events_of(handled) {
        [event] => event.clone(),
        others => panic!("not one event: {others:?}"),
    }
}
