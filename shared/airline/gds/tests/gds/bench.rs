//! The context on the event store, over the in-memory twins.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use alpes_event_store::{EventStore, HandleError, Handled};
use alpes_messages::{Command, Event};
use domain_kit::{StoreBench, event_of, insist};
use events::{Payload, gds::Sillas};
use futures::{FutureExt, executor::block_on};
use gds::{
    Gds,
    inventory::{self, Inventory, Vuelo},
};
use simulation::Faults;

use crate::{
    escenario::{Flight, sillas},
    planted::{self, Bug},
};

/// What outlives a process, and the mistake that processes make.
#[derive(Clone)]
pub struct Bench {
    bench: StoreBench<Payload>,
    bug: Option<Bug>,
}

impl Deref for Bench {
    type Target = StoreBench<Payload>;

    fn deref(&self) -> &StoreBench<Payload> {
        &self.bench
    }
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
        let bench = StoreBench::new(events::catalogue());
        Self { bench, bug }
    }

    /// A process that works under `faults`.
    pub fn store(&self, faults: &Faults) -> EventStore<Payload> {
        let tables = planted::plant(self.bug, Arc::new(faults.tables(self.tables.clone())));
        self.store_over(tables, Arc::new(faults.log(self.log.clone())))
    }

    /// Sends a command to a process under `faults`; `None` if the process died of it.
    pub fn send(&self, faults: &Faults, command: &Command) -> Option<Result<Handled, HandleError>> {
        self.store(faults).handle(&Gds, command).now_or_never()
    }

    /// Sends a command until it is answered.
    pub fn insist(&self, faults: &Faults, command: &Command) -> Handled {
        insist(faults, |faults| self.send(faults, command))
    }

    /// The one event that comes of a command when nothing is in the way.
    pub fn event(&self, command: &Command) -> Event {
        event_of(&self.insist(&Faults::none(), command))
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

    /// What must hold once all is quiet. `capacities` are those of the flights that there are, as they were at the start.
    pub fn check(&self, capacities: &[(Flight, i64)]) -> Result<(), String> {
        self.settle()?;
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
