//! The tables of streams, shards and records.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{
    hash::HashRange,
    number::Number,
    shard::{Shard, ShardNumber},
    stream::{Mode, Stream},
};

/// The key of the records begins with the stream and the shard, so that a reader finds the records of a shard beside
/// each other.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS kinesis_streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    on_demand INTEGER NOT NULL,
    retention_hours INTEGER NOT NULL,
    encryption_key TEXT
);
CREATE TABLE IF NOT EXISTS kinesis_shards (
    stream INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    first_hash BLOB NOT NULL,
    last_hash BLOB NOT NULL,
    parent INTEGER,
    adjacent_parent INTEGER,
    opened INTEGER NOT NULL,
    closed INTEGER,
    PRIMARY KEY (stream, shard)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kinesis_records (
    stream INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    number INTEGER NOT NULL,
    encrypted INTEGER NOT NULL,
    partition_key TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (stream, shard, number)
) WITHOUT ROWID;
";

/// A stored record.
pub(super) struct Stored {
    pub(super) number: Number,
    pub(super) encrypted: bool,
    pub(super) partition_key: Arc<str>,
    pub(super) data: Arc<[u8]>,
}

impl Stored {
    /// The size that counts for limits.
    fn size(&self) -> usize {
        self.partition_key.len() + self.data.len()
    }
}

/// A shard in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) stream: Number,
    pub(super) shard: ShardNumber,
}

/// All streams with their shards.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Vec<Stream>> {
    let mut streams = connection.prepare(
        "SELECT id, name, on_demand, retention_hours, encryption_key FROM kinesis_streams",
    )?;
    let streams = streams.query_map([], stream_of)?;
    streams
        .map(|stream| {
            let mut stream = stream?;
            load_shards(connection, &mut stream)?;
            Ok(stream)
        })
        .collect()
}

fn stream_of(row: &Row<'_>) -> rusqlite::Result<Stream> {
    let name: String = row.get(1)?;
    let mode = if row.get(2)? {
        Mode::OnDemand
    } else {
        Mode::Provisioned
    };
    let mut stream = Stream::new(row.get(0)?, &name, mode, row.get(3)?);
    stream.encryption_key = row.get(4)?;
    Ok(stream)
}

fn load_shards(connection: &Connection, stream: &mut Stream) -> rusqlite::Result<()> {
    let mut shards = connection.prepare_cached(
        "SELECT shard, first_hash, last_hash, parent, adjacent_parent, opened, closed
         FROM kinesis_shards WHERE stream = ?1 ORDER BY shard",
    )?;
    for shard in shards.query_map([stream.id], shard_of)? {
        stream.add(shard?);
    }
    Ok(())
}

fn shard_of(row: &Row<'_>) -> rusqlite::Result<Shard> {
    let hash = |column| row.get(column).map(u128::from_be_bytes);
    let number = |column| row.get::<_, Option<u32>>(column);
    Ok(Shard {
        number: ShardNumber(row.get(0)?),
        hashes: HashRange {
            first: hash(1)?,
            last: hash(2)?,
        },
        parent: number(3)?.map(ShardNumber),
        adjacent_parent: number(4)?.map(ShardNumber),
        opened: row.get(5)?,
        closed: row.get(6)?,
    })
}

/// Saves what a change made different in a stream; `before` is `None` if the stream is new.
pub(super) fn save(
    transaction: &Transaction<'_>,
    before: Option<&Stream>,
    after: &Stream,
) -> rusqlite::Result<()> {
    save_settings(transaction, after)?;
    let shard_before = |number| before.and_then(|stream| stream.shards.get(number));
    for (number, shard) in &after.shards {
        if shard_before(number) != Some(shard) {
            save_shard(transaction, after.id, shard)?;
        }
    }
    for number in before.into_iter().flat_map(|stream| stream.shards.keys()) {
        if !after.shards.contains_key(number) {
            delete_shard(transaction, after.id, *number)?;
        }
    }
    Ok(())
}

