//! A coordinator in one process with its participants and its consumer, for systems that do not run each of these parts
//! as a Lambda function.

use std::{collections::BTreeMap, sync::Arc};

use alpes_consumer::{Group, Handler, Reason, Stop, Then};
use alpes_event_store::{Decider, EventStore, Handled};
use alpes_messages::DomainEvent;
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    Answer, Coordinator, Dispatch, Fact, NoAnswer, Participants, SagaId, answer, command, fact,
    saga_id,
};

/// Participants in this process. One set of rules decides the commands of all contexts, and one event store commits the
/// events.
pub struct LocalParticipants<P> {
    store: EventStore<P>,
    rules: Arc<dyn Decider<P>>,
}

impl<P: DomainEvent> LocalParticipants<P> {
    /// Participants that commit to `store`. `rules` covers all contexts: the stream of a command names its context.
    #[must_use]
    pub fn new(store: EventStore<P>, rules: Arc<dyn Decider<P>>) -> Self {
        Self { store, rules }
    }
}

#[async_trait]
impl<P: DomainEvent> Participants for LocalParticipants<P> {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        let handled = self.store.handle(&*self.rules, &command(dispatch)).await;
        let reply = handled.and_then(Handled::into_reply);
        reply
            .map(|reply| answer(&reply))
            .map_err(|error| NoAnswer(error.to_string()))
    }
}

/// Passes the events of sagas to a coordinator. A listener is the handler of a [`Consumer`](alpes_consumer::Consumer)
/// of the log.
///
/// Use it for sagas that the coordinator runs itself. A listener does not look for events that a choreography has
/// missed.
pub struct Listener<'a> {
    /// The coordinator of the sagas.
    pub coordinator: &'a Coordinator,
    /// The time until which the coordinator may run the sagas.
    pub until: Timestamp,
}

#[async_trait]
impl<P: DomainEvent> Handler<P> for Listener<'_> {
    async fn handle(&self, groups: &[Group<P>]) -> Vec<Result<(), Stop>> {
        let mut handled = vec![];
        for group in groups {
            handled.push(self.hear(group).await);
        }
        handled
    }
}

impl Listener<'_> {
    async fn hear<P: DomainEvent>(&self, group: &Group<P>) -> Result<(), Stop> {
        let mut sagas: BTreeMap<SagaId, Vec<Fact>> = BTreeMap::new();
        for event in group.events.iter().map(|incoming| &incoming.event) {
            sagas.entry(saga_id(event)).or_default().push(fact(event));
        }
        for (id, facts) in sagas {
            let observed = self.coordinator.observe(id, &facts, self.until).await;
            observed.map_err(|trouble| Stop {
                place: group.events.first().map_or(0, |first| first.place),
                cause: trouble.to_string(),
                then: if trouble.is_permanent() {
                    Then::Park(Reason::Permanent)
                } else {
                    Then::Again
                },
            })?;
        }
        Ok(())
    }
}
