//! Objects by key. On AWS, an S3 bucket.

use async_trait::async_trait;
use thiserror::Error;

/// What can go wrong with objects.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ObjectError {
    /// No answer, or asked to slow down. A write **may have happened**; repeating it is safe.
    #[error("the object store did not answer: {0}")]
    Unavailable(String),
    /// Refused, and will be every time.
    #[error("the object store refused the request: {0}")]
    Refused(String),
}

/// A store of objects.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes an object whole; one that is there already is replaced.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError>;

    /// Reads an object; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError>;

    /// The first keys, in their order, that begin with `prefix` and come after `after`: at most `limit`, and at most 1,000.
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

    /// Removes an object; one that is not there is removed already.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn delete(&self, key: &str) -> Result<(), ObjectError>;
}
