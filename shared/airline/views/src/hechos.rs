//! The facts that a view knows about a reservation, and the reservation's state, which follows from the facts.

use std::collections::BTreeSet;

use events::{EventoVuelos, Payload, vuelos::EstadoReserva};
use serde::{Deserialize, Serialize};

/// The facts whose events have arrived so far, in any order: `creada`, `pagada`, `aprobada`, `cancelada`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hechos(BTreeSet<String>);

impl Hechos {
    pub(crate) fn hear(&mut self, payload: &Payload) {
        let fact = match payload.vuelos() {
            Some(EventoVuelos::ReservaCreada(_)) => "creada",
            Some(EventoVuelos::ReservaAprobada(_)) => "aprobada",
            Some(EventoVuelos::ReservaCancelada(_)) => "cancelada",
            None if matches!(payload, Payload::ReservaPagada(_)) => "pagada",
            Some(EventoVuelos::AprobacionReservaFallida(_)) | None => return,
        };
        self.0.insert(fact.to_owned());
    }

    /// The state; `None` while no fact is known. Cancelled has precedence over approved, approved over paid, and paid
    /// over pending. Facts are added and never removed, so the state never goes back.
    pub(crate) fn estado(&self) -> Option<EstadoReserva> {
        [
            ("cancelada", EstadoReserva::Cancelada),
            ("aprobada", EstadoReserva::Aprobada),
            ("pagada", EstadoReserva::Pagada),
            ("creada", EstadoReserva::Pendiente),
        ]
        .into_iter()
        .find(|(fact, _)| self.0.contains(*fact))
        .map(|(_, estado)| estado)
    }
}
