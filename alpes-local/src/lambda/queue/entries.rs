//! The asynchronous invocations that are not settled, in the store.

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};

use crate::{
    error::AwsError,
    store::{Store, as_i64, as_u64},
};

pub(in crate::lambda) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS lambda_queue (
        request_id TEXT PRIMARY KEY,
        function TEXT NOT NULL,
        arn TEXT NOT NULL,
        payload BLOB NOT NULL,
        queued INTEGER NOT NULL,
        due INTEGER NOT NULL,
        failures INTEGER NOT NULL DEFAULT 0,
        throttles INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS lambda_queue_due ON lambda_queue (function, due);";

/// An asynchronous invocation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The id, which all attempts share.
    pub(super) request_id: String,
    /// The function's name.
    pub(super) function: String,
    /// The function's ARN as the caller named it.
    pub(super) arn: String,
    /// The event.
    pub(super) payload: Bytes,
    /// When it was queued, in milliseconds since 1970.
    pub(super) queued: u64,
    /// The failed invocations so far.
    pub(super) failures: u32,
    /// The attempts since the last invocation that did not reach the function.
    pub(super) throttles: u32,
}

pub(super) fn add(store: &Store, entry: &Entry) -> Result<(), AwsError> {
    store.write(|transaction| {
        let sql = "INSERT INTO lambda_queue (request_id, function, arn, payload, queued, due)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
        let mut insert = transaction.prepare_cached(sql)?;
        let payload: &[u8] = &entry.payload;
        let Entry {
            request_id,
            function,
            arn,
            ..
        } = entry;
        insert.execute(params![
            request_id,
            function,
            arn,
            payload,
            as_i64(entry.queued)
        ])?;
        Ok(())
    })
}

/// The ids of a function's first entries, and when they are due, in milliseconds since 1970.
pub(super) fn first(
    store: &Store,
    function: &str,
    most: usize,
) -> Result<Vec<(String, u64)>, AwsError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let entries = store.read(|connection| {
        let sql = "SELECT request_id, due FROM lambda_queue WHERE function = ?1 ORDER BY due, rowid LIMIT ?2";
        let mut select = connection.prepare_cached(sql)?;
        let rows = select.query_map(params![function, most], |row| {
            Ok((row.get(0)?, as_u64(row.get(1)?)))
        })?;
        rows.collect()
    });
    entries.map_err(|error: rusqlite::Error| error.into())
}

pub(super) fn load(store: &Store, request_id: &str) -> Result<Option<Entry>, AwsError> {
    let entry = store.read(|connection| {
        let sql = "SELECT function, arn, payload, queued, failures, throttles
                   FROM lambda_queue WHERE request_id = ?1";
        let mut select = connection.prepare_cached(sql)?;
        let row = select.query_row([request_id], |row| {
            Ok(Entry {
                request_id: request_id.to_owned(),
                function: row.get(0)?,
                arn: row.get(1)?,
                payload: Bytes::from(row.get::<_, Vec<u8>>(2)?),
                queued: as_u64(row.get(3)?),
                failures: row.get(4)?,
                throttles: row.get(5)?,
            })
        });
        row.optional()
    });
    entry.map_err(AwsError::from)
}

/// Writes an entry's counts, and when it is due.
pub(super) fn postpone(store: &Store, entry: &Entry, due: u64) -> Result<(), AwsError> {
    store.write(|transaction| {
        let sql =
            "UPDATE lambda_queue SET due = ?2, failures = ?3, throttles = ?4 WHERE request_id = ?1";
        let mut update = transaction.prepare_cached(sql)?;
        update.execute(params![
            entry.request_id,
            as_i64(due),
            entry.failures,
            entry.throttles
        ])?;
        Ok(())
    })
}

pub(super) fn remove(store: &Store, request_id: &str) -> Result<(), AwsError> {
    store.write(|transaction| {
        let mut delete =
            transaction.prepare_cached("DELETE FROM lambda_queue WHERE request_id = ?1")?;
        delete.execute([request_id])?;
        Ok(())
    })
}
