//! Pending reactions, and the event data that they need.

use std::{sync::Arc, time::Duration};

use alpes_messages::{Context, Event, Moment, SubjectId};
use alpes_ports::{
    Condition, Consistency, Item, Key, Path, TableError, TableName, Tables, Update, World, Write,
    WriteError,
    due::{self, Due, DueIndex, DueItem},
    jittered,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{Policy, When};

/// The table of reactions. The partition key is `{context}-{subject}`. The sort key is `{event id}#{command}` for a
/// pending reaction, `deadline#{type}#{command}` for a deadline, and `heard#{type}` for kept event data.
pub const TABLE: TableName = TableName("reactions");

const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The class of a pending reaction, by priority. Each class has partitions of its own in the index, so that the
/// reactions of one class do not wait for the reactions of another class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The command undoes something.
    Undoing,
    /// The command does something new.
    News,
    /// The reaction is a deadline.
    Deadline,
}

impl Class {
    /// Every class, in the order of priority.
    pub const ALL: [Self; 3] = [Self::Undoing, Self::News, Self::Deadline];

    fn name(self) -> &'static str {
        match self {
            Self::Undoing => "undoing",
            Self::News => "news",
            Self::Deadline => "deadline",
        }
    }
}

impl From<When> for Class {
    fn from(when: When) -> Self {
        match when {
            When::Always => Self::Undoing,
            When::News => Self::News,
            When::After(_) => Self::Deadline,
        }
    }
}

/// The key of a pending reaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReactionKey {
    /// The partition key of the reaction's item.
    pub pk: String,
    /// The sort key of the reaction's item.
    pub sk: String,
}

impl ReactionKey {
    pub(crate) fn of(context: Context, policy: &Policy, event: &Event) -> Self {
        if let When::After(_) = policy.when {
            return Self::deadline(context, policy, event.subject);
        }
        Self {
            pk: owner(context, event.subject),
            sk: format!("{}#{}", event.id.0, policy.command),
        }
    }

    /// The key of a deadline. The key does not contain the event, so that later events can find the deadline.
    pub(crate) fn deadline(context: Context, policy: &Policy, subject: SubjectId) -> Self {
        Self {
            pk: owner(context, subject),
            sk: format!("deadline#{}#{}", policy.event, policy.command),
        }
    }

    /// The name of the reaction's context.
    #[must_use]
    pub fn context(&self) -> &str {
        self.pk.split('-').next().unwrap_or_default()
    }

    fn key(&self) -> Key {
        Key::new(TABLE, self.pk.clone(), self.sk.clone())
    }
}

/// A pending reaction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reaction {
    pub(crate) event: Event,
    pub(crate) command: String,
    pub(crate) attempts: u32,
    since: Timestamp,
}

/// An error of reading a pending reaction.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// This build cannot read the item as a reaction.
    #[error("it is malformed: {0}")]
    Malformed(String),
}

/// The reactions that are due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueReactions {
    /// The keys of the reactions. Those that have waited longest come first.
    pub reactions: Vec<ReactionKey>,
    /// The time since which the longest-waiting reaction has waited; `None` if no reaction is due.
    pub oldest: Option<Timestamp>,
}

/// A pending reaction of a context to an event of a subject, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The context that reacts.
    pub context: Context,
    /// The type of the event that the reaction follows.
    pub event: &'static str,
    /// The type of the command that the reaction sends.
    pub command: &'static str,
    /// True for a deadline, which other events can still cancel.
    pub is_deadline: bool,
    /// The number of failed attempts.
    pub attempts: u64,
    /// The time from which the timers try the reaction; `None` if its item has no such time.
    pub next: Option<Timestamp>,
}

/// The pending reactions of all contexts.
#[derive(Clone)]
pub struct Reactions {
    tables: Arc<dyn Tables>,
    world: World,
}

fn owner(context: Context, subject: SubjectId) -> String {
    format!("{}-{subject}", context.name)
}

fn kept_key(context: Context, subject: SubjectId, kind: &str) -> Key {
    Key::new(TABLE, owner(context, subject), format!("heard#{kind}"))
}

