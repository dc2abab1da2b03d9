//! The task `reactions`: retries the pending reactions of the contexts, and applies deadlines.
//!
//! In a choreography, a context stores each reaction that it could not complete at once, with the time of the next
//! attempt. This task finds the due reactions and calls the function of their context, which retries them. The contexts
//! are called concurrently, so a context that hangs does not delay the others. For each context, compensations come
//! first and deadlines last.

use std::time::Duration;

use alpes_lambda::{
    metrics::Unit,
    participant::{Resume, Resumed},
};
use alpes_messages::Context;
use alpes_participant::{Class, ReactionKey, Reactions};
use alpes_ports::{FunctionName, TableError, due::DueItem};
use async_trait::async_trait;
use events::CONTEXTS;
use futures::future::join_all;
use jiff::Timestamp;
use reserva_saga::function_of;

use crate::{
    App, Done, TaskFailed,
    calls::{Lane, Tally},
};

struct Reacting<'a> {
    context: Context,
    reactions: &'a Reactions,
}

#[async_trait]
impl Lane for Reacting<'_> {
    fn function(&self) -> FunctionName {
        function_of(self.context)
    }

    fn payload(&self, items: &[DueItem]) -> Vec<u8> {
        let keys = items.iter().cloned().map(ReactionKey::from);
        let reactions = keys.collect();
        // The payload holds only text, so it always has a JSON form.
        serde_json::to_vec(&Resume { reactions }).unwrap_or_default()
    }

    fn answer(&self, answer: &[u8]) -> Result<(usize, usize), serde_json::Error> {
        let resumed: Resumed = serde_json::from_slice(answer)?;
        Ok((resumed.done, resumed.put_off))
    }

    async fn put_off(&self, item: &DueItem, pause: Duration) -> Result<(), TableError> {
        self.reactions.set_aside(&item.clone().into(), pause).await
    }
}

impl App {
    pub(crate) async fn reactions(&self, until: Timestamp) -> Result<Done, TaskFailed> {
        let start = self.world.clock.now();
        let lanes = CONTEXTS.map(|context| self.lane(context, until));
        let mut all = Tally::default();
        for lane in join_all(lanes).await {
            all = all.and(lane?);
        }
        let (found, done, put_off) = (all.found, all.done, all.put_off);
        self.metrics.emit(
            self.world.clock.now(),
            &[
                (
                    "ReactionsWaiting",
                    Unit::Count,
                    u64::try_from(found).unwrap_or(u64::MAX),
                ),
                ("ReactionLate", Unit::Seconds, all.age(start)),
            ],
        );
        let failed = all.left();
        tracing::info!(found, done, put_off, failed, "reactions resumed");
        Ok(Done::Reactions {
            found,
            done,
            put_off,
            failed,
            oldest: all.oldest.map(|oldest| oldest.to_string()),
        })
    }

    /// Retries the due reactions of one context.
    async fn lane(&self, context: Context, until: Timestamp) -> Result<Tally, TaskFailed> {
        let reactions = &self.reactions;
        let page = self.limits.reactions;
        let due = Class::ALL.map(|class| reactions.waiting(context, class, page));
        let lane = Reacting { context, reactions };
        self.drive(&lane, due.into(), until).await
    }
}
