//! Writes and reads the archive.

use std::{collections::BTreeMap, sync::Arc};

use alpes_ports::{KeyRange, LogRecord, ObjectError, Objects, SequenceNumber};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, civil::Date};
use thiserror::Error;

use crate::object;

/// The largest number of keys in one list.
const LIST: usize = 1_000;
/// The number of objects that are read side by side.
const SIDE_BY_SIDE: usize = 8;

/// Errors of reading the archive.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ArchiveError {
    /// The objects cannot be reached.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// The object differs from the form in which it was written, and stays unreadable. The log may still have the
    /// object's records.
    #[error("the object {key} of the archive cannot be read: {cause}")]
    Unreadable {
        /// The key of the object.
        key: String,
        /// The reason why the object cannot be read.
        cause: String,
    },
}

/// A page of the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records of the page's objects, in the order of the objects' keys. A record may come more than once, on one
    /// page or on several.
    pub records: Vec<LogRecord>,
    /// The key after which the next page begins: the key of this page's last object or, on an empty page, the key after
    /// which this page was to begin.
    pub last: Option<String>,
    /// The number of objects on the page.
    pub objects: usize,
    /// True if more objects follow.
    pub more: bool,
}

/// How far a shard is archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The sequence number of the last record in the shard's last object. The archive has every record of the shard up
    /// to that record.
    pub sequence: SequenceNumber,
    /// Approximately when the log stored that record.
    pub arrived: Timestamp,
}

/// The days, objects and shards of the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The first and the last day (UTC) with records; `None` if the archive is empty.
    pub days: Option<(Date, Date)>,
    /// The number of objects in the archive.
    pub objects: usize,
    /// How far each shard is archived, by shard id. Shards that the log has forgotten are included.
    pub shards: BTreeMap<String, Reach>,
}

/// A survey of the archive's keys, one list at a time. A caller can store the survey and continue it later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The last key that was listed.
    pub after: Option<String>,
    /// The first and the last day (UTC) of the keys listed so far.
    pub days: Option<(Date, Date)>,
    /// The number of objects listed so far.
    pub objects: usize,
    /// For each shard, the key of the last object listed so far.
    pub last: BTreeMap<String, String>,
}

/// The archive, for writing and reading.
///
/// ```
/// use std::sync::Arc;
///
/// use alpes_archive::Archive;
/// use alpes_ports::{Log, NewRecord};
/// use futures::executor::block_on;
/// use twins::{MemoryLog, MemoryObjects, world};
///
/// let log = MemoryLog::new(1, world(1).0.clock);
/// block_on(log.append(NewRecord::new("key", b"{}")))?;
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
    /// An archive whose objects are stored in `objects`.
    #[must_use]
    pub fn new(objects: Arc<dyn Objects>) -> Self {
        Self { objects }
    }

    /// Stores a batch of the log, in its order. Storing the records again, in the same batches or in others, loses no
    /// record.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`]. A part of the batch may be stored; deliver the whole batch again.
    pub async fn store(&self, records: &[LogRecord]) -> Result<(), ObjectError> {
        // Parts are written one after the other. So if a record of a shard is archived, all records before it are.
        for part in object::split(records) {
            let data = part.encode().map_err(|error| {
                ObjectError::Refused(format!("{} cannot be written: {error}", part.key))
            })?;
            self.objects.put(&part.key, &data).await?;
        }
        Ok(())
    }

    /// Reads up to `objects` objects (1 to 999), in the order of their keys. The page begins after the key `after`,
    /// which is [`Page::last`] of the previous page.
    ///
    /// # Errors
    ///
    /// See [`ArchiveError`]; reading the page again is safe.
    pub async fn page(&self, after: Option<&str>, objects: usize) -> Result<Page, ArchiveError> {
        let objects = objects.clamp(1, LIST - 1);
        let mut keys = self.list(after, objects + 1).await?;
        let mut more = keys.len() > objects;
        keys.truncate(objects);
        let last = keys.last().map(String::as_str).or(after).map(str::to_owned);
        if !more && !keys.is_empty() {
            // A list may be shorter than its limit although more keys follow.
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

    /// Finds the days, objects and shards of the archive. The method lists all keys, 1,000 at a time, and reads one
    /// object for each shard. A caller with less time calls [`Archive::survey`] until all keys are listed, and then
    /// [`Archive::reach`].
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

    /// Lists the next keys, at most 1,000. Returns false once no more keys follow. Keys that are not the archive's are
    /// skipped.
    ///
    /// # Errors
    ///
    /// See [`ArchiveError`]. After an error, the survey is unchanged and the next call continues it.
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

    /// How far each shard is archived, read from its last object.
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
        let prefix = object::PREFIX;
        self.objects
            .list(KeyRange {
                prefix,
                after,
                limit,
            })
            .await
    }

    async fn read(&self, key: String) -> Result<Vec<LogRecord>, ArchiveError> {
        let records = match self.objects.get(&key).await? {
            Some(data) => object::decode(&key, &data),
            None => Err("it was listed, but does not exist".into()),
        };
        records.map_err(|cause| ArchiveError::Unreadable { key, cause })
    }
}

/// True for a key of the archive. Other keys in the bucket are skipped, with a warning in the function's own log.
fn is_ours(key: &str) -> bool {
    let ours = object::place(key).is_some();
    if !ours {
        tracing::warn!(key, "skipped a key that is not the archive's");
    }
    ours
}
