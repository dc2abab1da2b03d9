//! A batch of the log: each saga of it hears its events, many sagas side by side.

use async_trait::async_trait;
use consumer::{Group, Handler, Stop};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use reserva_saga::{fact, saga_id};
use saga_engine::{Conduct, Fact, SagaId};

use crate::{AT_ONCE, App, passed_by};

/// Gives sagas their events.
pub(crate) struct Observer<'a> {
    pub(crate) app: &'a App,
    pub(crate) deadline: Timestamp,
}

#[async_trait]
impl Handler for Observer<'_> {
    async fn handle(&self, groups: &[Group]) -> Vec<Result<(), Stop>> {
        let observed: Vec<_> = groups.iter().map(|group| self.observe(group)).collect();
        stream::iter(observed).buffered(AT_ONCE).collect().await
    }
}

impl Observer<'_> {
    async fn observe(&self, group: &Group) -> Result<(), Stop> {
        for (id, facts) in of_sagas(group) {
            // Whether a choreography is late is for those to say who wake it: they look what it has missed.
            let is_choreography = facts
                .iter()
                .any(|fact| fact.conduct == Conduct::Coreografia);
            let until = if is_choreography {
                Timestamp::MIN
            } else {
                self.app.until(self.deadline)
            };
            let observed = self.app.coordinator.observe(id, &facts, until).await;
            // One that others move on goes on by what is heard alone: another build's must not miss it.
            let is_watched = facts
                .iter()
                .any(|fact| fact.conduct != Conduct::Orquestacion);
            let observed = if is_watched {
                observed
            } else {
                observed.or_else(|trouble| passed_by(id, trouble))
            };
            if let Err(trouble) = observed {
                return Err(Stop {
                    place: group.events.first().map_or(0, |first| first.place),
                    cause: trouble.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// The events of a reservation by saga, in the order they came. It has one saga, but what comes from test endpoints may say otherwise.
fn of_sagas(group: &Group) -> Vec<(SagaId, Vec<Fact>)> {
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
