//! How many records each shard has.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use super::tables::{self, Place};

/// The counts of records that someone asked for. Counting reads a whole shard and keeps writers waiting meanwhile, so
/// a shard is counted once, and each record adds one. Call `get` and `added` while the store's connection is held.
#[derive(Default)]
pub(super) struct Counts {
    known: Mutex<BTreeMap<Place, u64>>,
}

impl Counts {
    /// The count of a shard's records.
    pub(super) fn get(&self, connection: &Connection, place: Place) -> rusqlite::Result<u64> {
        if let Some(count) = self.lock().get(&place) {
            return Ok(*count);
        }
        let count = tables::count(connection, place)?;
        self.lock().insert(place, count);
        Ok(count)
    }

    /// A record was added.
    pub(super) fn added(&self, place: Place) {
        if let Some(count) = self.lock().get_mut(&place) {
            *count += 1;
        }
    }

    /// Records were deleted, or an addition failed: the shards are counted again when someone asks.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
