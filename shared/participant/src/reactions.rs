//! What is still to be done, and what is kept for it.

use std::{sync::Arc, time::Duration};

use events::{Context, Event, IdReserva};
use jiff::{SignedDuration, Timestamp};
use ports::{
    Condition, Consistency, Direction, Index, IndexQuery, Item, Key, Path, TableError, TableName,
    Tables, Update, World, Write, WriteError, jittered,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The table of reactions. Partition key `{context}-{reservation}`; sort key `{event id}#{command}` of what is still to be done,
/// `oido#{type}` of what is kept of an event.
pub const TABLE: TableName = TableName("reactions");

/// So many partitions of the index share what is to be done.
const BUCKETS: u8 = 16;
/// Comes after every time in the index.
const AFTER_ALL_TIMES: &str = "~";
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Which reaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReactionKey {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl ReactionKey {
    pub(crate) fn of(context: Context, event: &Event, command: &str) -> Self {
        Self {
            pk: owner(context, event.subject),
            sk: format!("{}#{command}", event.id.0),
        }
    }

    /// Whose it is; `None` for a key that is none of ours.
    #[must_use]
    pub fn context(&self) -> Option<Context> {
        let known = Context::ALL.into_iter();
        let begins = |context: &Context| self.pk.starts_with(&format!("{}-", context.name()));
        known.into_iter().find(begins)
    }

    fn key(&self) -> Key {
        Key::new(TABLE, self.pk.clone(), self.sk.clone())
    }
}

/// A reaction that is still to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reaction {
    pub(crate) event: Event,
    pub(crate) command: String,
    attempts: u32,
}

/// What is to be done now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueReactions {
    /// Which, those that wait longest first.
    pub reactions: Vec<ReactionKey>,
    /// Since when the one that waits longest does.
    pub oldest: Option<Timestamp>,
}

/// The reactions that wait, of all contexts.
#[derive(Clone)]
pub struct Reactions {
    tables: Arc<dyn Tables>,
    world: World,
}

fn owner(context: Context, subject: IdReserva) -> String {
    format!("{}-{subject}", context.name())
}

fn kept_key(context: Context, subject: IdReserva, kind: &str) -> Key {
    Key::new(TABLE, owner(context, subject), format!("oido#{kind}"))
}

fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn partition(bucket: u8) -> String {
    format!("due-{bucket:02}")
}

fn done(result: Result<(), WriteError>) -> Result<(), TableError> {
    match result {
        Ok(()) | Err(WriteError::ConditionFailed) => Ok(()),
        Err(WriteError::Table(error)) => Err(error),
    }
}

