//! A stream of events, in the form of its item in the table.
//!
//! | attribute | content |
//! | --- | --- |
//! | `pk`, `sk` | the stream id; `stream` |
//! | `version` | the number of the stream's events |
//! | `events` | the texts of the events, exactly as published; event `n` is at position `n - 1` |
//! | `published` | the number of events known to be in the log |
//! | `receipts` | for each command id: the `hash` of the command's body, and its events' versions `from` and `to` |
//! | `gsi1pk`, `gsi1sk` | the place in the sweeper's index, only while events may be unpublished |

use std::{collections::BTreeMap, sync::Arc};

use alpes_messages::{
    Catalogue, CommandId, DecodeError, DomainEvent, Event, Moment, StreamId, Version,
};
use alpes_ports::{
    Condition, Consistency, Item, Key, Path, TableError, TableName, Tables, Update,
    due::{self, DueIndex},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// The table of streams.
pub const TABLE: TableName = TableName("streams");

/// The index of the streams that may have unpublished events.
pub(crate) fn unpublished() -> DueIndex {
    DueIndex::new(TABLE, "sweep", 16)
}

/// The receipt of a command: the events that it committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`alpes_messages::Command::body_hash`] of the command.
    pub hash: String,
    /// The version of the command's first event.
    pub from: Version,
    /// The version of the command's last event.
    pub to: Version,
}

/// An event with the text in which it was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent<P> {
    /// The text.
    pub text: String,
    /// The envelope, with its data lifted to the newest version.
    pub event: Event,
    /// The payload of the event.
    pub payload: P,
}

/// A stream, as read from its item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The id of the stream.
    pub id: StreamId,
    /// The texts of the stream's events, in order.
    pub events: Vec<String>,
    /// The number of events known to be in the log.
    pub published: Version,
    /// The receipt of each command.
    pub receipts: BTreeMap<CommandId, Receipt>,
}

/// The reason why a stream cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StreamError {
    /// The table did not answer, or refused the request.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The item is not a stream, because of a defect or a manual change.
    #[error("the item of stream {0} is malformed: {1}")]
    Malformed(StreamId, String),
    /// This build cannot decode an event of the stream.
    #[error("event {1} of stream {0}: {2}")]
    Event(StreamId, Version, DecodeError),
}

impl Stream {
    /// A stream without events.
    #[must_use]
    pub fn empty(id: StreamId) -> Self {
        Self {
            id,
            events: vec![],
            published: 0,
            receipts: BTreeMap::new(),
        }
    }

    /// The key of the stream's item.
    #[must_use]
    pub fn key(id: StreamId) -> Key {
        Key::new(TABLE, id.to_string(), "stream")
    }

    /// Reads a stream from its item.
    ///
    /// # Errors
    ///
    /// [`StreamError::Malformed`] if the item is not a stream.
    pub fn from_item(id: StreamId, item: &Item) -> Result<Self, StreamError> {
        #[derive(Deserialize)]
        struct Form {
            version: Version,
            events: Vec<String>,
            published: Version,
            receipts: BTreeMap<CommandId, Receipt>,
        }
        let malformed = |text: String| StreamError::Malformed(id, text);
        let form = Form::deserialize(item).map_err(|error| malformed(error.to_string()))?;
        let stream = Self {
            id,
            events: form.events,
            published: form.published,
            receipts: form.receipts,
        };
        if stream.version() != form.version || stream.published > form.version {
            return Err(malformed(format!(
                "version {} is not the number of its events",
                form.version
            )));
        }
        Ok(stream)
    }

