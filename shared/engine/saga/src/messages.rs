//! Conversions between messages of [`alpes_messages`] and the types of this engine.

use alpes_messages::{
    Command, CommandId, CorrelationId, Event, Problem, Reply, SagaMode, SubjectId, Violation,
};

use crate::{Answer, Dispatch, Fact, SagaId};

/// The id of the saga to which an event belongs, in every mode.
#[must_use]
pub fn saga_id(event: &Event) -> SagaId {
    SagaId(event.correlationid.0)
}

/// An event, converted for the engine.
///
/// ```
/// use alpes_messages::Event;
/// use alpes_saga::{fact, saga_id};
///
/// let event: Event = serde_json::from_value(serde_json::json!({
///     "specversion": "1.0",
///     "id": "00000000-0000-7000-8000-000000000003",
///     "source": "/shop/orders",
///     "type": "OrderPlaced",
///     "subject": "00000000-0000-4000-8000-000000000007",
///     "time": "2026-01-31T10:00:00.000Z",
///     "datacontenttype": "application/json",
///     "dataschema": "urn:shop:schema:orders:OrderPlaced:v1",
///     "stream": "order-00000000-0000-4000-8000-000000000007",
///     "streamversion": 1,
///     "correlationid": "00000000-0000-4000-8000-000000000002",
///     "causationid": "00000000-0000-4000-8000-000000000001",
///     "data": { "total": 3 }
/// }))?;
/// let fact = fact(&event);
/// assert_eq!((fact.kind.as_str(), fact.version), ("OrderPlaced", 1));
/// assert_eq!(saga_id(&event).0, event.correlationid.0);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn fact(event: &Event) -> Fact {
    Fact {
        mode: event.sagamode,
        kind: event.kind.clone(),
        id: event.id.0,
        stream: event.stream.to_string(),
        version: event.streamversion,
        subject: event.subject.0,
        time: event.time.timestamp(),
        trace: event.traceparent.clone(),
        data: event.data.clone(),
    }
}

/// The message of a command that the engine sends.
#[must_use]
pub fn command(dispatch: &Dispatch) -> Command {
    Command {
        id: CommandId(dispatch.command),
        kind: dispatch.kind.to_owned(),
        subject: SubjectId(dispatch.subject),
        correlationid: CorrelationId(dispatch.saga.0),
        causationid: Some(dispatch.cause),
        sagamode: SagaMode::Orchestration,
        traceparent: dispatch.trace.clone(),
        actor: None,
        prueba: false,
        data: dispatch.data.clone(),
    }
}

/// A participant's reply, converted for the engine.
#[must_use]
pub fn answer(reply: &Reply) -> Answer {
    match reply {
        Reply::Eventos { eventos } => Answer::Events(eventos.iter().map(fact).collect()),
        Reply::Rechazado { problema } => Answer::Rejected(words(problema)),
    }
}

/// A refusal in one line: the detail, and the first invalid field.
fn words(problem: &Problem) -> String {
    let detail = problem.detail.as_deref().unwrap_or(&problem.title);
    match problem.errores.first() {
        None => detail.to_owned(),
        Some(Violation { campo, detalle, .. }) => format!("{detail} ({campo}: {detalle})"),
    }
}
