//! Publishing what a crash left unpublished.

use std::time::Duration;

use events::{Moment, StreamId};
use futures::{StreamExt, stream};
use jiff::SignedDuration;
use ports::{Direction, Index, IndexQuery, TableError, Tables, World};

use crate::{
    EventStore, HandleError,
    stream::{SWEEP_BUCKETS, TABLE, sweep_partition},
};

/// How many streams are worked on at once.
const CONCURRENCY: usize = 8;
/// How many streams of one bucket a run takes at most.
const PER_BUCKET: usize = 100;

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
    /// True if a bucket had more than one run takes: run again.
    pub more: bool,
}

impl Sweeper<'_> {
    /// Sweeps once.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the index cannot be read. Failures of single streams are in the result.
    pub async fn sweep(&self) -> Result<Swept, TableError> {
        let age = SignedDuration::try_from(self.older_than).unwrap_or(SignedDuration::MAX);
        let below = self
            .world
            .clock
            .now()
            .saturating_sub(age)
            .map_or_else(|_| String::new(), |then| Moment::from(then).to_string());
        let mut swept = Swept::default();
        let mut waiting = vec![];
        for bucket in 0..SWEEP_BUCKETS {
            let query = IndexQuery {
                table: TABLE,
                index: Index::Gsi1,
                partition: sweep_partition(bucket),
                from: None,
                below: Some(below.clone()),
                direction: Direction::Ascending,
                limit: PER_BUCKET,
            };
            let page = self.tables.query(&query).await?;
            swept.more |= page.more;
            for item in &page.items {
                let text = |name: &str| item.get(name).and_then(|value| value.as_str());
                let Some(id) = text("pk").and_then(|pk| pk.parse::<StreamId>().ok()) else {
                    continue;
                };
                let since = text("gsi1sk").and_then(|since| since.parse::<Moment>().ok());
                swept.oldest = [swept.oldest, since].into_iter().flatten().min();
                waiting.push(id);
            }
        }
        swept.found = waiting.len();
        let results = stream::iter(waiting).map(|id| async move { (id, self.publish(id).await) });
        let mut results = results.buffer_unordered(CONCURRENCY);
        while let Some((id, result)) = results.next().await {
            match result {
                Ok(true) => swept.published += 1,
                Ok(false) => {}
                Err(error) => swept.failed.push((id, error)),
            }
        }
        Ok(swept)
    }

    /// True if something was published; the index lags, so there may be nothing to do.
    async fn publish(&self, id: StreamId) -> Result<bool, HandleError> {
        let stream = self.store.reader().read_one(id).await?;
        self.store.publish_pending(&stream).await?;
        Ok(stream.published < stream.version())
    }
}
