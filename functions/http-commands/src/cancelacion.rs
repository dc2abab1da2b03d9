//! `POST /vuelos/reserva/{id}/cancelacion`.

use alpes_event_store::Handled;
use alpes_messages::{Command, CommandId, Event, Problem, StreamId, Violation};
use alpes_ports::TableError;
use alpes_saga::{Requested, Saga, SagaId, Status};
use api::{Caller, Refusal, saga as words};
use events::{IdReserva, Payload, VUELOS, kinds};
use lambda_http::{Body, Request, Response};
use parse::Regla;
use reserva_saga::{fact, saga_of};
use serde_json::{Value, json};
use uuid::Uuid;
use vuelos::{
    CANCELAR_RESERVA, Vuelos,
    cancelar_reserva::{MAX_MOTIVO, PLAZO},
};

use crate::App;

/// The `motivo` of a cancellation for which the client gives none.
pub const MOTIVO: &str = "cancelada por el cliente";

/// The events of a reservation's stream that a cancellation needs.
struct Stream {
    creada: Event,
    cancelada: Option<Event>,
}

impl App {
    pub(crate) async fn cancelacion(
        &self,
        request: &Request,
        caller: &Caller,
        id: &str,
    ) -> Result<Response<Body>, Refusal> {
        let id: IdReserva = api::id(id)?;
        let motivo = read(&api::optional_json_body(request)?);
        let (key, motivo) = api::with_key(request, motivo)?;
        let stream = self.read_stream(id, caller).await?;
        let correlation = stream.creada.correlationid;
        let status = if let Some(saga) = saga_of(&stream.creada) {
            self.cancel_saga(saga, &stream, caller, motivo).await?
        } else {
            let id = self.command_id(&stream.creada, caller, key).await?;
            let command = Command {
                id,
                kind: CANCELAR_RESERVA.to_owned(),
                subject: stream.creada.subject,
                correlationid: correlation,
                causationid: None,
                sagamode: stream.creada.sagamode,
                traceparent: api::traceparent(request),
                actor: caller.actor(),
                prueba: false,
                data: json!({ "motivo": motivo }),
            };
            self.send(&command, key).await?
        };
        let body = json!({ "id_reserva": id, "id_correlacion": correlation, "estado": words::estado(status) });
        Ok(api::accepted(correlation, &body))
    }

    async fn read_stream(&self, id: IdReserva, caller: &Caller) -> Result<Stream, Refusal> {
        let stream = StreamId::new(VUELOS, id);
        let history = self.store.reader().history(stream).await?;
        let first = |such: &dyn Fn(&Payload) -> bool| {
            let found = history.iter().find(|(_, payload)| such(payload));
            found.map(|(event, _)| event.clone())
        };
        let creada = first(&|payload| match payload {
            Payload::ReservaCreada(creada) => caller.sees(creada.id_cliente.as_deref()),
            _ => false,
        });
        let none = || Problem::of(kinds::NOT_FOUND).because(format!("No hay una reserva {id}"));
        Ok(Stream {
            creada: creada.ok_or_else(none)?,
            cancelada: first(&|payload| matches!(payload, Payload::ReservaCancelada(_))),
        })
    }

    /// Asks the saga to compensate all of its steps. The step that made the reservation is the last.
    async fn cancel_saga(
        &self,
        id: SagaId,
        stream: &Stream,
        caller: &Caller,
        motivo: String,
    ) -> Result<Status, Refusal> {
        let request = alpes_saga::Request::Cancel(motivo);
        let opening = fact(&stream.creada);
        let actor = caller.actor();
        let requested = self
            .sagas
            .request(id, Some(&opening), &request, actor.as_deref());
        match requested.await? {
            Requested::Taken(saga) if !knows(&saga, stream.cancelada.as_ref()) => {
                self.nudge(id).await;
                Ok(saga.status)
            }
            Requested::NotNow(saga) if saga.status == Status::Running => Err(running(&saga)),
            Requested::Taken(_) | Requested::NotNow(_) | Requested::TooOften(_) => {
                Err(already_cancelled())
            }
            // `request` gets the opening event, with which it begins a saga that has not begun. So `Unknown` cannot
            // occur.
            Requested::Unknown => Err(Problem::of(kinds::INTERNAL).into()),
        }
    }

    /// The id of the command that cancels the reservation of a choreography, which has no coordinator.
    async fn command_id(
        &self,
        creada: &Event,
        caller: &Caller,
        key: Option<&str>,
    ) -> Result<CommandId, TableError> {
        if key.is_none() {
            // A repetition without an idempotency key also gets the same command id, because a reservation is cancelled
            // only once.
            return Ok(CommandId(Uuid::new_v5(&creada.id.0, b"cancelacion")));
        }
        let operation = format!("POST /vuelos/reserva/{}/cancelacion", creada.subject);
        self.ids.id(caller, &operation, key).await
    }

    async fn send(&self, command: &Command, key: Option<&str>) -> Result<Status, Refusal> {
        match self.store.handle(&Vuelos, command).await? {
            Handled::Committed { events, appended } => {
                if events.iter().all(|event| event.causationid != command.id.0) {
                    return Err(already_cancelled());
                }
                if !appended {
                    let correlation = command.correlationid;
                    tracing::warn!(subject = %command.subject, %correlation, "the events are committed, and the sweeper will publish them");
                }
                // The other contexts undo their parts when they receive `ReservaCancelada`.
                Ok(Status::Compensating)
            }
            // Without an idempotency key, this function derives the command id from the reservation. A reused id then
            // means an earlier cancellation with another reason.
            Handled::Rejected(problem) if key.is_none() && problem.is(kinds::KEY_REUSED) => {
                Err(already_cancelled())
            }
            Handled::Rejected(problem) => Err(problem.into()),
        }
    }
}

fn read(body: &Value) -> Result<String, Vec<Violation>> {
    parse::read(body, |body, violations| {
        let body = body.object(&["motivo"], violations)?;
        let motivo = body.optional("motivo", violations, |node, violations| {
            let motivo = node.words(MAX_MOTIVO, violations)?;
            if motivo == PLAZO {
                let detalle = format!("«{PLAZO}» es de los plazos que se vencen");
                return node.fault(violations, Regla::Reservado, detalle);
            }
            Some(motivo.to_owned())
        });
        Some(motivo.unwrap_or_else(|| MOTIVO.to_owned()))
    })
}

/// True if the saga has received the event that cancelled the reservation. If the saga has not received this event, the
/// client can still request the cancellation, and the saga then undoes all of its steps.
fn knows(saga: &Saga, cancelada: Option<&Event>) -> bool {
    cancelada.is_some_and(|event| {
        let place = (event.stream.to_string(), event.streamversion);
        saga.seen.contains(&place)
    })
}

/// The refusal while an execution in Step Functions runs, or while it is unknown whether the execution was started. A
/// running execution cannot be stopped.
fn running(saga: &Saga) -> Refusal {
    let detail = if saga.executions().next().is_some() {
        "La saga corre en Step Functions y no se puede detener; se puede cancelar cuando termine o falle"
    } else {
        "La saga es de Step Functions y su ejecución aún no consta; se puede cancelar cuando termine o falle"
    };
    Problem::of(kinds::STATE).because(detail).into()
}

fn already_cancelled() -> Refusal {
    Problem::of(kinds::STATE)
        .because("La reserva ya está cancelada")
        .into()
}