impl Reactions {
    /// Those in these tables.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, world: World) -> Self {
        Self { tables, world }
    }

    /// Keeps of an event what commands to come need of it.
    pub(crate) async fn keep(
        &self,
        context: Context,
        event: &Event,
        needed: Value,
    ) -> Result<(), TableError> {
        let put = Write::Put {
            key: kept_key(context, event.subject, &event.kind),
            item: Item::from_iter([("datos".to_owned(), needed)]),
            // The first stands, as with a saga: a command is built from the same data however often it is sent.
            condition: Condition::Absent,
        };
        done(self.tables.write(&put).await)
    }

    /// What was kept of these types of event, by type; a type of which nothing was is missing.
    pub(crate) async fn kept(
        &self,
        context: Context,
        subject: IdReserva,
        kinds: &[&str],
    ) -> Result<Map<String, Value>, TableError> {
        let keys: Vec<_> = kinds
            .iter()
            .map(|kind| kept_key(context, subject, kind))
            .collect();
        let items = self.tables.get(&keys, Consistency::Strong).await?;
        let found = kinds.iter().zip(items).filter_map(|(kind, item)| {
            let data = item?.remove("datos")?;
            Some(((*kind).to_owned(), data))
        });
        Ok(found.collect())
    }

    /// Notes a reaction that is to be done at `due`. What is noted already stands.
    pub(crate) async fn note(
        &self,
        key: &ReactionKey,
        event: &Event,
        command: &str,
        due: Timestamp,
    ) -> Result<(), TableError> {
        let event = serde_json::to_value(event)
            .map_err(|error| TableError::Refused(format!("an event without a form: {error}")))?;
        let note = Update::of(key.key())
            .when(Condition::Absent)
            .set(Path::of("evento"), event)
            .set(Path::of("comando"), command)
            .set(Path::of("intentos"), 0)
            .set(Path::of("gsi1pk"), partition(bucket(key)))
            .set(Path::of("gsi1sk"), text(due));
        done(self.tables.write(&note.into()).await)
    }

    /// The pause before the next attempt.
    pub(crate) fn pause(&self, attempts: u32) -> Timestamp {
        let chance = self.world.randomness.fraction();
        let pause = PAUSE + jittered(PAUSE, LONGEST_PAUSE, attempts, chance);
        let now = self.world.clock.now();
        let pause = SignedDuration::try_from(pause).unwrap_or_default();
        now.checked_add(pause).unwrap_or(Timestamp::MAX)
    }

    /// Reads one; `None` if it is done.
    pub(crate) async fn read(&self, key: &ReactionKey) -> Result<Option<Reaction>, TableError> {
        #[derive(Deserialize)]
        struct Form {
            evento: Event,
            comando: String,
            intentos: u32,
        }
        let item = self.tables.get_one(&key.key(), Consistency::Strong).await?;
        let form = item.map(|item| serde_json::from_value::<Form>(Value::Object(item)));
        let form = form.transpose().map_err(|error| {
            TableError::Refused(format!("the reaction {key:?} is malformed: {error}"))
        })?;
        Ok(form.map(|form| Reaction {
            event: form.evento,
            command: form.comando,
            attempts: form.intentos,
        }))
    }

    /// Notes that it was tried in vain, and is to be tried again.
    pub(crate) async fn put_off(
        &self,
        key: &ReactionKey,
        reaction: &Reaction,
    ) -> Result<(), TableError> {
        let update = Update::of(key.key())
            .when(Condition::Exists)
            .set(Path::of("intentos"), reaction.attempts + 1)
            .set(Path::of("gsi1sk"), text(self.pause(reaction.attempts)));
        done(self.tables.write(&update.into()).await)
    }

    /// Takes out one that is done.
    pub(crate) async fn remove(&self, key: &ReactionKey) -> Result<(), TableError> {
        let delete = Write::Delete {
            key: key.key(),
            condition: Condition::Always,
        };
        done(self.tables.write(&delete).await)
    }

    /// Reactions that are to be done now, of all contexts, at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn due(&self, limit: usize) -> Result<DueReactions, TableError> {
        let below = text(self.world.clock.now()) + AFTER_ALL_TIMES;
        let queries = (0..BUCKETS).map(|bucket| {
            let below = below.clone();
            async move {
                let query = IndexQuery {
                    table: TABLE,
                    index: Index::Gsi1,
                    partition: partition(bucket),
                    from: None,
                    below: Some(below),
                    direction: Direction::Ascending,
                    limit,
                };
                self.tables.query(&query).await
            }
        });
        let pages = futures::future::try_join_all(queries).await?;
        let mut found: Vec<(String, ReactionKey)> = pages
            .iter()
            .flat_map(|page| &page.items)
            .filter_map(|item| {
                let text = |name: &str| Some(item.get(name)?.as_str()?.to_owned());
                let key = ReactionKey {
                    pk: text("pk")?,
                    sk: text("sk")?,
                };
                Some((text("gsi1sk")?, key))
            })
            .collect();
        found.sort_unstable();
        let oldest = found.first().and_then(|(time, _)| time.parse().ok());
        let reactions = found.into_iter().take(limit).map(|(_, key)| key).collect();
        Ok(DueReactions { reactions, oldest })
    }
}

fn bucket(key: &ReactionKey) -> u8 {
    // A reservation's id ends in random bits, as hexadecimal digits.
    let last = key.pk.bytes().last().unwrap_or_default();
    char::from(last)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
        .unwrap_or_default()
        % BUCKETS
}
