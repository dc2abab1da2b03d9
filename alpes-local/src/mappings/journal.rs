//! The part of the store that mappings have: the mappings, their positions, and reports that are not delivered yet.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{OptionalExtension, Transaction, params};
use source_mapping::{SequenceNumber, ShardId};
use uuid::Uuid;

use super::config::Config;
use crate::{error::AwsError, store::Store};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS mappings (
        uuid TEXT PRIMARY KEY, config TEXT NOT NULL, modified INTEGER NOT NULL, began INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS mappings_positions (
        mapping TEXT NOT NULL, shard TEXT NOT NULL, settled TEXT, PRIMARY KEY (mapping, shard)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS mappings_outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, mapping TEXT NOT NULL, destination TEXT NOT NULL,
        body TEXT NOT NULL, object_key TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS mappings_outbox_of ON mappings_outbox (destination, id);";

/// The positions of a mapping: for each shard the last settled record; `None` before the first one.
pub(super) type Positions = BTreeMap<ShardId, Option<SequenceNumber>>;

/// A stored mapping.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) uuid: Uuid,
    pub(super) config: Config,
    /// The time of the last change, in milliseconds since 1970.
    pub(super) modified: u64,
}

/// A report for a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) destination: String,
    pub(super) body: String,
    pub(super) object_key: String,
}

/// A report that waits for its delivery.
#[derive(Debug)]
pub(super) struct Undelivered {
    pub(super) id: i64,
    pub(super) mapping: Uuid,
    pub(super) report: Report,
}

/// The tables of all mappings.
pub(super) struct Journal(Arc<Store>);

impl Journal {
    pub(super) fn new(store: Arc<Store>) -> Result<Self, AwsError> {
        store.schema(SCHEMA)?;
        Ok(Self(store))
    }

    /// All mappings.
    pub(super) fn all(&self) -> Result<Vec<Row>, AwsError> {
        self.0.read(|store| {
            let mut query = store.prepare_cached("SELECT uuid, config, modified FROM mappings")?;
            let mut rows = query.query([])?;
            let mut all = vec![];
            while let Some(row) = rows.next()? {
                let (uuid, config): (String, String) = (row.get(0)?, row.get(1)?);
                all.push(Row {
                    uuid: parse_uuid(&uuid)?,
                    config: serde_json::from_str(&config).map_err(AwsError::internal)?,
                    modified: row.get(2)?,
                });
            }
            Ok(all)
        })
    }

    /// Stores a new mapping, which has not begun to read.
    pub(super) fn insert(&self, row: &Row) -> Result<(), AwsError> {
        self.write_config(row, "INSERT INTO mappings VALUES (?1, ?2, ?3, 0)")
    }

    /// Stores new settings of a mapping.
    pub(super) fn update(&self, row: &Row) -> Result<(), AwsError> {
        self.write_config(
            row,
            "UPDATE mappings SET config = ?2, modified = ?3 WHERE uuid = ?1",
        )
    }

    fn write_config(&self, row: &Row, statement: &str) -> Result<(), AwsError> {
        let config = serde_json::to_string(&row.config).map_err(AwsError::internal)?;
        self.0.write(|store| {
            let mut write = store.prepare_cached(statement)?;
            write.execute(params![row.uuid.to_string(), config, row.modified])?;
            Ok(())
        })
    }

    /// Removes a mapping and its positions. Its reports stay until their next delivery.
    pub(super) fn remove(&self, uuid: Uuid) -> Result<(), AwsError> {
        let uuid = uuid.to_string();
        self.0.write(|store| {
            store.execute("DELETE FROM mappings WHERE uuid = ?1", [&uuid])?;
            store.execute("DELETE FROM mappings_positions WHERE mapping = ?1", [&uuid])?;
            Ok(())
        })
    }

    /// True if the mapping has begun to read.
    pub(super) fn began(&self, uuid: Uuid) -> Result<bool, AwsError> {
        self.0.read(|store| {
            let mut query = store.prepare_cached("SELECT began FROM mappings WHERE uuid = ?1")?;
            let began = query.query_row([uuid.to_string()], |row| row.get(0));
            Ok(began.optional()?.unwrap_or(false))
        })
    }

    /// The mapping begins to read at these positions.
    pub(super) fn begin(&self, uuid: Uuid, positions: &Positions) -> Result<(), AwsError> {
        let uuid = uuid.to_string();
        self.0.write(|store| {
            store.execute("UPDATE mappings SET began = 1 WHERE uuid = ?1", [&uuid])?;
            for (shard, settled) in positions {
                open(store, &uuid, shard, settled.as_ref())?;
            }
            Ok(())
        })
    }

