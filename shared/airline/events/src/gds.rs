//! The events and commands of the seat inventory.

use alpes_messages::{Moment, moment::date};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    IdReserva,
    vuelos::{Itinerario, Pasajero},
};

/// A number of seats on one flight. A flight is identified by origin, destination and departure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Sillas {
    /// IATA code of the airport of departure.
    pub origen: String,
    /// IATA code of the airport of arrival.
    pub destino: String,
    /// Time of departure.
    #[serde(deserialize_with = "date")]
    pub fecha_salida: Timestamp,
    /// Number of seats.
    pub sillas: u32,
}

/// The reservation holds a seat on every leg for each passenger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaGDSConfirmada {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// The seats that it holds. Each flight is listed once, with one seat for each leg on it and each passenger.
    pub sillas: Vec<Sillas>,
    /// Time of the confirmation.
    pub fecha_actualizacion: Moment,
}

/// The reservation got no seats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmacionFallida {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// The reason.
    pub motivo: String,
    /// The flights without enough seats, with the number of seats that were needed on each.
    pub sin_sillas: Vec<Sillas>,
    /// Time of the failure.
    pub fecha_actualizacion: Moment,
}

/// The reservation holds no seats any more, and can get none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmacionGDSRevertida {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// The seats that it held; empty if it held none.
    pub sillas: Vec<Sillas>,
    /// Time of the reversal.
    pub fecha_actualizacion: Moment,
}

/// `ConfirmarReserva`: take a seat on every leg for each passenger, or none at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmarReserva {
    /// The journey.
    pub itinerarios: Vec<Itinerario>,
    /// The passengers. Without passengers, the command takes the seats of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pasajeros: Option<Vec<Pasajero>>,
}

/// `RevertirConfirmacion`: give back the seats of the reservation, and take none for it from then on. The reservation
/// is the command's subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevertirConfirmacion {}
