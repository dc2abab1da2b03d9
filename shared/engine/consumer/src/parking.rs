//! The parking lot: it keeps records that could not be handled, with their bytes, until they are handled or discarded.
//!
//! Each entry is an item: `pk` is the consumer (or the view and generation), and `sk` is the entry's place, which names
//! the record or stream. Further items hold the bytes in pieces, since a record may be larger than an item. One more
//! item stores the progress of an unfinished pass through the whole lot.

use std::{sync::Arc, time::Duration};

use alpes_messages::{Catalogue, Moment, StreamId, Version};
use alpes_ports::{
    Clock, Condition, Consistency, Direction, Index, IndexQuery, Item, Key, LogRecord, Path,
    SequenceNumber, TableError, TableName, Tables, TransactError, Update, Write, WriteError,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The table of parked entries.
pub const TABLE: TableName = TableName("parked");

/// The largest number of a record's bytes in one item. Base64 adds a third, so the item stays well below DynamoDB's
/// limit of 400 KB.
const PIECE: usize = 192 * 1024;
/// Marks the partition keys of the pieces of a record.
const PIECES: &str = "#pieces#";
/// The partition key of the item that stores the progress of a pass.
const PASS: &str = "#pass";
/// The number of an owner's entries that are read at once.
const OWNED: usize = 100;

/// The pause from the beginning of an attempt that reaches no verdict to the next attempt. The first pause is `PAUSE`;
/// the pause doubles with each attempt, up to `LONGEST_PAUSE`.
const PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// The reason why an entry is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The bytes are no event.
    Undecodable,
    /// The event has a type or version that the build did not know.
    UnknownType,
    /// The event is valid, but the handler fails at every attempt.
    Permanent,
    /// The runtime stopped delivering the record: the function failed or died too often, because of this record or of
    /// another one in its batch.
    Undelivered,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum ParkedWhat {
    /// A record of the log.
    Record {
        /// The shard of the record.
        shard: String,
        /// The sequence number of the record in that shard.
        #[serde(with = "sequence")]
        sequence: SequenceNumber,
        /// The key with which the record was appended.
        partition_key: String,
    },
    /// An event stream, from one event on.
    Stream {
        /// The id of the stream.
        stream: StreamId,
        /// The version of the first event that could not be folded.
        version: Version,
    },
}

/// An entry of the parking lot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The consumer, or the generation of a view, that parked the entry.
    #[serde(rename = "pk")]
    pub owner: String,
    /// The place of the entry: the sort key of its item.
    #[serde(rename = "sk")]
    pub place: String,
    /// The parked record or event stream.
    #[serde(flatten)]
    pub what: ParkedWhat,
    /// The reason why the entry is parked.
    pub reason: Reason,
    /// The fault in words.
    pub detail: String,
    /// The time at which the entry was first parked.
    pub since: Moment,
    /// The number of pieces in which the record's bytes are stored; 0 for a stream.
    pub pieces: usize,
    /// [`Catalogue::fingerprint`] of the build that last tried the entry; empty if no build has tried it.
    pub catalogue: String,
    /// The number of attempts that the build of `catalogue` has begun.
    #[serde(default)]
    pub tries: u32,
    /// The time of that build's next attempt; `None` if that build makes no further attempt, because it cannot handle
    /// the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Moment>,
    /// The number of times the entry was parked again after the first time.
    #[serde(default)]
    pub again: u32,
    /// Set when an operator has discarded the entry, which is then never retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded: Option<Discarded>,
}

/// An operator's decision to discard an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    /// The time of the decision.
    pub at: Moment,
    /// The reason, in the operator's words.
    pub note: String,
}

/// An entry that this build cannot read. The entry stays unchanged, since a newer build may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The owner that parked the entry.
    pub owner: String,
    /// The place of the entry.
    pub place: String,
    /// The reason why the entry cannot be read.
    pub cause: String,
}

