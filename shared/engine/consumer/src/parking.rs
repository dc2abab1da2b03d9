//! The parking lot: what could not be handled, with its bytes, until it can be or is discarded.
//!
//! An item a parked thing, `pk` the consumer (or the view and generation), `sk` the place. Bytes lie beside it in pieces, since a
//! record may be larger than an item. One more item says how far a look through the whole lot has come that did not end yet.

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

/// The table of what is parked.
pub const TABLE: TableName = TableName("parked");

/// Bytes of a record in one item: with base64's third more, well below DynamoDB's 400 KB.
const PIECE: usize = 192 * 1024;
/// Items of one read.
const PIECES: &str = "#pieces#";
/// Where a look through the whole lot keeps how far it has come.
const PASS: &str = "#pass";
/// Items of one owner that are read at once.
const OWNED: usize = 100;

/// How long after it was begun a try that came to no verdict is made again: the first time, and at most. It doubles from one to the
/// other.
const PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

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
    /// How often that build has begun to try it.
    #[serde(default)]
    pub tries: u32,
    /// When that build tries it next: it has begun to, and come to no verdict. Without it, that build tries it no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Moment>,
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

/// Something parked that this build cannot read. A newer one may: it stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// By whom it is parked.
    pub owner: String,
    /// Its place.
    pub place: String,
    /// What is wrong with it.
    pub cause: String,
}

/// What is parked, or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lot {
    /// What this build can read, what was discarded included.
    pub parked: Vec<Parked>,
    /// What it cannot.
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
                tracing::warn!(owner, place, cause, "a parked thing cannot be read");
                self.unreadable.push(Unreadable {
                    owner,
                    place,
                    cause,
                });
            }
        }
    }
}

/// How far a look through the whole lot has come, and what it has found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// The last item that was looked at.
    after: Option<(String, String)>,
    /// Things that stay parked.
    pub(crate) parked: usize,
    /// Things that cannot be read.
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

/// The parking lot.
///
/// ```
/// use std::sync::Arc;
///
/// use alpes_consumer::{Parking, Reason, Trouble};
/// use alpes_ports::Log;
/// use futures::executor::block_on;
/// use twins::{MemoryLog, MemoryTables, world};
///
/// let (world, _) = world(1);
/// let log = MemoryLog::new(1, world.clock.clone());
/// block_on(log.append("key", b"no event", None))?;
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
    /// The parking lot in `tables`, of a build that knows `catalogue`.
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
            tries: 0,
            next: None,
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
            Err(TransactError::ConditionsFailed(_)) => self.note_again(&parked).await,
            Err(TransactError::Table(error)) => Err(error),
        }
    }

    /// True if it will be tried by itself, now or later: this build has not tried it or has come to no verdict, and its trouble may
    /// have been that of another build, or of a bad hour. Anything else waits for a person.
    #[must_use]
    pub fn is_open(&self, parked: &Parked) -> bool {
        matches!(parked.reason, Reason::UnknownType | Reason::Undelivered)
            && parked.discarded.is_none()
            && (parked.catalogue != self.catalogue || parked.next.is_some())
    }

    /// True if it is to be tried by itself now.
    #[must_use]
    pub fn is_due(&self, parked: &Parked) -> bool {
        let waits = |next: Moment| next.timestamp() > self.clock.now();
        let ours = parked.catalogue == self.catalogue;
        self.is_open(parked) && !(ours && parked.next.is_some_and(waits))
    }

    /// How often this build has begun to try it.
    pub(crate) fn tries(&self, parked: &Parked) -> u32 {
        let ours = parked.catalogue == self.catalogue;
        if ours { parked.tries } else { 0 }
    }

    /// Notes that this build tries it, and when it does so next if this try comes to no verdict. It is noted before the try: what
    /// fails, and what kills the process, is tried again after a pause that grows, and holds up nothing else meanwhile.
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
            // Adding nothing gives an item of an older build the count that it lacks.
            update
                .add(Path::of("again"), 0)
                .set(Path::of("catalogue"), self.catalogue.clone())
                .set(Path::of("tries"), before.saturating_add(1))
                .set(Path::of("next"), next.to_string())
        })
        .await
    }

    /// Notes that it was tried to its end, and this build cannot handle it. It tries it no more by itself.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn note_verdict(&self, parked: &Parked) -> Result<(), TableError> {
        self.change(parked, |update| update.remove(Path::of("next")))
            .await
    }

    /// Notes that it was parked anew.
    async fn note_again(&self, parked: &Parked) -> Result<(), TableError> {
        self.change(parked, |update| {
            update
                .set(Path::of("catalogue"), self.catalogue.clone())
                .add(Path::of("again"), 1)
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

    /// What is parked after the item `after`, and after which the next page begins, if there is more.
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

    /// Everything that is parked, the oldest first.
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

    /// Everything that is parked and that this build can read, the oldest first.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn list(&self) -> Result<Vec<Parked>, TableError> {
        Ok(self.all().await?.parked)
    }

    /// Takes out what is parked for an owner who is gone: some of it, from the place `from` on. Where to go on from, if there is more.
    /// What this build cannot read stays.
    ///
    /// # Errors
    ///
    /// See [`TableError`]; doing it again goes on.
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
        // The first place after it.
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

    /// How far a look through the whole lot has come that did not end; none has begun if that is not known.
    pub(crate) async fn pass(&self) -> Result<Option<Pass>, TableError> {
        let item = self
            .tables
            .get_one(&pass_key(), Consistency::Strong)
            .await?;
        let pass = item.map(|item| serde_json::from_value(Value::Object(item)));
        Ok(pass.and_then(Result::ok))
    }

    /// Keeps how far it has come.
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

    /// It has ended.
    pub(crate) async fn end_pass(&self) -> Result<(), TableError> {
        self.write(Write::Delete {
            key: pass_key(),
            condition: Condition::Always,
        })
        .await
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
