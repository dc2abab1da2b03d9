//! The policies of `gds` in a choreography.

use alpes_messages::mapping::Mapping;
use alpes_participant::Policy;

use crate::{CONFIRMAR_RESERVA, REVERTIR_CONFIRMACION};

/// A paid reservation gets the seats of its journey; a cancelled reservation gives them back.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let viaje = Mapping::empty()
        .field("itinerarios", "ReservaCreada.itinerarios")
        .field("pasajeros", "ReservaCreada.pasajeros");
    vec![
        Policy::does("ReservaPagada", CONFIRMAR_RESERVA, viaje),
        Policy::undoes("ReservaCancelada", REVERTIR_CONFIRMACION, Mapping::empty()),
    ]
}
