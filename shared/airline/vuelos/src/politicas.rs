//! What vuelos does by itself in a choreography.

use std::time::Duration;

use alpes_messages::mapping::Mapping;
use alpes_participant::Policy;

use crate::{APROBAR_RESERVA, CANCELAR_RESERVA, cancelar_reserva::PLAZO};

/// A reservation by choreography that is not approved by then is cancelled: somebody did not do their part.
pub const DEADLINE: Duration = Duration::from_mins(5);

/// A reservation that has its seats is approved; one that fails anywhere is cancelled, and so is one that takes too long.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let because = |motivo| Mapping::empty().text("motivo", motivo);
    let mut policies = vec![
        Policy::does("ReservaGDSConfirmada", APROBAR_RESERVA, Mapping::empty()),
        Policy::later(
            "ReservaCreada",
            DEADLINE,
            CANCELAR_RESERVA,
            because(PLAZO),
            &["ReservaAprobada", "ReservaCancelada"],
        ),
    ];
    policies.extend(
        [
            "PagoFallido",
            "ConfirmacionFallida",
            "AprobacionReservaFallida",
        ]
        .map(|failed| Policy::undoes(failed, CANCELAR_RESERVA, because(failed))),
    );
    policies
}
