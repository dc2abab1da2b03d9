//! The parking lot: what could not be handled, with its bytes, until it can be or is discarded.
//!
//! An item a parked thing, `pk` the consumer (or the view and generation), `sk` the place. Bytes lie beside it in pieces, since a
//! record may be larger than an item.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use events::{Catalogue, Moment, StreamId, Version};
use ports::{
    Clock, Condition, Consistency, Direction, Index, IndexQuery, Item, Key, LogRecord, Path,
    SequenceNumber, TableError, TableName, Tables, TransactError, Update, Write, WriteError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The table of what is parked.
pub const TABLE: TableName = TableName("parked");

/// Bytes of a record in one item: with base64's third more, well below DynamoDB's 400 KB.
const PIECE: usize = 192 * 1024;
/// Items of one read.
const PIECES: &str = "#pieces#";

/// Why something is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Not an event.
    Undecodable,
    /// An event of a type or version that the build did not know.
    UnknownType,
    /// A good event that could not be handled, and will not be by trying again.
    Permanent,
    /// The runtime gave up delivering it: the function failed or died of it, or of a record beside it, too often.
    Undelivered,
}

/// What is parked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum ParkedWhat {
    /// A record of the log.
    Record {
        /// Its shard.
        shard: String,
        /// Its place there.
        #[serde(with = "sequence")]
        sequence: SequenceNumber,
        /// The key it was appended under.
        partition_key: String,
    },
    /// A stream, from an event on.
    Stream {
        /// Which.
        stream: StreamId,
        /// The first event that was not handled.
        version: Version,
    },
}

/// Something parked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// By whom: a consumer, or a generation of a view.
    #[serde(rename = "pk")]
    pub owner: String,
    /// Its place.
    #[serde(rename = "sk")]
    pub place: String,
    /// What.
    #[serde(flatten)]
    pub what: ParkedWhat,
    /// What kind of trouble.
    pub reason: Reason,
    /// The trouble in words.
    pub detail: String,
    /// Since when.
    pub since: Moment,
    /// How many pieces its bytes lie in.
    pub pieces: usize,
    /// [`Catalogue::fingerprint`] of the build that last tried it.
    pub catalogue: String,
    /// How often it was parked anew since it was first.
    #[serde(default)]
    pub again: u32,
    /// Set when an operator decided that it will never be handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded: Option<Discarded>,
}

/// An operator's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    /// When.
    pub at: Moment,
    /// Why, in the operator's words.
    pub note: String,
}

/// Something to park.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble<'a> {
    /// What.
    pub what: ParkedWhat,
    /// What kind of trouble.
    pub reason: Reason,
    /// The trouble in words.
    pub detail: &'a str,
    /// The bytes of a record.
    pub data: &'a [u8],
}

impl<'a> Trouble<'a> {
    /// Trouble with a record.
    #[must_use]
    pub fn with_record(record: &'a LogRecord, reason: Reason, detail: &'a str) -> Self {
        let what = ParkedWhat::Record {
            shard: record.shard.clone(),
            sequence: record.sequence.clone(),
            partition_key: record.partition_key.clone(),
        };
        Self {
            what,
            reason,
            detail,
            data: &record.data,
        }
    }
}

mod sequence {
    use ports::SequenceNumber;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        sequence: &SequenceNumber,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&sequence.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SequenceNumber, D::Error> {
        String::deserialize(deserializer).map(SequenceNumber)
    }
}

/// The parking lot.
#[derive(Clone)]
pub struct Parking {
    tables: Arc<dyn Tables>,
    clock: Arc<dyn Clock>,
    catalogue: String,
}

