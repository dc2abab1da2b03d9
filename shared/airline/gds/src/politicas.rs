//! What gds does by itself in a choreography.

use alpes_messages::mapping::Mapping;
use alpes_participant::Policy;

use crate::{CONFIRMAR_RESERVA, REVERTIR_CONFIRMACION};

/// A reservation that is paid gets its seats, on the legs that it was made with; one that is cancelled gives them back.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let viaje = Mapping::empty().field("itinerarios", "ReservaCreada.itinerarios");
    vec![
        Policy::does("ReservaPagada", CONFIRMAR_RESERVA, viaje),
        Policy::undoes("ReservaCancelada", REVERTIR_CONFIRMACION, Mapping::empty()),
    ]
}
