//! Planted mistakes. The store's requests to its tables and its log are data. So a bug needs no change of the store: a
//! wrapper rewrites the requests into those of a store with the bug.

use std::sync::Arc;

use alpes_event_store::{Stream, TABLE};
use alpes_ports::{
    Condition, Consistency, Found, Item, Key, Log, LogError, NewRecord, Path, SequenceNumber,
    TableError, Tables, Update, Write, WriteError,
};
use async_trait::async_trait;
use serde_json::Value;
use twins::{Over, TablesOver};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    AppendBeforeCommit,
    PublishedSetBeforeTheAppend,
    PublishedSetWithoutItsCondition,
    SweeperKeyDroppedWithoutItsCondition,
    ReceiptNotWritten,
    PublishSkippedBeforeTheNextCommit,
}

impl Bug {
    pub const ALL: [Self; 6] = [
        Self::AppendBeforeCommit,
        Self::PublishedSetBeforeTheAppend,
        Self::PublishedSetWithoutItsCondition,
        Self::SweeperKeyDroppedWithoutItsCondition,
        Self::ReceiptNotWritten,
        Self::PublishSkippedBeforeTheNextCommit,
    ];
}

/// The tables and the log of a process with the bug.
pub fn plant(
    bug: Option<Bug>,
    tables: Arc<dyn Tables>,
    log: Arc<dyn Log>,
) -> (Arc<dyn Tables>, Arc<dyn Log>) {
    let Some(bug) = bug else { return (tables, log) };
    let planted = PlantedTables {
        bug,
        tables: tables.clone(),
        log: log.clone(),
    };
    (
        Arc::new(Over(planted)),
        Arc::new(PlantedLog { bug, tables, log }),
    )
}

struct PlantedTables {
    bug: Bug,
    tables: Arc<dyn Tables>,
    log: Arc<dyn Log>,
}

/// The texts that the update commits; empty if it is no commit.
fn committed(update: &Update) -> Vec<&str> {
    let added = update
        .append
        .iter()
        .find(|(path, _)| *path == Path::of("events"));
    added
        .map(|(_, texts)| texts.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

fn notes_published(update: &Update) -> bool {
    committed(update).is_empty()
        && update
            .set
            .iter()
            .any(|(path, _)| *path == Path::of("published"))
}

fn rewrite(bug: Bug, update: &Update) -> Update {
    let mut update = update.clone();
    let drops_key = update.remove.contains(&Path::of("gsi1pk"));
    match bug {
        Bug::PublishedSetWithoutItsCondition if notes_published(&update) => {
            // Only the condition for removing the sweeper's key remains.
            update.condition = match update.condition {
                Condition::All(parts) if drops_key => parts.last().cloned().unwrap_or_default(),
                _ => Condition::Exists,
            };
        }
        Bug::SweeperKeyDroppedWithoutItsCondition if drops_key => {
            if let Condition::All(parts) = update.condition {
                update.condition = parts.first().cloned().unwrap_or_default();
            }
        }
        Bug::ReceiptNotWritten => {
            update
                .set
                .retain(|(path, _)| !(path.attribute == "receipts" && path.entry.is_some()));
            for (path, value) in &mut update.set {
                if *path == Path::of("receipts") {
                    *value = Item::new().into();
                }
            }
        }
        _ => {}
    }
    update
}

#[async_trait]
impl TablesOver for PlantedTables {
    fn inner(&self) -> &dyn Tables {
        &*self.tables
    }

    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        let mut items = self.tables.get(keys, consistency).await?;
        if self.bug == Bug::PublishSkippedBeforeTheNextCommit {
            for item in items.iter_mut().flatten() {
                let version = item["version"].clone();
                item.insert("published".into(), version);
            }
        }
        Ok(items)
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let Write::Update(update) = write else {
            return self.tables.write(write).await;
        };
        if self.bug == Bug::AppendBeforeCommit {
            for text in committed(update) {
                let id: alpes_messages::StreamId = update.key.pk.parse().unwrap();
                let appended = self
                    .log
                    .append(NewRecord::new(&id.id.to_string(), text.as_bytes()))
                    .await;
                appended.map_err(|error| TableError::Unavailable(error.to_string()))?;
            }
        }
        self.tables.write(&rewrite(self.bug, update).into()).await
    }
}

struct PlantedLog {
    bug: Bug,
    tables: Arc<dyn Tables>,
    log: Arc<dyn Log>,
}

#[async_trait]
impl Log for PlantedLog {
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        match self.bug {
            Bug::PublishedSetBeforeTheAppend => {
                let event: Value = serde_json::from_slice(record.data).unwrap();
                let (stream, version) = (
                    event["stream"].as_str().unwrap(),
                    event["streamversion"].as_i64().unwrap(),
                );
                let behind = Condition::Less(Path::of("published"), version);
                let newest = Condition::Equals(Path::of("version"), version.into());
                let key = Stream::key(stream.parse().unwrap());
                assert_eq!(key.table, TABLE);
                let note = Update::of(key).when(Condition::All(vec![behind, newest]));
                let note = note
                    .set(Path::of("published"), version)
                    .remove(Path::of("gsi1pk"))
                    .remove(Path::of("gsi1sk"));
                let _ = self.tables.write(&note.into()).await;
                self.log.append(record).await
            }
            // Events that were appended before the commit are not appended again after it.
            Bug::AppendBeforeCommit => Ok(SequenceNumber("0".into())),
            _ => self.log.append(record).await,
        }
    }
}
