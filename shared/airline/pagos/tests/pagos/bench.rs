//! The test bench: the context `pagos` on the event store, with the simulated provider and the ports in memory.

use std::{ops::Deref, sync::Arc};

use alpes_event_store::{EventStore, HandleError, Handled};
use alpes_messages::{Command, StreamId};
use domain_kit::{Processes, StoreBench};
use events::{IdReserva, PAGOS, Payload, pagos::ReservaPagada};
use futures::{FutureExt, executor::block_on, future::BoxFuture};
use pagos::{
    Pagos, key,
    simulador::{Movimiento, Simulador, Tipo, ledger},
};
use simulation::Faults;

use crate::{
    escenario::RESERVA,
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

impl Processes for Bench {
    fn send(&self, faults: &Faults, command: &Command) -> Option<Result<Handled, HandleError>> {
        self.process(faults, command).now_or_never()
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

    /// The provider of a process under `faults`.
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

    /// A process that waits before each call of a table. No part of these tests reads the log, so appends are not
    /// separate steps.
    pub fn in_steps(&self, command: &Command) -> BoxFuture<'static, Result<Handled, HandleError>> {
        let faults = Faults::in_steps();
        let tables = Arc::new(faults.tables(self.tables.clone()));
        let store = self.store_over(tables, self.log.clone());
        handle(store, self.pagos(&faults), command)
    }

    pub fn ledger(&self, id: IdReserva) -> Vec<Movimiento> {
        block_on(ledger(&*self.tables, &key(id))).unwrap()
    }

    pub fn history(&self, id: IdReserva) -> Vec<Payload> {
        self.bench.history(StreamId::new(PAGOS, id))
    }

    /// Checks that the ledger and the streams of these reservations agree, once every command has been answered.
    pub fn check(&self, reservas: &[IdReserva]) -> Result<(), String> {
        self.settle()?;
        for id in reservas {
            self.agrees(*id).map_err(|text| format!("{id}: {text}"))?;
        }
        Ok(())
    }

    /// Checks that the ledger and the stream of one reservation agree.
    pub fn agrees(&self, id: IdReserva) -> Result<(), String> {
        agree(&self.history(id), &self.ledger(id))
    }

    /// The check of [`Bench::check`] for the reservation that most tests use.
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

/// Checks that the movements of money are those that the events of a stream say. The result is also an error if no
/// sequence of commands leads to these events.
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
        // A command charged, but its answer was lost or its charge was voided before the commit.
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
