//! The events and commands of the context `vuelos`, which makes, approves and cancels reservations.
//!
//! These types are plain data and may hold invalid values. The context `vuelos` checks the rules, for commands only.

use std::{borrow::Cow, fmt};

use alpes_messages::{Moment, SagaMode, moment::date};
use jiff::Timestamp;
use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::IdReserva;

/// State of a reservation, as its client sees it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum EstadoReserva {
    /// Made, and not yet paid.
    Pendiente,
    /// Paid. Only the view knows this state, because the context `vuelos` receives no payment events.
    Pagada,
    /// Paid, with seats, and approved.
    Aprobada,
    /// Cancelled by the client, by the saga or by a deadline.
    Cancelada,
}

impl EstadoReserva {
    /// Every state, in the order in which a reservation goes through them.
    pub const ALL: [Self; 4] = [
        Self::Pendiente,
        Self::Pagada,
        Self::Aprobada,
        Self::Cancelada,
    ];

    /// The state's name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pendiente => "Pendiente",
            Self::Pagada => "Pagada",
            Self::Aprobada => "Aprobada",
            Self::Cancelada => "Cancelada",
        }
    }
}

impl fmt::Display for EstadoReserva {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A journey of one or more odos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Itinerario {
    /// The directions of the journey, for example out and back.
    pub odos: Vec<Odo>,
}

/// One direction of a journey, from its origin to its destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Odo {
    /// The parts of the direction. Each part connects to the next.
    pub segmentos: Vec<Segmento>,
}

/// One or more legs flown under one ticket coupon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Segmento {
    /// The flights under the coupon. Each flight connects to the next.
    pub legs: Vec<Leg>,
}

/// One flight, from take-off to the next landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leg {
    /// Time of departure.
    #[serde(deserialize_with = "date")]
    pub fecha_salida: Timestamp,
    /// Time of arrival.
    #[serde(deserialize_with = "date")]
    pub fecha_llegada: Timestamp,
    /// Airport of departure.
    pub origen: Aeropuerto,
    /// Airport of arrival.
    pub destino: Aeropuerto,
}

/// An airport in a client's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Aeropuerto {
    /// IATA code of three letters.
    pub codigo: String,
    /// Name of the airport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nombre: Option<String>,
}

/// A decimal amount as text, for example `"100.00"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Monto(#[serde(with = "rust_decimal::serde::str")] pub Decimal);

impl JsonSchema for Monto {
    fn schema_name() -> Cow<'static, str> {
        "Monto".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,4})?$", "examples": ["100.00"] })
    }
}

/// The price of a journey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Precio {
    /// The fare without tax.
    pub monto: Monto,
    /// The tax on the fare.
    pub monto_vat: Monto,
    /// ISO 4217 code of the currency of both amounts.
    pub moneda: String,
}

impl Precio {
    /// The payment of this price with this payment token.
    #[must_use]
    pub fn paid_with(self, medio: impl Into<String>) -> Pago {
        Pago {
            monto: self.monto,
            monto_vat: self.monto_vat,
            moneda: self.moneda,
            medio: medio.into(),
        }
    }
}

/// The payment that a client asks for: a payment token, and the price that the client expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PagoPedido {
    /// The fare without tax that the client expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monto: Option<Monto>,
    /// The tax on the fare that the client expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monto_vat: Option<Monto>,
    /// ISO 4217 code of the currency of both amounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moneda: Option<String>,
    /// The payment token, for example `tok_visa`.
    pub medio: String,
}

/// The price of a reservation and its payment token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pago {
    /// The fare without tax.
    pub monto: Monto,
    /// The tax on the fare.
    pub monto_vat: Monto,
    /// ISO 4217 code of the currency of both amounts.
    pub moneda: String,
    /// The payment token, for example `tok_visa`.
    pub medio: String,
}

/// A passenger of a reservation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pasajero {
    /// Name of the passenger, if the client gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nombre: Option<String>,
}

impl Pasajero {
    /// The passengers of a reservation whose client named none: one passenger without a name.
    #[must_use]
    pub fn one() -> Vec<Self> {
        vec![Self::default()]
    }
}

/// A reservation was made. This is version 3. Version 2 has no passengers. Version 1 comes from the tutorials' own code
/// and has neither journey nor price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaCreada {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// The client.
    pub id_cliente: Option<String>,
    /// Always `Pendiente`.
    pub estado: EstadoReserva,
    /// Time at which the reservation was made.
    pub fecha_creacion: Moment,
    /// The journey; empty if the event was stored in version 1.
    pub itinerarios: Vec<Itinerario>,
    /// The price; null if the event was stored in version 1.
    pub pago: Option<Pago>,
    /// The passengers. An event that was stored in an older version has one passenger without a name.
    pub pasajeros: Vec<Pasajero>,
}

/// A reservation was approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaAprobada {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// Time of the approval.
    pub fecha_actualizacion: Moment,
}

/// A reservation could not be approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AprobacionReservaFallida {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// Time of the failure.
    pub fecha_actualizacion: Moment,
    /// The reason.
    pub motivo: String,
}

/// A reservation was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaCancelada {
    /// The reservation, which may never have been made.
    pub id_reserva: IdReserva,
    /// Time of the cancellation.
    pub fecha_actualizacion: Moment,
    /// The reason.
    pub motivo: String,
}

/// The legs of a journey, in order.
pub fn legs(itinerarios: &[Itinerario]) -> impl Iterator<Item = &Leg> {
    let odos = itinerarios.iter().flat_map(|itinerario| &itinerario.odos);
    let segmentos = odos.flat_map(|odo| &odo.segmentos);
    segmentos.flat_map(|segmento| &segmento.legs)
}

/// True if the text can be an `id_cliente`: 1 to 64 letters, digits, `.`, `_` or `-`.
#[must_use]
pub fn is_client(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(known)
}

/// `CrearReserva`: make a reservation. A client sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CrearReserva {
    /// The journey.
    pub itinerarios: Vec<Itinerario>,
    /// The client's id: 1 to 64 letters, digits, `.`, `_` or `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_cliente: Option<String>,
    /// The payment. Without it, the reservation is paid with `tok_visa`. Each amount in it must be that of the price;
    /// only a command of a test endpoint sets the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pago: Option<PagoPedido>,
    /// The quote whose price the reservation has, as `POST /vuelos/cotizacion` answered it. Without a quote, the
    /// reservation has the fare of the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cotizacion: Option<String>,
    /// The way in which the saga runs. The default is `orquestacion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga: Option<SagaMode>,
    /// The passengers, 1 to 9. Without passengers, the reservation is for one passenger without a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pasajeros: Option<Vec<Pasajero>>,
}

/// `AprobarReserva`: approve the reservation, which is the command's subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AprobarReserva {}

/// `CancelarReserva`: cancel the reservation, which is the command's subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CancelarReserva {
    /// The reason. The reason `plazo` stands for a deadline that passed, which does not cancel an approved reservation.
    pub motivo: String,
}
