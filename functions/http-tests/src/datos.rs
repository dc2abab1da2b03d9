//! The data of an event that a test wrote by hand, checked against its schema.

use alpes_messages::{
    Command, CommandId, CorrelationId, DecodeError, Event, EventId, EventType, Moment, NewEvent,
    Origin, SagaMode, StreamId, Violation, moment::rfc3339,
};
use events::{Catalogue, IdReserva, Payload};
use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
    paths::{Location, LocationSegment},
};
use parse::Regla;
use serde_json::{Map, Value};

/// Longest name of an unknown field that the answer repeats, in characters.
const MAX_ECHO: usize = 64;

/// The data of an event.
pub(crate) struct Datos<'a> {
    /// Its type.
    pub(crate) known: &'a EventType<Payload>,
    /// Its stream.
    pub(crate) stream: StreamId,
    /// The fields in the request.
    pub(crate) told: &'a Map<String, Value>,
}

impl Datos<'_> {
    /// The event at the time `now`. A reservation id or date that the request omits gets the event's own value.
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

    /// The value of a field that the request omits.
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
        let mut violations = self.against_schema(&event.data);
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

    fn against_schema(&self, data: &Value) -> Vec<Violation> {
        let mut schema = Value::from(self.known.schema());
        close(&mut schema);
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .with_format("date-time", |text: &str| rfc3339(text).is_ok())
            .build(&schema);
        match validator {
            Ok(validator) => {
                let errors = validator.iter_errors(data);
                errors.flat_map(|error| violations(&error)).collect()
            }
            // The schemas are our own. If a schema cannot be compiled, decoding checks the data instead.
            Err(_) => vec![],
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

/// The violations of airport codes in flights. The codes are keys of the inventory, and keys are short.
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

/// Forbids fields that a schema does not name. Otherwise a misspelt field would count as omitted.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), false.into());
            }
            object.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

fn violation(campo: impl Into<String>, regla: Regla, detalle: impl Into<String>) -> Violation {
    Violation::new(campo, regla.name(), detalle)
}

/// The violations of a schema error: one for each field at its place.
fn violations(error: &ValidationError<'_>) -> Vec<Violation> {
    let place = place(error.instance_path());
    let below = |name: &str| format!("{place}.{name}");
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![violation(below(name), Regla::Requerido, "Es obligatorio")]
        }
        Kind::AdditionalProperties { unexpected } => {
            let unknown = |name: &String| {
                let name: String = name.chars().take(MAX_ECHO).collect();
                violation(below(&name), Regla::CampoDesconocido, "Campo desconocido")
            };
            unexpected.iter().map(unknown).collect()
        }
        // The schema offers a type or null. A value that is not null must have the type.
        Kind::AnyOf { context } => {
            let something = context.iter().take(1).flatten();
            something.flat_map(violations).collect()
        }
        Kind::Type { kind } => {
            let detalle = format!("Debe ser {}", words(kind));
            vec![violation(place, Regla::Tipo, detalle)]
        }
        Kind::OneOfNotValid { .. } => {
            vec![violation(place, Regla::Opcion, "No es una de las opciones")]
        }
        Kind::Format { format } if format == "date-time" => {
            let detalle = "Debe ser una fecha RFC 3339 con zona, por ejemplo 2022-11-22T13:10:00Z";
            vec![violation(place, Regla::Fecha, detalle)]
        }
        Kind::Format { format } if format == "uuid" => {
            vec![violation(place, Regla::Formato, "Debe ser un UUID")]
        }
        Kind::Pattern { pattern } => {
            let detalle = format!("Debe tener la forma {pattern}");
            vec![violation(place, Regla::Formato, detalle)]
        }
        Kind::Minimum { limit } => {
            let detalle = format!("Debe ser {limit} como mínimo");
            vec![violation(place, Regla::Limite, detalle)]
        }
        other => {
            let detalle = format!("No cumple su esquema: {}", other.keyword());
            vec![violation(place, Regla::Formato, detalle)]
        }
    }
}

/// A place in the notation of violations: `data.itinerarios[0].odos`.
fn place(location: &Location) -> String {
    location
        .iter()
        .fold("data".to_owned(), |place, segment| match segment {
            LocationSegment::Property(name) => {
                let name: String = name.chars().take(MAX_ECHO).collect();
                format!("{place}.{name}")
            }
            LocationSegment::Index(index) => format!("{place}[{index}]"),
        })
}

fn words(kind: &TypeKind) -> String {
    let types: Vec<_> = match kind {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(some) => some.iter().collect(),
    };
    let words = types.into_iter().map(|of| match of {
        JsonType::String => "un texto",
        JsonType::Object => "un objeto",
        JsonType::Array => "una lista",
        JsonType::Integer => "un entero",
        JsonType::Number => "un número",
        JsonType::Boolean => "true o false",
        JsonType::Null => "nulo",
    });
    words.collect::<Vec<_>>().join(" o ")
}
