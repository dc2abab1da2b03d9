//! The table of sagas.
//!
//! | attribute | content |
//! | --- | --- |
//! | `pk`, `sk` | the saga's id; `saga` |
//! | `definition`, `version` | the definition with which the saga began |
//! | `subject`, `status` | copies from the log, for readers that do not decode the log |
//! | `log` | the log. Each entry has `when`, the time of writing; an entry with an event also has `event_time`, the time of the event |
//! | `attempts`, `unanswered` | of the outstanding command: the number of attempts so far, and whether an attempt before the last had no answer |
//! | `due` | the time of the outstanding command's next attempt, or of the next look at the progress of an execution |
//! | `rev`, `author` | the number of writes, and the id of the last writer |
//! | `gsi1pk`, `gsi1sk` | only while the saga is to be woken: a bucket `wake-NN`, and the time of the wake. This time is never later than the saga is due, unless the saga was [put off](Sagas::put_off) |
//! | `gsi2pk`, `gsi2sk` | `status:{status}`, and the time of the saga's opening event with the saga's id |

use std::{sync::Arc, time::Duration};

use alpes_messages::moment::Moment;
use alpes_ports::{
    Condition, Consistency, Direction as Order, Index, IndexQuery, Item, Key, Path, TableError,
    TableName, Tables, Update, World, WriteError,
    due::{self, DueIndex, DueItem},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::{Definitions, Entry, Saga, SagaId, SagaMode, Status, What};

/// The table in which sagas are stored.
pub const TABLE: TableName = TableName("sagas");

/// The index of the sagas that the timers will wake.
fn to_be_woken() -> DueIndex {
    DueIndex::new(TABLE, "wake", 16)
}

/// A saga as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The saga.
    pub saga: Saga,
    rev: i64,
    /// The saga's time in the index of sagas to wake; `None` if the saga is not in that index.
    wake: Option<Timestamp>,
}

/// A saga that could not be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LoadError {
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The saga's definition, or an entry of its log, is unknown to this build. Another build runs the saga and will
    /// continue it.
    #[error("saga {0}, of definition {1} version {2}, is another build's")]
    UnknownDefinition(SagaId, String, u32),
    /// The item is not a saga, because of a defect or a manual change.
    #[error("the item of saga {0} is malformed: {1}")]
    Malformed(SagaId, String),
}

/// A saga that could not be written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SaveError {
    /// Another writer changed the saga meanwhile, or the outcome is unknown: read the saga again.
    #[error("another writer changed the saga")]
    Overtaken,
    /// The table refused the write.
    #[error(transparent)]
    Table(TableError),
}

/// A page of sagas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The sagas, newest first.
    pub sagas: Vec<Saga>,
    /// The value of `after` for the next page; `None` on the last page.
    pub next: Option<String>,
}

/// The sagas that are due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The ids of the sagas. Those that have waited longest come first.
    pub sagas: Vec<SagaId>,
    /// The time since which the longest-waiting saga has waited; `None` if no saga is due.
    pub oldest: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Form {
    definition: String,
    version: u32,
    log: Vec<Value>,
    rev: i64,
    #[serde(default)]
    author: String,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    unanswered: bool,
    #[serde(default)]
    due: Option<Timestamp>,
}

/// The stored sagas.
#[derive(Clone)]
pub struct Sagas {
    tables: Arc<dyn Tables>,
    definitions: Definitions,
    world: World,
}

fn key(id: SagaId) -> Key {
    Key::new(TABLE, id.to_string(), "saga")
}

/// A time as text. Texts of this form sort in the order of their times.
fn text(time: Timestamp) -> String {
    Moment::from(time).to_string()
}

fn state_partition(status: Status) -> String {
    format!("status:{status}")
}

fn order(saga: &Saga) -> String {
    format!("{}#{}", text(saga.started()), saga.id)
}

