//! Writing, and reading again.

use std::{collections::BTreeMap, sync::Arc};

use alpes_ports::{LogRecord, ObjectError, Objects, SequenceNumber};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, civil::Date};
use thiserror::Error;

use crate::object;

/// The most keys that are listed at once.
const LIST: usize = 1_000;
/// Objects that are read side by side.
const SIDE_BY_SIDE: usize = 8;

/// What can go wrong with reading the archive.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ArchiveError {
    /// The objects cannot be reached.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// An object is not as it was written, and will not be by itself. What it held may still be in the log.
    #[error("the object {key} of the archive cannot be read: {cause}")]
    Unreadable {
        /// Its key.
        key: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// A part of the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records of its objects, in the order of the keys. A record may come more than once, on this page or on another.
    pub records: Vec<LogRecord>,
    /// The key of its last object, after which the next page begins; if it has none, what it was asked to begin after.
    pub last: Option<String>,
    /// How many objects it is made of.
    pub objects: usize,
    /// True if there is more after it.
    pub more: bool,
}

/// How far a shard is archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The last record of the shard's last object. Everything of the shard up to it is in the archive.
    pub sequence: SequenceNumber,
    /// When the log took it, about.
    pub arrived: Timestamp,
}

/// What the archive holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The first and the last day (UTC) of which it has something; `None` if it is empty.
    pub days: Option<(Date, Date)>,
    /// How many objects there are.
    pub objects: usize,
    /// How far each shard is archived, by its id: every one that ever had a record, also those that the log has forgotten.
    pub shards: BTreeMap<String, Reach>,
}

/// A look over the keys of the archive, a list at a time: it can be kept, and gone on with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The last key that was listed.
    pub after: Option<String>,
    /// The first and the last day (UTC) so far.
    pub days: Option<(Date, Date)>,
    /// Objects so far.
    pub objects: usize,
    /// The last object of each shard so far.
    pub last: BTreeMap<String, String>,
}

/// The archive.
///
/// ```
/// use std::sync::Arc;
///
/// use alpes_archive::Archive;
/// use alpes_ports::Log;
/// use futures::executor::block_on;
/// use twins::{MemoryLog, MemoryObjects, world};
///
/// let log = MemoryLog::new(1, world(1).0.clock);
/// block_on(log.append("key", b"{}", None))?;
///
/// let archive = Archive::new(Arc::new(MemoryObjects::new()));
/// block_on(archive.store(&log.records()))?;
/// let page = block_on(archive.page(None, 16))?;
/// assert_eq!((page.records, page.more), (log.records(), false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Archive {
    objects: Arc<dyn Objects>,
}

impl Archive {
    /// The archive in `objects`.
    #[must_use]
    pub fn new(objects: Arc<dyn Objects>) -> Self {
        Self { objects }
    }

    /// Stores a batch of the log, in its order. Storing it again, whole or split otherwise, loses nothing.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`]; some of the batch may be stored, and it must be delivered again as a whole.
    pub async fn store(&self, records: &[LogRecord]) -> Result<(), ObjectError> {
        // One after the other: where a record of a shard is archived, everything before it is.
        for part in object::split(records) {
            let data = part.encode().map_err(|error| {
                ObjectError::Refused(format!("{} cannot be written: {error}", part.key))
            })?;
            self.objects.put(&part.key, &data).await?;
        }
        Ok(())
    }

    /// Reads up to `objects` objects (1 to 999), in the order of their keys, after the key `after`: see [`Page::last`].
    ///
    /// # Errors
    ///
    /// See [`ArchiveError`]; reading it again is safe.
    pub async fn page(&self, after: Option<&str>, objects: usize) -> Result<Page, ArchiveError> {
        let objects = objects.clamp(1, LIST - 1);
        let mut keys = self.list(after, objects + 1).await?;
        let mut more = keys.len() > objects;
        keys.truncate(objects);
        let last = keys.last().map(String::as_str).or(after).map(str::to_owned);
        if !more && !keys.is_empty() {
            // A list may be shorter than what there is.
            more = !self.list(last.as_deref(), 1).await?.is_empty();
        }
        keys.retain(|key| is_ours(key));
        let objects = keys.len();
        let records: Vec<Vec<_>> = stream::iter(keys)
            .map(|key| self.read(key))
            .buffered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        Ok(Page {
            records: records.concat(),
            last,
            objects,
            more,
        })
    }

    /// What the archive holds. Lists all keys, a thousand at a time, and reads one object a shard. Who has not time enough for that
    /// takes it in steps: [`Archive::survey`], then [`Archive::reach`].
    ///
    /// # Errors
    ///
    /// See [`ArchiveError`].
    pub async fn coverage(&self) -> Result<Coverage, ArchiveError> {
        let mut survey = Survey::default();
        while self.survey(&mut survey).await? {}
        Ok(Coverage {
            shards: self.reach(&survey.last).await?,
            days: survey.days,
            objects: survey.objects,
        })
    }

    /// Lists the next keys, a thousand at most; false once there are no more. Keys that are not of the archive are passed by.
    ///
    /// # Errors
    ///
    /// See [`ArchiveError`]; the survey is as it was, and listing again goes on.
    pub async fn survey(&self, survey: &mut Survey) -> Result<bool, ArchiveError> {
        let keys = self.list(survey.after.as_deref(), LIST).await?;
        let Some(last) = keys.last() else {
            return Ok(false);
        };
        survey.after = Some(last.clone());
        for key in keys.into_iter().filter(|key| is_ours(key)) {
            let Some((day, shard)) = object::place(&key) else {
                continue;
            };
            survey.objects += 1;
            let first = survey.days.map_or(day, |(first, _)| first);
            survey.days = Some((first, day));
            survey.last.insert(shard.to_owned(), key);
        }
        Ok(true)
    }

    /// How far each shard is archived, by its last object.
    ///
    /// # Errors
    ///
    /// See [`ArchiveError`].
    pub async fn reach(
        &self,
        last: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Reach>, ArchiveError> {
        let last: Vec<_> = last
            .iter()
            .map(|(shard, key)| (shard.clone(), key.clone()))
            .collect();
        stream::iter(last)
            .map(|(shard, key)| async move {
                let records = self.read(key).await?;
                Ok::<_, ArchiveError>(records.into_iter().next_back().map(|record| {
                    let LogRecord {
                        sequence, arrived, ..
                    } = record;
                    (shard, Reach { sequence, arrived })
                }))
            })
            .buffered(SIDE_BY_SIDE)
            .try_filter_map(async |reach| Ok(reach))
            .try_collect()
            .await
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, ObjectError> {
        self.objects.list(object::PREFIX, after, limit).await
    }

    async fn read(&self, key: String) -> Result<Vec<LogRecord>, ArchiveError> {
        let records = match self.objects.get(&key).await? {
            Some(data) => object::decode(&key, &data),
            None => Err("it was listed, and is not there".into()),
        };
        records.map_err(|cause| ArchiveError::Unreadable { key, cause })
    }
}

/// True of a key of the archive. What somebody else has put beside it is passed by, with a line in the log.
fn is_ours(key: &str) -> bool {
    let ours = object::place(key).is_some();
    if !ours {
        tracing::warn!(key, "not of the archive: passed by");
    }
    ours
}
