//! A reservation in a list: its summary, whose size does not grow with the reservation. `GET /vuelos/reserva/{id}` shows
//! all of the reservation.

use alpes_messages::{CorrelationId, Moment};
use events::{
    IdReserva,
    vuelos::{EstadoReserva, Itinerario, Monto, Pago, legs},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use views::reservas::Fila;

use crate::ReservaDto;

/// A reservation without its legs and passengers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResumenReserva {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// The client.
    pub id_cliente: Option<String>,
    /// The correlation id, which is the id of the reservation's saga.
    pub id_correlacion: CorrelationId,
    /// The state.
    pub estado: EstadoReserva,
    /// Time at which the reservation was made.
    pub fecha_creacion: Moment,
    /// Time of the reservation's last event.
    pub fecha_actualizacion: Moment,
    /// The journey; null if an old event did not have it.
    pub viaje: Option<ResumenViaje>,
    /// Number of passengers.
    pub numero_pasajeros: usize,
    /// The price; null if an old event did not have it.
    pub importe: Option<Importe>,
}

/// A journey, from its first leg to its last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResumenViaje {
    /// IATA code of the airport from which the first leg departs.
    pub origen: String,
    /// IATA code of the airport at which the last leg arrives.
    pub destino: String,
    /// Departure of the first leg.
    pub fecha_salida: Timestamp,
    /// Arrival of the last leg.
    pub fecha_llegada: Timestamp,
    /// Number of legs.
    pub numero_legs: usize,
}

/// A price without its payment token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Importe {
    /// The fare without tax.
    pub monto: Monto,
    /// The tax on the fare.
    pub monto_vat: Monto,
    /// ISO 4217 code of the currency of both amounts.
    pub moneda: String,
}

impl ResumenReserva {
    /// Summarizes a row of the view; `None` if the view does not have its `ReservaCreada` yet.
    #[must_use]
    pub fn of(fila: Fila) -> Option<Self> {
        let reserva = ReservaDto::from_view(fila)?.detalle;
        Some(Self {
            id_reserva: reserva.id_reserva,
            id_cliente: reserva.id_cliente,
            id_correlacion: reserva.id_correlacion,
            estado: reserva.estado,
            fecha_creacion: reserva.fecha_creacion,
            fecha_actualizacion: reserva.fecha_actualizacion,
            viaje: ResumenViaje::of(&reserva.itinerarios),
            numero_pasajeros: reserva.pasajeros.len(),
            importe: reserva.pago.map(Importe::from),
        })
    }
}

impl ResumenViaje {
    fn of(itinerarios: &[Itinerario]) -> Option<Self> {
        let legs: Vec<_> = legs(itinerarios).collect();
        let (first, last) = legs.first().zip(legs.last())?;
        Some(Self {
            origen: first.origen.codigo.clone(),
            destino: last.destino.codigo.clone(),
            fecha_salida: first.fecha_salida,
            fecha_llegada: last.fecha_llegada,
            numero_legs: legs.len(),
        })
    }
}

impl From<Pago> for Importe {
    fn from(pago: Pago) -> Self {
        Self {
            monto: pago.monto,
            monto_vat: pago.monto_vat,
            moneda: pago.moneda,
        }
    }
}