    /// The position at which a shard is read that was opened after the mapping began.
    pub(super) fn open(
        &self,
        uuid: Uuid,
        shard: &ShardId,
        settled: Option<&SequenceNumber>,
    ) -> Result<(), AwsError> {
        let uuid = uuid.to_string();
        self.0.write(|store| open(store, &uuid, shard, settled))
    }

    pub(super) fn positions(&self, uuid: Uuid) -> Result<Positions, AwsError> {
        self.0.read(|store| {
            let mut query = store.prepare_cached(
                "SELECT shard, settled FROM mappings_positions WHERE mapping = ?1",
            )?;
            let mut rows = query.query([uuid.to_string()])?;
            let mut positions = Positions::new();
            while let Some(row) = rows.next()? {
                let (shard, settled): (String, Option<String>) = (row.get(0)?, row.get(1)?);
                let settled = settled.as_deref().map(parse_sequence).transpose()?;
                positions.insert(shard.as_str().into(), settled);
            }
            Ok(positions)
        })
    }

    /// Forgets the position in a shard that the stream no longer has.
    pub(super) fn forget(&self, uuid: Uuid, shard: &ShardId) -> Result<(), AwsError> {
        self.0.write(|store| {
            let mut delete = store.prepare_cached(
                "DELETE FROM mappings_positions WHERE mapping = ?1 AND shard = ?2",
            )?;
            delete.execute([uuid.to_string(), shard.to_string()])?;
            Ok(())
        })
    }

    /// Stores a checkpoint, and the reports on records that were discarded before it. If the mapping is removed
    /// meanwhile, its checkpoint is not stored.
    pub(super) fn settle(
        &self,
        uuid: Uuid,
        shard: &ShardId,
        through: Option<&SequenceNumber>,
        reports: &[Report],
    ) -> Result<(), AwsError> {
        let uuid = uuid.to_string();
        self.0.write(|store| {
            for report in reports {
                let mut insert = store.prepare_cached(
                    "INSERT INTO mappings_outbox (mapping, destination, body, object_key)
                     VALUES (?1, ?2, ?3, ?4)",
                )?;
                let Report {
                    destination,
                    body,
                    object_key,
                } = report;
                insert.execute(params![uuid, destination, body, object_key])?;
            }
            if let Some(through) = through {
                let mut update = store.prepare_cached(
                    "UPDATE mappings_positions SET settled = ?3 WHERE mapping = ?1 AND shard = ?2",
                )?;
                update.execute(params![uuid, shard.to_string(), through.as_str()])?;
            }
            Ok(())
        })
    }

    /// The destinations for which reports wait.
    pub(super) fn waiting_destinations(&self) -> Result<Vec<String>, AwsError> {
        self.0.read(|store| {
            let mut query =
                store.prepare_cached("SELECT DISTINCT destination FROM mappings_outbox")?;
            let all = query.query_map([], |row| row.get(0))?;
            Ok(all.collect::<Result<_, _>>()?)
        })
    }

    /// The oldest report for a destination.
    pub(super) fn next_report(&self, destination: &str) -> Result<Option<Undelivered>, AwsError> {
        self.0.read(|store| {
            let mut query = store.prepare_cached(
                "SELECT id, mapping, body, object_key FROM mappings_outbox
                 WHERE destination = ?1 ORDER BY id LIMIT 1",
            )?;
            let mut rows = query.query([destination])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            Ok(Some(Undelivered {
                id: row.get(0)?,
                mapping: parse_uuid(&row.get::<_, String>(1)?)?,
                report: Report {
                    destination: destination.to_owned(),
                    body: row.get(2)?,
                    object_key: row.get(3)?,
                },
            }))
        })
    }

    /// Removes a report that was delivered.
    pub(super) fn remove_report(&self, id: i64) -> Result<(), AwsError> {
        self.0.write(|store| {
            let mut delete = store.prepare_cached("DELETE FROM mappings_outbox WHERE id = ?1")?;
            delete.execute([id])?;
            Ok(())
        })
    }
}

fn open(
    store: &Transaction<'_>,
    uuid: &str,
    shard: &ShardId,
    settled: Option<&SequenceNumber>,
) -> Result<(), AwsError> {
    let mut insert =
        store.prepare_cached("INSERT OR IGNORE INTO mappings_positions VALUES (?1, ?2, ?3)")?;
    let settled = settled.map(SequenceNumber::as_str);
    insert.execute(params![uuid, shard.to_string(), settled])?;
    Ok(())
}

fn parse_uuid(text: &str) -> Result<Uuid, AwsError> {
    Uuid::parse_str(text).map_err(AwsError::internal)
}

fn parse_sequence(digits: &str) -> Result<SequenceNumber, AwsError> {
    let number = SequenceNumber::parse(digits);
    number.ok_or_else(|| AwsError::internal(format!("a position is not a number: {digits}")))
}
