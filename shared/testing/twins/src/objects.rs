//! A bucket of objects, in memory.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use alpes_ports::{KeyRange, ObjectError, Objects};

/// The most keys that S3 returns from one listing.
const LIST_LIMIT: usize = 1_000;

/// The twin of an S3 bucket.
#[derive(Default)]
pub struct MemoryObjects(Mutex<BTreeMap<String, Vec<u8>>>);

impl MemoryObjects {
    /// An empty bucket.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Objects for MemoryObjects {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        self.lock().insert(key.to_owned(), data.to_vec());
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        Ok(self.lock().get(key).cloned())
    }

    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError> {
        let objects = self.lock();
        let start = range.after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = objects
            .range::<str, _>((start, Bound::Unbounded))
            .map(|(key, _)| key);
        Ok(keys
            .filter(|key| key.starts_with(range.prefix))
            .take(range.limit.min(LIST_LIMIT))
            .cloned()
            .collect())
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.lock().remove(key);
        Ok(())
    }
}
