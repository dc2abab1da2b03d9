//! Reservations: the bounded context vuelos.
//!
//! ```text
//! body ──► crear_reserva::parse ──► CrearReserva ─┐
//!                                                 ├─► decide(case) ──► events | already | rejection
//! history ──► Reserva::fold ──────────────────────┘
//! ```
//!
//! | module | content |
//! | --- | --- |
//! | [`crear_reserva`], [`cancelar_reserva`], `aprobar_reserva` | one command each: its data, rules and events |
//! | [`Reserva`] | the fold of a stream's events, and the form that readers get |
//! | [`cotizacion`] | quotes, which hold a price for a while |
//! | [`viaje`] | the rules over all legs of a reservation |
//! | [`aeropuertos`], [`monedas`], [`tarifa`] | reference data, and the price computed from it |
//!
//! Everything here is a function of its arguments, without clock, I/O or randomness. The rules apply only to commands.
//! The fold of events checks no rule, so a rule can become stricter while old events stay valid.

#![deny(missing_docs)]

pub mod aeropuertos;
mod aprobar_reserva;
pub mod cancelar_reserva;
pub mod cotizacion;
pub mod crear_reserva;
pub mod monedas;
mod politicas;
mod reserva;
pub mod tarifa;
pub mod viaje;

use std::sync::Arc;

use alpes_event_store::{Case, Decider, Decision, Route, StoreRefusal, Unavailable};
use alpes_messages::{Command, Problem, StreamId};
use alpes_participant::{Failure, Rules};
use async_trait::async_trait;
use events::{Payload, VUELOS};
use parse::unknown_command;

pub use politicas::{DEADLINE, policies};
pub use reserva::{Detalle, Reserva};

/// Makes a reservation. Its data is [`events::vuelos::CrearReserva`].
pub const CREAR_RESERVA: &str = "CrearReserva";
/// Approves a reservation that is paid and has its seats. Its data is [`events::vuelos::AprobarReserva`].
pub const APROBAR_RESERVA: &str = "AprobarReserva";
/// Cancels a reservation. Its data is [`events::vuelos::CancelarReserva`].
pub const CANCELAR_RESERVA: &str = "CancelarReserva";

/// The command that fails when a test asks this context for a failure, and the event of the failure.
pub const FAILURE: Failure<Payload> = Failure {
    command: APROBAR_RESERVA,
    event: aprobar_reserva::failure,
};

/// The rules and policies of this context.
#[must_use]
pub fn rules() -> Rules<Payload> {
    Rules {
        context: VUELOS,
        decider: Arc::new(Vuelos),
        failure: FAILURE,
        policies: policies(),
    }
}

/// The decider of this context, for the event store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vuelos;

#[async_trait]
impl Decider<Payload> for Vuelos {
    fn route(&self, command: &Command) -> Route {
        Route {
            stream: StreamId::new(VUELOS, command.subject),
            opens: command.kind == CREAR_RESERVA,
            undoes: command.kind == CANCELAR_RESERVA,
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
        CREAR_RESERVA => crear_reserva::decide(case),
        APROBAR_RESERVA => aprobar_reserva::decide(case),
        CANCELAR_RESERVA => cancelar_reserva::decide(case),
        _ => Err(unknown_command(&[
            CREAR_RESERVA,
            APROBAR_RESERVA,
            CANCELAR_RESERVA,
        ])),
    };
    decided.unwrap_or_else(Decision::Reject)
}
