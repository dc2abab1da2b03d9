//! Expiry: items with a time to live, records of streams, tokens.

use std::{sync::Arc, time::Duration};

use dynoxide::{
    AttributeValue, DynoxideError, Item,
    actions::delete_item::{self, DeleteItemRequest},
    storage::{ScanParams, Storage, TableMetadata},
    streams::extract_keys,
};
use rusqlite::params;

use super::{DynamoDb, commits::in_one_commit, run, tokens};
use crate::names::now_millis;

/// Without this index, each write to a table with a stream reads all records of the stream.
pub(super) const SCHEMA: &str = "CREATE INDEX IF NOT EXISTS dynamodb_stream_order
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";

/// The time between two sweeps. AWS deletes expired items within a few days.
const PAUSE: Duration = Duration::from_mins(1);
/// The number of items that a sweep reads while it holds up other calls.
const PAGE: usize = 100;
/// The time between two pages, in which other calls go on.
const BREATH: Duration = Duration::from_millis(1);
/// AWS keeps records of streams for a day.
const STREAM_SECONDS: u64 = 24 * 60 * 60;
/// AWS takes a time to live of more than five years ago for a mistake.
const OLDEST_SECONDS: u64 = 5 * 365 * 24 * 60 * 60;
/// How a stream's record tells that the item expired.
const BY_EXPIRY: &str = r#"{"type":"Service","principalId":"dynamodb.amazonaws.com"}"#;

/// The key of the last item of a page, in the storage's form.
type Place = Option<(String, String)>;

impl DynamoDb {
    /// Sweeps each minute, until the task that runs this is dropped. An error ends a sweep; the next one begins anew.
    pub async fn sweep_each_minute(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PAUSE).await;
            // Nothing depends on a sweep, and a file that is broken fails requests too.
            let _ = self.sweep().await;
        }
    }

    /// Deletes items whose time to live is over, stream records older than a day, and tokens older than ten minutes.
    /// Returns the number of items.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub async fn sweep(&self) -> Result<usize, DynoxideError> {
        self.writing(forget_old)?;
        let tables = self.storage().list_ttl_enabled_tables()?;
        let mut deleted = 0;
        for table in tables {
            deleted += self.sweep_table(&table.table_name).await?;
        }
        Ok(deleted)
    }

    async fn sweep_table(&self, table: &str) -> Result<usize, DynoxideError> {
        let (mut place, mut deleted) = (None, 0);
        loop {
            let (next, expired) = self.writing(|storage| sweep_page(storage, table, &place))?;
            deleted += expired;
            if next.is_none() {
                return Ok(deleted);
            }
            place = next;
            tokio::time::sleep(BREATH).await;
        }
    }
}

fn seconds() -> u64 {
    now_millis() / 1000
}

fn forget_old(storage: &Storage) -> Result<(), DynoxideError> {
    tokens::expire(storage.conn())?;
    storage.conn().execute(
        "DELETE FROM _stream_records WHERE created_at < ?",
        [seconds().saturating_sub(STREAM_SECONDS)],
    )?;
    Ok(())
}

/// Deletes the expired items of one page. Returns the place where the next page begins, and the number of deleted items.
fn sweep_page(
    storage: &Storage,
    name: &str,
    place: &Place,
) -> Result<(Place, usize), DynoxideError> {
    // The table may have changed since the last page.
    let Some(table) = storage.get_table_metadata(name)? else {
        return Ok((None, 0));
    };
    let Some(attribute) = table.ttl_attribute.as_deref().filter(|_| table.ttl_enabled) else {
        return Ok((None, 0));
    };
    let page = ScanParams {
        limit: Some(PAGE),
        exclusive_start_pk: place.as_ref().map(|(partition, _)| partition.as_str()),
        exclusive_start_sk: place.as_ref().map(|(_, sort)| sort.as_str()),
        ..ScanParams::default()
    };
    let rows = storage.scan_items(name, &page)?;
    let (full, now, mut deleted) = (rows.len() == PAGE, seconds(), 0);
    let mut last = None;
    for (partition, sort, item) in rows {
        let item: Item = serde_json::from_str(&item)
            .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
        if is_expired(&item, attribute, now) {
            in_one_commit(storage, || delete(storage, &table, &item))?;
            deleted += 1;
        }
        last = Some((partition, sort));
    }
    Ok((last.filter(|_| full), deleted))
}

fn is_expired(item: &Item, attribute: &str, now: u64) -> bool {
    let Some(AttributeValue::N(at)) = item.get(attribute) else {
        return false;
    };
    let at = at.parse::<u64>();
    at.is_ok_and(|at| at < now && at >= now.saturating_sub(OLDEST_SECONDS))
}

fn delete(storage: &Storage, table: &TableMetadata, item: &Item) -> Result<(), DynoxideError> {
    let request = DeleteItemRequest {
        table_name: table.table_name.clone(),
        key: extract_keys(item, &table.key_schema),
        ..DeleteItemRequest::default()
    };
    run(delete_item::execute(storage, request))?;
    if table.stream_enabled {
        storage.conn().execute(
            "UPDATE _stream_records SET user_identity = ? WHERE id = \
             (SELECT MAX(id) FROM _stream_records WHERE table_name = ?)",
            params![BY_EXPIRY, table.table_name],
        )?;
    }
    Ok(())
}