    /// The number of events, which is the version of the last one.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::try_from(self.events.len()).unwrap_or(Version::MAX)
    }

    /// The texts of the events `from ..= to`.
    pub fn texts(&self, from: Version, to: Version) -> impl Iterator<Item = (Version, &str)> {
        (1..)
            .zip(&self.events)
            .filter(move |(version, _)| (from..=to).contains(version))
            .map(|(v, text)| (v, &**text))
    }

    /// The texts of the events that are not known to be in the log.
    pub fn pending(&self) -> impl Iterator<Item = &str> {
        self.texts(self.published.saturating_add(1), Version::MAX)
            .map(|(_, text)| text)
    }

    /// Decodes the events `from ..= to`.
    ///
    /// # Errors
    ///
    /// [`StreamError::Event`] for the first event that this catalogue cannot decode.
    pub fn decode<P>(
        &self,
        catalogue: &Catalogue<P>,
        from: Version,
        to: Version,
    ) -> Result<Vec<StoredEvent<P>>, StreamError> {
        self.texts(from, to)
            .map(|(version, text)| {
                let (event, payload) = Event::decode(text.as_bytes(), catalogue)
                    .map_err(|error| StreamError::Event(self.id, version, error))?;
                Ok(StoredEvent {
                    text: text.to_owned(),
                    event,
                    payload,
                })
            })
            .collect()
    }

    /// Decodes every event of the stream. The result has the form of [`Case::history`](crate::Case::history).
    ///
    /// # Errors
    ///
    /// [`StreamError::Event`] for the first event that the catalogue cannot decode.
    pub fn history<P>(&self, catalogue: &Catalogue<P>) -> Result<Vec<(Event, P)>, StreamError> {
        let decoded = self.decode(catalogue, 1, Version::MAX)?.into_iter();
        Ok(decoded
            .map(|stored| (stored.event, stored.payload))
            .collect())
    }

    /// The approximate size of the item in bytes: never less than its true size.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        const ITEM: usize = 512;
        const RECEIPT: usize = 192;
        let events: usize = self.events.iter().map(|text| text.len() + 8).sum();
        ITEM + events + self.receipts.len() * RECEIPT
    }

    /// The write that commits `texts` after the events that were read, with the receipt of `command`.
    pub(crate) fn commit(
        &self,
        texts: &[String],
        command: CommandId,
        hash: &str,
        now: Moment,
    ) -> Update {
        let version = self.version();
        let added = Version::try_from(texts.len()).unwrap_or(Version::MAX);
        let receipt = Receipt {
            hash: hash.to_owned(),
            from: version + 1,
            to: version.saturating_add(added),
        };
        let update = Update::of(Self::key(self.id))
            .set(Path::of("version"), receipt.to)
            .append(
                Path::of("events"),
                texts
                    .iter()
                    .map(|text| Value::from(text.as_str()))
                    .collect(),
            );
        let update = unpublished().enter(update, due::place(now.timestamp()));
        // A struct of text and numbers always has a JSON form.
        let receipt = serde_json::to_value(receipt).unwrap_or_default();
        if version == 0 {
            let receipts = Map::from_iter([(command.to_string(), receipt)]);
            update
                .when(Condition::Absent)
                .set(Path::of("published"), 0)
                .set(Path::of("receipts"), receipts)
        } else {
            update
                .when(Condition::Equals(Path::of("version"), Value::from(version)))
                .set(Path::entry("receipts", command.to_string()), receipt)
        }
    }
}

/// Reads streams with strong consistency.
#[derive(Clone)]
pub struct StreamReader<P> {
    tables: Arc<dyn Tables>,
    catalogue: Catalogue<P>,
}

impl<P: DomainEvent> StreamReader<P> {
    /// A reader of the streams in `tables`.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, catalogue: Catalogue<P>) -> Self {
        Self { tables, catalogue }
    }

    /// The event types that the reader decodes.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue<P> {
        &self.catalogue
    }

    /// Reads streams, and returns them in the order of `ids`. An id without events gives an empty stream.
    ///
    /// # Errors
    ///
    /// See [`StreamError`].
    pub async fn read(&self, ids: &[StreamId]) -> Result<Vec<Stream>, StreamError> {
        let keys: Vec<_> = ids.iter().map(|id| Stream::key(*id)).collect();
        let items = self.tables.get(&keys, Consistency::Strong).await?;
        ids.iter()
            .zip(items)
            .map(|(id, item)| {
                item.map_or_else(
                    || Ok(Stream::empty(*id)),
                    |item| Stream::from_item(*id, &item),
                )
            })
            .collect()
    }

    /// Reads one stream.
    ///
    /// # Errors
    ///
    /// See [`StreamError`].
    pub async fn read_one(&self, id: StreamId) -> Result<Stream, StreamError> {
        let item = self
            .tables
            .get_one(&Stream::key(id), Consistency::Strong)
            .await?;
        item.map_or_else(
            || Ok(Stream::empty(id)),
            |item| Stream::from_item(id, &item),
        )
    }

    /// Reads every event of one stream.
    ///
    /// # Errors
    ///
    /// See [`StreamError`].
    pub async fn history(&self, id: StreamId) -> Result<Vec<(Event, P)>, StreamError> {
        self.read_one(id).await?.history(&self.catalogue)
    }
}
