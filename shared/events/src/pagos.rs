//! What payments tell the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{IdReserva, Moment, vuelos::Pago};

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
