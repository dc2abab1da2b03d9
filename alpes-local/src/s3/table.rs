//! The tables of S3.
//!
//! The bytes of an object are in pieces of 1 MiB, so that a range of a large object is read without the rest, and the
//! parts of an upload become an object without being copied. A piece's row in `s3_pieces` says where in the object its
//! bytes are. Contents without bytes have one empty piece, so each content has a number of its own.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{
    checksum::{Algorithm, Checksum},
    errors::{no_bucket, no_key},
};
use crate::error::AwsError;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS s3_buckets (name TEXT PRIMARY KEY, created INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_bytes (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS s3_pieces (
  content INTEGER NOT NULL,
  position INTEGER NOT NULL,
  size INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (content, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_objects (
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  content INTEGER NOT NULL,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  modified INTEGER NOT NULL,
  class TEXT NOT NULL,
  headers TEXT NOT NULL,
  algorithm TEXT,
  checksum TEXT,
  PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_uploads (
  id TEXT PRIMARY KEY,
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  created INTEGER NOT NULL,
  class TEXT NOT NULL,
  headers TEXT NOT NULL,
  algorithm TEXT,
  kind TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_parts (
  upload TEXT NOT NULL,
  number INTEGER NOT NULL,
  content INTEGER NOT NULL,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  modified INTEGER NOT NULL,
  algorithm TEXT,
  checksum TEXT,
  PRIMARY KEY (upload, number)
) WITHOUT ROWID;
";

/// The size of a piece in bytes.
const PIECE: usize = 1 << 20;

/// The headers that are stored with an object and given back with it.
pub(super) type Headers = BTreeMap<String, String>;

/// An object without its bytes.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub content: i64,
    pub size: u64,
    /// Without the quotes.
    pub etag: String,
    /// In milliseconds.
    pub modified: u64,
    pub class: String,
    pub headers: Headers,
    pub checksum: Option<Checksum>,
}

/// When a bucket was made; an error if there is none of this name.
pub(super) fn bucket(connection: &Connection, name: &str) -> Result<u64, AwsError> {
    let mut statement =
        connection.prepare_cached("SELECT created FROM s3_buckets WHERE name = ?")?;
    let created = statement.query_row([name], |row| row.get(0)).optional()?;
    created.ok_or_else(|| no_bucket(name))
}

/// The names of all buckets, and when they were made.
pub(super) fn buckets(connection: &Connection) -> Result<Vec<(String, u64)>, AwsError> {
    let mut statement =
        connection.prepare_cached("SELECT name, created FROM s3_buckets ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes a bucket. An existing one stays as it is.
pub(super) fn make_bucket(
    transaction: &Transaction<'_>,
    name: &str,
    now: u64,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO s3_buckets (name, created) VALUES (?, ?) ON CONFLICT DO NOTHING",
    )?;
    statement.execute(params![name, now])?;
    Ok(())
}

pub(super) fn delete_bucket(transaction: &Transaction<'_>, name: &str) -> Result<(), AwsError> {
    transaction.execute("DELETE FROM s3_buckets WHERE name = ?", [name])?;
    Ok(())
}

/// Stores bytes, and returns the content's number.
pub(super) fn write_content(transaction: &Transaction<'_>, bytes: &[u8]) -> Result<i64, AwsError> {
    let mut insert = transaction.prepare_cached("INSERT INTO s3_bytes (bytes) VALUES (?)")?;
    let mut place = transaction.prepare_cached(
        "INSERT INTO s3_pieces (content, position, size, bytes) VALUES (?, ?, ?, ?)",
    )?;
    let first: &[u8] = &[];
    let pieces = bytes.chunks(PIECE).chain(bytes.is_empty().then_some(first));
    let (mut content, mut position) = (None, 0);
    for piece in pieces {
        insert.execute([piece])?;
        let id = transaction.last_insert_rowid();
        // The number of the first piece is free as a content's number too: contents are deleted with their pieces.
        let content = *content.get_or_insert(id);
        place.execute(params![content, position, piece.len(), id])?;
        position += piece.len();
    }
    content.ok_or_else(|| AwsError::internal("an object without a piece"))
}

/// Calls `piece` with each piece of the bytes from `begin` to before `end`.
pub(super) fn each_piece(
    connection: &Connection,
    content: i64,
    (begin, end): (u64, u64),
    mut piece: impl FnMut(&[u8]),
) -> Result<(), AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT position, s3_bytes.bytes FROM s3_pieces JOIN s3_bytes ON s3_bytes.id = s3_pieces.bytes
         WHERE content = ? AND position < ? AND position + size > ? ORDER BY position",
    )?;
    let mut rows = statement.query(params![content, end, begin])?;
    while let Some(row) = rows.next()? {
        let position: u64 = row.get(0)?;
        let bytes = row.get_ref(1)?.as_blob().map_err(AwsError::internal)?;
        let from = index(begin.saturating_sub(position));
        let to = index(end.saturating_sub(position)).min(bytes.len());
        piece(bytes.get(from..to).unwrap_or_default());
    }
    Ok(())
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// The bytes from `begin` to before `end`.
pub(super) fn read_content(
    connection: &Connection,
    content: i64,
    range: (u64, u64),
) -> Result<Bytes, AwsError> {
    let mut bytes = BytesMut::with_capacity(index(range.1.saturating_sub(range.0)));
    each_piece(connection, content, range, |piece| {
        bytes.extend_from_slice(piece);
    })?;
    Ok(bytes.freeze())
}

/// Adds a content to the end of another one, which has `size` bytes. The added one is gone.
pub(super) fn append_content(
    transaction: &Transaction<'_>,
    content: i64,
    size: u64,
    added: i64,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "UPDATE s3_pieces SET content = ?, position = position + ? WHERE content = ?",
    )?;
    statement.execute(params![content, size, added])?;
    Ok(())
}

pub(super) fn delete_content(transaction: &Transaction<'_>, content: i64) -> Result<(), AwsError> {
    let mut bytes = transaction.prepare_cached(
        "DELETE FROM s3_bytes WHERE id IN (SELECT bytes FROM s3_pieces WHERE content = ?)",
    )?;
    bytes.execute([content])?;
    let mut pieces = transaction.prepare_cached("DELETE FROM s3_pieces WHERE content = ?")?;
    pieces.execute([content])?;
    Ok(())
}

/// An object; `None` if there is none of this key.
pub(super) fn find(
    connection: &Connection,
    bucket: &str,
    key: &str,
) -> Result<Option<Object>, AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT content, size, etag, modified, class, headers, algorithm, checksum FROM s3_objects
         WHERE bucket = ? AND key = ?",
    )?;
    let found = statement.query_row([bucket, key], |row| object(row, 0));
    Ok(found.optional()?)
}

/// An object that must exist.
pub(super) fn existing(
    connection: &Connection,
    bucket_name: &str,
    key: &str,
) -> Result<Object, AwsError> {
    bucket(connection, bucket_name)?;
    find(connection, bucket_name, key)?.ok_or_else(|| no_key(key))
}

fn object(row: &Row<'_>, first: usize) -> rusqlite::Result<Object> {
    Ok(Object {
        content: row.get(first)?,
        size: row.get(first + 1)?,
        etag: row.get(first + 2)?,
        modified: row.get(first + 3)?,
        class: row.get(first + 4)?,
        headers: headers(row, first + 5)?,
        checksum: checksum(row, first + 6)?,
    })
}

pub(super) fn headers(row: &Row<'_>, column: usize) -> rusqlite::Result<Headers> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

pub(super) fn headers_text(headers: &Headers) -> Result<String, AwsError> {
    serde_json::to_string(headers).map_err(AwsError::internal)
}

/// A checksum, whose algorithm and value are in two columns.
pub(super) fn checksum(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Checksum>> {
    let algorithm: Option<String> = row.get(column)?;
    let value: Option<String> = row.get(column + 1)?;
    let algorithm = algorithm.and_then(|name| Algorithm::named(&name).ok());
    Ok(algorithm
        .zip(value)
        .map(|(algorithm, value)| Checksum { algorithm, value }))
}

/// Makes an object, or replaces the one of this key with its bytes.
pub(super) fn save(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
    object: &Object,
) -> Result<(), AwsError> {
    delete(transaction, bucket, key)?;
    let mut statement = transaction.prepare_cached(
        "INSERT INTO s3_objects (bucket, key, content, size, etag, modified, class, headers, algorithm, checksum)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let checksum = object.checksum.as_ref();
    statement.execute(params![
        bucket,
        key,
        object.content,
        object.size,
        object.etag,
        object.modified,
        object.class,
        headers_text(&object.headers)?,
        checksum.map(|checksum| checksum.algorithm.name()),
        checksum.map(|checksum| &checksum.value),
    ])?;
    Ok(())
}

/// Deletes an object with its bytes, if there is one of this key.
pub(super) fn delete(
    transaction: &Transaction<'_>,
    bucket: &str,
    key: &str,
) -> Result<(), AwsError> {
    let Some(object) = find(transaction, bucket, key)? else {
        return Ok(());
    };
    delete_content(transaction, object.content)?;
    let mut statement =
        transaction.prepare_cached("DELETE FROM s3_objects WHERE bucket = ? AND key = ?")?;
    statement.execute([bucket, key])?;
    Ok(())
}

/// Goes through the objects whose keys are at or after `from`, in the order of the keys' bytes, until `visit` returns
/// false.
pub(super) fn objects_from(
    connection: &Connection,
    bucket: &str,
    from: &str,
    mut visit: impl FnMut(String, Object) -> bool,
) -> Result<(), AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, content, size, etag, modified, class, headers, algorithm, checksum FROM s3_objects
         WHERE bucket = ? AND key >= ? ORDER BY key",
    )?;
    let mut rows = statement.query([bucket, from])?;
    while let Some(row) = rows.next()? {
        if !visit(row.get(0)?, object(row, 1)?) {
            break;
        }
    }
    Ok(())
}
