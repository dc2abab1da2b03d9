//! Scenarios for decisions: given the events of a history, when a command is decided, then the decision is events or a
//! refusal.

use alpes_event_store::{Case, Decision};
use alpes_messages::{Command, Event, Moment, NewEvent, Problem, StreamId};
use alpes_ports::Write;
use domain_kit::scenario::{self, Decided};
use events::{
    GDS, IdReserva, Payload,
    gds::{ConfirmacionFallida, ConfirmacionGDSRevertida, ReservaGDSConfirmada, Sillas},
};
use gds::{CONFIRMAR_RESERVA, REVERTIR_CONFIRMACION};
use serde_json::{Value, json};
use uuid::Uuid;

pub use domain_kit::scenario::command;

pub const RESERVA: IdReserva = IdReserva(Uuid::from_u128(1));

/// The origin, destination and departure of a flight.
pub type Flight = (&'static str, &'static str, &'static str);

pub const BOG_MIA: Flight = ("BOG", "MIA", "2026-02-20T13:10:00Z");
pub const MIA_JFK: Flight = ("MIA", "JFK", "2026-02-20T16:30:00Z");
pub const JFK_BOG: Flight = ("JFK", "BOG", "2026-02-28T12:00:00Z");

/// The time at which the command is handled.
pub fn now() -> Moment {
    "2026-01-31T13:00:00.000Z".parse().unwrap()
}

/// The time of every event of a history.
pub fn before() -> Moment {
    "2026-01-31T12:00:00.000Z".parse().unwrap()
}

pub fn leg((origen, destino, salida): Flight) -> Value {
    json!({
        "fecha_salida": salida,
        "fecha_llegada": "2026-12-31T00:00:00Z",
        "origen": {"codigo": origen},
        "destino": {"codigo": destino},
    })
}

/// The data of a confirmation of these legs.
pub fn journey(legs: &[Flight]) -> Value {
    let legs: Vec<_> = legs.iter().copied().map(leg).collect();
    json!({"itinerarios": [{"odos": [{"segmentos": [{"legs": legs}]}]}]})
}

pub fn confirm(id: u128, subject: IdReserva, legs: &[Flight]) -> Command {
    command(id, subject, CONFIRMAR_RESERVA, journey(legs))
}

/// A confirmation for this number of passengers.
pub fn confirm_for(passengers: u32, id: u128, subject: IdReserva, legs: &[Flight]) -> Command {
    let mut command = confirm(id, subject, legs);
    let each = (0..passengers).map(|number| json!({"nombre": format!("Pasajero {number}")}));
    command.data["pasajeros"] = each.collect();
    command
}

pub fn revert(id: u128, subject: IdReserva) -> Command {
    command(id, subject, REVERTIR_CONFIRMACION, json!({}))
}

pub fn sillas((origen, destino, salida): Flight, sillas: u32) -> Sillas {
    Sillas {
        origen: origen.into(),
        destino: destino.into(),
        fecha_salida: salida.parse().unwrap(),
        sillas,
    }
}

pub fn confirmada(sillas: Vec<Sillas>, fecha_actualizacion: Moment) -> NewEvent {
    ReservaGDSConfirmada {
        id_reserva: RESERVA,
        sillas,
        fecha_actualizacion,
    }
    .into()
}

pub fn fallida(motivo: &str, sin_sillas: Vec<Sillas>, fecha_actualizacion: Moment) -> NewEvent {
    ConfirmacionFallida {
        id_reserva: RESERVA,
        motivo: motivo.into(),
        sin_sillas,
        fecha_actualizacion,
    }
    .into()
}

pub fn revertida(sillas: Vec<Sillas>, fecha_actualizacion: Moment) -> NewEvent {
    ConfirmacionGDSRevertida {
        id_reserva: RESERVA,
        sillas,
        fecha_actualizacion,
    }
    .into()
}

/// The history in the form of the event store.
pub fn history(events: impl IntoIterator<Item = NewEvent>) -> Vec<(Event, Payload)> {
    let stream = StreamId::new(GDS, RESERVA);
    scenario::history(&events::catalogue(), stream, before(), events)
}

pub struct Escenario {
    history: Vec<(Event, Payload)>,
    refused: Vec<usize>,
}

pub fn given(events: impl IntoIterator<Item = NewEvent>) -> Escenario {
    Escenario {
        history: history(events),
        refused: vec![],
    }
}

impl Escenario {
    /// The transaction of the previous decision refused the writes at these places.
    pub fn refused(mut self, places: &[usize]) -> Self {
        self.refused = places.to_vec();
        self
    }

    pub fn when(self, command: &Command) -> Outcome {
        let case = Case {
            refused: &self.refused,
            ..Case::first(&self.history, command, now())
        };
        Outcome(Decided {
            decision: gds::decide(&case),
            history: self.history,
        })
    }
}

pub struct Outcome(Decided<Payload>);

impl Outcome {
    /// The decision commits these events, with these writes. Each write has the key of a flight, and the number of
    /// seats that the write adds.
    pub fn then(self, events: impl IntoIterator<Item = NewEvent>, writes: &[(&str, i64)]) {
        let Decision::Commit { events: new, with } = self.0.decision else {
            panic!("no commit: {:?}", self.0.decision)
        };
        assert_eq!(new, events.into_iter().collect::<Vec<_>>());
        let moved: Vec<_> = with.iter().map(moved).collect();
        let moved: Vec<_> = moved.iter().map(|(key, seats)| (&**key, *seats)).collect();
        assert_eq!(moved, writes);
    }

    /// The decision is that the command is done already, by the event with this version.
    pub fn then_already(self, version: usize) {
        self.0.then_already(version);
    }

    pub fn then_refused(self, is: impl Fn(&Problem) -> bool) -> Problem {
        self.0.then_refused(is)
    }
}

/// The flight of a write, and the number of seats that the write adds.
fn moved(write: &Write) -> (String, i64) {
    let Write::Update(update) = write else {
        panic!("not an update: {write:?}")
    };
    let [(ocupadas, by), (reservadas, same)] = update.add.as_slice() else {
        panic!("not two numbers: {update:?}")
    };
    assert_eq!(
        (&*ocupadas.attribute, &*reservadas.attribute),
        ("ocupadas", "reservadas")
    );
    assert_eq!(by, same);
    assert_eq!((update.key.table, &*update.key.sk), (gds::TABLE, "vuelo"));
    (update.key.pk.clone(), *by)
}
