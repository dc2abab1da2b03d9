//! The bounded contexts.

use alpes_messages::Context;

/// The context of reservations.
pub const VUELOS: Context = Context {
    name: "vuelos",
    category: "reserva",
    participant: "participant-vuelos",
    source: "/aeroalpes/vuelos",
    schemas: "urn:aeroalpes:esquema:vuelos",
}
.checked();

/// The context of payments.
pub const PAGOS: Context = Context {
    name: "pagos",
    category: "pago",
    participant: "participant-pagos",
    source: "/aeroalpes/pagos",
    schemas: "urn:aeroalpes:esquema:pagos",
}
.checked();

/// The context of seats: the inventory of the global distribution system.
pub const GDS: Context = Context {
    name: "gds",
    category: "gds",
    participant: "participant-gds",
    source: "/aeroalpes/gds",
    schemas: "urn:aeroalpes:esquema:gds",
}
.checked();

/// Every context.
pub const CONTEXTS: [Context; 3] = [VUELOS, PAGOS, GDS];
