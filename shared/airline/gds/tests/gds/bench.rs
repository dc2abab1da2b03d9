//! The context on the event store, over the in-memory twins.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alpes_event_store::{EventStore, HandleError, Handled, Stream, StreamReader, Sweeper, verify};
use alpes_messages::{Command, Event, StreamId, Version};
use alpes_ports::{Log, Tables, World};
use events::{Payload, gds::Sillas};
use futures::{FutureExt, executor::block_on};
use gds::{
    Gds,
    inventory::{self, Inventory, Vuelo},
};
use simulation::Faults;
use twins::{ManualClock, MemoryLog, MemoryTables};

use crate::{
    escenario::{Flight, sillas},
    planted::{self, Bug},
};

/// What outlives a process: the tables, the log, and time.
#[derive(Clone)]
pub struct Bench {
    pub tables: Arc<MemoryTables>,
    pub log: Arc<MemoryLog>,
    pub world: World,
    pub clock: Arc<ManualClock>,
    bug: Option<Bug>,
}

pub fn vuelo(flight: Flight) -> Vuelo {
    Vuelo::from(&sillas(flight, 1))
}

impl Bench {
    pub fn new() -> Self {
        Self::with(None)
    }

    /// One whose processes have the bug.
    pub fn with(bug: Option<Bug>) -> Self {
        let (world, clock) = twins::world(1);
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        Self {
            tables: Arc::new(MemoryTables::new()),
            log,
            world,
            clock,
            bug,
        }
    }

    /// A process that works under `faults`.
    pub fn store(&self, faults: &Faults) -> EventStore<Payload> {
        let tables: Arc<dyn Tables> = Arc::new(faults.tables(self.tables.clone()));
        let log: Arc<dyn Log> = Arc::new(faults.log(self.log.clone()));
        let tables = planted::plant(self.bug, tables);
        EventStore::new(tables, log, self.world.clone(), events::catalogue())
    }

    /// Sends a command to a process under `faults`; `None` if the process died of it.
    pub fn send(&self, faults: &Faults, command: &Command) -> Option<Result<Handled, HandleError>> {
        self.store(faults).handle(&Gds, command).now_or_never()
    }

    /// Sends a command again until there is an answer, each time to a new process, only the first of which is under `faults`.
    pub fn insist(&self, faults: &Faults, command: &Command) -> Handled {
        let first = self.send(faults, command);
        let mut answers =
            std::iter::once(first).chain((0..3).map(|_| self.send(&Faults::none(), command)));
        answers
            .find_map(|answer| answer?.ok())
            .expect("a healthy process answers")
    }

    /// The one event that comes of a command when nothing is in the way.
    pub fn event(&self, command: &Command) -> Event {
        event(&self.insist(&Faults::none(), command))
    }

    pub fn set_free(&self, flight: Flight, free: u32) {
        block_on(inventory::set_free(&*self.tables, &vuelo(flight), free)).unwrap();
    }

    pub fn read(&self, flight: Flight) -> Inventory {
        block_on(inventory::read(&*self.tables, &vuelo(flight))).unwrap()
    }

    /// Free and held seats.
    pub fn seats(&self, flight: Flight) -> (i64, i64) {
        let Inventory { free, held, .. } = self.read(flight);
        (free, held)
    }

    /// The events of every stream.
    pub fn histories(&self) -> Vec<(StreamId, Vec<Payload>)> {
        let items = self.tables.all(alpes_event_store::TABLE).into_iter();
        let read = items.map(|(key, item)| {
            let id = key.pk.parse().unwrap();
            let stream = Stream::from_item(id, &item).unwrap();
            let events = stream.decode(&events::catalogue(), 1, Version::MAX);
            let payloads = events.unwrap().into_iter().map(|stored| stored.payload);
            (id, payloads.collect())
        });
        read.collect()
    }

    /// Publishes what waits for it.
    pub fn sweep(&self) {
        let store = self.store(&Faults::none());
        let sweeper = Sweeper {
            store: &store,
            world: &self.world,
            older_than: Duration::ZERO,
            budget: Duration::MAX,
            page: alpes_event_store::PAGE,
        };
        self.clock.advance(Duration::from_mins(1));
        block_on(sweeper.sweep()).unwrap();
    }

    /// What must hold once all is quiet. `capacities` are those of the flights that there are, as they were at the start.
    pub fn check(&self, capacities: &[(Flight, i64)]) -> Result<(), String> {
        self.sweep();
        let reader = StreamReader::new(self.tables.clone(), events::catalogue());
        let found = block_on(verify(&*self.tables, &*self.log, &reader, None)).unwrap();
        if !found.differences.is_empty() || found.pending > 0 {
            return Err(format!("the log and the streams differ: {found:?}"));
        }
        let mut active: BTreeMap<Vuelo, i64> = BTreeMap::new();
        for (id, history) in self.histories() {
            for sillas in legal(&history).ok_or_else(|| format!("{id} has {history:?}"))? {
                *active.entry(Vuelo::from(&sillas)).or_default() += i64::from(sillas.sillas);
            }
        }
        for (flight, capacity) in capacities {
            let (free, held) = self.seats(*flight);
            let active = active.remove(&vuelo(*flight)).unwrap_or(0);
            if held != active {
                return Err(format!("{flight:?}: {held} held, but {active} active"));
            }
            if free != capacity - held || free < 0 {
                return Err(format!(
                    "{flight:?}: {free} of {capacity} free, {held} held"
                ));
            }
        }
        if active.is_empty() {
            Ok(())
        } else {
            Err(format!("seats of other flights: {active:?}"))
        }
    }
}

/// The seats that a stream holds; `None` for one that no commands lead to.
fn legal(history: &[Payload]) -> Option<Vec<Sillas>> {
    use Payload::{
        ConfirmacionFallida as Fallida, ConfirmacionGDSRevertida as Revertida,
        ReservaGDSConfirmada as Confirmada,
    };
    match history {
        [] => Some(vec![]),
        [Confirmada(confirmada)] if !confirmada.sillas.is_empty() => {
            Some(confirmada.sillas.clone())
        }
        [Fallida(fallida)] if !fallida.sin_sillas.is_empty() => Some(vec![]),
        [Revertida(revertida)] | [Fallida(_), Revertida(revertida)]
            if revertida.sillas.is_empty() =>
        {
            Some(vec![])
        }
        [Confirmada(confirmada), Revertida(revertida)] if confirmada.sillas == revertida.sillas => {
            Some(vec![])
        }
        _ => None,
    }
}

/// The one event of an answer that has one.
pub fn event(handled: &Handled) -> Event {
    match handled {
        Handled::Committed { events, .. } if events.len() == 1 => events[0].clone(),
        other => panic!("not one event: {other:?}"),
    }
}
