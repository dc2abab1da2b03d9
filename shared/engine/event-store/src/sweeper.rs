//! The sweeper: it publishes committed events whose publication failed or was interrupted by a crash.

use std::time::Duration;

use alpes_messages::{DomainEvent, Moment, StreamId};
use alpes_ports::{
    TableError,
    due::{self, Due, DueItem},
};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::{EventStore, HandleError, Stream, stream::unpublished};

/// The number of streams that are published side by side.
const CONCURRENCY: usize = 8;
/// The usual number of streams that a sweep reads at once from a partition of its index.
pub const PAGE: usize = 100;

/// The pause before the sweeper retries a stream that it could not publish. Meanwhile the sweeper publishes other
/// streams.
const PAUSE: Duration = Duration::from_secs(30);

/// Finds streams with unpublished events and publishes them. Run the sweeper on a schedule; running it more often does
/// no harm.
pub struct Sweeper<'a, P> {
    /// The store whose streams to sweep.
    pub store: &'a EventStore<P>,
    /// The sweeper skips streams whose events have been unpublished for a shorter time than this. Most likely the store
    /// is publishing these events right now.
    pub older_than: Duration,
    /// The approximate time limit of a sweep.
    pub budget: Duration,
    /// The number of streams read at once from a partition of the index.
    pub page: usize,
}

/// The result of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// The number of streams that the sweep found in the index, each unpublished for at least [`Sweeper::older_than`].
    pub found: usize,
    /// The number of streams whose unpublished events the sweep published.
    pub published: usize,
    /// Streams that could not be read or published, each with its error. These streams stay in the index.
    pub failed: Vec<(StreamId, HandleError)>,
    /// The time since which the oldest stream has waited; `None` if no stream was found.
    pub oldest: Option<Moment>,
    /// True if the sweep reached its time limit before the end of the index. The numbers then cover only a part of the
    /// index.
    pub more: bool,
}

impl<'a, P: DomainEvent> Sweeper<'a, P> {
    /// A sweeper that publishes all unpublished events, without a time limit.
    #[must_use]
    pub fn new(store: &'a EventStore<P>) -> Self {
        Self {
            store,
            older_than: Duration::ZERO,
            budget: Duration::MAX,
            page: PAGE,
        }
    }

    /// Sweeps the index to its end, in the order in which the streams are due. When `budget` is used up, the sweep
    /// begins no further stream. A stream that cannot be published is put off, so that it does not block the others.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the index cannot be read. The failures of single streams are in the result.
    pub async fn sweep(&self) -> Result<Swept, TableError> {
        let start = self.store.world().clock.now();
        let age = SignedDuration::try_from(self.older_than).unwrap_or(SignedDuration::MAX);
        let budget = SignedDuration::try_from(self.budget).unwrap_or(SignedDuration::MAX);
        let until = start.saturating_add(budget).unwrap_or(Timestamp::MAX);
        let before = start.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let tables = self.store.tables().clone();
        let mut due = Due::of(tables, [unpublished()], before, self.page);
        let mut swept = Swept::default();
        loop {
            if self.store.world().clock.now() > until {
                swept.more = true;
                return Ok(swept);
            }
            let waiting = due.next().await?;
            if waiting.is_empty() {
                return Ok(swept);
            }
            let oldest = waiting.iter().filter_map(DueItem::since).map(Moment::from);
            swept.oldest = swept.oldest.into_iter().chain(oldest).min();
            let waiting = waiting.iter().filter_map(|item| item.pk.parse().ok());
            self.publish_all(waiting.collect(), until, &mut swept).await;
            if swept.more {
                return Ok(swept);
            }
        }
    }

    async fn publish_all(&self, waiting: Vec<StreamId>, until: Timestamp, swept: &mut Swept) {
        swept.found += waiting.len();
        let results = stream::iter(waiting).map(|id| async move {
            if self.store.world().clock.now() > until {
                return (id, None);
            }
            (id, Some(self.publish(id).await))
        });
        let mut results = results.buffer_unordered(CONCURRENCY);
        while let Some((id, result)) = results.next().await {
            match result {
                Some(Ok(true)) => swept.published += 1,
                Some(Ok(false)) => {}
                Some(Err(error)) => {
                    self.put_off(id).await;
                    swept.failed.push((id, error));
                }
                None => swept.more = true,
            }
        }
    }

    async fn put_off(&self, id: StreamId) {
        let (tables, now) = (self.store.tables(), self.store.world().clock.now());
        if let Err(error) = due::put_off(&**tables, &Stream::key(id), now, PAUSE).await {
            // The stream keeps its place in the index, so the next sweep retries it.
            tracing::warn!(stream = %id, %error, "could not put off a stream");
        }
    }

    /// True if events were published. The index may be older than the table, so the stream may have no unpublished
    /// events.
    async fn publish(&self, id: StreamId) -> Result<bool, HandleError> {
        let stream = self.store.reader().read_one(id).await?;
        self.store.publish_pending(&stream).await?;
        Ok(stream.published < stream.version())
    }
}
