//! DynamoDB: tables and their streams, with transaction conflicts.
//!
//! The crate `dynoxide` has the rules of DynamoDB: expressions, indexes, limits, errors. Its storage is a second
//! connection to the store's file, so that a table's write and, for example, a stream's record are in one journal.
//! This module adds what a server needs: conflicts between requests that are in flight at the same time, request
//! tokens that survive the process, atomic creation of tables, and the expiry of items and stream records.

mod answer;
mod commits;
mod ensure;
mod expiry;
mod items;
mod locks;
mod operations;
mod quota;
mod replica;
mod requests;
mod shape;
mod stream_api;
mod tables;
mod tokens;
mod transactions;

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use dynoxide::{DynoxideError, actions::vector_lifecycle::VectorIndexLifecycle, storage::Storage};

pub use answer::Answer;
pub use replica::Replica;

use self::{items::KeySchemas, locks::Locks, quota::Quota, tokens::Tokens};
use crate::{
    error::AwsError,
    http::Response,
    store::Store,
    throttling::Throttling,
    waiting::{aside, lock},
};

/// The operations whose time does not grow with a table.
const QUICK: [&str; 6] = [
    "GetItem",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "TransactGetItems",
    "TransactWriteItems",
];

/// Statements that `dynoxide` and this module prepare for one connection.
const STATEMENTS: usize = 256;

/// DynamoDB and DynamoDB Streams.
///
/// Calls run one after the other. A call that writes first takes the store's turn to write and then the storage, always
/// in this order.
pub struct DynamoDb {
    store: Arc<Store>,
    storage: Mutex<Storage>,
    vectors: VectorIndexLifecycle,
    locks: Locks,
    keys: KeySchemas,
    tokens: Tokens,
    /// AWS's quotas on partitions, if they are enforced.
    quota: Option<Quota>,
}

impl DynamoDb {
    /// Opens the tables in the store's file, or in memory if the store has no file.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or a newer `dynoxide` has written it.
    pub fn new(store: Arc<Store>) -> Result<Arc<Self>, AwsError> {
        Self::with_quotas(store, None)
    }

    /// The same, within AWS's quotas if `throttling` is there.
    ///
    /// # Errors
    ///
    /// As for [`Self::new`].
    pub fn with_quotas(
        store: Arc<Store>,
        throttling: Option<Arc<Throttling>>,
    ) -> Result<Arc<Self>, AwsError> {
        let storage = {
            let _turn = store.turn();
            open(&store).map_err(AwsError::internal)?
        };
        Ok(Arc::new(Self {
            store,
            storage: Mutex::new(storage),
            vectors: VectorIndexLifecycle::new(),
            locks: Locks::default(),
            keys: KeySchemas::default(),
            tokens: Tokens::default(),
            quota: throttling.map(Quota::new),
        }))
    }

    /// Runs an operation of `DynamoDB_20120810` or `DynamoDBStreams_20120810` and returns the answer's JSON. `operation`
    /// is the part of `X-Amz-Target` after the dot. This blocks the thread; on a multi-threaded runtime, calls that may
    /// take long leave their worker to other tasks.
    ///
    /// # Errors
    ///
    /// DynamoDB's error, as it is sent to clients.
    pub fn call(&self, operation: &str, body: &[u8]) -> Result<String, Answer> {
        if QUICK.contains(&operation) {
            self.dispatch(operation, body)
        } else {
            aside(|| self.dispatch(operation, body))
        }
    }

    /// Runs an operation and returns the HTTP answer, with its CRC-32 and a request id.
    #[must_use]
    pub fn respond(&self, operation: &str, body: &[u8]) -> Response {
        match self.call(operation, body) {
            Ok(body) => answer::response(200, body),
            Err(refusal) => answer::response(refusal.status, refusal.body),
        }
    }

    fn storage(&self) -> MutexGuard<'_, Storage> {
        let storage = lock(&self.storage);
        commits::forget_unfinished(&storage);
        storage
    }

    /// Runs `act` so that nothing has changed if it fails. Only a quota can refuse what was executed already. Without
    /// quotas `act` runs as it is: the actions of `dynoxide` have transactions of their own.
    fn undone_if_refused<T>(
        &self,
        storage: &Storage,
        act: impl FnOnce() -> Result<T, Answer>,
    ) -> Result<T, Answer> {
        match self.quota {
            Some(_) => commits::in_one_commit(storage, act),
            None => act(),
        }
    }

    /// Runs `act` while this connection has the turn to write.
    fn writing<T>(&self, act: impl FnOnce(&Storage) -> T) -> T {
        let _turn = self.store.turn();
        act(&self.storage())
    }
}

fn open(store: &Store) -> Result<Storage, DynoxideError> {
    let storage = match store.file() {
        Some(file) => Storage::new(file.to_str().ok_or_else(|| {
            let message = format!("the data folder's path is not UTF-8: {}", file.display());
            DynoxideError::InternalServerError(message)
        })?)?,
        None => Storage::memory()?,
    };
    let connection = storage.conn();
    // As the store: a crash of the process loses nothing, since the journal is with the operating system.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(expiry::SCHEMA)?;
    connection.execute_batch(tokens::SCHEMA)?;
    Ok(storage)
}

/// Runs an action of `dynoxide` to its end. On SQLite these never wait.
fn run<T>(action: impl Future<Output = dynoxide::Result<T>>) -> dynoxide::Result<T> {
    match pin!(action).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(DynoxideError::InternalServerError(
            "an action of the storage waits".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests;
