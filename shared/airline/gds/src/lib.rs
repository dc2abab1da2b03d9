//! The seat inventory: the bounded context gds.
//!
//! ```text
//! ConfirmarReserva ──► a write a flight, each on condition that there are seats ─┐
//!                                                                                ├─► one transaction with the event
//! RevertirConfirmacion ──► a write a flight that gives back what the event says ─┘
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | `confirmar_reserva`, `revertir_confirmacion` | a command each: its data, its rules, its events |
//! | [`inventory`] | the seats that are taken, one item a flight |
//! | [`capacity()`] | how many seats a flight has |
//!
//! Seats are taken without reading the inventory first: the conditions of the transaction are the only look at it. If some do not
//! hold, the store asks again and names them, and the decision is the failure. So a seat is taken exactly when the event is
//! committed, and no two reservations get the last one.

#![deny(missing_docs)]

mod capacity;
mod confirmar_reserva;
pub mod inventory;
mod politicas;
mod record;
mod revertir_confirmacion;

use std::sync::Arc;

use alpes_event_store::{Circumstances, Decider, Decision, StoreRefusal, Unavailable};
use alpes_messages::{Command, Event, Problem, StreamId};
use alpes_participant::{Failure, Rules};
use async_trait::async_trait;
use events::{GDS, Payload};

pub use capacity::{DEFAULT_SEATS, capacity};
pub use confirmar_reserva::{MAX_FLIGHTS, MAX_LIST};
pub use inventory::TABLE;
pub use politicas::policies;

/// Takes a seat on every leg, or on none; data as [`events::gds::ConfirmarReserva`].
pub const CONFIRMAR_RESERVA: &str = "ConfirmarReserva";
/// Gives back what is held; data as [`events::gds::RevertirConfirmacion`].
pub const REVERTIR_CONFIRMACION: &str = "RevertirConfirmacion";

/// How this context fails when a test wants it to.
pub const FAILURE: Failure<Payload> = Failure {
    command: CONFIRMAR_RESERVA,
    event: confirmar_reserva::failure,
};

/// This context.
#[must_use]
pub fn rules() -> Rules<Payload> {
    Rules {
        context: GDS,
        decider: Arc::new(Gds),
        failure: FAILURE,
        policies: policies(),
    }
}

/// The rules of this context, as the event store asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gds;

#[async_trait]
impl Decider<Payload> for Gds {
    fn stream(&self, command: &Command) -> StreamId {
        StreamId::new(GDS, command.subject)
    }

    fn opens(&self, command: &Command) -> bool {
        command.kind == CONFIRMAR_RESERVA
    }

    fn undoes(&self, command: &Command) -> bool {
        command.kind == REVERTIR_CONFIRMACION
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
        Ok(decide(history, command, circumstances))
    }
}

/// What comes of a command, given every event of its stream in order.
///
/// A command whose data break rules is refused with `kinds::INVALID`, and so is one of a type that is not ours.
#[must_use]
pub fn decide(
    history: &[(Event, Payload)],
    command: &Command,
    circumstances: &Circumstances,
) -> Decision {
    let decided = match command.kind.as_str() {
        CONFIRMAR_RESERVA => confirmar_reserva::decide(history, command, circumstances),
        REVERTIR_CONFIRMACION => revertir_confirmacion::decide(history, command, circumstances.now),
        _ => Err(parse::unknown_command(&[
            CONFIRMAR_RESERVA,
            REVERTIR_CONFIRMACION,
        ])),
    };
    decided.unwrap_or_else(Decision::Reject)
}
