//! Verifies that streams, log and archive agree.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

use alpes_messages::{Catalogue, DomainEvent, Event, Moment, StreamId, Version};
use alpes_ports::{LogError, LogReader, LogRecord, Position, Tables};
use thiserror::Error;

use crate::{Stream, StreamError, StreamReader, stream::TABLE};

/// The place from which an event was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The event was read from the log.
    Log,
    /// The event was read from the archive of the log.
    Archive,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Log => "the log",
            Self::Archive => "the archive",
        })
    }
}

/// A disagreement of streams, log and archive about one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The event is marked as published, but the log does not have it.
    Missing(StreamId, Version),
    /// The event is older than the log's retention, and the archive does not have it.
    Lost(StreamId, Version),
    /// The log or the archive has the event, but it was never committed.
    Unknown(Source, StreamId, Version),
    /// The log or the archive has the event with another text than the committed one.
    Altered(Source, StreamId, Version),
}

impl Difference {
    /// The stream of the event.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        match self {
            Self::Missing(stream, _)
            | Self::Lost(stream, _)
            | Self::Unknown(_, stream, _)
            | Self::Altered(_, stream, _) => *stream,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(stream, version) => write!(
                formatter,
                "{stream} {version}: published, but not in the log"
            ),
            Self::Lost(stream, version) => write!(
                formatter,
                "{stream} {version}: older than the log keeps, and not in the archive"
            ),
            Self::Unknown(source, stream, version) => write!(
                formatter,
                "{stream} {version}: in {source}, but not committed"
            ),
            Self::Altered(source, stream, version) => write!(
                formatter,
                "{stream} {version}: in {source} with another text than was committed"
            ),
        }
    }
}

/// The events that were read from the log or from its archive.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// For each event that was read, a digest of its text.
    digests: HashMap<(StreamId, Version), u64>,
    /// Events that were read twice, with different texts.
    altered: Vec<(StreamId, Version)>,
    duplicates: usize,
    foreign: usize,
}

impl Readings {
    /// Adds records. A record counts as foreign if it is no event, or is an event of a context that `catalogue` does
    /// not have. The catalogue also reads an envelope of an older format.
    pub fn add<P>(&mut self, records: &[LogRecord], catalogue: &Catalogue<P>) {
        for record in records {
            let place = place(&record.data, catalogue);
            let Some(place) = place.filter(|(stream, _)| catalogue.knows(*stream)) else {
                self.foreign += 1;
                continue;
            };
            let digest = digest(&record.data);
            match self.digests.insert(place, digest) {
                None => {}
                Some(before) if before == digest => self.duplicates += 1,
                Some(_) => self.altered.push(place),
            }
        }
    }

    async fn of_log<P>(log: &dyn LogReader, catalogue: &Catalogue<P>) -> Result<Self, LogError> {
        let mut readings = Self::default();
        for shard in log.shards().await? {
            let mut next = Some(Position::Oldest);
            while let Some(from) = next {
                let batch = log.read(&shard, &from).await?;
                readings.add(&batch.records, catalogue);
                next = if batch.at_tip { None } else { batch.next };
            }
        }
        Ok(readings)
    }

    /// Compares the text of an event in the readings with `text`, and removes the event from the readings.
    fn take(&mut self, place: (StreamId, Version), text: &str) -> Reading {
        match self.digests.remove(&place) {
            None => Reading::Nowhere,
            Some(found) if found == digest(text.as_bytes()) => Reading::Same,
            Some(_) => Reading::Altered,
        }
    }

    /// The differences that remain after `take` has removed every committed event: events that were never committed,
    /// and events that were read with different texts.
    fn differences(self, source: Source) -> impl Iterator<Item = Difference> {
        let unknown = self.digests.into_keys();
        let unknown = unknown.map(move |(id, version)| Difference::Unknown(source, id, version));
        let altered = self.altered.into_iter();
        unknown.chain(altered.map(move |(id, version)| Difference::Altered(source, id, version)))
    }
}

/// The result of comparing an event in the readings with its committed text.
#[derive(PartialEq)]
enum Reading {
    Nowhere,
    Same,
    Altered,
}

/// The events that are older than the log's retention.
#[derive(Clone, Debug)]
pub struct Beyond {
    /// Events since this time are still in the log.
    pub kept_since: Moment,
    /// The events of the archive. Read the archive **before** the verification begins: then the verification finds all
    /// of these events committed.
    pub archive: Readings,
}

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// The number of streams in the table.
    pub streams: usize,
    /// The number of events in these streams.
    pub committed: usize,
    /// The number of these events that the log has with their committed text.
    pub in_log: usize,
    /// The number of further copies of events in the log. Copies are normal after a retry.
    pub duplicates: usize,
    /// The number of these events that the archive has with their committed text.
    pub archived: usize,
    /// The number of committed events that are not yet published to the log. Some are normal, for a moment after each
    /// commit.
    pub pending: usize,
    /// The number of published events that are older than the log's retention and no longer in the log. Each of these
    /// events must be in the archive.
    pub expired: usize,
    /// The number of records in the log that are no events of the catalogue's contexts.
    pub foreign: usize,
    /// The differences between streams, log and archive.
    pub differences: Vec<Difference>,
}

