//! Payments: the bounded context pagos.
//!
//! ```text
//! PagarReserva ──► cobrar at the gateway ──► ReservaPagada | PagoFallido
//! RevertirPago ──► anular at the gateway ──► PagoRevertido
//! ```
//!
//! A reservation is charged once at most, under one key. The gateway is asked before the commit, and is the one that remembers:
//! a command that was interrupted is sent again, asks the same under the same key, and hears the same.
//!
//! | module | what |
//! | --- | --- |
//! | `pagar_reserva`, `revertir_pago` | a command each: its data, its rules, its events |
//! | [`gateway`] | what this context asks of a payment provider, and what an adapter of a real one has to do |
//! | [`simulador`] | the adapter shipped: a provider of test tokens, with a ledger |

#![deny(missing_docs)]

pub mod gateway;
mod pagar_reserva;
mod politicas;
mod revertir_pago;
pub mod simulador;

use std::sync::Arc;

use alpes_event_store::{Circumstances, Decider, Decision, StoreRefusal, Unavailable};
use alpes_messages::{Command, Event, Problem, StreamId};
use alpes_participant::{Failure, Rules};
use alpes_ports::{Tables, World};
use async_trait::async_trait;
use events::{IdReserva, PAGOS, Payload};

pub use gateway::Gateway;
pub use pagar_reserva::MAX_MEDIO;
pub use politicas::policies;

/// Charges a reservation; data as [`events::pagos::PagarReserva`].
pub const PAGAR_RESERVA: &str = "PagarReserva";
/// Gives back the charge, and allows none from then on; data as [`events::pagos::RevertirPago`].
pub const REVERTIR_PAGO: &str = "RevertirPago";

/// How this context fails when a test wants it to.
pub const FAILURE: Failure<Payload> = Failure {
    command: PAGAR_RESERVA,
    event: pagar_reserva::failure,
};

/// The key of a reservation's charge at the gateway.
#[must_use]
pub fn key(id: IdReserva) -> String {
    StreamId::new(PAGOS, id).to_string()
}

/// This context, with the simulated provider, which has its ledger in `tables`.
#[must_use]
pub fn rules(tables: Arc<dyn Tables>, world: World) -> Rules<Payload> {
    let gateway = Arc::new(simulador::Simulador::new(tables, world));
    Rules {
        context: PAGOS,
        decider: Arc::new(Pagos { gateway }),
        failure: FAILURE,
        policies: policies(),
    }
}

/// The rules of this context, as the event store asks for them.
#[derive(Clone)]
pub struct Pagos {
    /// The payment provider.
    pub gateway: Arc<dyn Gateway>,
}

#[async_trait]
impl Decider<Payload> for Pagos {
    fn stream(&self, command: &Command) -> StreamId {
        StreamId::new(PAGOS, command.subject)
    }

    fn opens(&self, _: &Command) -> bool {
        // PagarReserva nearly always does. Still the stream is read first: a decision costs a call of the provider here, which
        // is not to be asked to charge what was reverted.
        false
    }

    fn undoes(&self, command: &Command) -> bool {
        command.kind == REVERTIR_PAGO
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        parse::refusal(refusal)
    }

    async fn decide(
        &self,
        history: &[(Event, Payload)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable> {
        let (gateway, now) = (&*self.gateway, circumstances.now);
        match command.kind.as_str() {
            PAGAR_RESERVA => pagar_reserva::decide(gateway, history, command, now).await,
            REVERTIR_PAGO => revertir_pago::decide(gateway, history, command, now).await,
            _ => Ok(Decision::Reject(parse::unknown_command(&[
                PAGAR_RESERVA,
                REVERTIR_PAGO,
            ]))),
        }
    }
}
