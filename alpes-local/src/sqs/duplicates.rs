//! Deduplication: the messages that FIFO queues and topics accepted within the last five minutes.
//!
//! They are in the store, so that a message which a sender repeats after a restart is a duplicate too.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::error::AwsError;

/// The milliseconds within which a message with the same id is a duplicate.
const INTERVAL: u64 = 300_000;

/// A table of accepted messages. Each service has its own.
pub(crate) struct Duplicates {
    table: &'static str,
}

/// A message that a sender has sent to a FIFO queue or topic.
pub(crate) struct Candidate<'a> {
    /// The queue or topic.
    pub owner: &'a str,
    pub group: &'a str,
    /// The id by which messages are duplicates.
    pub deduplication: &'a str,
    /// True if only messages of the same group are duplicates.
    pub by_group: bool,
    /// The id of the message if it is new.
    pub id: &'a str,
}

/// The message that was accepted: the candidate, or the earlier one that it repeats.
#[derive(Debug, PartialEq)]
pub(crate) struct Accepted {
    pub id: String,
    /// Grows with each message that is not a duplicate.
    pub sequence: i64,
    /// False for a duplicate.
    pub is_new: bool,
}

impl Duplicates {
    /// The name of a table, which begins with the service's name.
    pub const fn of(table: &'static str) -> Self {
        Self { table }
    }

    /// The statements that make the table.
    pub fn schema(&self) -> String {
        let table = self.table;
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (
               sequence INTEGER PRIMARY KEY AUTOINCREMENT,
               owner TEXT NOT NULL,
               deduplication TEXT NOT NULL,
               message_group TEXT NOT NULL,
               id TEXT NOT NULL,
               accepted INTEGER NOT NULL,
               UNIQUE (owner, deduplication, message_group)
             );
             CREATE INDEX IF NOT EXISTS {table}_accepted ON {table} (owner, accepted);"
        )
    }

    /// Accepts a message. A duplicate gets the id and the number of the message that it repeats.
    pub fn accept(
        &self,
        transaction: &Transaction<'_>,
        candidate: &Candidate<'_>,
        now: u64,
    ) -> Result<Accepted, AwsError> {
        self.forget_before(transaction, candidate.owner, now.saturating_sub(INTERVAL))?;
        match self.find(transaction, candidate)? {
            Some(known) => Ok(known),
            None => self.remember(transaction, candidate, now),
        }
    }

    /// Forgets all messages of a queue or topic. Numbers go on where they were.
    pub fn forget(&self, transaction: &Transaction<'_>, owner: &str) -> Result<(), AwsError> {
        let statement = format!("DELETE FROM {} WHERE owner = ?", self.table);
        transaction.execute(&statement, [owner])?;
        Ok(())
    }

    fn forget_before(
        &self,
        transaction: &Transaction<'_>,
        owner: &str,
        oldest: u64,
    ) -> Result<(), AwsError> {
        let mut statement = transaction.prepare_cached(&format!(
            "DELETE FROM {} WHERE owner = ? AND accepted <= ?",
            self.table
        ))?;
        statement.execute(params![owner, oldest])?;
        Ok(())
    }

    fn find(
        &self,
        connection: &Connection,
        candidate: &Candidate<'_>,
    ) -> Result<Option<Accepted>, AwsError> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT id, sequence FROM {} WHERE owner = ?1 AND deduplication = ?2
             AND (?3 IS NULL OR message_group = ?3) ORDER BY sequence LIMIT 1",
            self.table
        ))?;
        let group = candidate.by_group.then_some(candidate.group);
        let found = statement.query_row(
            params![candidate.owner, candidate.deduplication, group],
            |row| {
                Ok(Accepted {
                    id: row.get(0)?,
                    sequence: row.get(1)?,
                    is_new: false,
                })
            },
        );
        Ok(found.optional()?)
    }

    fn remember(
        &self,
        transaction: &Transaction<'_>,
        candidate: &Candidate<'_>,
        now: u64,
    ) -> Result<Accepted, AwsError> {
        let mut statement = transaction.prepare_cached(&format!(
            "INSERT INTO {} (owner, deduplication, message_group, id, accepted) VALUES (?, ?, ?, ?, ?)",
            self.table
        ))?;
        let sequence = statement.insert(params![
            candidate.owner,
            candidate.deduplication,
            candidate.group,
            candidate.id,
            now,
        ])?;
        Ok(Accepted {
            id: candidate.id.to_owned(),
            sequence,
            is_new: true,
        })
    }
}