fn save_settings(transaction: &Transaction<'_>, stream: &Stream) -> rusqlite::Result<()> {
    let mut settings = transaction.prepare_cached(
        "INSERT OR REPLACE INTO kinesis_streams (id, name, on_demand, retention_hours, encryption_key)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    settings.execute(params![
        stream.id,
        stream.name,
        stream.mode == Mode::OnDemand,
        stream.retention_hours,
        stream.encryption_key,
    ])?;
    Ok(())
}

fn save_shard(
    transaction: &Transaction<'_>,
    stream: Number,
    shard: &Shard,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO kinesis_shards
         (stream, shard, first_hash, last_hash, parent, adjacent_parent, opened, closed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        stream,
        shard.number.0,
        shard.hashes.first.to_be_bytes(),
        shard.hashes.last.to_be_bytes(),
        shard.parent.map(|parent| parent.0),
        shard.adjacent_parent.map(|parent| parent.0),
        shard.opened,
        shard.closed,
    ])?;
    Ok(())
}

fn delete_shard(
    transaction: &Transaction<'_>,
    stream: Number,
    shard: ShardNumber,
) -> rusqlite::Result<()> {
    let mut statement = transaction
        .prepare_cached("DELETE FROM kinesis_shards WHERE stream = ?1 AND shard = ?2")?;
    statement.execute(params![stream, shard.0])?;
    Ok(())
}

/// Deletes a stream with all its shards and records.
pub(super) fn delete_stream(transaction: &Transaction<'_>, stream: Number) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM kinesis_records WHERE stream = ?1",
        "DELETE FROM kinesis_shards WHERE stream = ?1",
        "DELETE FROM kinesis_streams WHERE id = ?1",
    ] {
        transaction.execute(statement, [stream])?;
    }
    Ok(())
}

/// Adds a record.
pub(super) fn append(
    transaction: &Transaction<'_>,
    place: Place,
    number: Number,
    encrypted: bool,
    partition_key: &str,
    data: &[u8],
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO kinesis_records (stream, shard, number, encrypted, partition_key, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute(params![
        place.stream,
        place.shard.0,
        number,
        encrypted,
        partition_key,
        data
    ])?;
    Ok(())
}

/// The first records from `from` on: at most `records` of them, and at most `bytes` together, but always the first one.
pub(super) fn read(
    connection: &Connection,
    place: Place,
    from: Number,
    records: usize,
    bytes: usize,
) -> rusqlite::Result<Vec<Stored>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, encrypted, partition_key, data FROM kinesis_records
         WHERE stream = ?1 AND shard = ?2 AND number >= ?3 ORDER BY number",
    )?;
    let found = statement.query_map(params![place.stream, place.shard.0, from], |row| {
        Ok(Stored {
            number: row.get(0)?,
            encrypted: row.get(1)?,
            partition_key: row.get(2)?,
            data: row.get(3)?,
        })
    })?;
    let (mut taken, mut size) = (vec![], 0_usize);
    for record in found.take(records) {
        let record = record?;
        size = size.saturating_add(record.size());
        if size > bytes && !taken.is_empty() {
            break;
        }
        taken.push(record);
    }
    Ok(taken)
}

/// The number of the last record before `before`.
pub(super) fn last_before(
    connection: &Connection,
    place: Place,
    before: Number,
) -> rusqlite::Result<Option<Number>> {
    let mut statement = connection.prepare_cached(
        "SELECT number FROM kinesis_records WHERE stream = ?1 AND shard = ?2 AND number < ?3
         ORDER BY number DESC LIMIT 1",
    )?;
    let row = params![place.stream, place.shard.0, before];
    statement.query_row(row, |row| row.get(0)).optional()
}

/// The count of a shard's records. It reads the whole shard.
pub(super) fn count(connection: &Connection, place: Place) -> rusqlite::Result<u64> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM kinesis_records WHERE stream = ?1 AND shard = ?2")?;
    let row = params![place.stream, place.shard.0];
    statement.query_row(row, |row| row.get(0))
}

/// Deletes a shard's records before `horizon`, and returns how many they were.
pub(super) fn trim(
    transaction: &Transaction<'_>,
    place: Place,
    horizon: Number,
) -> rusqlite::Result<usize> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM kinesis_records WHERE stream = ?1 AND shard = ?2 AND number < ?3",
    )?;
    statement.execute(params![place.stream, place.shard.0, horizon])
}
