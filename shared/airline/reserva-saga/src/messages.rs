//! What a saga is to a reservation, and the commands that it sends.

use alpes_messages::{Command, Event, SagaMode, StreamId};
use alpes_saga::{Dispatch, SagaId, saga_id};
use events::{IdReserva, Payload, VUELOS};

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

/// The command that the engine has sent. Its texts are held to the rule of what clients send: a reason may be an error of AWS, and what
/// undoes must not be refused for that.
#[must_use]
pub fn command(dispatch: &Dispatch) -> Command {
    let mut command = alpes_saga::command(dispatch);
    parse::text::clean(&mut command.data);
    command
}