impl Sagas {
    /// The sagas in `tables`, of these definitions.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, definitions: Definitions, world: World) -> Self {
        Self {
            tables,
            definitions,
            world,
        }
    }

    /// The definitions of the sagas.
    #[must_use]
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// The current time in whole milliseconds, as all times of sagas are stored.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Moment::from(self.world.clock.now()).timestamp()
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// Reads a saga with strong consistency; `None` if it has not begun.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub async fn load(&self, id: SagaId) -> Result<Option<Stored>, LoadError> {
        let item = self.tables.get_one(&key(id), Consistency::Strong).await?;
        item.map(|item| self.read(id, &item)).transpose()
    }

    /// Reads several sagas. Each result is in the position of its id.
    pub async fn load_each(&self, ids: &[SagaId]) -> Vec<Result<Option<Stored>, LoadError>> {
        let keys: Vec<_> = ids.iter().map(|id| key(*id)).collect();
        let items = self.tables.get_each(&keys, Consistency::Strong).await;
        let read = ids
            .iter()
            .zip(items)
            .map(|(id, item)| item?.map(|item| self.read(*id, &item)).transpose());
        read.collect()
    }

    fn read(&self, id: SagaId, item: &Item) -> Result<Stored, LoadError> {
        let malformed = |text: String| LoadError::Malformed(id, text);
        let form = Form::deserialize(item).map_err(|error| malformed(error.to_string()))?;
        let definition = self.definitions.find(&form.definition, form.version);
        let Some(definition) = definition else {
            return Err(LoadError::UnknownDefinition(
                id,
                form.definition,
                form.version,
            ));
        };
        let entries = form.log.into_iter().map(Entry::deserialize);
        let Ok(entries) = entries.collect() else {
            // Most likely a newer build logged an entry of a kind that this build does not know.
            return Err(LoadError::UnknownDefinition(
                id,
                form.definition,
                form.version,
            ));
        };
        let mut saga = Saga::replay(id, definition, entries)
            .ok_or_else(|| malformed("its log does not begin with `Started`".to_owned()))?;
        if let Some(outstanding) = &mut saga.outstanding {
            outstanding.attempts = form.attempts;
            outstanding.unanswered = form.unanswered;
            outstanding.due = form.due;
        } else if saga.next_look.is_some() && form.due.is_some() {
            saga.next_look = form.due;
        }
        Ok(Stored {
            saga,
            rev: form.rev,
            wake: due::place_of(item).and_then(due::look),
        })
    }

    /// Writes a saga, if its item has not changed since it was read as `before`. For a new saga, `before` is `None`.
    ///
    /// Saving calls the table once. If the condition failed or the outcome is unknown, saving makes one further call.
    ///
    /// # Errors
    ///
    /// See [`SaveError`].
    pub async fn save(&self, before: Option<&Stored>, saga: Saga) -> Result<Stored, SaveError> {
        let author = self.world.ids.fresh().to_string();
        let rev = before.map_or(0, |before| before.rev) + 1;
        let wake = self.wake(before, &saga);
        let update = update(before, &saga, rev, &author, wake);
        match self.tables.write(&update.into()).await {
            Ok(()) => {}
            // The write that made the condition fail may be this one: a client that retries can lose the answer to its
            // first attempt.
            Err(WriteError::ConditionFailed | WriteError::Table(TableError::Unavailable(_))) => {
                if !self.was_written_by(saga.id, rev, &author).await {
                    return Err(SaveError::Overtaken);
                }
            }
            Err(WriteError::Table(error)) => return Err(SaveError::Table(error)),
        }
        Ok(Stored { saga, rev, wake })
    }

    async fn was_written_by(&self, id: SagaId, rev: i64, author: &str) -> bool {
        let item = self.tables.get_one(&key(id), Consistency::Strong).await;
        let form = item
            .ok()
            .flatten()
            .and_then(|item| Form::deserialize(&item).ok());
        form.is_some_and(|form| form.rev == rev && form.author == author)
    }

    /// The time at which the saga is to be woken. An index entry that is too early costs one needless wake. Moving the
    /// entry at each step would cost two writes of the index each time. So the index entry stays while its time is in
    /// the future and not too late.
    fn wake(&self, before: Option<&Stored>, saga: &Saga) -> Option<Timestamp> {
        let due = saga.wake()?;
        let now = self.now();
        let stays = before
            .and_then(|before| before.wake)
            .filter(|wake| *wake > now && *wake <= due);
        Some(stays.unwrap_or(due))
    }

    /// True if the saga's index entry has come due although the saga itself is not due: the saga must be written once
    /// more, which moves the entry.
    #[must_use]
    pub(crate) fn is_woken_too_early(&self, stored: &Stored) -> bool {
        let now = self.now();
        let early = stored.wake.is_some_and(|wake| wake <= now);
        early && stored.saga.wake().is_none_or(|due| due > now)
    }

    /// At most `limit` sagas that are due.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn due(&self, limit: usize) -> Result<Due, TableError> {
        let found = self.waiting(limit).next().await?;
        let oldest = found.iter().filter_map(DueItem::since).min();
        let sagas = found.iter().filter_map(|item| item.pk.parse().ok());
        let sagas = sagas.take(limit).collect();
        Ok(Due { sagas, oldest })
    }

    /// All sagas that are due, in pages of `page` items of each partition. The caller must report items that are no
    /// sagas.
    #[must_use]
    pub fn waiting(&self, page: usize) -> due::Due {
        due::Due::of(self.tables.clone(), [to_be_woken()], self.now(), page)
    }

    /// Puts off a saga that is due and that this process cannot advance: it is due again `pause` later, whatever its
    /// item says. So the saga does not block others. A process that can advance the saga finds the saga after the
    /// pause, or at the saga's next event.
    ///
    /// Returns false if the saga is no longer due.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn put_off(&self, id: SagaId, pause: Duration) -> Result<bool, TableError> {
        due::put_off(&*self.tables, &key(id), self.now(), pause).await
    }

    /// Sagas of one status, newest first. `after` is the `next` of the previous page.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub async fn list(
        &self,
        status: Status,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, LoadError> {
        let query = IndexQuery {
            table: TABLE,
            index: Index::Gsi2,
            partition: state_partition(status),
            from: None,
            below: after.map(str::to_owned),
            direction: Order::Descending,
            limit,
        };
        let page = self.tables.query(&query).await?;
        let ids: Vec<SagaId> = page
            .items
            .iter()
            .filter_map(|item| item.get("pk")?.as_str()?.parse().ok())
            .collect();
        let last = page
            .items
            .last()
            .and_then(|item| Some(item.get("gsi2sk")?.as_str()?.to_owned()));
        let mut sagas = vec![];
        for found in self.load_each(&ids).await {
            let found = match found {
                // A saga that cannot be read does not hide the others.
                Err(
                    error @ (LoadError::UnknownDefinition(..)
                    | LoadError::Malformed(..)
                    | LoadError::Table(TableError::Refused(_))),
                ) => {
                    tracing::warn!(%error, "left a saga out of a list");
                    continue;
                }
                found => found?,
            };
            // The index lags behind the table, and may list a saga whose status has changed.
            let found = found.map(|stored| stored.saga);
            sagas.extend(found.filter(|saga| saga.status == status));
        }
        Ok(Page {
            sagas,
            next: last.filter(|_| page.more),
        })
    }

    /// The number of sagas in a status, counted up to `limit`.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn count(&self, status: Status, limit: usize) -> Result<usize, TableError> {
        let query = IndexQuery {
            table: TABLE,
            index: Index::Gsi2,
            partition: state_partition(status),
            from: None,
            below: None,
            direction: Order::Descending,
            limit,
        };
        Ok(self.tables.query(&query).await?.items.len())
    }
}