/// The index of a context's pending reactions of a class.
fn index(context: Context, class: Class) -> DueIndex {
    DueIndex::new(TABLE, format!("due-{}-{}", context.name, class.name()), 8)
}

fn done(result: Result<(), WriteError>) -> Result<(), TableError> {
    match result {
        Ok(()) | Err(WriteError::ConditionFailed) => Ok(()),
        Err(WriteError::Table(error)) => Err(error),
    }
}

impl Reactions {
    /// The reactions in these tables.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, world: World) -> Self {
        Self { tables, world }
    }

    /// Keeps the data of an event that later commands need.
    pub(crate) async fn keep(
        &self,
        context: Context,
        event: &Event,
        needed: Value,
    ) -> Result<(), TableError> {
        let put = Write::Put {
            key: kept_key(context, event.subject, &event.kind),
            item: Item::from_iter([("data".to_owned(), needed)]),
            // The first data of an event type is kept, as in a saga: every attempt at a command must have the same
            // data.
            condition: Condition::Absent,
        };
        done(self.tables.write(&put).await)
    }

    /// The kept data of these event types, by type. The result lacks types without kept data.
    pub(crate) async fn kept(
        &self,
        context: Context,
        subject: SubjectId,
        kinds: &[&str],
    ) -> Result<Map<String, Value>, TableError> {
        let keys: Vec<_> = kinds
            .iter()
            .map(|kind| kept_key(context, subject, kind))
            .collect();
        let items = self.tables.get(&keys, Consistency::Strong).await?;
        let found = kinds.iter().zip(items).filter_map(|(kind, item)| {
            let data = item?.remove("data")?;
            Some(((*kind).to_owned(), data))
        });
        Ok(found.collect())
    }

    /// Stores a pending reaction that is due at `due`. A reaction that is pending already stays unchanged.
    pub(crate) async fn note(
        &self,
        context: Context,
        policy: &Policy,
        event: &Event,
        due: Timestamp,
    ) -> Result<(), TableError> {
        let place = due::place(due);
        self.note_at(context, policy, event, 0, place).await
    }

    /// Stores a pending reaction after its first failed attempt. Returns the time of the next attempt.
    pub(crate) async fn note_failed(
        &self,
        context: Context,
        policy: &Policy,
        event: &Event,
    ) -> Result<Moment, TableError> {
        let next = self.pause(0);
        let place = due::place_since(next, self.world.clock.now());
        self.note_at(context, policy, event, 1, place).await?;
        Ok(next.into())
    }

    async fn note_at(
        &self,
        context: Context,
        policy: &Policy,
        event: &Event,
        attempts: u32,
        place: String,
    ) -> Result<(), TableError> {
        let key = ReactionKey::of(context, policy, event);
        let event = serde_json::to_value(event)
            .map_err(|error| TableError::Refused(format!("the event has no JSON form: {error}")))?;
        let note = Update::of(key.key())
            .when(Condition::Absent)
            .set(Path::of("event"), event)
            .set(Path::of("command"), policy.command)
            .set(Path::of("attempts"), attempts);
        let note = index(context, policy.when.into()).enter(note, place);
        done(self.tables.write(&note.into()).await)
    }

    /// The time of the next attempt, after a pause that grows with `attempts`.
    fn pause(&self, attempts: u32) -> Timestamp {
        let chance = self.world.randomness.fraction();
        let pause = PAUSE + jittered(PAUSE, LONGEST_PAUSE, attempts, chance);
        let now = self.world.clock.now();
        let pause = SignedDuration::try_from(pause).unwrap_or_default();
        now.checked_add(pause).unwrap_or(Timestamp::MAX)
    }

    /// Reads a pending reaction; `None` if it is done.
    pub(crate) async fn read(&self, key: &ReactionKey) -> Result<Option<Reaction>, ReadError> {
        #[derive(Deserialize)]
        struct Form {
            event: Event,
            command: String,
            attempts: u32,
        }
        let Some(item) = self.tables.get_one(&key.key(), Consistency::Strong).await? else {
            return Ok(None);
        };
        let malformed = |cause: String| ReadError::Malformed(cause);
        let Form {
            event,
            command,
            attempts,
        } = Form::deserialize(&item).map_err(|error| malformed(error.to_string()))?;
        let place = due::place_of(&item);
        let place = place.ok_or_else(|| malformed("it has no place in the index".to_owned()))?;
        let since = due::since(place).unwrap_or_else(|| self.world.clock.now());
        Ok(Some(Reaction {
            event,
            command,
            attempts,
            since,
        }))
    }

    /// Puts off a reaction after another failed attempt. Returns the time of the next attempt.
    pub(crate) async fn put_off(
        &self,
        key: &ReactionKey,
        reaction: &Reaction,
    ) -> Result<Moment, TableError> {
        let next = self.pause(reaction.attempts);
        let place = due::place_since(next, reaction.since);
        let update = Update::of(key.key())
            .when(Condition::Exists)
            .set(Path::of("attempts"), reaction.attempts.saturating_add(1));
        let update = due::move_to(update, place);
        done(self.tables.write(&update.into()).await)?;
        Ok(next.into())
    }

    /// The pending reactions of a context with these policies, for a subject with these events. This function is meant
    /// for operators.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn of_subject(
        &self,
        context: Context,
        policies: &[Policy],
        events: &[&Event],
    ) -> Result<Vec<Waiting>, TableError> {
        let follows = |policy, event| (policy, ReactionKey::of(context, policy, event));
        let possible = policies.iter().flat_map(|policy| {
            let events = events.iter().filter(|event| event.kind == policy.event);
            events.map(move |event| follows(policy, event))
        });
        let possible: Vec<_> = possible.collect();
        let keys: Vec<_> = possible.iter().map(|(_, key)| key.key()).collect();
        let items = self.tables.get(&keys, Consistency::Strong).await?;
        let waiting = possible
            .iter()
            .zip(items)
            .filter_map(|((policy, _), item)| {
                let item = item?;
                Some(Waiting {
                    context,
                    event: policy.event,
                    command: policy.command,
                    is_deadline: Class::from(policy.when) == Class::Deadline,
                    attempts: item.get("attempts").and_then(Value::as_u64).unwrap_or(0),
                    next: due::place_of(&item).and_then(due::look),
                })
            });
        Ok(waiting.collect())
    }

    /// Puts off a reaction without reading its item, for a reaction whose item cannot be read or whose participant
    /// fails. The reaction is due again `pause` later.
    ///
    /// # Errors
    ///
    /// See [`TableError`]; the reaction stays due.
    pub async fn set_aside(&self, key: &ReactionKey, pause: Duration) -> Result<(), TableError> {
        let now = self.world.clock.now();
        let put_off = due::put_off(&*self.tables, &key.key(), now, pause).await;
        put_off.map(|_| ())
    }

    /// Removes a reaction that is done.
    pub(crate) async fn remove(&self, key: &ReactionKey) -> Result<(), TableError> {
        let delete = Write::Delete {
            key: key.key(),
            condition: Condition::Always,
        };
        done(self.tables.write(&delete).await)
    }

    /// At most `limit` due reactions of these contexts.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn due(
        &self,
        contexts: &[Context],
        limit: usize,
    ) -> Result<DueReactions, TableError> {
        let contexts = contexts.iter().copied();
        let all = contexts.flat_map(|context| Class::ALL.map(|class| (context, class)));
        let all = all.map(|(context, class)| index(context, class));
        let found = self.due_in(all, limit).next().await?;
        let oldest = found.iter().filter_map(DueItem::since).min();
        let reactions = found.into_iter().take(limit).map(ReactionKey::from);
        Ok(DueReactions {
            reactions: reactions.collect(),
            oldest,
        })
    }

    /// All due reactions of one context and class, in pages of `page` items of each partition of the index.
    #[must_use]
    pub fn waiting(&self, context: Context, class: Class, page: usize) -> Due {
        self.due_in([index(context, class)], page)
    }

    fn due_in(&self, indexes: impl IntoIterator<Item = DueIndex>, page: usize) -> Due {
        Due::of(self.tables.clone(), indexes, self.world.clock.now(), page)
    }
}

impl From<DueItem> for ReactionKey {
    fn from(DueItem { pk, sk, .. }: DueItem) -> Self {
        Self { pk, sk }
    }
}
