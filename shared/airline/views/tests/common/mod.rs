//! The airline as a domain that the domain kit can test.

use std::sync::Arc;

use alpes_messages::{Catalogue, Context, Moment, NewEvent, SubjectId};
use alpes_ports::Item;
use alpes_projections::View;
pub use domain_kit::id;
use domain_kit::{Domain, Happens, ViewBench, moment};
use events::{PAGOS, Payload, VUELOS, pagos, vuelos};
use serde_json::{Value, json};

pub struct Airline;

pub type Bench = ViewBench<Airline>;

impl Domain for Airline {
    type Payload = Payload;
    const OWN: Context = VUELOS;
    const OTHER: Context = PAGOS;

    fn catalogue() -> Catalogue<Payload> {
        events::catalogue()
    }

    fn views() -> Vec<Arc<dyn View<Payload>>> {
        views::registry()
    }

    fn event(happens: Happens, subject: SubjectId, at: Moment) -> NewEvent {
        let at = at.timestamp().as_second() - moment(0).timestamp().as_second();
        match happens {
            Happens::Opened => creada(subject, "ana", at),
            Happens::Helped => pagada(subject, at),
            Happens::Done => aprobada(subject, at),
            Happens::Undone => cancelada(subject, at),
            Happens::Noted => fallida(subject, at),
        }
    }

    fn progress(row: &Item) -> usize {
        let estado = row.get("estado").and_then(Value::as_str);
        let place = |name| {
            vuelos::EstadoReserva::ALL
                .iter()
                .position(|estado| estado.name() == name)
        };
        estado.and_then(place).map_or(0, |place| place + 1)
    }
}

pub fn pago() -> vuelos::Pago {
    serde_json::from_value(
        json!({ "monto": "10.00", "monto_vat": "1.90", "moneda": "USD", "medio": "tok_visa" }),
    )
    .unwrap()
}

pub fn creada(id_reserva: SubjectId, client: &str, at: i64) -> NewEvent {
    vuelos::ReservaCreada {
        id_reserva,
        id_cliente: Some(client.to_owned()).filter(|client| !client.is_empty()),
        estado: vuelos::EstadoReserva::Pendiente,
        fecha_creacion: moment(at),
        itinerarios: vec![],
        pago: Some(pago()),
        pasajeros: vuelos::Pasajero::one(),
    }
    .into()
}

pub fn pagada(id_reserva: SubjectId, at: i64) -> NewEvent {
    pagos::ReservaPagada {
        id_reserva,
        pago: pago(),
        fecha_actualizacion: moment(at),
    }
    .into()
}

pub fn aprobada(id_reserva: SubjectId, at: i64) -> NewEvent {
    vuelos::ReservaAprobada {
        id_reserva,
        fecha_actualizacion: moment(at),
    }
    .into()
}

pub fn fallida(id_reserva: SubjectId, at: i64) -> NewEvent {
    let motivo = "por probar".to_owned();
    vuelos::AprobacionReservaFallida {
        id_reserva,
        fecha_actualizacion: moment(at),
        motivo,
    }
    .into()
}

pub fn cancelada(id_reserva: SubjectId, at: i64) -> NewEvent {
    let motivo = "por probar".to_owned();
    vuelos::ReservaCancelada {
        id_reserva,
        fecha_actualizacion: moment(at),
        motivo,
    }
    .into()
}
