//! `GET /sagas/{id}`.

use std::borrow::Cow;

use alpes_messages::{CorrelationId, Event, Moment, Problem};
use alpes_saga::{Direction, Entry, Meaning, Saga, SagaId, SagaMode, Status, StepNumber, Via};
use api::{
    Caller, Refusal,
    saga::{self as words, Linea},
};
use events::{IdReserva, kinds};
use lambda_http::{Body, Response, http::StatusCode};
use reserva_saga::{as_it_went, opening, stream_of};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::{App, Origen};

/// The status of a saga, in the API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EstadoSaga(pub Status);

impl Serialize for EstadoSaga {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(words::estado(self.0))
    }
}

impl JsonSchema for EstadoSaga {
    fn schema_name() -> Cow<'static, str> {
        "EstadoSaga".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Status::ALL.map(words::estado) })
    }
}

/// The direction of a command, in the API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direccion(pub Direction);

impl Serialize for Direccion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(words::direccion(self.0))
    }
}

impl JsonSchema for Direccion {
    fn schema_name() -> Cow<'static, str> {
        "Direccion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let ways = [Direction::Do, Direction::Undo].map(words::direccion);
        json_schema!({ "type": "string", "enum": ways })
    }
}

/// The way in which a saga runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ModoSaga(pub SagaMode);

impl JsonSchema for ModoSaga {
    fn schema_name() -> Cow<'static, str> {
        "ModoSaga".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": SagaMode::ALL })
    }
}

/// An entry of the saga's log. The `tipo` of an entry decides which fields it has.
#[derive(Clone, Debug, PartialEq)]
pub struct EntradaSaga(pub Entry);

impl Serialize for EntradaSaga {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Linea::from(&self.0).serialize(serializer)
    }
}

impl JsonSchema for EntradaSaga {
    fn schema_name() -> Cow<'static, str> {
        "EntradaSaga".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let sentidos = [
            Meaning::Success,
            Meaning::Failure,
            Meaning::Doubt,
            Meaning::Reversal,
            Meaning::Note,
        ]
        .map(words::sentido);
        let vias = [Via::Answer, Via::Stream].map(words::via);
        json_schema!({
            "type": "object",
            "required": ["cuando", "tipo"],
            "properties": {
                "cuando": { "type": "string", "format": "date-time" },
                "tipo": { "type": "string", "enum": words::TIPOS },
                "actor": { "type": "string" },
                "asunto": { "type": "string", "format": "uuid" },
                "comando": { "type": "string" },
                "datos": { "type": "object" },
                "definicion": { "type": "string" },
                "direccion": generator.subschema_for::<Direccion>(),
                "en_duda": { "type": "boolean" },
                "enviado": { "type": "string", "format": "date-time" },
                "estado": generator.subschema_for::<EstadoSaga>(),
                "evento": { "type": "string" },
                "fecha_evento": { "type": "string", "format": "date-time" },
                "id_comando": { "type": "string", "format": "uuid" },
                "id_evento": { "type": "string", "format": "uuid" },
                "intento": { "type": "integer", "minimum": 1 },
                "intentos": { "type": "integer", "minimum": 1 },
                "modo": generator.subschema_for::<ModoSaga>(),
                "motivo": { "type": "string" },
                "nombre": { "type": "string" },
                "nota": { "type": "string" },
                "paso": { "type": "integer", "minimum": 1 },
                "problema": { "type": "string" },
                "proximo": { "type": "string", "format": "date-time" },
                "sentido": { "type": "string", "enum": sentidos },
                "sin_enviar": { "type": "integer", "minimum": 1 },
                "stream": { "type": "string" },
                "streamversion": { "type": "integer", "minimum": 1 },
                "traza": { "type": "string" },
                "version": { "type": "integer", "minimum": 1 },
                "via": { "type": "string", "enum": vias },
            },
        })
    }
}

/// The command whose answer the saga waits for.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PendienteSaga {
    /// The command's step, counted from 1.
    #[schemars(with = "usize", range(min = 1))]
    pub paso: StepNumber,
    /// The type of the command.
    pub comando: String,
    /// Its direction.
    pub direccion: Direccion,
    /// Number of times that the command was sent.
    pub intentos: u32,
}