fn update(
    before: Option<&Stored>,
    saga: &Saga,
    rev: i64,
    author: &str,
    wake: Option<Timestamp>,
) -> Update {
    let logged = before.map_or(0, |before| before.saga.log.len());
    let added: Vec<_> = saga.log.iter().skip(logged).map(json).collect();
    let mut update = Update::of(key(saga.id))
        .when(match before {
            None => Condition::Absent,
            Some(before) => Condition::Equals(Path::of("rev"), before.rev.into()),
        })
        .set(Path::of("rev"), rev)
        .set(Path::of("author"), author);
    if !added.is_empty() {
        update = update.append(Path::of("log"), added);
    }
    if before.is_none() {
        update = update
            .set(Path::of("definition"), saga.definition.clone())
            .set(Path::of("version"), saga.version)
            .set(Path::of("subject"), saga.subject.to_string());
    }
    if before.is_none_or(|before| before.saga.status != saga.status) {
        update = update
            .set(Path::of("status"), saga.status.name())
            .set(Path::of("gsi2pk"), state_partition(saga.status))
            .set(Path::of("gsi2sk"), order(saga));
    }
    let (waiting, out) = (before.and_then(|before| before.wake), &saga.outstanding);
    update = match out {
        Some(out) => update
            .set(Path::of("attempts"), out.attempts)
            .set(Path::of("unanswered"), out.unanswered),
        None => update
            .remove(Path::of("attempts"))
            .remove(Path::of("unanswered")),
    };
    // The time of the next look at an execution is not in the log.
    let looked = saga
        .next_look
        .filter(|_| saga.mode == SagaMode::StepFunctions);
    update = match out.as_ref().and_then(|out| out.due).or(looked) {
        Some(due) => update.set(Path::of("due"), text(due)),
        None => update.remove(Path::of("due")),
    };
    match wake {
        Some(wake) if waiting == Some(wake) => update,
        Some(wake) => to_be_woken().enter(update, due::place(wake)),
        None => due::leave(update),
    }
}

/// An entry of the log has only text, numbers and objects, so it always has a JSON form.
fn json(entry: &Entry) -> Value {
    serde_json::to_value(entry).unwrap_or_default()
}

impl Saga {
    /// The number of retries of all the saga's commands: answered with an event, timed out, or outstanding.
    #[must_use]
    pub fn repeats(&self) -> u32 {
        let answered = self.log.iter().map(|entry| match &entry.what {
            What::EventReceived { attempts, .. } => attempts.unwrap_or(1).saturating_sub(1),
            What::TimedOut { attempts, .. } => attempts.saturating_sub(1),
            _ => 0,
        });
        let waiting = self
            .outstanding
            .as_ref()
            .map_or(0, |out| out.attempts.saturating_sub(1));
        answered.sum::<u32>().saturating_add(waiting)
    }
}
