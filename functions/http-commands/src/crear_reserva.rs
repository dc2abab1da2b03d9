//! `POST /vuelos/reserva`.

use alpes_event_store::Handled;
use alpes_messages::{Command, CorrelationId, Event, Problem, SagaMode, Violation};
use api::Refusal;
use events::kinds;
use lambda_http::{Body, Request, Response, http::header};
use parse::{Regla, invalid};
use serde_json::json;
use vuelos::{CREAR_RESERVA, Vuelos, crear_reserva};

use crate::App;

/// Names the operation in the identity of its commands.
const OPERATION: &str = "POST /vuelos/reserva";

impl App {
    pub(crate) async fn crear_reserva(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let data = crear_reserva::parse(&api::json_body(request)?);
        let (key, mut data) = api::with_key(request, data)?;
        let id = api::command_id(OPERATION, key, &*self.world.ids);
        // Left out or written out, the default is the same request.
        let sagamode = *data.saga.get_or_insert_default();
        self.offers(sagamode)?;
        let subject = api::reservation_of(id);
        let command = Command {
            id,
            kind: CREAR_RESERVA.to_owned(),
            subject,
            // One id for both: whoever knows the saga finds the reservation, and its stream before the saga has begun.
            correlationid: CorrelationId(subject.0),
            causationid: None,
            prueba: false,
            sagamode,
            traceparent: api::traceparent(request),
            data: serde_json::to_value(data).unwrap_or_default(),
        };
        match self.store.handle(&Vuelos, &command).await? {
            Handled::Committed { events, appended } => {
                if !appended {
                    let correlation = command.correlationid;
                    tracing::warn!(subject = %command.subject, %correlation, "committed, to be published by the sweeper");
                }
                // A repetition answers with what the first one made, its correlation id included.
                let made = events.first().map(accepted);
                made.ok_or_else(|| Problem::of(kinds::INTERNAL).into())
            }
            Handled::Rejected(problem) => Err(problem.into()),
        }
    }
}

impl App {
    /// Refuses a reservation whose saga nobody here would run as it asks.
    fn offers(&self, sagamode: SagaMode) -> Result<(), Problem> {
        if sagamode != SagaMode::StepFunctions || self.step_functions {
            return Ok(());
        }
        let detalle = "Aquí no se ofrece `stepfunctions`: la instalación no lo incluye";
        let violation = Violation::new("saga", Regla::Opcion.name(), detalle);
        Err(invalid(vec![violation]))
    }
}

fn accepted(event: &Event) -> Response<Body> {
    let body = json!({
        "id_reserva": event.subject,
        "id_correlacion": event.correlationid,
        "estado": event.data.get("estado"),
    });
    let response = api::accepted(event.correlationid, &body);
    // Relative to the URL of the request, so that it holds under every stage, domain and proxy.
    let location = format!("reserva/{}", event.subject);
    api::with_header(response, header::LOCATION, &location)
}
