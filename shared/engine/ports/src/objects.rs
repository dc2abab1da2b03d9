//! Objects by key. On AWS, an S3 bucket.

use async_trait::async_trait;
use thiserror::Error;

/// Errors of an object store.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ObjectError {
    /// No answer, or throttled. A write **may have happened**; repeating the write is safe.
    #[error("the object store did not answer: {0}")]
    Unavailable(String),
    /// Refused, and refused again at every repetition.
    #[error("the object store refused the request: {0}")]
    Refused(String),
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

    /// At most `limit` keys, and at most 1,000, that begin with `prefix` and sort after `after`, in ascending order.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, ObjectError>;

    /// Removes an object. Removing an object that does not exist succeeds.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn delete(&self, key: &str) -> Result<(), ObjectError>;
}
