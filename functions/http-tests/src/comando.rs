//! `POST /pruebas/{contexto}/{comando}`.

use alpes_event_store::HandleError;
use alpes_messages::{Command, Context, CorrelationId, Problem, Reply, SagaMode};
use alpes_ports::CallError;
use api::{Caller, Refusal};
use events::kinds;
use lambda_http::{Body, Request, Response};
use reserva_saga::function_of;
use serde::Deserialize;
use vuelos::CREAR_RESERVA;

use crate::{
    App, contextos,
    solicitud::{Solicitud, named, perhaps_named},
};

impl App {
    pub(crate) async fn comando(
        &self,
        request: &Request,
        caller: &Caller,
        contexto: &str,
        comando: &str,
    ) -> Result<Response<Body>, Refusal> {
        let known = contextos::command(contexto, comando)?;
        let (context, kind) = (known.context, known.name);
        let asked = Solicitud::read(&api::json_body(request)?, |body, violations| {
            if kind == CREAR_RESERVA {
                perhaps_named(body, violations)
            } else {
                named(body, violations).map(Some)
            }
        });
        let (key, (id_reserva, asked)) = api::with_key(request, asked)?;
        let operation = format!("POST /pruebas/{contexto}/{kind}");
        let id = self.ids.id(caller, &operation, key).await?;
        let subject = id_reserva.unwrap_or_else(|| api::reservation_of(id));
        let (correlationid, sagamode) = self.saga(subject, &asked).await?;
        let command = Command {
            id,
            kind: kind.to_owned(),
            subject,
            correlationid,
            causationid: None,
            actor: caller.actor(),
            prueba: true,
            sagamode: chosen_mode(kind, &asked).unwrap_or(sagamode),
            traceparent: api::traceparent(request),
            data: asked.data.into(),
        };
        match self.call(context, &command).await? {
            Reply::Rechazado { problema } => Err(of_data(problema).into()),
            reply @ Reply::Eventos { .. } => Ok(api::accepted(saga_of(&reply, &command), &reply)),
        }
    }

    async fn call(&self, context: Context, command: &Command) -> Result<Reply, Refusal> {
        let broken = |text: String| HandleError::Broken(text);
        let payload = serde_json::to_vec(command).map_err(|error| broken(error.to_string()))?;
        match self.functions.call(function_of(context), &payload).await {
            Ok(reply) => {
                let reply = serde_json::from_slice(&reply);
                Ok(reply.map_err(|error| broken(error.to_string()))?)
            }
            Err(error) => Err(no_reply(context, command, error)),
        }
    }
}

/// The mode of a new reservation's saga, if the command makes a reservation and its data name a mode.
fn chosen_mode(kind: &str, asked: &Solicitud) -> Option<SagaMode> {
    let saga = asked.data.get("saga").filter(|_| kind == CREAR_RESERVA)?;
    SagaMode::deserialize(saga).ok()
}

/// The id of the saga of the reply's events. If an earlier command committed the events, their saga may differ from the
/// command's saga.
fn saga_of(reply: &Reply, command: &Command) -> CorrelationId {
    let first = match reply {
        Reply::Eventos { eventos } => eventos.first(),
        Reply::Rechazado { .. } => None,
    };
    first.map_or(command.correlationid, |event| event.correlationid)
}

/// Prefixes the field names in a participant's problem with `data.`, because the request has the command's data in the
/// field `data`.
fn of_data(mut problem: Problem) -> Problem {
    if problem.is(kinds::INVALID) {
        for error in &mut problem.errores {
            error.campo = match error.campo.as_str() {
                "cuerpo" => "data".to_owned(),
                field => format!("data.{field}"),
            };
        }
    }
    problem
}

/// Converts a participant's error. After most errors the command can be retried; `Broken` and `InvalidCommand` are
/// final.
fn no_reply(context: Context, command: &Command, error: CallError) -> Refusal {
    match error {
        CallError::Failed { ref error_type, .. }
            if ["Broken", "InvalidCommand"].contains(&error_type.as_str()) =>
        {
            HandleError::Broken(error.to_string()).into()
        }
        CallError::Failed { ref error_type, .. } => {
            let correlation = command.correlationid;
            tracing::warn!(subject = %command.subject, %correlation, %error, "the participant did not reply");
            let told = in_words_of_the_api(error_type);
            let detail = format!("{} no dio respuesta: {told}", context.name);
            Problem::of(kinds::UNAVAILABLE).because(detail).into()
        }
        CallError::Unavailable(text) => HandleError::Unavailable(text).into(),
        CallError::Refused(text) => HandleError::Broken(text).into(),
    }
}

/// The Spanish name of a fault that this API sets. Any other error type is returned unchanged.
fn in_words_of_the_api(error_type: &str) -> &str {
    match error_type {
        "InducedError" => "FallaInducida",
        "InducedSilence" => "Silencio",
        other => other,
    }
}
