//! What the seat inventory tells the others, and how it is asked.

use alpes_messages::{Moment, moment::date};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{IdReserva, vuelos::Itinerario};

/// A flight, as the inventory tells flights apart, with a number of its seats.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Sillas {
    /// IATA code of the airport of departure.
    pub origen: String,
    /// IATA code of the airport of arrival.
    pub destino: String,
    /// Departure.
    #[serde(deserialize_with = "date")]
    pub fecha_salida: Timestamp,
    /// How many seats.
    pub sillas: u32,
}

/// A seat is held on every leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaGDSConfirmada {
    /// Which reservation.
    pub id_reserva: IdReserva,
    /// What it holds: a flight once, with as many seats as it has legs on it.
    pub sillas: Vec<Sillas>,
    /// When.
    pub fecha_actualizacion: Moment,
}

/// No seat is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmacionFallida {
    /// Which reservation.
    pub id_reserva: IdReserva,
    /// Why.
    pub motivo: String,
    /// The flights without enough seats, with what was asked of each.
    pub sin_sillas: Vec<Sillas>,
    /// When.
    pub fecha_actualizacion: Moment,
}

/// The seats were given back, or can no longer be taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmacionGDSRevertida {
    /// Which reservation.
    pub id_reserva: IdReserva,
    /// What it held; empty if it held nothing.
    pub sillas: Vec<Sillas>,
    /// When.
    pub fecha_actualizacion: Moment,
}

/// `ConfirmarReserva`: take a seat on every leg, or on none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmarReserva {
    /// The journey.
    pub itinerarios: Vec<Itinerario>,
}

/// `RevertirConfirmacion`: give back what is held, and take nothing from now on. The reservation is the command's subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevertirConfirmacion {}
