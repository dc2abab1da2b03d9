//! A replica that is late: the tables as they were at an earlier moment.
//!
//! With a data folder, the store's file has a write-ahead log, and a read transaction sees the state of its beginning as
//! long as it lasts. So a second connection with an open read transaction is a true earlier state of all tables and
//! indexes. The transaction is renewed every [`LATE_BY`]; the log grows meanwhile by what is written in this time.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use dynoxide::{
    DynoxideError,
    actions::{batch_get_item, get_item, query, scan},
    storage::Storage,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Answer, answer, open, requests::Call, run};
use crate::{error::AwsError, http::Response, store::Store, waiting::lock};

/// No state is older than this.
const LATE_BY: Duration = Duration::from_millis(1_500);
/// A write-ahead log of this size is moved into the file when the transaction is renewed. While a reader is always there,
/// SQLite itself would not begin the log anew.
const LONG_LOG: u64 = 4 * 1024 * 1024;

/// The tables of an earlier moment.
pub struct Replica {
    store: Arc<Store>,
    state: Mutex<State>,
}

struct State {
    storage: Storage,
    /// SQLite's number of the schema. It changes when tables or indexes come and go; `dynoxide` keeps their settings in
    /// memory.
    schema: i64,
    since: Instant,
}

impl Replica {
    /// A replica of this store; `None` if its data is in memory, where there is no earlier state.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn new(store: &Arc<Store>) -> Result<Option<Arc<Self>>, AwsError> {
        if store.file().is_none() {
            return Ok(None);
        }
        let state = {
            let _turn = store.turn();
            State::begin(open(store).map_err(AwsError::internal)?).map_err(AwsError::internal)?
        };
        Ok(Some(Arc::new(Self {
            store: store.clone(),
            state: Mutex::new(state),
        })))
    }

    /// Renews the state whenever it is old enough, until the task that runs this is dropped.
    pub async fn keep_late(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LATE_BY).await;
            if let Err(error) = self.renew() {
                eprintln!("a late replica: {error}");
            }
        }
    }

    /// Takes the state of this moment.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn renew(&self) -> Result<(), AwsError> {
        let _turn = self.store.turn();
        let mut state = lock(&self.state);
        let schema = state.schema;
        state.end().map_err(AwsError::internal)?;
        if self.log_size() > LONG_LOG {
            state.checkpoint().map_err(AwsError::internal)?;
        }
        state.restart().map_err(AwsError::internal)?;
        if state.schema != schema {
            let storage = open(&self.store).map_err(AwsError::internal)?;
            *state = State::begin(storage).map_err(AwsError::internal)?;
        }
        Ok(())
    }

    /// How old the state is.
    pub fn age(&self) -> Duration {
        lock(&self.state).since.elapsed()
    }

    /// True for reads that may show an earlier state: those without `ConsistentRead`. A global secondary index takes no
    /// `ConsistentRead`.
    #[must_use]
    pub fn may_read(operation: &str, body: &[u8]) -> bool {
        if !["GetItem", "BatchGetItem", "Query", "Scan"].contains(&operation) {
            return false;
        }
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return false;
        };
        let is_consistent = |part: &Value| part.get("ConsistentRead") == Some(&Value::Bool(true));
        let tables = request.get("RequestItems").and_then(Value::as_object);
        let mut tables = tables.into_iter().flat_map(serde_json::Map::values);
        !is_consistent(&request) && !tables.any(is_consistent)
    }

    /// The answer to a read; `None` if it fails on the earlier state, for example because its table is newer.
    #[must_use]
    pub fn respond(&self, operation: &str, body: &[u8]) -> Option<Response> {
        let call = Call::new(operation, body).ok()?;
        let body = match operation {
            "GetItem" => self.read(call, get_item::execute),
            "BatchGetItem" => self.read(call, batch_get_item::execute),
            "Query" => self.read(call, query::execute),
            "Scan" => self.read(call, scan::execute),
            other => Err(Answer::unknown(other)),
        };
        Some(answer::response(200, body.ok()?))
    }

    fn read<Q: DeserializeOwned, R: Serialize>(
        &self,
        call: Call<'_>,
        action: impl AsyncFnOnce(&Storage, Q) -> dynoxide::Result<R>,
    ) -> Result<String, Answer> {
        let request = call.request()?;
        let reply = run(action(&lock(&self.state).storage, request))?;
        Ok(serde_json::to_string(&reply)?)
    }

    fn log_size(&self) -> u64 {
        let file = self.store.file().map(std::path::Path::to_owned);
        let log = file.map(|mut file| {
            file.as_mut_os_string().push("-wal");
            file
        });
        let size = log.and_then(|log| log.metadata().ok());
        size.map_or(0, |log| log.len())
    }
}

impl State {
    fn begin(storage: Storage) -> Result<Self, DynoxideError> {
        let mut state = Self {
            storage,
            schema: 0,
            since: Instant::now(),
        };
        state.restart()?;
        Ok(state)
    }

    fn end(&self) -> Result<(), DynoxideError> {
        if !self.storage.conn().is_autocommit() {
            self.storage.conn().execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    /// Begins a read transaction. It sees the state of its first read, which is here.
    fn restart(&mut self) -> Result<(), DynoxideError> {
        let connection = self.storage.conn();
        connection.execute_batch("BEGIN DEFERRED")?;
        let read = "SELECT schema_version FROM pragma_schema_version, (SELECT count(*) FROM sqlite_schema)";
        self.schema = connection.query_row(read, [], |row| row.get(0))?;
        self.since = Instant::now();
        Ok(())
    }

    fn checkpoint(&self) -> Result<(), DynoxideError> {
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        self.storage.conn().query_row(sql, [], |_| Ok(()))?;
        Ok(())
    }
}
