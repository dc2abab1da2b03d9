//! `POST /pruebas/{contexto}/{comando}`.

use alpes_event_store::HandleError;
use alpes_messages::{Command, Context, CorrelationId, Problem, Reply, SagaMode};
use alpes_ports::CallError;
use api::Refusal;
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
        contexto: &str,
        comando: &str,
    ) -> Result<Response<Body>, Refusal> {
        let (context, kind) = contextos::command(contexto, comando)?;
        let asked = Solicitud::read(&api::json_body(request)?, |body, violations| {
            if kind == CREAR_RESERVA {
                perhaps_named(body, violations)
            } else {
                named(body, violations).map(Some)
            }
        });
        let (key, (id_reserva, asked)) = api::with_key(request, asked)?;
        let operation = format!("POST /pruebas/{contexto}/{kind}");
        let id = api::command_id(&operation, key, &*self.world.ids);
        let subject = id_reserva.unwrap_or_else(|| api::reservation_of(id));
        let (correlationid, sagamode) = self.saga(subject, &asked).await?;
        let command = Command {
            id,
            kind: kind.to_owned(),
            subject,
            correlationid,
            causationid: None,
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

/// Who is to drive the saga of a reservation that is made: the same as its data say.
fn chosen_mode(kind: &str, asked: &Solicitud) -> Option<SagaMode> {
    let saga = asked.data.get("saga").filter(|_| kind == CREAR_RESERVA)?;
    SagaMode::deserialize(saga).ok()
}

/// The saga of what happened, which may be another's where it had happened before.
fn saga_of(reply: &Reply, command: &Command) -> CorrelationId {
    let first = match reply {
        Reply::Eventos { eventos } => eventos.first(),
        Reply::Rechazado { .. } => None,
    };
    first.map_or(command.correlationid, |event| event.correlationid)
}

/// A participant names fields of the command's data, which in the request are below `data`.
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

/// What a participant's own errors mean: all but two of them, that the command is to be sent again.
fn no_reply(context: Context, command: &Command, error: CallError) -> Refusal {
    match error {
        CallError::Failed { ref error_type, .. }
            if ["Broken", "ComandoInvalido"].contains(&error_type.as_str()) =>
        {
            HandleError::Broken(error.to_string()).into()
        }
        CallError::Failed { ref error_type, .. } => {
            let correlation = command.correlationid;
            tracing::warn!(subject = %command.subject, %correlation, %error, "the participant gave no reply");
            let detail = format!("{} no dio respuesta: {error_type}", context.name);
            Problem::of(kinds::UNAVAILABLE).because(detail).into()
        }
        CallError::Unavailable(text) => HandleError::Unavailable(text).into(),
        CallError::Refused(text) => HandleError::Broken(text).into(),
    }
}
