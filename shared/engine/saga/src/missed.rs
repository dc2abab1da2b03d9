//! What a choreography was not given of its events, read from their streams.
//!
//! Nobody sends anything for a choreography, so an event that it misses leaves it where it is. It can miss one: events that come before
//! the one that opens it are passed over, and that one comes late where its record was parked and redriven.

use alpes_event_store::{StreamError, StreamReader};
use alpes_messages::{Context, DomainEvent, StreamId, SubjectId};
use jiff::{SignedDuration, Timestamp};

use crate::{Definitions, Fact, Saga, SagaId, SagaMode, fact, saga_id};

/// An opening event that is older than this when it is heard may come after what follows it. Batches wait for less.
const LATE: SignedDuration = SignedDuration::from_secs(10);

/// Where the events of sagas are: the streams of these contexts.
///
/// An orchestrator asks it for missed events before it gives a saga what it heard ([`Streams::before`]), and before it wakes one
/// ([`Streams::missed`]).
#[derive(Clone, Copy)]
pub struct Streams<'a, P> {
    /// Reads streams.
    pub reader: &'a StreamReader<P>,
    /// Every context whose events a saga hears.
    pub contexts: &'a [Context],
}

impl<P: DomainEvent> Streams<'_, P> {
    /// All events of a saga so far, in the order of their times.
    ///
    /// # Errors
    ///
    /// See [`StreamError`]: one stream that cannot be read is not taken for one without events.
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

    /// What a saga may have missed: the events of a choreography whose time to be looked at has come. Nothing for any other.
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

    /// What came before these events of a saga and was passed over: its events, if they open a choreography and are heard late.
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
