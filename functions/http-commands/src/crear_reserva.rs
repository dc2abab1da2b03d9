//! `POST /vuelos/reserva`.

use alpes_event_store::Handled;
use alpes_messages::{Command, CorrelationId, Event, Problem, SagaMode, Violation};
use api::{Caller, Refusal};
use events::{kinds, vuelos::CrearReserva};
use lambda_http::{Body, Request, Response, http::header};
use parse::{Regla, invalid};
use serde_json::json;
use vuelos::{CREAR_RESERVA, Vuelos, crear_reserva};

use crate::App;

impl App {
    pub(crate) async fn crear_reserva(
        &self,
        request: &Request,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let data = crear_reserva::parse(&api::json_body(request)?);
        let (key, mut data) = api::with_key(request, data)?;
        belongs(&mut data, caller)?;
        if let Some(cotizacion) = &data.cotizacion {
            self.must_have_quoted(cotizacion, caller).await?;
        }
        let id = self.ids.id(caller, api::CREATION, key).await?;
        // A request that names the default mode and a request that names no mode are the same request.
        let sagamode = *data.saga.get_or_insert_default();
        self.offers(sagamode)?;
        let subject = api::reservation_of(id);
        if let Some(id_cliente) = &data.id_cliente {
            let repeatable = key.map(|_| subject);
            self.limit_unpaid(id_cliente, repeatable).await?;
        }
        let command = Command {
            id,
            kind: CREAR_RESERVA.to_owned(),
            subject,
            // Saga and reservation have the same id. So the saga's id leads to the reservation and its event stream,
            // even before the saga begins.
            correlationid: CorrelationId(subject.0),
            causationid: None,
            actor: caller.actor(),
            prueba: false,
            sagamode,
            traceparent: api::traceparent(request),
            data: serde_json::to_value(data).unwrap_or_default(),
        };
        match self.store.handle(&Vuelos, &command).await? {
            Handled::Committed { events, appended } => {
                if !appended {
                    let correlation = command.correlationid;
                    tracing::warn!(subject = %command.subject, %correlation, "the events are committed, and the sweeper will publish them");
                }
                // A repeated request gets the answer to the first request, with the first correlation id.
                let made = events.first().map(accepted);
                made.ok_or_else(|| Problem::of(kinds::INTERNAL).into())
            }
            Handled::Rejected(problem) => Err(problem.into()),
        }
    }
}

impl App {
    /// Refuses the mode `stepfunctions` if this installation has no state machine.
    fn offers(&self, sagamode: SagaMode) -> Result<(), Problem> {
        if sagamode != SagaMode::StepFunctions || self.step_functions {
            return Ok(());
        }
        let detalle = "Aquí no se ofrece `stepfunctions`: la instalación no lo incluye";
        let violation = Violation::new("saga", Regla::Opcion.name(), detalle);
        Err(invalid(vec![violation]))
    }
}

/// Makes the reservation the caller's own, if the caller is a client.
fn belongs(data: &mut CrearReserva, caller: &Caller) -> Result<(), Problem> {
    let Some(own) = caller.cliente() else {
        return Ok(());
    };
    let named = data.id_cliente.get_or_insert_with(|| own.to_owned());
    if named == own {
        return Ok(());
    }
    let detalle = "Debe faltar o ser el id de quien llama";
    let violation = Violation::new("id_cliente", Regla::Opcion.name(), detalle);
    Err(invalid(vec![violation]))
}

fn accepted(event: &Event) -> Response<Body> {
    let body = json!({
        "id_reserva": event.subject,
        "id_correlacion": event.correlationid,
        "estado": event.data.get("estado"),
    });
    let response = api::accepted(event.correlationid, &body);
    // The `Location` is relative to the request's URL, so it is valid under every stage, domain and proxy.
    let location = format!("reserva/{}", event.subject);
    api::with_header(response, header::LOCATION, &location)
}