/// The entries of the parking lot, or a part of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lot {
    /// The entries that this build can read, including discarded ones.
    pub parked: Vec<Parked>,
    /// The entries that this build cannot read.
    pub unreadable: Vec<Unreadable>,
}

impl Lot {
    fn add(&mut self, item: Item) {
        let text = |name| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let (owner, place) = (text("pk").to_owned(), text("sk").to_owned());
        if owner.contains(PIECES) || owner == PASS {
            return;
        }
        match serde_json::from_value(Value::Object(item)) {
            Ok(parked) => self.parked.push(parked),
            Err(error) => {
                let cause = error.to_string();
                tracing::warn!(owner, place, cause, "a parked entry cannot be read");
                self.unreadable.push(Unreadable {
                    owner,
                    place,
                    cause,
                });
            }
        }
    }
}

/// The progress of a pass through the whole lot, and its numbers so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// The key of the last item that the pass read.
    after: Option<(String, String)>,
    /// The number of entries read so far that stay parked.
    pub(crate) parked: usize,
    /// The number of entries so far that this build cannot read.
    pub(crate) unreadable: usize,
}

impl Pass {
    pub(crate) fn after(&self) -> Option<Key> {
        let (owner, place) = self.after.clone()?;
        Some(Key::new(TABLE, owner, place))
    }

    pub(crate) fn go_on_after(&mut self, last: Key) {
        self.after = Some((last.pk, last.sk));
    }
}

/// A record or an event stream to park, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble<'a> {
    /// The record or event stream to park.
    pub what: ParkedWhat,
    /// The reason for parking.
    pub reason: Reason,
    /// The fault in words.
    pub detail: &'a str,
    /// The bytes of the record; empty for a stream.
    pub data: &'a [u8],
}

impl<'a> Trouble<'a> {
    /// A record to park, with the reason and the fault in words.
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
    use alpes_ports::SequenceNumber;
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

/// The parking lot, for parking, listing and removing entries.
///
/// ```
/// use std::sync::Arc;
///
/// use alpes_consumer::{Parking, Reason, Trouble};
/// use alpes_ports::{Log, NewRecord};
/// use futures::executor::block_on;
/// use twins::{MemoryLog, MemoryTables, world};
///
/// let (world, _) = world(1);
/// let log = MemoryLog::new(1, world.clock.clone());
/// block_on(log.append(NewRecord::new("key", b"no event")))?;
///
/// let parking = Parking::new(Arc::new(MemoryTables::new()), world.clock, &toy::catalogue());
/// let record = &log.records()[0];
/// let trouble = Trouble::with_record(record, Reason::Undecodable, "not JSON");
/// block_on(parking.park("letters", trouble))?;
///
/// let parked = block_on(parking.list())?;
/// assert_eq!((parked[0].owner.as_str(), parked[0].detail.as_str()), ("letters", "not JSON"));
/// assert_eq!(block_on(parking.data(&parked[0]))?.as_deref(), Some(&b"no event"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Parking {
    tables: Arc<dyn Tables>,
    clock: Arc<dyn Clock>,
    catalogue: String,
}

impl Parking {
    /// The parking lot in `tables`, for a build that knows `catalogue`.
    #[must_use]
    pub fn new<P>(
        tables: Arc<dyn Tables>,
        clock: Arc<dyn Clock>,
        catalogue: &Catalogue<P>,
    ) -> Self {
        Self {
            tables,
            clock,
            catalogue: catalogue.fingerprint(),
        }
    }