/// An error that prevents the verification.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The streams could not be read.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn older(text: &str, kept_since: Moment) -> bool {
    Event::time_of(text).is_some_and(|time| time < kept_since)
}

/// Compares every stream with the log, and with its archive if `beyond` is given. Without `beyond`, the log is assumed
/// to keep everything. Commands may run meanwhile: the function reads all streams, then the log to its end, and then
/// once more each stream that has newer events in the log or in the archive.
///
/// # Errors
///
/// See [`VerifyError`].
pub async fn verify<P: DomainEvent>(
    tables: &dyn Tables,
    log: &dyn LogReader,
    reader: &StreamReader<P>,
    beyond: Option<Beyond>,
) -> Result<Verification, VerifyError> {
    let mut committed = streams(tables, reader.catalogue()).await?;
    let mut logged = Readings::of_log(log, reader.catalogue()).await?;
    let (kept_since, mut archived) = match beyond {
        Some(beyond) => (Some(beyond.kept_since), beyond.archive),
        None => (None, Readings::default()),
    };
    let newer: BTreeSet<StreamId> = {
        let read = logged.digests.keys().chain(archived.digests.keys());
        let ahead = |(id, version): &(StreamId, Version)| {
            (committed.get(id).map_or(0, Stream::version) < *version).then_some(*id)
        };
        read.filter_map(ahead).collect()
    };
    for mut stream in reader.read(&Vec::from_iter(newer)).await? {
        if stream.version() > 0 {
            // The log was read after the first reading of this stream. So the log must have only the events that the
            // first reading showed as published.
            stream.published = committed
                .get(&stream.id)
                .map_or(0, |before| before.published);
            committed.insert(stream.id, stream);
        }
    }
    let mut result = Verification {
        streams: committed.len(),
        duplicates: logged.duplicates,
        foreign: logged.foreign,
        ..Verification::default()
    };
    for stream in committed.values() {
        for (version, text) in stream.texts(1, Version::MAX) {
            let (id, place) = (stream.id, (stream.id, version));
            let differences = &mut result.differences;
            result.committed += 1;
            let in_archive = archived.take(place, text);
            match in_archive {
                Reading::Same => result.archived += 1,
                Reading::Altered => {
                    differences.push(Difference::Altered(Source::Archive, id, version));
                }
                Reading::Nowhere => {}
            }
            match logged.take(place, text) {
                Reading::Same => result.in_log += 1,
                Reading::Altered => {
                    differences.push(Difference::Altered(Source::Log, id, version));
                }
                Reading::Nowhere if version > stream.published => result.pending += 1,
                Reading::Nowhere if kept_since.is_some_and(|since| older(text, since)) => {
                    result.expired += 1;
                    if in_archive == Reading::Nowhere {
                        differences.push(Difference::Lost(id, version));
                    }
                }
                Reading::Nowhere => differences.push(Difference::Missing(id, version)),
            }
        }
    }
    let left = logged.differences(Source::Log);
    result
        .differences
        .extend(left.chain(archived.differences(Source::Archive)));
    result.differences.sort_by_key(ToString::to_string);
    result.differences.dedup();
    Ok(result)
}

/// Reads every stream of the catalogue's contexts.
async fn streams<P>(
    tables: &dyn Tables,
    catalogue: &Catalogue<P>,
) -> Result<HashMap<StreamId, Stream>, StreamError> {
    let mut found = HashMap::new();
    let mut after = None;
    loop {
        let page = tables.scan(TABLE, after.as_ref()).await?;
        for item in &page.items {
            let Some(id) = item
                .get("pk")
                .and_then(|pk| pk.as_str())
                .and_then(|pk| pk.parse().ok())
                .filter(|id| catalogue.knows(*id))
            else {
                continue;
            };
            found.insert(id, Stream::from_item(id, item)?);
        }
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// The stream and version that a record claims, even if this build does not know the type of its event.
fn place<P>(data: &[u8], catalogue: &Catalogue<P>) -> Option<(StreamId, Version)> {
    #[derive(serde::Deserialize)]
    struct Place {
        stream: StreamId,
        streamversion: Version,
    }
    if let Ok(place) = serde_json::from_slice::<Place>(data) {
        return Some((place.stream, place.streamversion));
    }
    let (event, _) = Event::decode(data, catalogue).ok()?;
    Some((event.stream, event.streamversion))
}
