//! Scenarios for decisions: given the events of a history, when a command is decided, then the decision is events or a
//! refusal.

use alpes_event_store::{Case, Decision};
use alpes_messages::{Command, Event, Moment, NewEvent, StreamId};
use domain_kit::scenario::{self, Decided};
use events::{
    IdReserva, Payload, VUELOS,
    vuelos::{
        AprobacionReservaFallida, EstadoReserva, Pasajero, ReservaAprobada, ReservaCancelada,
        ReservaCreada,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

pub const RESERVA: IdReserva = IdReserva(Uuid::from_u128(1));

/// The time at which the command is handled. Event `n` of the history happened `n` seconds after noon.
pub fn now() -> Moment {
    "2026-01-31T13:00:00.000Z".parse().unwrap()
}

pub fn at(second: usize) -> Moment {
    format!("2026-01-31T12:00:{second:02}Z").parse().unwrap()
}

pub fn command(kind: &str, data: Value) -> Command {
    scenario::command(3, RESERVA, kind, data)
}

/// The history in the form of the event store.
pub fn history(events: impl IntoIterator<Item = NewEvent>) -> Vec<(Event, Payload)> {
    let stream = StreamId::new(VUELOS, RESERVA);
    scenario::history(&events::catalogue(), stream, now(), events)
}

pub struct Escenario(Vec<(Event, Payload)>);

pub fn given(events: impl IntoIterator<Item = NewEvent>) -> Escenario {
    Escenario(history(events))
}

impl Escenario {
    pub fn when(self, kind: &str, data: Value) -> Decided<Payload> {
        let decision = vuelos::decide(&Case::first(&self.0, &command(kind, data), now()));
        Decided {
            history: self.0,
            decision,
        }
    }
}

pub fn creada() -> NewEvent {
    let crear = command("CrearReserva", sample());
    let case = Case::first(&[], &crear, at(1));
    let Decision::Commit { mut events, .. } = vuelos::decide(&case) else {
        panic!("the sample makes a reservation")
    };
    events.remove(0)
}

/// A `ReservaCreada` of the tutorials' own code, which has neither journey nor price.
pub fn creada_sin_viaje() -> NewEvent {
    ReservaCreada {
        id_reserva: RESERVA,
        id_cliente: None,
        estado: EstadoReserva::Pendiente,
        fecha_creacion: at(1),
        itinerarios: vec![],
        pago: None,
        pasajeros: Pasajero::one(),
    }
    .into()
}

pub fn aprobada(moment: Moment) -> NewEvent {
    ReservaAprobada {
        id_reserva: RESERVA,
        fecha_actualizacion: moment,
    }
    .into()
}

pub fn fallida(moment: Moment) -> NewEvent {
    AprobacionReservaFallida {
        id_reserva: RESERVA,
        fecha_actualizacion: moment,
        motivo: "La reserva está cancelada".into(),
    }
    .into()
}

pub fn cancelada(moment: Moment, motivo: &str) -> NewEvent {
    ReservaCancelada {
        id_reserva: RESERVA,
        fecha_actualizacion: moment,
        motivo: motivo.into(),
    }
    .into()
}

/// The body of the tutorials' request for a reservation.
pub fn sample() -> Value {
    serde_json::from_str(include_str!("../data/crear_reserva.json")).unwrap()
}

pub fn leg(origen: &str, salida: &str, destino: &str, llegada: &str) -> Value {
    json!({
        "fecha_salida": salida,
        "fecha_llegada": llegada,
        "origen": {"codigo": origen},
        "destino": {"codigo": destino},
    })
}

/// A body of one odo with these segmentos.
pub fn body(segmentos: &[Vec<Value>]) -> Value {
    let segmentos: Vec<_> = segmentos.iter().map(|legs| json!({"legs": legs})).collect();
    json!({"itinerarios": [{"odos": [{"segmentos": segmentos}]}]})
}
