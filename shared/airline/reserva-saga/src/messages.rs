//! Converts between sagas and reservations, and makes the commands of a saga.

use alpes_messages::{Command, Event, SagaMode, StreamId};
use alpes_saga::{Dispatch, SagaId, saga_id};
use events::{IdReserva, Payload, VUELOS};

/// The saga of an event, if an orchestrator or a state machine runs that saga and can undo its steps; `None` in a
/// choreography.
#[must_use]
pub fn saga_of(event: &Event) -> Option<SagaId> {
    (event.sagamode != SagaMode::Choreography).then(|| saga_id(event))
}

/// The event stream with the event that opens a saga. The saga must have the id of its reservation, as every saga that
/// the API makes.
#[must_use]
pub fn stream_of(saga: SagaId) -> StreamId {
    StreamId::new(VUELOS, IdReserva(saga.0))
}

/// The event of a reservation's stream that opens the saga; `None` if the stream has no reservation, or the
/// reservation's saga has another id.
#[must_use]
pub fn opening(history: &[(Event, Payload)], saga: SagaId) -> Option<&Event> {
    let made = |payload: &Payload| matches!(payload, Payload::ReservaCreada(_));
    let (event, _) = history.iter().find(|(_, payload)| made(payload))?;
    (saga_id(event) == saga).then_some(event)
}

/// Makes the command that the saga engine dispatches. Characters that clients may not send are replaced, because the
/// reason of a compensation can be an error text of AWS, and a participant must not refuse the compensation for a
/// character of that text.
#[must_use]
pub fn command(dispatch: &Dispatch) -> Command {
    let mut command = alpes_saga::command(dispatch);
    parse::text::clean(&mut command.data);
    command
}
