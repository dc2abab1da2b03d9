//! The test bench: the context `gds` on the event store, with the ports in memory.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use alpes_event_store::{EventStore, HandleError, Handled};
use alpes_messages::Command;
use domain_kit::{Processes, StoreBench};
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

/// The data that outlive a process, and the planted mistake of all processes of the test.
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

impl Processes for Bench {
    fn send(&self, faults: &Faults, command: &Command) -> Option<Result<Handled, HandleError>> {
        self.store(faults).handle(&Gds, command).now_or_never()
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(None)
    }

    /// A bench whose processes have this bug.
    pub fn with(bug: Option<Bug>) -> Self {
        let bench = StoreBench::new(events::catalogue());
        Self { bench, bug }
    }

    /// The event store of a process that works under `faults`.
    pub fn store(&self, faults: &Faults) -> EventStore<Payload> {
        let tables = planted::plant(self.bug, Arc::new(faults.tables(self.tables.clone())));
        self.store_over(tables, Arc::new(faults.log(self.log.clone())))
    }

    pub fn set_free(&self, flight: Flight, free: u32) {
        block_on(inventory::set_free(&*self.tables, &vuelo(flight), free)).unwrap();
    }

    pub fn read(&self, flight: Flight) -> Inventory {
        block_on(inventory::read(&*self.tables, &vuelo(flight))).unwrap()
    }

    /// Number of free seats and of held seats of a flight.
    pub fn seats(&self, flight: Flight) -> (i64, i64) {
        let Inventory { free, held, .. } = self.read(flight);
        (free, held)
    }

    /// Checks that the seats held are the seats of the streams, once no command is in flight. `capacities` lists the
    /// flights with their seats at the start.
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

/// The seats that a reservation holds, according to the events of its stream; `None` if no sequence of commands leads
/// to these events.
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
