//! A store of objects by key. On AWS, the store is an S3 bucket.

use async_trait::async_trait;
use thiserror::Error;

/// Errors of an object store.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ObjectError {
    /// The store did not answer, or throttled the request. A write **may have happened**; repeating the write is safe.
    #[error("the object store did not answer: {0}")]
    Unavailable(String),
    /// The store refuses the request, and refuses it again at every repetition.
    #[error("the object store refused the request: {0}")]
    Refused(String),
}

/// A range of keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// Only keys that begin with this text.
    pub prefix: &'a str,
    /// Only keys that sort after this key.
    pub after: Option<&'a str>,
    /// At most this many keys.
    pub limit: usize,
}

impl<'a> KeyRange<'a> {
    /// The first `limit` keys that begin with `prefix`.
    #[must_use]
    pub fn new(prefix: &'a str, limit: usize) -> Self {
        Self {
            prefix,
            after: None,
            limit,
        }
    }
}

/// A store of objects.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes an object whole, and replaces the object that has this key.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError>;

    /// Reads an object; `None` if no object has this key.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError>;

    /// The keys of this range in ascending order, at most 1,000.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError>;

    /// Removes an object. Removing an object that does not exist succeeds.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn delete(&self, key: &str) -> Result<(), ObjectError>;
}
