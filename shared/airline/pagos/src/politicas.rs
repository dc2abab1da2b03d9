//! The policies of `pagos` in a choreography.

use alpes_messages::mapping::Mapping;
use alpes_participant::Policy;

use crate::{PAGAR_RESERVA, REVERTIR_PAGO};

/// A new reservation is charged. A cancelled reservation gets its money back, whatever the outcome of its payment.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let pago = Mapping::empty()
        .field("monto", "ReservaCreada.pago.monto")
        .field("monto_vat", "ReservaCreada.pago.monto_vat")
        .field("moneda", "ReservaCreada.pago.moneda")
        .field("medio", "ReservaCreada.pago.medio");
    vec![
        Policy::does("ReservaCreada", PAGAR_RESERVA, pago),
        Policy::undoes("ReservaCancelada", REVERTIR_PAGO, Mapping::empty()),
    ]
}
