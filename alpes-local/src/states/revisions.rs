//! The machines in the store, and the revisions of their definitions.
//!
//! An execution runs the revision that its machine had when the execution started.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::{error::AwsError, input::moment};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS states_machine (
    name TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS states_revision (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    definition TEXT NOT NULL,
    role TEXT NOT NULL,
    updated INTEGER NOT NULL
);
";

/// A machine at its newest revision.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) revision: Revision,
}

/// A revision of a machine.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) id: i64,
    pub(super) definition: String,
    pub(super) role: String,
    pub(super) updated: Timestamp,
}

impl Revision {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            definition: row.get(1)?,
            role: row.get(2)?,
            updated: moment(row.get(3)?),
        })
    }

    /// Whether this revision has the same content.
    pub(super) fn is(&self, definition: &str, role: &str) -> bool {
        self.definition == definition && self.role == role
    }
}

/// The statement that reads machines; `$rest` is its end, from the condition on.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.definition, r.role, r.updated, m.name, m.created
             FROM states_machine m JOIN states_revision r ON r.id = m.revision ",
            $rest
        )
    };
}

impl Known {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            revision: Revision::of(row)?,
            name: row.get(4)?,
            created: moment(row.get(5)?),
        })
    }
}

pub(super) fn machine(connection: &Connection, name: &str) -> rusqlite::Result<Option<Known>> {
    let mut select = connection.prepare_cached(select!("WHERE m.name = ?"))?;
    select.query_row([name], Known::of).optional()
}

/// The machines whose names come after this one, by name.
pub(super) fn machines(
    connection: &Connection,
    after: &str,
    most: usize,
) -> rusqlite::Result<Vec<Known>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut select =
        connection.prepare_cached(select!("WHERE m.name > ? ORDER BY m.name LIMIT ?"))?;
    select.query_map(params![after, most], Known::of)?.collect()
}

pub(super) fn revision(connection: &Connection, id: i64) -> Result<Revision, AwsError> {
    let mut select = connection
        .prepare_cached("SELECT id, definition, role, updated FROM states_revision WHERE id = ?")?;
    let found = select.query_row([id], Revision::of).optional()?;
    found.ok_or_else(|| AwsError::internal(format!("revision {id} of a machine is missing")))
}

/// Adds a revision, and returns its id.
pub(super) fn add(
    transaction: &Transaction<'_>,
    definition: &str,
    role: &str,
    at: Timestamp,
) -> rusqlite::Result<i64> {
    transaction.execute(
        "INSERT INTO states_revision (definition, role, updated) VALUES (?, ?, ?)",
        params![definition, role, at.as_millisecond()],
    )?;
    Ok(transaction.last_insert_rowid())
}

/// Makes this revision the newest of the machine, which is created if it is missing.
pub(super) fn point(
    transaction: &Transaction<'_>,
    machine: &str,
    revision: i64,
    at: Timestamp,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO states_machine (name, created, revision) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET revision = ?3",
        params![machine, at.as_millisecond(), revision],
    )?;
    Ok(())
}

pub(super) fn remove(transaction: &Transaction<'_>, machine: &str) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM states_machine WHERE name = ?", [machine])?;
    Ok(())
}

/// Forgets the revisions that no machine has and no execution runs.
pub(super) fn forget_unused(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM states_revision WHERE id NOT IN (SELECT revision FROM states_machine
         UNION SELECT revision FROM states_execution)",
        [],
    )?;
    Ok(())
}
