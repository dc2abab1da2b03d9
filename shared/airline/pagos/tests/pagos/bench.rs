//! The context on the event store, with the simulated provider, over the in-memory twins.

use std::{sync::Arc, time::Duration};

use alpes_event_store::{EventStore, HandleError, Handled, StreamReader, Sweeper, verify};
use alpes_messages::{Command, Event, StreamId, Version};
use alpes_ports::{Log, World};
use events::{IdReserva, PAGOS, Payload, pagos::ReservaPagada};
use futures::{FutureExt, executor::block_on, future::BoxFuture};
use pagos::{
    Pagos, key,
    simulador::{Movimiento, Simulador, Tipo, ledger},
};
use simulation::Faults;
use twins::{ManualClock, MemoryLog, MemoryTables};

use crate::{
    escenario::RESERVA,
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

    /// The store of a process that works under `faults`.
    pub fn store(&self, faults: &Faults) -> EventStore<Payload> {
        let log = Arc::new(faults.log(self.log.clone()));
        self.store_over(faults, log)
    }

    fn store_over(&self, faults: &Faults, log: Arc<dyn Log>) -> EventStore<Payload> {
        let tables = Arc::new(faults.tables(self.tables.clone()));
        EventStore::new(tables, log, self.world.clone(), events::catalogue())
    }

    /// The provider, as a process under `faults` reaches it.
    pub fn provider(&self, faults: &Faults) -> Simulador {
        let tables = planted::plant(self.bug, Arc::new(faults.tables(self.tables.clone())));
        Simulador::new(tables, self.world.clone())
    }

    /// The rules of a process under `faults`.
    pub fn pagos(&self, faults: &Faults) -> Pagos {
        let gateway = planted::gateway(self.bug, self.provider(faults));
        Pagos { gateway }
    }

    /// A process that handles one command under `faults`.
    pub fn process(
        &self,
        faults: &Faults,
        command: &Command,
    ) -> BoxFuture<'static, Result<Handled, HandleError>> {
        handle(self.store(faults), self.pagos(faults), command)
    }

    /// A process that waits before each call of a table. Nobody reads the log here, so appends need no step of their own.
    pub fn in_steps(&self, command: &Command) -> BoxFuture<'static, Result<Handled, HandleError>> {
        let faults = Faults::in_steps();
        let store = self.store_over(&faults, self.log.clone());
        handle(store, self.pagos(&faults), command)
    }

    /// Sends a command to a process under `faults`; `None` if the process died of it.
    pub fn send(&self, faults: &Faults, command: &Command) -> Option<Result<Handled, HandleError>> {
        self.process(faults, command).now_or_never()
    }

    /// Sends a command again until there is an answer, each time to a new process, only the first of which is under `faults`.
    pub fn insist(&self, faults: &Faults, command: &Command) -> Handled {
        let first = self.send(faults, command);
        let mut answers =
            std::iter::once(first).chain((0..4).map(|_| self.send(&Faults::none(), command)));
        answers
            .find_map(|answer| answer?.ok())
            .expect("a healthy process answers")
    }

    /// The one event that comes of a command when nothing is in the way.
    pub fn event(&self, command: &Command) -> Event {
        event(&self.insist(&Faults::none(), command))
    }

    pub fn ledger(&self, id: IdReserva) -> Vec<Movimiento> {
        block_on(ledger(&*self.tables, &key(id))).unwrap()
    }

    fn reader(&self) -> StreamReader<Payload> {
        StreamReader::new(self.tables.clone(), events::catalogue())
    }

    pub fn history(&self, id: IdReserva) -> Vec<Payload> {
        let stream = block_on(self.reader().read_one(StreamId::new(PAGOS, id))).unwrap();
        let events = stream.decode(&events::catalogue(), 1, Version::MAX);
        let payloads = events.unwrap().into_iter().map(|stored| stored.payload);
        payloads.collect()
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

    /// What must hold once every command has been answered: money and streams agree.
    pub fn check(&self, reservas: &[IdReserva]) -> Result<(), String> {
        self.sweep();
        let found = block_on(verify(&*self.tables, &*self.log, &self.reader(), None)).unwrap();
        if !found.differences.is_empty() || found.pending > 0 {
            return Err(format!("the log and the streams differ: {found:?}"));
        }
        for id in reservas {
            self.agrees(*id).map_err(|text| format!("{id}: {text}"))?;
        }
        Ok(())
    }

    /// What must hold of one reservation.
    pub fn agrees(&self, id: IdReserva) -> Result<(), String> {
        agree(&self.history(id), &self.ledger(id))
    }

    /// As [`Bench::check`], of the one reservation of most tests.
    pub fn check_one(&self, context: &str) {
        self.check(&[RESERVA]).expect(context);
    }
}

fn handle(
    store: EventStore<Payload>,
    pagos: Pagos,
    command: &Command,
) -> BoxFuture<'static, Result<Handled, HandleError>> {
    let command = command.clone();
    async move { store.handle(&pagos, &command).await }.boxed()
}

/// The movements that a stream stands for; an error for a stream that no commands lead to.
fn agree(history: &[Payload], movements: &[Movimiento]) -> Result<(), String> {
    use Payload::{PagoFallido as Fallido, PagoRevertido as Revertido, ReservaPagada as Pagada};
    let moved: Vec<_> = movements
        .iter()
        .map(|movement| (movement.tipo, &movement.pago))
        .collect();
    let legal = match (history, moved.as_slice()) {
        ([] | [Fallido(_)], []) => true,
        ([Pagada(ReservaPagada { pago, .. })], [(Tipo::Cargo, charged)]) => pago == *charged,
        ([Fallido(_), Revertido(end)] | [Revertido(end)], []) => !end.devuelto,
        (
            [Pagada(ReservaPagada { pago, .. }), Revertido(end)],
            [(Tipo::Cargo, charged), (Tipo::Devolucion, back)],
        ) => end.devuelto && pago == *charged && charged == back,
        // Charged by a command that heard no answer, or only that it was void by then.
        (
            [Fallido(_), Revertido(end)] | [Revertido(end)],
            [(Tipo::Cargo, charged), (Tipo::Devolucion, back)],
        ) => end.devuelto && charged == back,
        _ => false,
    };
    if legal {
        Ok(())
    } else {
        Err(format!("{history:?}, but {moved:?}"))
    }
}

/// The one event of an answer that has one.
pub fn event(handled: &Handled) -> Event {
    match handled {
        Handled::Committed { events, .. } if events.len() == 1 => events[0].clone(),
        other => panic!("not one event: {other:?}"),
    }
}
