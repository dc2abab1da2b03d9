//! The policies of `vuelos` in a choreography.

use std::time::Duration;

use alpes_messages::mapping::Mapping;
use alpes_participant::Policy;

use crate::{APROBAR_RESERVA, CANCELAR_RESERVA, cancelar_reserva::PLAZO};

/// The deadline of a reservation by choreography, counted from its creation. A reservation that is not approved by then
/// is cancelled, because a context did not do its part.
pub const DEADLINE: Duration = Duration::from_mins(5);

/// A reservation with its seats is approved. A reservation is cancelled if any step fails or its deadline passes.
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
