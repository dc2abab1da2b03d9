//! The seat inventory: the bounded context gds.
//!
//! ```text
//! ConfirmarReserva     ──► a write for each flight, on condition that it has seats ─┐
//!                                                                                   ├─► one transaction with the event
//! RevertirConfirmacion ──► a write for each flight that gives its seats back ───────┘
//! ```
//!
//! | module | content |
//! | --- | --- |
//! | `confirmar_reserva`, `revertir_confirmacion` | one command each: its data, rules and events |
//! | [`inventory`] | the taken seats, one item for each flight |
//! | [`capacity()`] | the number of seats of a flight |
//!
//! The decision takes seats without reading the inventory first: only the conditions of the transaction check the
//! inventory. If some conditions fail, the event store names the refused writes and asks for a second decision, which
//! is `ConfirmacionFallida`. So the reservation has its seats exactly when the event is committed, and no two
//! reservations get the last seat.

#![deny(missing_docs)]

mod capacity;
mod confirmar_reserva;
pub mod inventory;
mod politicas;
mod record;
mod revertir_confirmacion;

use std::sync::Arc;

use alpes_event_store::{Case, Decider, Decision, Route, StoreRefusal, Unavailable};
use alpes_messages::{Command, Problem, StreamId};
use alpes_participant::{Failure, Rules};
use async_trait::async_trait;
use events::{GDS, Payload};

pub use capacity::{DEFAULT_SEATS, capacity};
pub use confirmar_reserva::{MAX_FLIGHTS, MAX_LIST};
pub use inventory::TABLE;
pub use politicas::policies;

/// Takes a seat on every leg for each passenger, or none at all. Its data is [`events::gds::ConfirmarReserva`].
pub const CONFIRMAR_RESERVA: &str = "ConfirmarReserva";
/// Gives back the seats of a reservation. Its data is [`events::gds::RevertirConfirmacion`].
pub const REVERTIR_CONFIRMACION: &str = "RevertirConfirmacion";

/// The command that fails when a test asks this context for a failure, and the event of the failure.
pub const FAILURE: Failure<Payload> = Failure {
    command: CONFIRMAR_RESERVA,
    event: confirmar_reserva::failure,
};

/// The rules and policies of this context.
#[must_use]
pub fn rules() -> Rules<Payload> {
    Rules {
        context: GDS,
        decider: Arc::new(Gds),
        failure: FAILURE,
        policies: policies(),
    }
}

/// The decider of this context, for the event store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gds;

#[async_trait]
impl Decider<Payload> for Gds {
    fn route(&self, command: &Command) -> Route {
        Route {
            stream: StreamId::new(GDS, command.subject),
            opens: command.kind == CONFIRMAR_RESERVA,
            undoes: command.kind == REVERTIR_CONFIRMACION,
        }
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        parse::refusal(refusal)
    }

    async fn decide(&self, case: &Case<'_, Payload>) -> Result<Decision, Unavailable> {
        Ok(decide(case))
    }
}

/// Decides the command of the case.
///
/// A command with invalid data or an unknown type is refused with `kinds::INVALID`.
#[must_use]
pub fn decide(case: &Case<'_, Payload>) -> Decision {
    let decided = match case.command.kind.as_str() {
        CONFIRMAR_RESERVA => confirmar_reserva::decide(case),
        REVERTIR_CONFIRMACION => revertir_confirmacion::decide(case),
        _ => Err(parse::unknown_command(&[
            CONFIRMAR_RESERVA,
            REVERTIR_CONFIRMACION,
        ])),
    };
    decided.unwrap_or_else(Decision::Reject)
}
