//! Finds the events that a choreography missed, by reading the event streams.
//!
//! A choreography has no coordinator that sends commands, so its saga stops if it misses an event. A choreography can
//! miss events: events that arrive before the opening event are ignored, and the opening event arrives late if its
//! record was parked and redriven.

use alpes_event_store::{StreamError, StreamReader};
use alpes_messages::{Context, DomainEvent, StreamId, SubjectId};
use jiff::{SignedDuration, Timestamp};

use crate::{Definitions, Fact, Saga, SagaId, SagaMode, fact, saga_id};

/// If an opening event is older than this on arrival, later events of its saga may have arrived before it. A batch that
/// is not retried arrives sooner.
const LATE: SignedDuration = SignedDuration::from_secs(10);

/// Finds events of sagas in the event streams of these contexts.
///
/// An orchestrator calls [`Streams::before`] before it passes events to a saga, and [`Streams::missed`] before it wakes
/// a saga.
#[derive(Clone, Copy)]
pub struct Streams<'a, P> {
    /// The reader of the event streams.
    pub reader: &'a StreamReader<P>,
    /// Every context with events that a saga needs.
    pub contexts: &'a [Context],
}

impl<P: DomainEvent> Streams<'_, P> {
    /// All events of a saga so far, in the order of their times.
    ///
    /// # Errors
    ///
    /// See [`StreamError`]. An event stream that cannot be read is an error, and does not count as empty.
    pub async fn history(&self, id: SagaId, subject: SubjectId) -> Result<Vec<Fact>, StreamError> {
        let ids: Vec<_> = self
            .contexts
            .iter()
            .map(|context| StreamId::new(*context, subject))
            .collect();
        let mut events = vec![];
        for stream in self.reader.read(&ids).await? {
            events.extend(stream.history(self.reader.catalogue())?);
        }
        events.sort_by_key(|(event, _)| event.time);
        let own = events.iter().map(|(event, _)| event);
        let own = own.filter(|event| saga_id(event) == id);
        Ok(own.map(fact).collect())
    }

    /// All events of a choreography whose [`Saga::next_look`] is due; none for any other saga.
    ///
    /// # Errors
    ///
    /// See [`StreamError`].
    pub async fn missed(&self, saga: &Saga, now: Timestamp) -> Result<Vec<Fact>, StreamError> {
        let is_due = saga.next_look.is_some_and(|look| look <= now);
        if saga.mode == SagaMode::Choreography && is_due {
            self.history(saga.id, SubjectId(saga.subject)).await
        } else {
            Ok(vec![])
        }
    }

    /// All events of a choreography, if its opening event is among `facts` and arrives late; otherwise none.
    ///
    /// # Errors
    ///
    /// See [`StreamError`].
    pub async fn before(
        &self,
        definitions: &Definitions,
        id: SagaId,
        facts: &[Fact],
        now: Timestamp,
    ) -> Result<Vec<Fact>, StreamError> {
        let mut facts = facts.iter();
        let opening = facts.find(|fact| definitions.opened_by(&fact.kind).is_some());
        match opening {
            Some(opening) if is_heard_late(opening, now) => {
                self.history(id, SubjectId(opening.subject)).await
            }
            _ => Ok(vec![]),
        }
    }
}

fn is_heard_late(opening: &Fact, now: Timestamp) -> bool {
    opening.mode == SagaMode::Choreography && now.duration_since(opening.time) > LATE
}
