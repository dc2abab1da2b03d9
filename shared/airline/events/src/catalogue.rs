//! Every event type with its versions, and every command.

use alpes_messages::Context;
use schemars::{Schema, schema_for};
use serde::Deserialize;
use serde_json::Value;

use crate::{GDS, PAGOS, VUELOS, gds, pagos, upcast, vuelos};

alpes_messages::catalogue! {
    /// The data of an event in its newest version: the domain event.
    pub enum Payload;
    VUELOS: vuelos as EventoVuelos {
        ReservaCreada [upcast::reserva_creada_v1, upcast::reserva_creada_v2],
        ReservaAprobada [],
        AprobacionReservaFallida [],
        ReservaCancelada [],
    }
    PAGOS: pagos {
        ReservaPagada [],
        PagoFallido [],
        PagoRevertido [],
    }
    GDS: gds {
        ReservaGDSConfirmada [],
        ConfirmacionFallida [],
        ConfirmacionGDSRevertida [],
    }
}

/// A type of command.
#[derive(Clone, Copy)]
pub struct CommandType {
    /// The context that decides commands of this type.
    pub context: Context,
    /// The name of the type.
    pub name: &'static str,
    /// Makes the JSON Schema of the command's data.
    pub schema: fn() -> Schema,
    /// Reads data as the Rust type of the command's data, and writes the data again.
    pub round_trip: fn(&Value) -> serde_json::Result<Value>,
}

/// Writes [`COMMANDS`] from a list of contexts, each with the structs of its commands' data.
macro_rules! commands {
    ($($context:ident: $module:ident { $($name:ident),* $(,)? })*) => {
        /// Every type of command.
        pub const COMMANDS: &[CommandType] = &[$($(CommandType {
            context: $context,
            name: stringify!($name),
            schema: || schema_for!($module::$name),
            round_trip: |data| serde_json::to_value($module::$name::deserialize(data)?),
        }),*),*];
    };
}

commands! {
    VUELOS: vuelos { CrearReserva, AprobarReserva, CancelarReserva }
    PAGOS: pagos { PagarReserva, RevertirPago }
    GDS: gds { ConfirmarReserva, RevertirConfirmacion }
}
