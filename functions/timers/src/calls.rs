//! Calls for what is due: small groups, few at a time, as long as there is time; and what a group stumbles over is found out.

use std::{slice, time::Duration};

use alpes_ports::{
    CallError, FunctionName, TableError,
    due::{Due, DueItem},
};
use async_trait::async_trait;
use futures::{
    Stream, StreamExt, TryStreamExt,
    future::{BoxFuture, join_all},
    stream,
};
use jiff::{SignedDuration, Timestamp};

use crate::{App, TaskFailed};

/// What one call asks for: as much as a function does side by side, so that it answers soon.
const AT_A_CALL: usize = 16;
/// Calls of one lane at a time.
const CALLS: usize = 4;
/// A call that ends without an answer sooner than this was refused at the door, which says nothing about what it asked for.
const AT_THE_DOOR: SignedDuration = SignedDuration::from_secs(5);
/// After how long is looked again at what a call fails for. The alarms look at five minutes: it is seen in each of them.
const PAUSE: Duration = Duration::from_mins(3);

/// What came of things that were due.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Things found.
    pub(crate) found: usize,
    /// Things done.
    pub(crate) done: usize,
    /// Things that cannot be done now, and are put off.
    pub(crate) put_off: usize,
    /// Since when the one that waits longest does.
    pub(crate) oldest: Option<Timestamp>,
}

impl Tally {
    fn found(items: &[DueItem]) -> Self {
        Self {
            found: items.len(),
            oldest: items.iter().filter_map(DueItem::since).min(),
            ..Self::default()
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            found: self.found + other.found,
            done: self.done + other.done,
            put_off: self.put_off + other.put_off,
            oldest: self.oldest.into_iter().chain(other.oldest).min(),
        }
    }

    /// Things that stay due.
    pub(crate) fn left(self) -> usize {
        self.found.saturating_sub(self.done + self.put_off)
    }

    /// For how many seconds the one that waits longest has waited.
    pub(crate) fn age(self, now: Timestamp) -> u64 {
        let age = self
            .oldest
            .map(|oldest| now.duration_since(oldest).as_secs());
        age.and_then(|age| u64::try_from(age).ok()).unwrap_or(0)
    }
}

/// A kind of thing that is due.
#[async_trait]
pub(crate) trait Lane: Send + Sync {
    /// Who does it.
    fn function(&self) -> FunctionName;

    /// What it is asked.
    fn payload(&self, items: &[DueItem]) -> Vec<u8>;

    /// What it answers: how many are done, and how many put off. Otherwise why that cannot be read.
    fn answer(&self, answer: &[u8]) -> Result<(usize, usize), serde_json::Error>;

    /// Puts one off that whoever does it fails at.
    async fn put_off(&self, item: &DueItem, pause: Duration) -> Result<(), TableError>;
}

impl App {
    /// Has all be done that is due, until the time is over: what is in the first of `due` before what is in the next.
    pub(crate) async fn drive(
        &self,
        lane: &dyn Lane,
        due: Vec<Due>,
        until: Timestamp,
    ) -> Result<Tally, TaskFailed> {
        let calls = self.groups(due, until).map(|group| async move {
            let group = group.map_err(TaskFailed::because)?;
            let done = self.ask(lane, &group, until).await;
            Ok::<_, TaskFailed>(Tally::found(&group).and(done))
        });
        let calls = calls.buffer_unordered(CALLS);
        let all = calls.try_fold(Tally::default(), |all, of| async move { Ok(all.and(of)) });
        all.await
    }

    fn groups(
        &self,
        mut due: Vec<Due>,
        until: Timestamp,
    ) -> impl Stream<Item = Result<Vec<DueItem>, TableError>> + Send + '_ {
        due.reverse();
        let pages = stream::try_unfold(due, move |mut due| async move {
            while self.world.clock.now() < until {
                let Some(first) = due.last_mut() else { break };
                let found = first.next().await?;
                if !found.is_empty() {
                    return Ok(Some((found, due)));
                }
                due.pop();
            }
            Ok(None)
        });
        pages.flat_map(|page| {
            let groups: Vec<_> = match page {
                Ok(found) => found.chunks(AT_A_CALL).map(|of| Ok(of.to_vec())).collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(groups)
        })
    }

    /// Asks for some. Where the call fails, for each by itself; what fails by itself is put off, and stands before no other for ever.
    fn ask<'a>(
        &'a self,
        lane: &'a dyn Lane,
        items: &'a [DueItem],
        until: Timestamp,
    ) -> BoxFuture<'a, Tally> {
        Box::pin(async move {
            let start = self.world.clock.now();
            if start >= until {
                return Tally::default();
            }
            let function = lane.function();
            let called = self.functions.call(function, &lane.payload(items)).await;
            let took = self.world.clock.now().duration_since(start);
            let failed = match called {
                Ok(answer) => match lane.answer(&answer) {
                    Ok((done, put_off)) => {
                        return Tally {
                            done,
                            put_off,
                            ..Tally::default()
                        };
                    }
                    Err(error) => error.to_string(),
                },
                Err(error @ CallError::Failed { .. }) => error.to_string(),
                Err(error) if took >= AT_THE_DOOR => error.to_string(),
                Err(error) => {
                    tracing::error!(function = function.0, %error, "what is due stays due");
                    return Tally::default();
                }
            };
            tracing::error!(
                function = function.0,
                failed,
                asked = items.len(),
                "what is due was not done"
            );
            if items.len() > 1 && self.world.clock.now() < until {
                let alone = items
                    .iter()
                    .map(|item| self.ask(lane, slice::from_ref(item), until));
                let done = join_all(alone).await;
                return done.into_iter().fold(Tally::default(), Tally::and);
            }
            let put_off = items.iter().map(|item| self.put_off(lane, item));
            let put_off = join_all(put_off).await;
            Tally {
                put_off: put_off.into_iter().filter(|done| *done).count(),
                ..Tally::default()
            }
        })
    }

    async fn put_off(&self, lane: &dyn Lane, item: &DueItem) -> bool {
        let DueItem { pk, sk, .. } = item;
        let function = lane.function().0;
        let put_off = lane.put_off(item, PAUSE).await;
        match &put_off {
            Ok(()) => tracing::error!(function, pk, sk, "it fails at this, which is put off"),
            Err(error) => {
                tracing::error!(function, pk, sk, %error, "this stays due: it cannot be put off");
            }
        }
        put_off.is_ok()
    }
}