impl Parking {
    /// The parking lot in `tables`, of a build that knows `catalogue`.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, clock: Arc<dyn Clock>, catalogue: &Catalogue) -> Self {
        Self {
            tables,
            clock,
            catalogue: catalogue.fingerprint(),
        }
    }

    /// Parks something. What is parked already stays as it is, but for the notes that it was parked anew, and by which build.
    ///
    /// # Errors
    ///
    /// See [`TableError`]; the record must then be delivered again.
    pub async fn park(&self, owner: &str, trouble: Trouble<'_>) -> Result<(), TableError> {
        let Trouble {
            what,
            reason,
            detail,
            data,
        } = trouble;
        let place = match &what {
            ParkedWhat::Record {
                shard, sequence, ..
            } => format!("record#{shard}#{}", sequence.0),
            ParkedWhat::Stream { stream, .. } => stream_place(*stream),
        };
        let pieces: Vec<_> = data.chunks(PIECE).collect();
        let bytes = pieces.iter().enumerate().map(|(number, piece)| {
            let item = Item::from_iter([("data".to_owned(), Value::from(STANDARD.encode(piece)))]);
            Write::Put {
                key: piece_key(owner, &place, number),
                item,
                condition: Condition::Always,
            }
        });
        let mut writes: Vec<_> = bytes.collect();
        let since = self.clock.now().into();
        let detail = detail.chars().take(2_000).collect();
        let parked = Parked {
            owner: owner.into(),
            place,
            what,
            reason,
            detail,
            since,
            pieces: pieces.len(),
            catalogue: match reason {
                // No build has tried it, as far as is known: all that is known is that it was not handled.
                Reason::Undelivered => String::new(),
                _ => self.catalogue.clone(),
            },
            again: 0,
            discarded: None,
        };
        let key = Key::new(TABLE, owner, parked.place.clone());
        let Ok(Value::Object(mut item)) = serde_json::to_value(&parked) else {
            return Err(TableError::Refused(
                "what is parked has no JSON form".into(),
            ));
        };
        item.remove("pk");
        item.remove("sk");
        // A stream that got further and is in trouble again is other trouble.
        let condition = match &parked.what {
            ParkedWhat::Record { .. } => Condition::Absent,
            ParkedWhat::Stream { version, .. } => Condition::Any(vec![
                Condition::Absent,
                Condition::Less(Path::of("version"), i64::from(*version)),
            ]),
        };
        let put = Write::Put {
            key,
            item,
            condition,
        };
        // With its bytes at once: what is listed must be whole, and nobody would find bytes that are not listed.
        writes.push(put);
        match self.tables.transact(&writes).await {
            Ok(()) => Ok(()),
            // No build has tried what was only given up.
            Err(TransactError::ConditionsFailed(_)) if reason == Reason::Undelivered => Ok(()),
            Err(TransactError::ConditionsFailed(_)) => self.note(&parked, 1).await,
            Err(TransactError::Table(error)) => Err(error),
        }
    }

    /// True if it is worth trying by itself: a build with this catalogue has not tried it, and its trouble may have been that of
    /// another build, or of a bad hour.
    #[must_use]
    pub fn is_due(&self, parked: &Parked) -> bool {
        matches!(parked.reason, Reason::UnknownType | Reason::Undelivered)
            && parked.discarded.is_none()
            && parked.catalogue != self.catalogue
    }

    /// Notes that this build tries it: said before it does, so that what kills the process is tried once.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn note_tried(&self, parked: &Parked) -> Result<(), TableError> {
        // Adding nothing gives an item of an older build the count that it lacks.
        self.note(parked, 0).await
    }

    async fn note(&self, parked: &Parked, again: i64) -> Result<(), TableError> {
        self.change(parked, |update| {
            update
                .set(Path::of("catalogue"), self.catalogue.clone())
                .add(Path::of("again"), again)
        })
        .await
    }

    /// Takes the note back: it could not be tried, and is due as before.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn note_untried(&self, parked: &Parked) -> Result<(), TableError> {
        self.change(parked, |update| {
            update.set(Path::of("catalogue"), parked.catalogue.clone())
        })
        .await
    }

    /// Notes that it will never be handled. It stays where it is, with its bytes, and is tried no more.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn discard(&self, parked: &Parked, note: &str) -> Result<(), TableError> {
        let discarded = Discarded {
            at: self.clock.now().into(),
            note: note.to_owned(),
        };
        let discarded = serde_json::to_value(discarded).map_err(malformed)?;
        self.change(parked, |update| {
            update.set(Path::of("discarded"), discarded)
        })
        .await
    }

    async fn change(
        &self,
        parked: &Parked,
        how: impl FnOnce(Update) -> Update,
    ) -> Result<(), TableError> {
        let key = Key::new(TABLE, parked.owner.clone(), parked.place.clone());
        self.write(how(Update::of(key).when(Condition::Exists)).into())
            .await
    }

    /// Everything that is parked, and what was discarded.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn list(&self) -> Result<Vec<Parked>, TableError> {
        let (mut found, mut after) = (vec![], None);
        loop {
            let page = self.tables.scan(TABLE, after.as_ref()).await?;
            let whole = page.items.into_iter().filter(|item| {
                item.get("pk")
                    .and_then(Value::as_str)
                    .is_some_and(|owner| !owner.contains(PIECES))
            });
            for item in whole {
                found.push(serde_json::from_value(Value::Object(item)).map_err(malformed)?);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort_by(|left: &Parked, right| {
            (left.since, &left.place).cmp(&(right.since, &right.place))
        });
        Ok(found)
    }

    /// The bytes of a parked record; `None` if it has none.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn data(&self, parked: &Parked) -> Result<Option<Vec<u8>>, TableError> {
        if parked.pieces == 0 {
            return Ok(None);
        }
        let query = IndexQuery {
            table: TABLE,
            index: Index::Primary,
            partition: pieces_owner(&parked.owner, &parked.place),
            from: None,
            below: None,
            direction: Direction::Ascending,
            limit: parked.pieces,
        };
        let mut data = vec![];
        for item in self.tables.query(&query).await?.items {
            let text = item.get("data").and_then(Value::as_str).unwrap_or_default();
            data.extend(STANDARD.decode(text).map_err(malformed)?);
        }
        Ok(Some(data))
    }

    /// A parked record, whole; `None` if it is none, or has no bytes.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn record(&self, parked: &Parked) -> Result<Option<LogRecord>, TableError> {
        let ParkedWhat::Record {
            shard,
            sequence,
            partition_key,
        } = &parked.what
        else {
            return Ok(None);
        };
        let data = self.data(parked).await?;
        Ok(data.map(|data| LogRecord {
            shard: shard.clone(),
            sequence: sequence.clone(),
            partition_key: partition_key.clone(),
            data,
            // About: it was parked as soon as it was seen.
            arrived: parked.since.timestamp(),
        }))
    }

    /// Takes something out that was handled after all. False if it was parked anew since `parked` was read: then it stays.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn remove(&self, parked: &Parked) -> Result<bool, TableError> {
        self.take_out(parked, vec![]).await
    }

    /// The same for a record that this build noted as tried, and that another process has handled since: that may be of an older
    /// build, which parks what it does not know and says that all is well.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn remove_tried(&self, parked: &Parked) -> Result<bool, TableError> {
        let ours = Condition::Equals(Path::of("catalogue"), self.catalogue.clone().into());
        self.take_out(parked, vec![ours]).await
    }

    async fn take_out(
        &self,
        parked: &Parked,
        mut untouched: Vec<Condition>,
    ) -> Result<bool, TableError> {
        untouched.extend([
            Condition::Equals(Path::of("since"), parked.since.to_string().into()),
            Condition::Equals(Path::of("again"), parked.again.into()),
        ]);
        let key = Key::new(TABLE, parked.owner.clone(), parked.place.clone());
        let delete = |key, condition| Write::Delete { key, condition };
        let whole = delete(key.clone(), Condition::All(untouched));
        let pieces = (0..parked.pieces).map(|number| {
            let piece = piece_key(&parked.owner, &parked.place, number);
            delete(piece, Condition::Always)
        });
        // All at once: nobody would find bytes that were left behind.
        let writes: Vec<_> = std::iter::once(whole).chain(pieces).collect();
        match self.tables.transact(&writes).await {
            Ok(()) => Ok(true),
            Err(TransactError::ConditionsFailed(_)) => {
                // Parked anew, or gone: a first answer of ours may have been lost.
                let left = self.tables.get_one(&key, Consistency::Strong).await?;
                Ok(left.is_none())
            }
            Err(TransactError::Table(error)) => Err(error),
        }
    }

    /// Takes out a stream that was parked from `version` on, and was handled after all. One parked for another event stays.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn remove_stream(
        &self,
        owner: &str,
        stream: StreamId,
        version: Version,
    ) -> Result<(), TableError> {
        let key = Key::new(TABLE, owner, stream_place(stream));
        let same = Condition::Equals(Path::of("version"), version.into());
        self.write(Write::Delete {
            key,
            condition: same,
        })
        .await
    }

    async fn write(&self, write: Write) -> Result<(), TableError> {
        match self.tables.write(&write).await {
            Ok(()) | Err(WriteError::ConditionFailed) => Ok(()),
            Err(WriteError::Table(error)) => Err(error),
        }
    }
}

fn stream_place(stream: StreamId) -> String {
    format!("stream#{stream}")
}

fn pieces_owner(owner: &str, place: &str) -> String {
    format!("{owner}{PIECES}{place}")
}

fn piece_key(owner: &str, place: &str, number: usize) -> Key {
    Key::new(TABLE, pieces_owner(owner, place), format!("{number:04}"))
}

fn malformed(error: impl std::fmt::Display) -> TableError {
    TableError::Refused(format!("a parked item is malformed: {error}"))
}
