//! Publishing what a crash left unpublished.

use std::time::Duration;

use alpes_messages::{DomainEvent, Moment, StreamId};
use alpes_ports::{
    TableError, World,
    due::{self, Due, DueItem},
};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::{EventStore, HandleError, Stream, stream::unpublished};

/// How many streams are worked on at once.
const CONCURRENCY: usize = 8;
/// How many streams a sweep reads from a partition of its index at once, where nothing asks for another number.
pub const PAGE: usize = 100;

/// After how long a stream that cannot be published is looked at again: the others have their turn before it.
const PAUSE: Duration = Duration::from_secs(30);

/// Finds streams with unpublished events and publishes them. Run on a schedule, and as often as one likes.
pub struct Sweeper<'a, P> {
    /// The store whose streams to sweep.
    pub store: &'a EventStore<P>,
    /// Time.
    pub world: &'a World,
    /// Only what has been unpublished for so long: younger ones are most likely being published right now.
    pub older_than: Duration,
    /// How long a sweep goes on at most, about.
    pub budget: Duration,
    /// How many streams it reads from a partition of the index at once: [`PAGE`], but for tests.
    pub page: usize,
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Streams in the index, old enough.
    pub found: usize,
    /// Streams that had something unpublished, which now is published.
    pub published: usize,
    /// Streams that could not be read or published; they stay in the index. With why.
    pub failed: Vec<(StreamId, HandleError)>,
    /// Since when the longest waiting one waits.
    pub oldest: Option<Moment>,
    /// True if the budget ended before the index did: the numbers are of a part of it.
    pub more: bool,
}

impl<P: DomainEvent> Sweeper<'_, P> {
    /// Sweeps the index to its end, the streams that wait longest first, or until `budget` is used up, from when on it begins no other.
    /// A stream that cannot be published is put off, so that it holds up none behind it.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the index cannot be read. Failures of single streams are in the result.
    pub async fn sweep(&self) -> Result<Swept, TableError> {
        let start = self.world.clock.now();
        let age = SignedDuration::try_from(self.older_than).unwrap_or(SignedDuration::MAX);
        let budget = SignedDuration::try_from(self.budget).unwrap_or(SignedDuration::MAX);
        let until = start.saturating_add(budget).unwrap_or(Timestamp::MAX);
        let before = start.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let tables = self.store.tables().clone();
        let mut due = Due::of(tables, [unpublished()], before, self.page);
        let mut swept = Swept::default();
        loop {
            if self.world.clock.now() > until {
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
            if self.world.clock.now() > until {
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
        let (tables, now) = (self.store.tables(), self.world.clock.now());
        if let Err(error) = due::put_off(&**tables, &Stream::key(id), now, PAUSE).await {
            // It comes first once more.
            tracing::warn!(stream = %id, %error, "a stream was not put off");
        }
    }

    /// True if something was published; the index lags, so there may be nothing to do.
    async fn publish(&self, id: StreamId) -> Result<bool, HandleError> {
        let stream = self.store.reader().read_one(id).await?;
        self.store.publish_pending(&stream).await?;
        Ok(stream.published < stream.version())
    }
}
