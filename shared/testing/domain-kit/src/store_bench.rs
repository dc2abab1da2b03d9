//! A bench for the rules of a context: the event store over the in-memory twins.

use std::{sync::Arc, time::Duration};

use alpes_event_store::{
    Decider, EventStore, HandleError, Handled, Stream, StreamReader, Sweeper, Swept, TABLE,
    Verification, verify,
};
use alpes_messages::{Catalogue, Command, DomainEvent, Event, StreamId, Version};
use alpes_ports::{Log, Tables, World};
use futures::{FutureExt, executor::block_on};
use simulation::{Fault, Faults};
use twins::{ManualClock, MemoryLog, MemoryTables};

/// The state that outlives a process: the tables, the log, and time. Each process gets a store from
/// [`StoreBench::store`].
pub struct StoreBench<P> {
    /// The streams, and the context's own tables.
    pub tables: Arc<MemoryTables>,
    /// The log, with 2 shards.
    pub log: Arc<MemoryLog>,
    /// Time, ids and randomness.
    pub world: World,
    /// The clock. Tests advance it.
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

    /// The store of a process that runs under `faults`.
    pub fn store(&self, faults: &Faults) -> EventStore<P> {
        let tables = Arc::new(faults.tables(self.tables.clone()));
        self.store_over(tables, Arc::new(faults.log(self.log.clone())))
    }

    /// The store of a process that uses these tables and this log.
    pub fn store_over(&self, tables: Arc<dyn Tables>, log: Arc<dyn Log>) -> EventStore<P> {
        EventStore::new(tables, log, self.world.clone(), self.catalogue.clone())
    }

    /// Sends a command to a process that runs under `faults`. `None` means that the process died.
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

    /// The stream with this id.
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

    /// Advances the clock by a minute and publishes the pending events.
    pub fn sweep(&self) -> Swept {
        let store = self.store(&Faults::none());
        let sweeper = Sweeper::new(&store);
        self.clock.advance(Duration::from_mins(1));
        block_on(sweeper.sweep()).unwrap()
    }

    /// Compares the streams with the log, and returns the differences.
    pub fn verify(&self) -> Verification {
        block_on(verify(&*self.tables, &*self.log, &self.reader(), None)).unwrap()
    }

    /// Publishes the pending events. Afterwards streams and log must agree.
    ///
    /// # Errors
    ///
    /// The differences between streams and log, in words.
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

/// Processes that handle the commands of one context.
pub trait Processes {
    /// Sends a command to a process under `faults`; `None` if the fault killed the process.
    fn send(&self, faults: &Faults, command: &Command) -> Option<Result<Handled, HandleError>>;

    /// Sends a command until it is answered. Only the first process runs under `faults`.
    fn insist(&self, faults: &Faults, command: &Command) -> Handled {
        insist(faults, |faults| self.send(faults, command))
    }

    /// Sends a command without faults, and returns its only event.
    fn event(&self, command: &Command) -> Event {
        event_of(&self.insist(&Faults::none(), command))
    }
}

/// A command under faults, after other commands.
pub struct FaultCase<E> {
    /// The name of the case, for messages.
    pub name: &'static str,
    /// The commands that are sent before `command`, each without faults. Each must commit one event.
    pub before: Vec<Command>,
    /// The number of times that `command` is then sent without faults and must get no answer.
    pub unanswered: usize,
    /// The command that is sent under faults.
    pub command: Command,
    /// The type of the command's only event.
    pub event: &'static str,
    /// The outcome that `check` expects afterwards.
    pub expected: E,
}

/// Runs each case once for every fault at every effect of its command: sends the command under the fault, retries it
/// until it is answered, and then sends it once more. Each time the command's only event must be of the case's type,
/// and `check` must hold. Returns the number of effects of each case.
pub fn every_fault<B: Processes, E>(
    empty: impl Fn() -> B,
    cases: impl IntoIterator<Item = FaultCase<E>>,
    check: impl Fn(&B, &E, &str),
) -> Vec<usize> {
    let effects = |case: FaultCase<E>| {
        let prepared = || {
            let bench = empty();
            for command in &case.before {
                bench.event(command);
            }
            for _ in 0..case.unanswered {
                let answer = bench.send(&Faults::none(), &case.command);
                assert!(answer.unwrap().is_err(), "{}", case.name);
            }
            bench
        };
        let faults = Faults::none();
        let _ = prepared().send(&faults, &case.command);
        for at in 0..faults.count() {
            for fault in Fault::ALL {
                let context = format!("{}, {fault:?} at effect {at}", case.name);
                let bench = prepared();
                let answer = event_of(&bench.insist(&Faults::once(at, fault), &case.command));
                assert_eq!(answer.kind, case.event, "{context}");
                assert_eq!(bench.event(&case.command), answer, "{context}, again");
                check(&bench, &case.expected, &context);
            }
        }
        faults.count()
    };
    cases.into_iter().map(effects).collect()
}

/// Retries until a process answers. Each attempt is a new process; only the first runs under `faults`.
///
/// `ask` calls a process under the faults that it gets, and returns `None` if the process died.
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

/// The events of a command that was accepted. Panics if it was refused.
pub fn events_of(handled: &Handled) -> &[Event] {
    match handled {
        Handled::Committed { events, .. } => events,
        Handled::Rejected(problem) => panic!("rejected: {problem:?}"),
    }
}

/// The single event of a command that was accepted. Panics if there is not exactly one.
pub fn event_of(handled: &Handled) -> Event {
    match events_of(handled) {
        [event] => event.clone(),
        others => panic!("not one event: {others:?}"),
    }
}
