//! Reservations: the bounded context vuelos.
//!
//! ```text
//! body ──► crear_reserva::parse ──► CrearReserva ─┐
//!                                                 ├─► decide(history, command, now) ──► events | already | rejection
//! history ──► Reserva::fold ──────────────────────┘
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`crear_reserva`], [`cancelar_reserva`], `aprobar_reserva` | a command each: its data, its rules, its events |
//! | [`Reserva`] | what the events of a stream amount to, and what readers see of it |
//! | [`aeropuertos`], [`monedas`], [`tarifa`] | reference data, and the fare computed from it |
//!
//! All of it is a function of its arguments: no clock, no I/O, no randomness. Rules hold for commands; the fold never
//! validates, so a rule can be tightened without breaking history.

#![deny(missing_docs)]

pub mod aeropuertos;
mod aprobar_reserva;
pub mod cancelar_reserva;
pub mod crear_reserva;
pub mod monedas;
mod politicas;
mod reserva;
pub mod tarifa;

use std::sync::Arc;

use alpes_event_store::{Circumstances, Decider, Decision, StoreRefusal, Unavailable};
use alpes_messages::{Command, Event, Moment, Problem, StreamId};
use alpes_participant::{Failure, Rules};
use async_trait::async_trait;
use events::{Payload, VUELOS};
use parse::unknown_command;

pub use politicas::{DEADLINE, policies};
pub use reserva::{Detalle, Reserva};

/// Makes a reservation; data as [`events::vuelos::CrearReserva`].
pub const CREAR_RESERVA: &str = "CrearReserva";
/// Approves one that is paid and confirmed; data as [`events::vuelos::AprobarReserva`].
pub const APROBAR_RESERVA: &str = "AprobarReserva";
/// Cancels one; data as [`events::vuelos::CancelarReserva`].
pub const CANCELAR_RESERVA: &str = "CancelarReserva";

/// How this context fails when a test wants it to.
pub const FAILURE: Failure<Payload> = Failure {
    command: APROBAR_RESERVA,
    event: aprobar_reserva::failure,
};

/// This context.
#[must_use]
pub fn rules() -> Rules<Payload> {
    Rules {
        context: VUELOS,
        decider: Arc::new(Vuelos),
        failure: FAILURE,
        policies: policies(),
    }
}

/// The rules of this context, as the event store asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vuelos;

#[async_trait]
impl Decider<Payload> for Vuelos {
    fn stream(&self, command: &Command) -> StreamId {
        StreamId::new(VUELOS, command.subject)
    }

    fn opens(&self, command: &Command) -> bool {
        command.kind == CREAR_RESERVA
    }

    fn undoes(&self, command: &Command) -> bool {
        command.kind == CANCELAR_RESERVA
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
        Ok(decide(history, command, circumstances.now))
    }
}

/// What comes of a command, given every event of its stream in order. `now` is the time of the events decided.
///
/// A command whose data break rules is refused with `kinds::INVALID`, and so is one of a type that is not ours.
#[must_use]
pub fn decide(history: &[(Event, Payload)], command: &Command, now: Moment) -> Decision {
    let decided = match command.kind.as_str() {
        CREAR_RESERVA => crear_reserva::decide(history, command, now),
        APROBAR_RESERVA => aprobar_reserva::decide(history, command, now),
        CANCELAR_RESERVA => cancelar_reserva::decide(history, command, now),
        _ => Err(unknown_command(&[
            CREAR_RESERVA,
            APROBAR_RESERVA,
            CANCELAR_RESERVA,
        ])),
    };
    decided.unwrap_or_else(Decision::Reject)
}
