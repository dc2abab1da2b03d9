//! Payments: the bounded context pagos.
//!
//! ```text
//! PagarReserva ──► cobrar at the gateway ──► ReservaPagada | PagoFallido
//! RevertirPago ──► anular at the gateway ──► PagoRevertido
//! ```
//!
//! A reservation is charged at most once, because every attempt has the same idempotency key. The context calls the gateway before the commit, and the
//! gateway deduplicates: the retry of an interrupted command makes the same call under the same key, and gets the same
//! answer.
//!
//! | module | content |
//! | --- | --- |
//! | `pagar_reserva`, `revertir_pago` | one command each: its data, rules and events |
//! | [`gateway`] | the port to a payment provider, and the duties of an adapter |
//! | [`simulador`] | the adapter that is included: a simulated provider with test tokens and a ledger |

#![deny(missing_docs)]

pub mod gateway;
mod pagar_reserva;
mod politicas;
mod revertir_pago;
pub mod simulador;

use std::sync::Arc;

use alpes_event_store::{Case, Decider, Decision, Route, StoreRefusal, Unavailable};
use alpes_messages::{Command, Problem, StreamId};
use alpes_participant::{Failure, Rules};
use alpes_ports::{Tables, World};
use async_trait::async_trait;
use events::{IdReserva, PAGOS, Payload};

pub use gateway::Gateway;
pub use pagar_reserva::MAX_MEDIO;
pub use politicas::policies;

/// Charges a reservation. Its data is [`events::pagos::PagarReserva`].
pub const PAGAR_RESERVA: &str = "PagarReserva";
/// Refunds the charge of a reservation, and prevents any later charge. Its data is [`events::pagos::RevertirPago`].
pub const REVERTIR_PAGO: &str = "RevertirPago";

/// The command that fails when a test asks this context for a failure, and the event of the failure.
pub const FAILURE: Failure<Payload> = Failure {
    command: PAGAR_RESERVA,
    event: pagar_reserva::failure,
};

/// The key of a reservation's charge at the gateway.
#[must_use]
pub fn key(id: IdReserva) -> String {
    StreamId::new(PAGOS, id).to_string()
}

/// The rules and policies of this context, with the simulated provider. The provider keeps its ledger in `tables`.
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

/// The decider of this context, for the event store.
#[derive(Clone)]
pub struct Pagos {
    /// The payment provider.
    pub gateway: Arc<dyn Gateway>,
}

#[async_trait]
impl Decider<Payload> for Pagos {
    fn route(&self, command: &Command) -> Route {
        Route {
            stream: StreamId::new(PAGOS, command.subject),
            // `PagarReserva` nearly always opens the reservation's stream in `pagos`. The stream is read first
            // nevertheless, because the decision calls the provider, which must not charge a reverted payment.
            opens: false,
            undoes: command.kind == REVERTIR_PAGO,
        }
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        parse::refusal(refusal)
    }

    async fn decide(&self, case: &Case<'_, Payload>) -> Result<Decision, Unavailable> {
        let gateway = &*self.gateway;
        match case.command.kind.as_str() {
            PAGAR_RESERVA => pagar_reserva::decide(gateway, case).await,
            REVERTIR_PAGO => revertir_pago::decide(gateway, case).await,
            _ => Ok(Decision::Reject(parse::unknown_command(&[
                PAGAR_RESERVA,
                REVERTIR_PAGO,
            ]))),
        }
    }
}
