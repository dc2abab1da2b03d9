//! What payments tell the others, and how they are asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use alpes_messages::Moment;

use crate::{IdReserva, vuelos::Pago};

/// The reservation was charged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaPagada {
    /// Which reservation.
    pub id_reserva: IdReserva,
    /// What was charged, and to what.
    #[serde(flatten)]
    pub pago: Pago,
    /// When.
    pub fecha_actualizacion: Moment,
}

/// The reservation could not be charged, and will not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PagoFallido {
    /// Which reservation.
    pub id_reserva: IdReserva,
    /// Why: the provider's word.
    pub motivo: String,
    /// When.
    pub fecha_actualizacion: Moment,
}

/// The charge was given back, or can no longer be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PagoRevertido {
    /// Which reservation.
    pub id_reserva: IdReserva,
    /// True if there was a charge to give back.
    pub devuelto: bool,
    /// When.
    pub fecha_actualizacion: Moment,
}

/// `PagarReserva`: charge the reservation, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PagarReserva {
    /// How much, and to what.
    #[serde(flatten)]
    pub pago: Pago,
}

/// `RevertirPago`: give back what was charged, and charge nothing from now on. The reservation is the command's subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevertirPago {}
