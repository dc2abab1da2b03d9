//! Publishing what a crash left unpublished.

use std::{collections::BTreeSet, time::Duration};

use events::{Moment, StreamId};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use ports::{Direction, Index, IndexQuery, Item, TableError, Tables, World};

use crate::{
    EventStore, HandleError,
    stream::{SWEEP_BUCKETS, TABLE, sweep_partition},
};

/// How many streams are worked on at once.
const CONCURRENCY: usize = 8;
/// How many streams a sweep reads from the index at once, where nothing asks for another number.
pub const PAGE: usize = 100;

/// Finds streams with unpublished events and publishes them. Run on a schedule, and as often as one likes.
pub struct Sweeper<'a> {
    /// The store whose streams to sweep.
    pub store: &'a EventStore,
    /// Its tables.
    pub tables: &'a dyn Tables,
    /// Time.
    pub world: &'a World,
    /// Only what has been unpublished for so long: younger ones are most likely being published right now.
    pub older_than: Duration,
    /// How long a sweep goes on at most, about.
    pub budget: Duration,
    /// How many streams it reads from the index at once: [`PAGE`], but for tests.
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

impl Sweeper<'_> {
    /// Sweeps every bucket to its end, or until `budget` is used up, from when on it begins no other stream. A stream that cannot be published is passed by, so that it
    /// holds up none behind it.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the index cannot be read. Failures of single streams are in the result.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of 16 fits a byte"
    )]
    pub async fn sweep(&self) -> Result<Swept, TableError> {
        let start = self.world.clock.now();
        let age = SignedDuration::try_from(self.older_than).unwrap_or(SignedDuration::MAX);
        let budget = SignedDuration::try_from(self.budget).unwrap_or(SignedDuration::MAX);
        let until = start.saturating_add(budget).unwrap_or(Timestamp::MAX);
        let below = start
            .saturating_sub(age)
            .map_or_else(|_| String::new(), |then| Moment::from(then).to_string());
        let mut swept = Swept::default();
        // From any bucket on: where time runs out early, the others have their turn another time.
        let first = (self.world.randomness.fraction() * f64::from(SWEEP_BUCKETS)) as u8;
        for bucket in (0..SWEEP_BUCKETS).map(|bucket| (first + bucket) % SWEEP_BUCKETS) {
            let (mut from, mut seen) = (None, BTreeSet::new());
            loop {
                if self.world.clock.now() > until {
                    swept.more = true;
                    return Ok(swept);
                }
                let query = IndexQuery {
                    table: TABLE,
                    index: Index::Gsi1,
                    partition: sweep_partition(bucket),
                    from,
                    below: Some(below.clone()),
                    direction: Direction::Ascending,
                    limit: self.page,
                };
                let page = self.tables.query(&query).await?;
                let text = |item: &Item, name: &str| {
                    item.get(name)
                        .and_then(|value| value.as_str())
                        .map(str::to_owned)
                };
                let last = page.items.last().and_then(|item| text(item, "gsi1sk"));
                for since in page
                    .items
                    .iter()
                    .filter_map(|item| text(item, "gsi1sk")?.parse::<Moment>().ok())
                {
                    swept.oldest = Some(swept.oldest.map_or(since, |oldest| oldest.min(since)));
                }
                let waiting = page
                    .items
                    .iter()
                    .filter_map(|item| text(item, "pk")?.parse().ok());
                let waiting: Vec<StreamId> = waiting.filter(|id| seen.insert(*id)).collect();
                let nothing_new = waiting.is_empty();
                self.publish_all(waiting, until, &mut swept).await;
                if swept.more {
                    return Ok(swept);
                }
                if !page.more {
                    break;
                }
                // On from the moment where the page ended, which may have more; past it, once it has shown nothing new.
                from = last.map(|last| {
                    if nothing_new {
                        format!("{last}~")
                    } else {
                        last
                    }
                });
            }
        }
        Ok(swept)
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
                Some(Err(error)) => swept.failed.push((id, error)),
                None => swept.more = true,
            }
        }
    }

    /// True if something was published; the index lags, so there may be nothing to do.
    async fn publish(&self, id: StreamId) -> Result<bool, HandleError> {
        let stream = self.store.reader().read_one(id).await?;
        self.store.publish_pending(&stream).await?;
        Ok(stream.published < stream.version())
    }
}
