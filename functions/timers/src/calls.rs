//! Calls functions to process due items (sagas or reactions). The items of a call are a small group, a few calls run
//! concurrently, and no call begins once the time of the run is over. If the call for a group fails, the function is
//! called for each item of the group alone.

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

/// Largest number of items of one call. The called function processes this many items concurrently, so it answers soon.
const AT_A_CALL: usize = 16;
/// Number of concurrent calls for one [`Lane`].
const CALLS: usize = 4;
/// A call that fails without an answer in less than this time did not reach the function, so its failure says nothing
/// about the items.
const AT_THE_DOOR: SignedDuration = SignedDuration::from_secs(5);
/// Pause before the next attempt on an item whose call fails. The alarms evaluate periods of five minutes, so each
/// period contains an attempt.
const PAUSE: Duration = Duration::from_mins(3);

/// The counts of due items in one run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Number of due items found.
    pub(crate) found: usize,
    /// Number of items that the called function processed.
    pub(crate) done: usize,
    /// Number of items that could not be processed, and are retried after a pause.
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

    /// Seconds since the due time of the item that has waited longest.
    pub(crate) fn age(self, now: Timestamp) -> u64 {
        let age = self
            .oldest
            .map(|oldest| now.duration_since(oldest).as_secs());
        age.and_then(|age| u64::try_from(age).ok()).unwrap_or(0)
    }
}

/// A kind of due items, with the function that processes them.
#[async_trait]
pub(crate) trait Lane: Send + Sync {
    /// The function that processes the items.
    fn function(&self) -> FunctionName;

    /// The payload of a call for these items.
    fn payload(&self, items: &[DueItem]) -> Vec<u8>;

    /// Reads the function's answer: the number of items that it processed, and the number that it put off.
    fn answer(&self, answer: &[u8]) -> Result<(usize, usize), serde_json::Error>;

    /// Makes an item whose call fails due again only after a pause.
    async fn put_off(&self, item: &DueItem, pause: Duration) -> Result<(), TableError>;
}

impl App {
    /// Processes all due items until the time is over. The calls for the items of an entry of `due` begin before the
    /// calls for the items of the next entry.
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

    /// Calls the function of `lane` for a group of items. If the call fails, this method makes one call for each item.
    /// An item whose own call fails is put off, so that the item never blocks others.
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
