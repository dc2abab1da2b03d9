//! The data of an event that a test wrote by hand, checked against its schema.

use alpes_messages::{
    Command, CommandId, CorrelationId, DecodeError, Event, EventId, EventType, Moment, NewEvent,
    Origin, SagaMode, StreamId, Violation,
};
use events::{Catalogue, IdReserva, Payload};
use parse::Regla;
use serde_json::{Map, Value};

use crate::esquema::{self, violation};

/// The data of an event, as a request gives it.
pub(crate) struct Datos<'a> {
    /// The type of the event.
    pub(crate) known: &'a EventType<Payload>,
    /// The stream to which the event is committed.
    pub(crate) stream: StreamId,
    /// The fields of the data that the request has.
    pub(crate) told: &'a Map<String, Value>,
}

impl Datos<'_> {
    /// Makes the event, with the time `now`. If the request omits the reservation's id or a date, the event gets the id
    /// of its stream, or `now`.
    pub(crate) fn event(&self, now: Moment) -> NewEvent {
        let mut data = self.told.clone();
        let schema = self.known.schema();
        let fields = schema.get("properties").and_then(Value::as_object);
        for field in fields.into_iter().flat_map(Map::keys) {
            let told = data.get(field).is_some_and(|value| !value.is_null());
            if let Some(own) = self.own(field, now).filter(|_| !told) {
                data.insert(field.clone(), own.into());
            }
        }
        NewEvent {
            context: self.known.context,
            kind: self.known.name,
            schema_version: self.known.newest(),
            data: data.into(),
        }
    }

    /// The value of a field that the request omits; `None` if the request must give the field.
    fn own(&self, field: &str, now: Moment) -> Option<String> {
        match field {
            "id_reserva" => Some(self.stream.id.to_string()),
            date if date.starts_with("fecha_") => Some(now.to_string()),
            _ => None,
        }
    }

    /// Checks that consumers will be able to read the event.
    ///
    /// # Errors
    ///
    /// Every [`Violation`].
    pub(crate) fn check(&self, now: Moment, catalogue: &Catalogue) -> Result<(), Vec<Violation>> {
        let event = self.event(now);
        let mut violations = esquema::faults(&self.known.schema().to_value(), &event.data);
        violations.extend(airports(&event.data));
        let told = event.data.get("id_reserva").and_then(Value::as_str);
        let told: Option<IdReserva> = told.and_then(|told| told.parse().ok());
        if told.is_some_and(|told| told != self.stream.id) {
            let detalle = format!("Debe ser {}, o no estar", self.stream.id);
            violations.push(violation("data.id_reserva", Regla::Opcion, detalle));
        }
        if violations.is_empty() && self.decode(event, now, catalogue).is_err() {
            let detalle = format!("No se puede leer como {}", self.known.name);
            violations.push(violation("data", Regla::Formato, detalle));
        }
        if violations.is_empty() {
            Ok(())
        } else {
            Err(violations)
        }
    }

    fn decode(
        &self,
        event: NewEvent,
        now: Moment,
        catalogue: &Catalogue,
    ) -> Result<(), DecodeError> {
        let nobody = self.stream.id.0;
        let origin = Origin {
            command: &Command {
                id: CommandId(nobody),
                kind: String::new(),
                subject: self.stream.id,
                correlationid: CorrelationId(nobody),
                causationid: None,
                sagamode: SagaMode::default(),
                traceparent: None,
                actor: None,
                prueba: true,
                data: Value::Null,
            },
            stream: self.stream,
            version: 1,
            id: EventId(nobody),
            time: now,
        };
        let text = Event::placed(event, origin).encode();
        let text = text.map_err(|error| DecodeError::Undecodable(error.to_string()))?;
        Event::decode(text.as_bytes(), catalogue).map(drop)
    }
}

/// The violations of airport codes in flights. The codes are parts of the inventory's keys, and a key that is too long
/// cannot be stored.
fn airports(data: &Value) -> Vec<Violation> {
    let flights = data.get("sillas").and_then(Value::as_array);
    let flights = flights.into_iter().flatten().enumerate();
    let told = flights.flat_map(|(index, flight)| {
        ["origen", "destino"].map(|name| (index, name, flight.get(name).and_then(Value::as_str)))
    });
    let is_code =
        |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let wrong = told.filter(|(_, _, text)| text.is_some_and(|text| !is_code(text)));
    wrong
        .map(|(index, name, _)| {
            let place = format!("data.sillas[{index}].{name}");
            violation(place, Regla::Formato, "Debe ser tres letras mayúsculas")
        })
        .collect()
}
