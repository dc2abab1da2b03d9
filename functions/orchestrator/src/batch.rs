//! Processes a batch of the log. Each event is passed to its saga, and many sagas are processed concurrently.

use alpes_consumer::{Group, Handler, Reason, Stop, Then};
use alpes_event_store::StreamError;
use alpes_messages::DecodeError;
use alpes_saga::{Fact, SagaId, SagaMode, Trouble, fact, saga_id};
use async_trait::async_trait;
use events::Payload;
use futures::{StreamExt, stream};
use jiff::Timestamp;

use crate::{AT_ONCE, App, passed_by};

/// Passes the events of a batch to their sagas.
pub(crate) struct Observer<'a> {
    pub(crate) app: &'a App,
    pub(crate) deadline: Timestamp,
}

#[async_trait]
impl Handler<Payload> for Observer<'_> {
    async fn handle(&self, groups: &[Group<Payload>]) -> Vec<Result<(), Stop>> {
        let observed: Vec<_> = groups.iter().map(|group| self.observe(group)).collect();
        stream::iter(observed).buffered(AT_ONCE).collect().await
    }
}

impl Observer<'_> {
    async fn observe(&self, group: &Group<Payload>) -> Result<(), Stop> {
        for (id, mut facts) in of_sagas(group) {
            let streams = self.app.streams();
            let definitions = self.app.coordinator.sagas().definitions();
            let now = self.app.world.clock.now();
            let missed = streams.before(definitions, id, &facts, now).await;
            facts.extend(missed.map_err(|error| stop(group, &error, of_stream(&error)))?);
            // Only wake-ups check whether a choreography is late, because a wake-up also reads the events that the saga
            // missed.
            let is_choreography = facts.iter().any(|fact| fact.mode == SagaMode::Choreography);
            let until = if is_choreography {
                Timestamp::MIN
            } else {
                self.app.until(self.deadline)
            };
            let observed = self.app.coordinator.observe(id, &facts, until).await;
            // A saga that the coordinator does not run advances only by its events. The events of such a saga must not
            // be skipped, even if another build began it.
            let is_watched = facts
                .iter()
                .any(|fact| fact.mode != SagaMode::Orchestration);
            let observed = if is_watched {
                observed
            } else {
                observed.or_else(|trouble| passed_by(id, trouble))
            };
            observed.map_err(|trouble| stop(group, &trouble, of_saga(&trouble)))?;
        }
        Ok(())
    }
}

/// The [`Stop`] for a group of events that could not be processed.
fn stop(group: &Group<Payload>, cause: &impl ToString, then: Then) -> Stop {
    Stop {
        place: group.events.first().map_or(0, |first| first.place),
        cause: cause.to_string(),
        then,
    }
}

fn of_saga(trouble: &Trouble) -> Then {
    if trouble.is_permanent() {
        Then::Park(Reason::Permanent)
    } else {
        Then::Again
    }
}

fn of_stream(error: &StreamError) -> Then {
    match error {
        StreamError::Table(error) => error.into(),
        StreamError::Event(_, _, DecodeError::UnknownType(_)) => Then::Park(Reason::UnknownType),
        StreamError::Event(..) | StreamError::Malformed(..) => Then::Park(Reason::Permanent),
    }
}

/// The events of a reservation, grouped by saga, in the order of the batch. A reservation has one saga, but events that
/// the test endpoints commit may name another saga.
fn of_sagas(group: &Group<Payload>) -> Vec<(SagaId, Vec<Fact>)> {
    let mut sagas: Vec<(SagaId, Vec<Fact>)> = vec![];
    for event in group.events.iter().map(|incoming| &incoming.event) {
        let id = saga_id(event);
        match sagas.iter_mut().find(|(known, _)| *known == id) {
            Some((_, facts)) => facts.push(fact(event)),
            None => sagas.push((id, vec![fact(event)])),
        }
    }
    sagas
}
