//! The events and commands of payments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use alpes_messages::Moment;

use crate::{IdReserva, vuelos::Pago};

/// The reservation was charged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaPagada {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// The amount charged, and the payment token.
    #[serde(flatten)]
    pub pago: Pago,
    /// Time of the charge.
    pub fecha_actualizacion: Moment,
}

/// The reservation could not be charged, and never will be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PagoFallido {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// The reason, as the payment provider gave it.
    pub motivo: String,
    /// Time of the failure.
    pub fecha_actualizacion: Moment,
}

/// The charge was refunded, or can no longer be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PagoRevertido {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// True if a charge was refunded.
    pub devuelto: bool,
    /// Time of the reversal.
    pub fecha_actualizacion: Moment,
}

/// `PagarReserva`: charge the reservation once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PagarReserva {
    /// The amount to charge, and the payment token.
    #[serde(flatten)]
    pub pago: Pago,
}

/// `RevertirPago`: refund the charge of the reservation, and allow none from then on. The reservation is the command's
/// subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevertirPago {}