/// A saga without its log.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ResumenSaga {
    /// The id of the saga.
    pub id_correlacion: CorrelationId,
    /// The saga's reservation.
    pub id_reserva: IdReserva,
    /// Name of the saga's definition.
    pub definicion: String,
    /// The version of the definition. A saga keeps the version with which it began; the field is null before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The way in which the saga runs: by the coordinator, by the participants themselves, or by an execution of Step
    /// Functions.
    pub modo: ModoSaga,
    /// The saga's status.
    pub estado: EstadoSaga,
    /// True if the saga is not run by the coordinator and takes longer than it should.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retrasada: bool,
    /// The reason for which the saga is undone; null if the saga is not undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motivo: Option<String>,
    /// The time of the event that opens the saga.
    pub inicio: Moment,
    /// Time of the last entry of the saga's log.
    pub actualizacion: Moment,
    /// Time at which the saga next continues by itself; null if the saga does not continue by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proximo_intento: Option<Moment>,
    /// The command in flight; null if the saga waits for no command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pendiente: Option<PendienteSaga>,
    /// The source of this answer.
    pub origen: Origen,
}

/// A saga with its log.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SagaDto {
    /// The saga's fields besides its log.
    #[serde(flatten)]
    pub resumen: ResumenSaga,
    /// Its log.
    pub log: Vec<EntradaSaga>,
}

impl From<&Saga> for ResumenSaga {
    fn from(saga: &Saga) -> Self {
        Self {
            id_correlacion: CorrelationId(saga.id.0),
            id_reserva: IdReserva(saga.subject),
            definicion: saga.definition.clone(),
            version: Some(saga.version),
            modo: ModoSaga(saga.mode),
            estado: EstadoSaga(saga.status),
            retrasada: saga.is_late(),
            motivo: saga.reason.clone(),
            inicio: saga.started().into(),
            actualizacion: saga.updated().into(),
            proximo_intento: saga
                .outstanding
                .as_ref()
                .and_then(|out| out.due)
                .map(Moment::from),
            pendiente: pending(saga),
            origen: Origen::Vista,
        }
    }
}

impl SagaDto {
    /// A saga that has not begun yet. Its fields come from the event that opens the saga.
    fn from_stream(opening: &Event, definicion: &str) -> Self {
        let resumen = ResumenSaga {
            id_correlacion: opening.correlationid,
            id_reserva: opening.subject,
            definicion: definicion.to_owned(),
            version: None,
            modo: ModoSaga(opening.sagamode),
            estado: EstadoSaga(Status::Running),
            retrasada: false,
            motivo: None,
            inicio: opening.time,
            actualizacion: opening.time,
            proximo_intento: None,
            pendiente: None,
            origen: Origen::Comando,
        };
        Self {
            resumen,
            log: vec![],
        }
    }
}

impl From<Saga> for SagaDto {
    fn from(saga: Saga) -> Self {
        Self {
            resumen: ResumenSaga::from(&saga),
            log: saga.log.into_iter().map(EntradaSaga).collect(),
        }
    }
}

/// The command in flight, if the saga waits for one.
fn pending(saga: &Saga) -> Option<PendienteSaga> {
    let out = saga.outstanding.as_ref()?;
    Some(PendienteSaga {
        paso: out.step,
        comando: saga.awaited()?.to_owned(),
        direccion: Direccion(out.direction),
        intentos: out.attempts,
    })
}

impl App {
    pub(crate) async fn saga(&self, id: &str, caller: &Caller) -> Result<Response<Body>, Refusal> {
        let id: SagaId = api::id(id)?;
        let unknown = || Problem::of(kinds::NOT_FOUND).because(format!("No hay una saga {id}"));
        if !self.shows(stream_of(id), caller).await? {
            return Err(unknown().into());
        }
        // The read is strongly consistent and the item is never deleted, so a client that has seen the saga once always
        // sees it.
        let dto = match self.sagas.load(id).await? {
            Some(stored) => {
                let (definitions, executions) = (self.sagas.definitions(), &self.executions);
                let saga = as_it_went(stored.saga, definitions, executions.as_deref()).await?;
                SagaDto::from(saga)
            }
            None => self.saga_of_stream(id).await?.ok_or_else(unknown)?,
        };
        Ok(api::json(StatusCode::OK, &dto))
    }

    /// The saga of a reservation whose opening event has not reached the orchestrator yet.
    async fn saga_of_stream(&self, id: SagaId) -> Result<Option<SagaDto>, Refusal> {
        let history = self.reader.history(stream_of(id)).await?;
        let definitions = self.sagas.definitions();
        Ok(opening(&history, id).and_then(|event| {
            let definition = definitions.opened_by(&event.kind)?;
            Some(SagaDto::from_stream(event, definition.name))
        }))
    }
}