    /// Parks a record or stream. If the record or stream is parked already, the call only stores this build in its
    /// entry and increments `again`.
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
                // The record was not handled, and no build is known to have tried it.
                Reason::Undelivered => String::new(),
                _ => self.catalogue.clone(),
            },
            tries: 0,
            next: None,
            again: 0,
            discarded: None,
        };
        let key = Key::new(TABLE, owner, parked.place.clone());
        let Ok(Value::Object(mut item)) = serde_json::to_value(&parked) else {
            return Err(TableError::Refused(
                "the entry to park has no JSON form".into(),
            ));
        };
        item.remove("pk");
        item.remove("sk");
        // If a parked stream now fails at a later event than before, this is a new fault, and the new entry replaces
        // the old one.
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
        // One transaction writes the entry and its bytes: a listed entry must have all its bytes, and bytes without an
        // entry would never be found.
        writes.push(put);
        match self.tables.transact(&writes).await {
            Ok(()) => Ok(()),
            // The record is parked already. No build has tried it now, so its entry stays unchanged.
            Err(TransactError::ConditionsFailed(_)) if reason == Reason::Undelivered => Ok(()),
            Err(TransactError::ConditionsFailed(_)) => self.note_again(&parked).await,
            Err(TransactError::Table(error)) => Err(error),
        }
    }

    /// True if this build will retry the entry by itself, now or later. An entry is retried if its reason may be
    /// temporary (an older build, an outage), and this build has not tried the entry yet or has reached no verdict. All
    /// other entries wait for a person.
    #[must_use]
    pub fn is_open(&self, parked: &Parked) -> bool {
        matches!(parked.reason, Reason::UnknownType | Reason::Undelivered)
            && parked.discarded.is_none()
            && (parked.catalogue != self.catalogue || parked.next.is_some())
    }

    /// True if this build should retry the entry now.
    #[must_use]
    pub fn is_due(&self, parked: &Parked) -> bool {
        let waits = |next: Moment| next.timestamp() > self.clock.now();
        let ours = parked.catalogue == self.catalogue;
        self.is_open(parked) && !(ours && parked.next.is_some_and(waits))
    }

    /// The number of attempts that this build has begun.
    pub(crate) fn tries(&self, parked: &Parked) -> u32 {
        let ours = parked.catalogue == self.catalogue;
        if ours { parked.tries } else { 0 }
    }

    /// Stores that this build begins an attempt, and the time of the next attempt if this one reaches no verdict. Call
    /// this method before the attempt: if the attempt fails or kills the process, the next attempt follows after a
    /// growing pause, and the entry does not block others.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn note_tried(&self, parked: &Parked) -> Result<(), TableError> {
        let before = self.tries(parked);
        let pause = PAUSE.saturating_mul(1 << before.min(16)).min(LONGEST_PAUSE);
        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::ZERO);
        let now = self.clock.now();
        let next = Moment::from(now.saturating_add(pause).unwrap_or(now));
        self.change(parked, |update| {
            // Adding 0 gives the item of an older build the attribute `again`, which it lacks.
            update
                .add(Path::of("again"), 0)
                .set(Path::of("catalogue"), self.catalogue.clone())
                .set(Path::of("tries"), before.saturating_add(1))
                .set(Path::of("next"), next.to_string())
        })
        .await
    }

    /// Stores the verdict that this build cannot handle the entry. This build makes no further attempt by itself.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn note_verdict(&self, parked: &Parked) -> Result<(), TableError> {
        self.change(parked, |update| update.remove(Path::of("next")))
            .await
    }

    /// Stores that the entry was parked again.
    async fn note_again(&self, parked: &Parked) -> Result<(), TableError> {
        self.change(parked, |update| {
            update
                .set(Path::of("catalogue"), self.catalogue.clone())
                .add(Path::of("again"), 1)
        })
        .await
    }

    /// Discards an entry. A discarded entry keeps its place and its bytes, and is never retried.
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

    /// The entries after the key `after`, and the key after which the next page begins; `None` at the end.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn page(&self, after: Option<&Key>) -> Result<(Lot, Option<Key>), TableError> {
        let page = self.tables.scan(TABLE, after).await?;
        let mut lot = Lot::default();
        for item in page.items {
            lot.add(item);
        }
        Ok((lot, page.next))
    }

    /// All entries, the oldest first.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn all(&self) -> Result<Lot, TableError> {
        let (mut all, mut after) = (Lot::default(), None);
        loop {
            let (lot, next) = self.page(after.as_ref()).await?;
            all.parked.extend(lot.parked);
            all.unreadable.extend(lot.unreadable);
            after = next;
            if after.is_none() {
                break;
            }
        }
        let age = |parked: &Parked| (parked.since, parked.place.clone());
        all.parked.sort_by_cached_key(age);
        Ok(all)
    }

    /// All entries that this build can read, the oldest first.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn list(&self) -> Result<Vec<Parked>, TableError> {
        Ok(self.all().await?.parked)
    }

    /// Removes some entries of an owner that no longer exists, from the place `from` on. Returns the place to continue
    /// from; `None` at the end. Entries that this build cannot read stay.
    ///
    /// # Errors
    ///
    /// See [`TableError`]; calling the method again with the same `from` continues the removal.
    pub async fn remove_owned(
        &self,
        owner: &str,
        from: Option<String>,
    ) -> Result<Option<String>, TableError> {
        let query = IndexQuery {
            table: TABLE,
            index: Index::Primary,
            partition: owner.to_owned(),
            from,
            below: None,
            direction: Direction::Ascending,
            limit: OWNED,
        };
        let page = self.tables.query(&query).await?;
        let last = page.items.last().and_then(|item| item.get("sk"));
        // The first possible place after the last place of this page.
        let next = last.and_then(Value::as_str).map(|last| format!("{last} "));
        let mut lot = Lot::default();
        for item in page.items {
            lot.add(item);
        }
        for parked in &lot.parked {
            self.remove(parked).await?;
        }
        Ok(next.filter(|_| page.more))
    }

    /// The progress of an unfinished pass; `None` if no pass is unfinished, or if its progress cannot be read.
    pub(crate) async fn pass(&self) -> Result<Option<Pass>, TableError> {
        let item = self
            .tables
            .get_one(&pass_key(), Consistency::Strong)
            .await?;
        let pass = item.map(|item| serde_json::from_value(Value::Object(item)));
        Ok(pass.and_then(Result::ok))
    }

    /// Stores the progress of a pass.
    pub(crate) async fn keep_pass(&self, pass: &Pass) -> Result<(), TableError> {
        let Ok(Value::Object(item)) = serde_json::to_value(pass) else {
            return Err(malformed("no item"));
        };
        self.write(Write::Put {
            key: pass_key(),
            item,
            condition: Condition::Always,
        })
        .await
    }

    /// Deletes the stored progress of a pass that has ended.
    pub(crate) async fn end_pass(&self) -> Result<(), TableError> {
        self.write(Write::Delete {
            key: pass_key(),
            condition: Condition::Always,
        })
        .await
    }

    /// The bytes of a parked record; `None` if the entry has none.
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

    /// A parked record with its bytes; `None` if the entry is no record, or has no bytes.
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
            // An approximation: the time at which the record was parked.
            arrived: parked.since.timestamp(),
        }))
    }

    /// Removes an entry that was handled. Returns false, and the entry stays, if the entry was parked again after
    /// `parked` was read.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn remove(&self, parked: &Parked) -> Result<bool, TableError> {
        self.take_out(parked, vec![]).await
    }

    /// Removes a record that another process has handled after this build stored its attempt. The entry stays if
    /// another build has tried it meanwhile: an older build parks the events that it does not know again, and reports
    /// success.
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
        // One transaction deletes the entry and its bytes, since bytes without an entry would never be found.
        let writes: Vec<_> = std::iter::once(whole).chain(pieces).collect();
        match self.tables.transact(&writes).await {
            Ok(()) => Ok(true),
            Err(TransactError::ConditionsFailed(_)) => {
                // The entry was parked again, or no longer exists: an earlier attempt of this transaction may have
                // succeeded without an answer.
                let left = self.tables.get_one(&key, Consistency::Strong).await?;
                Ok(left.is_none())
            }
            Err(TransactError::Table(error)) => Err(error),
        }
    }

    /// Removes a stream that was parked from `version` on and has been handled. A stream parked from another version
    /// stays.
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

fn pass_key() -> Key {
    Key::new(TABLE, PASS, "pass")
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
