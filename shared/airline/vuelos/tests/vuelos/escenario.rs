//! Given events, when a command, then events or a refusal.

use alpes_event_store::Decision;
use alpes_messages::{
    Command, CommandId, CorrelationId, Event, EventId, Moment, NewEvent, Origin, Problem, SagaMode,
    StreamId,
};
use events::{
    IdReserva, Payload, VUELOS,
    vuelos::{
        AprobacionReservaFallida, EstadoReserva, ReservaAprobada, ReservaCancelada, ReservaCreada,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

pub const RESERVA: IdReserva = IdReserva(Uuid::from_u128(1));
pub const CORRELACION: CorrelationId = CorrelationId(Uuid::from_u128(2));

/// The time at which the command is handled. Event `n` of the history happened `n` seconds after noon.
pub fn now() -> Moment {
    "2026-01-31T13:00:00.000Z".parse().unwrap()
}

pub fn at(second: usize) -> Moment {
    format!("2026-01-31T12:00:{second:02}Z").parse().unwrap()
}

pub fn command(kind: &str, data: Value) -> Command {
    Command {
        id: CommandId(Uuid::from_u128(3)),
        kind: kind.into(),
        subject: RESERVA,
        correlationid: CORRELACION,
        causationid: None,
        prueba: false,
        sagamode: SagaMode::Orchestration,
        traceparent: None,
        data,
    }
}

/// The history in the form of the event store.
pub fn history(events: impl IntoIterator<Item = NewEvent>) -> Vec<(Event, Payload)> {
    let command = command("Cualquiera", Value::Null);
    let placed = (1..).zip(events).map(|(version, new)| {
        let origin = Origin {
            command: &command,
            stream: StreamId::new(VUELOS, RESERVA),
            version,
            id: EventId(Uuid::from_u128(version.into())),
            time: now(),
        };
        let text = Event::placed(new, origin).encode().unwrap();
        Event::decode(text.as_bytes(), &events::catalogue()).unwrap()
    });
    placed.collect()
}

pub struct Escenario(Vec<(Event, Payload)>);

pub fn given(events: impl IntoIterator<Item = NewEvent>) -> Escenario {
    Escenario(history(events))
}

impl Escenario {
    pub fn when(self, kind: &str, data: Value) -> Outcome {
        let decision = vuelos::decide(&self.0, &command(kind, data), now());
        Outcome {
            history: self.0,
            decision,
        }
    }
}

pub struct Outcome {
    history: Vec<(Event, Payload)>,
    pub decision: Decision,
}

impl Outcome {
    pub fn then(self, events: impl IntoIterator<Item = NewEvent>) {
        let events = events.into_iter().collect();
        assert_eq!(self.decision, Decision::commit(events));
    }

    /// The command is done already, by the event of this version.
    pub fn then_already(self, version: usize) {
        let event = self.history[version - 1].0.clone();
        assert_eq!(self.decision, Decision::Already(vec![event]));
    }

    pub fn then_refused(self, is: impl Fn(&Problem) -> bool) -> Problem {
        match self.decision {
            Decision::Reject(problem) if is(&problem) => problem,
            other => panic!("not the expected refusal: {other:?}"),
        }
    }
}

pub fn creada() -> NewEvent {
    let Decision::Commit { mut events, .. } =
        vuelos::decide(&[], &command("CrearReserva", sample()), at(1))
    else {
        panic!("the sample makes a reservation")
    };
    events.remove(0)
}

/// The event of the tutorials' own code, which has neither journey nor price.
pub fn creada_sin_viaje() -> NewEvent {
    ReservaCreada {
        id_reserva: RESERVA,
        id_cliente: None,
        estado: EstadoReserva::Pendiente,
        fecha_creacion: at(1),
        itinerarios: vec![],
        pago: None,
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

/// The request of the tutorial.
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
