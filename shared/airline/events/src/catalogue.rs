//! Every event type with its versions.

use crate::{GDS, PAGOS, VUELOS, gds, pagos, upcast, vuelos};

alpes_messages::catalogue! {
    /// The data of an event in its newest version: the domain event.
    pub enum Payload;
    VUELOS: vuelos as EventoVuelos {
        ReservaCreada [upcast::reserva_creada_v1],
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
