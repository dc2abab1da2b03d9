//! Everything that outlives the process, in one SQLite file.
//!
//! All services write to the same file, so its write-ahead log is one ordered journal: if a write survives a crash,
//! then all earlier acknowledged writes survive too, whichever services made them. SQLite syncs the journal to disk at
//! each checkpoint, not at each write. So `kill -9` of the process loses no acknowledged write; a power failure may
//! lose the last writes, and never an earlier write without all later ones.
//!
//! Each service has tables of its own, which begin with the service's name, and makes them with [`Store::schema`].

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{error::AwsError, waiting::lock};

/// The file in the data folder that has everything but code and logs.
const FILE: &str = "alpes.sqlite";

/// A number as SQLite keeps it. Times, sizes and counts are far below its limit.
pub(crate) fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as SQLite has kept it.
pub(crate) fn as_u64(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The data of all services.
///
/// A caller that must wait leaves its thread of a multi-threaded runtime to other tasks. Reads wait for writes: services
/// keep what they count and number in memory in step with the store while they have it.
pub struct Store {
    /// Only one connection writes at a time: SQLite would make the second one poll for its turn.
    writing: Mutex<()>,
    connection: Mutex<Connection>,
    folder: PathBuf,
    file: Option<PathBuf>,
}

impl Store {
    /// Opens the data in this folder, and makes the folder if it is missing.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made, or the file is not a database.
    pub fn open(folder: &Path) -> Result<Self, AwsError> {
        std::fs::create_dir_all(folder).map_err(AwsError::internal)?;
        let file = folder.join(FILE);
        let connection = Connection::open(&file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.busy_timeout(Duration::from_mins(1))?;
        Ok(Self::of(connection, folder.to_owned(), Some(file)))
    }

    /// Data in memory only. `folder` has what must be files in any case: functions' code and logs.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made.
    pub fn in_memory(folder: &Path) -> Result<Self, AwsError> {
        std::fs::create_dir_all(folder).map_err(AwsError::internal)?;
        Ok(Self::of(
            Connection::open_in_memory()?,
            folder.to_owned(),
            None,
        ))
    }

    fn of(connection: Connection, folder: PathBuf, file: Option<PathBuf>) -> Self {
        connection.set_prepared_statement_cache_capacity(256);
        Self {
            writing: Mutex::new(()),
            connection: Mutex::new(connection),
            folder,
            file,
        }
    }

    /// The folder of files that are not in the database, for example functions' code.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database file; `None` if the data is in memory only.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Makes tables: `CREATE TABLE IF NOT EXISTS …` statements.
    ///
    /// # Errors
    ///
    /// If the statements fail.
    pub fn schema(&self, statements: &str) -> Result<(), AwsError> {
        let _turn = self.turn();
        Ok(lock(&self.connection).execute_batch(statements)?)
    }

    /// Reads. Use `prepare_cached` for statements that run often.
    ///
    /// # Errors
    ///
    /// The error of `read`.
    pub fn read<T, E>(&self, read: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        read(&lock(&self.connection))
    }

    /// Runs a transaction. If `write` fails, nothing has changed. When this function returns, the transaction is in
    /// the journal.
    ///
    /// # Errors
    ///
    /// The error of `write`, or that of the commit.
    pub fn write<T, E: From<rusqlite::Error>>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.turn();
        let mut connection = lock(&self.connection);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = write(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// The turn of another connection to the same file to write. While the turn is held, this store writes nothing.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        lock(&self.writing)
    }
}
