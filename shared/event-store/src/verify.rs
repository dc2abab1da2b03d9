//! Proving that streams and log agree.

use std::{
    collections::HashMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

use events::{Catalogue, Event, Moment, StreamId, Version};
use ports::{LogError, LogReader, Position, Tables};
use thiserror::Error;

use crate::{Stream, StreamError, StreamReader, stream::TABLE};

/// A place where streams and log do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Noted as published, but not in the log.
    Missing(StreamId, Version),
    /// In the log, but never committed.
    Unknown(StreamId, Version),
    /// In the log with another text than was committed.
    Altered(StreamId, Version),
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(stream, version) => write!(
                formatter,
                "{stream} {version}: published, but not in the log"
            ),
            Self::Unknown(stream, version) => write!(
                formatter,
                "{stream} {version}: in the log, but not committed"
            ),
            Self::Altered(stream, version) => {
                write!(
                    formatter,
                    "{stream} {version}: in the log with another text than was committed"
                )
            }
        }
    }
}

/// What a verification saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Streams in the table.
    pub streams: usize,
    /// Events in them.
    pub committed: usize,
    /// Distinct events of theirs in the log.
    pub in_log: usize,
    /// Further copies of those: normal after a retry.
    pub duplicates: usize,
    /// Committed, not yet in the log: normal for a moment.
    pub pending: usize,
    /// Older than what the log still keeps.
    pub expired: usize,
    /// Records in the log that are no event of ours.
    pub foreign: usize,
    /// What does not agree.
    pub differences: Vec<Difference>,
}

/// A verification that could not be made.
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

fn expired(text: &str, kept_since: Option<Moment>) -> bool {
    #[derive(serde::Deserialize)]
    struct When {
        time: Moment,
    }
    let when = serde_json::from_str::<When>(text).ok();
    when.zip(kept_since)
        .is_some_and(|(When { time }, kept_since)| time < kept_since)
}

/// Compares every stream with the log, of which records since `kept_since` are kept (all, if `None`), while both are in use: streams are read first, then the log to its tip, then once more
/// the streams that the log knows more of.
///
/// # Errors
///
/// See [`VerifyError`].
pub async fn verify(
    tables: &dyn Tables,
    log: &dyn LogReader,
    reader: &StreamReader,
    kept_since: Option<Moment>,
) -> Result<Verification, VerifyError> {
    let mut result = Verification::default();
    let mut committed: HashMap<StreamId, Stream> = HashMap::new();
    let mut after = None;
    loop {
        let page = tables
            .scan(TABLE, after.as_ref())
            .await
            .map_err(StreamError::from)?;
        for item in &page.items {
            let Some(id) = item
                .get("pk")
                .and_then(|pk| pk.as_str())
                .and_then(|pk| pk.parse().ok())
            else {
                continue;
            };
            committed.insert(id, Stream::from_item(id, item)?);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut seen: HashMap<(StreamId, Version), u64> = HashMap::new();
    for shard in log.shards().await? {
        let mut next = Some(Position::Oldest);
        while let Some(from) = next {
            let batch = log.read(&shard, &from).await?;
            for record in &batch.records {
                let Some(place) = place(&record.data) else {
                    result.foreign += 1;
                    continue;
                };
                let digest = digest(&record.data);
                match seen.insert(place, digest) {
                    None => {}
                    Some(before) if before == digest => result.duplicates += 1,
                    Some(_) => result
                        .differences
                        .push(Difference::Altered(place.0, place.1)),
                }
            }
            next = if batch.at_tip { None } else { batch.next };
        }
    }
    let newer: Vec<StreamId> = {
        let ahead = |(id, version): &(StreamId, Version)| {
            (committed.get(id).map_or(0, Stream::version) < *version).then_some(*id)
        };
        let mut ids: Vec<_> = seen.keys().filter_map(ahead).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    for mut stream in reader.read(&newer).await? {
        if stream.version() > 0 {
            // Published when the log was read: no more than was so before.
            stream.published = committed
                .get(&stream.id)
                .map_or(0, |before| before.published);
            committed.insert(stream.id, stream);
        }
    }
    result.streams = committed.len();
    for stream in committed.values() {
        for (version, text) in stream.texts(1, Version::MAX) {
            result.committed += 1;
            match seen.remove(&(stream.id, version)) {
                Some(found) if found == digest(text.as_bytes()) => result.in_log += 1,
                Some(_) => result
                    .differences
                    .push(Difference::Altered(stream.id, version)),
                None if version > stream.published => result.pending += 1,
                None if expired(text, kept_since) => result.expired += 1,
                None => result
                    .differences
                    .push(Difference::Missing(stream.id, version)),
            }
        }
    }
    result.differences.extend(
        seen.into_keys()
            .map(|(id, version)| Difference::Unknown(id, version)),
    );
    result.differences.sort_by_key(ToString::to_string);
    Ok(result)
}

/// The place that a record claims. An event of a type that this build does not know has a place too.
fn place(data: &[u8]) -> Option<(StreamId, Version)> {
    #[derive(serde::Deserialize)]
    struct Place {
        stream: StreamId,
        streamversion: Version,
    }
    if let Ok(place) = serde_json::from_slice::<Place>(data) {
        return Some((place.stream, place.streamversion));
    }
    let (event, _) = Event::decode(data, &Catalogue::current()).ok()?;
    Some((event.stream, event.streamversion))
}
