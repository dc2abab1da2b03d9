//! What reservations tell the others, and how they are asked for.
//!
//! Plain data: it says what was said, valid or not. The rules are those of the context, and hold for commands alone.

use std::{borrow::Cow, fmt};

use alpes_messages::{Moment, SagaMode, moment::date};
use jiff::Timestamp;
use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::IdReserva;

/// State of a reservation, as users see it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum EstadoReserva {
    /// Made, not yet paid.
    Pendiente,
    /// Paid. Known to the view alone: vuelos itself does not hear of payments.
    Pagada,
    /// Paid, confirmed and approved.
    Aprobada,
    /// Cancelled, by whomever.
    Cancelada,
}

impl EstadoReserva {
    /// Every state, in the order a reservation goes through them.
    pub const ALL: [Self; 4] = [
        Self::Pendiente,
        Self::Pagada,
        Self::Aprobada,
        Self::Cancelada,
    ];

    /// The state as it is written.
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

/// A journey: one or more odos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Itinerario {
    /// Its directions, as out and back.
    pub odos: Vec<Odo>,
}

/// One direction of a journey, from its origin to its destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Odo {
    /// Its parts, each connecting to the next.
    pub segmentos: Vec<Segmento>,
}

/// One or more legs flown under one ticket coupon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Segmento {
    /// Its flights, each connecting to the next.
    pub legs: Vec<Leg>,
}

/// One flight, from a take-off to the next landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leg {
    /// Departure.
    #[serde(deserialize_with = "date")]
    pub fecha_salida: Timestamp,
    /// Arrival.
    #[serde(deserialize_with = "date")]
    pub fecha_llegada: Timestamp,
    /// From where.
    pub origen: Aeropuerto,
    /// To where.
    pub destino: Aeropuerto,
}

/// An airport, as the client names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Aeropuerto {
    /// IATA code, three letters.
    pub codigo: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nombre: Option<String>,
}

/// A decimal amount, as text: `"100.00"`.
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

/// What a reservation costs and how it is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pago {
    /// The fare, without tax.
    pub monto: Monto,
    /// The tax on it.
    pub monto_vat: Monto,
    /// ISO 4217 code of the currency of both.
    pub moneda: String,
    /// The payment token, as `tok_visa`.
    pub medio: String,
}

/// A reservation was made. Version 2; version 1 is that of the tutorials' own code, which told neither journey nor price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaCreada {
    /// Which.
    pub id_reserva: IdReserva,
    /// Whose.
    pub id_cliente: Option<String>,
    /// Always `Pendiente`.
    pub estado: EstadoReserva,
    /// When.
    pub fecha_creacion: Moment,
    /// The journey; empty where version 1 did not tell it.
    pub itinerarios: Vec<Itinerario>,
    /// The price; null where version 1 did not tell it.
    pub pago: Option<Pago>,
}

/// A reservation was approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaAprobada {
    /// Which.
    pub id_reserva: IdReserva,
    /// When.
    pub fecha_actualizacion: Moment,
}

/// A reservation could not be approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AprobacionReservaFallida {
    /// Which.
    pub id_reserva: IdReserva,
    /// When.
    pub fecha_actualizacion: Moment,
    /// Why.
    pub motivo: String,
}

/// A reservation was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaCancelada {
    /// Which; it may never have been made.
    pub id_reserva: IdReserva,
    /// When.
    pub fecha_actualizacion: Moment,
    /// Why.
    pub motivo: String,
}

/// `CrearReserva`: what a client sends to make a reservation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CrearReserva {
    /// The journey.
    pub itinerarios: Vec<Itinerario>,
    /// Whose: 1 to 64 letters, digits, `.`, `_` or `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_cliente: Option<String>,
    /// The price and how it is paid. Left out: a fare by distance, paid with `tok_visa`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pago: Option<Pago>,
    /// Who drives the saga. Left out: `orquestacion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga: Option<SagaMode>,
}

/// `AprobarReserva`: nothing but the reservation, which is the command's subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AprobarReserva {}

/// `CancelarReserva`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CancelarReserva {
    /// Why; `plazo` when a deadline passed, which no longer cancels what is approved.
    pub motivo: String,
}
