//! Calls functions for due items, in small groups with a few calls at a time, until the time is over. If the call for a
//! group fails, each item is tried alone.

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

/// Largest number of items of one call. A function processes this many concurrently, so it answers soon.
const AT_A_CALL: usize = 16;
/// Concurrent calls of one lane.
const CALLS: usize = 4;
/// A call that fails without an answer sooner than this did not reach the function, so the failure says nothing about
/// the items.
const AT_THE_DOOR: SignedDuration = SignedDuration::from_secs(5);
/// Pause before the next attempt on an item whose call fails. The alarms look at periods of five minutes, so each
/// period contains an attempt.
const PAUSE: Duration = Duration::from_mins(3);

/// The counts of due items in one run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Items found.
    pub(crate) found: usize,
    /// Items done.
    pub(crate) done: usize,
    /// Items that cannot be done now, and are put off.
    pub(crate) put_off: usize,
    /// Due time of the item that has waited longest.
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

    /// Number of items that stay due.
    pub(crate) fn left(self) -> usize {
        self.found.saturating_sub(self.done + self.put_off)
    }

    /// Seconds for which the oldest item has waited.
    pub(crate) fn age(self, now: Timestamp) -> u64 {
        let age = self
            .oldest
            .map(|oldest| now.duration_since(oldest).as_secs());
        age.and_then(|age| u64::try_from(age).ok()).unwrap_or(0)
    }
}

/// A kind of due items.
#[async_trait]
pub(crate) trait Lane: Send + Sync {
    /// The function that processes the items.
    fn function(&self) -> FunctionName;

    /// The payload for these items.
    fn payload(&self, items: &[DueItem]) -> Vec<u8>;

    /// Reads the function's answer: the number of items done, and the number put off.
    fn answer(&self, answer: &[u8]) -> Result<(usize, usize), serde_json::Error>;

    /// Puts off an item at which the function fails.
    async fn put_off(&self, item: &DueItem, pause: Duration) -> Result<(), TableError>;
}

impl App {
    /// Processes all due items until the time is over. Items of the first entry of `due` come before those of the next.
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

    /// Calls the function for a group of items. If the call fails, it tries each item alone. An item that fails alone
    /// is put off, so that it never blocks others.
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
                    tracing::error!(function = function.0, %error, "the function could not be called, and the items stay due");
                    return Tally::default();
                }
            };
            tracing::error!(
                function = function.0,
                failed,
                asked = items.len(),
                "the call for due items failed"
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
            Ok(()) => tracing::error!(
                function,
                pk,
                sk,
                "the function fails at this item, which is put off"
            ),
            Err(error) => {
                tracing::error!(function, pk, sk, %error, "the item could not be put off, and stays due");
            }
        }
        put_off.is_ok()
    }
}
