//! The system's messages and the engine's.

use alpes_messages::{
    Command, CommandId, CorrelationId, Event, Problem, Reply, SagaMode, StreamId, Violation,
};
use alpes_saga::{Answer, Conduct, Dispatch, Fact, SagaId};
use events::{IdReserva, Payload, VUELOS};

/// The saga that an event belongs to, whoever moves it on.
#[must_use]
pub fn saga_id(event: &Event) -> SagaId {
    SagaId(event.correlationid.0)
}

/// The saga that an event belongs to, if somebody directs it who can be asked to undo it; `None` if the participants move it on.
#[must_use]
pub fn saga_of(event: &Event) -> Option<SagaId> {
    (event.sagamode != SagaMode::Coreografia).then(|| saga_id(event))
}

/// The stream that a saga begins with, if saga and reservation have one id, as those have that the API makes.
#[must_use]
pub fn stream_of(saga: SagaId) -> StreamId {
    StreamId::new(VUELOS, IdReserva(saga.0))
}

/// The event of that stream which opens the saga; `None` if there is no such reservation, or its saga has another id.
#[must_use]
pub fn opening(history: &[(Event, Payload)], saga: SagaId) -> Option<&Event> {
    let made = |payload: &Payload| matches!(payload, Payload::ReservaCreada(_));
    let (event, _) = history.iter().find(|(_, payload)| made(payload))?;
    (saga_id(event) == saga).then_some(event)
}

/// Who is to move the saga of an event on.
#[must_use]
pub fn conduct(event: &Event) -> Conduct {
    match event.sagamode {
        SagaMode::Orquestacion => Conduct::Orquestacion,
        SagaMode::Coreografia => Conduct::Coreografia,
        SagaMode::StepFunctions => Conduct::StepFunctions,
    }
}

/// An event, as the engine sees it.
#[must_use]
pub fn fact(event: &Event) -> Fact {
    Fact {
        conduct: conduct(event),
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

/// The command that the engine has sent. Its texts are held to the rule of what clients send: a reason may be an error of AWS, and what
/// undoes must not be refused for that.
#[must_use]
pub fn command(dispatch: &Dispatch) -> Command {
    let mut data = dispatch.data.clone();
    parse::text::clean(&mut data);
    Command {
        id: CommandId(dispatch.command),
        kind: dispatch.kind.to_owned(),
        subject: IdReserva(dispatch.subject),
        correlationid: CorrelationId(dispatch.saga.0),
        causationid: Some(dispatch.cause),
        sagamode: SagaMode::Orquestacion,
        traceparent: dispatch.trace.clone(),
        prueba: false,
        data,
    }
}

/// A participant's reply, as the engine sees it.
#[must_use]
pub fn answer(reply: &Reply) -> Answer {
    match reply {
        Reply::Eventos { eventos } => Answer::Events(eventos.iter().map(fact).collect()),
        Reply::Rechazado { problema } => Answer::Rejected(words(problema)),
    }
}

/// A refusal in a line: what is wrong, and the first field at fault.
fn words(problem: &Problem) -> String {
    let detail = problem.detail.as_deref().unwrap_or(&problem.title);
    match problem.errores.first() {
        None => detail.to_owned(),
        Some(Violation { campo, detalle, .. }) => format!("{detail} ({campo}: {detalle})"),
    }
}
