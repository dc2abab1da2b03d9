//! The executions in the store.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use states_language::{Ending, Step};

use crate::{
    error::AwsError,
    input::moment,
    states::journal::{Entry, Input},
};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS states_execution (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    machine TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    input TEXT NOT NULL,
    trace TEXT,
    status TEXT NOT NULL,
    started INTEGER NOT NULL,
    stopped INTEGER,
    output TEXT,
    error TEXT,
    cause TEXT,
    redrives INTEGER NOT NULL DEFAULT 0,
    redriven INTEGER,
    redrive_token TEXT,
    sorted INTEGER NOT NULL, -- the time by which lists are sorted: of the end, or else of the last start
    UNIQUE (machine, name)
);
CREATE INDEX IF NOT EXISTS states_by_time ON states_execution (machine, sorted, id);
CREATE INDEX IF NOT EXISTS states_by_status ON states_execution (status, machine, sorted, id);
";

pub(super) const RUNNING: &str = "RUNNING";
pub(super) const SUCCEEDED: &str = "SUCCEEDED";
const FAILED: &str = "FAILED";
const ABORTED: &str = "ABORTED";

/// The statement that reads executions; `$rest` is its end, from the condition on.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, machine, name, revision, input, trace, status, started, stopped, output, error, cause, \
             redrives, redriven, redrive_token, sorted FROM states_execution ",
            $rest
        )
    };
}

/// An execution.
#[derive(Clone, Debug)]
pub(super) struct Execution {
    pub(super) id: i64,
    pub(super) machine: String,
    pub(super) name: String,
    /// The revision of the machine that it runs.
    pub(super) revision: i64,
    pub(super) input: String,
    /// The caller's trace header.
    pub(super) trace: Option<String>,
    pub(super) status: String,
    pub(super) started: Timestamp,
    pub(super) stopped: Option<Timestamp>,
    pub(super) output: Option<String>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) redrives: i64,
    pub(super) redriven: Option<Timestamp>,
    /// The token of the last redrive.
    pub(super) redrive_token: Option<String>,
    sorted: i64,
}

/// An execution that is about to start.
pub(super) struct Beginning<'a> {
    pub(super) machine: &'a str,
    pub(super) name: &'a str,
    pub(super) revision: i64,
    pub(super) input: &'a str,
    pub(super) trace: Option<&'a str>,
    pub(super) started: Timestamp,
}

/// The executions that a list is to have.
pub(super) struct Wanted<'a> {
    pub(super) machine: &'a str,
    pub(super) status: Option<&'a str>,
    pub(super) redriven: Option<bool>,
    pub(super) after: Option<Place>,
    pub(super) most: usize,
}

/// A place in a list of executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    sorted: i64,
    id: i64,
}

impl Place {
    /// The place as the token of a page.
    pub(super) fn token(self) -> String {
        format!("{}.{}", self.sorted, self.id)
    }

    pub(super) fn parse(token: &str) -> Option<Self> {
        let (sorted, id) = token.split_once('.')?;
        Some(Self {
            sorted: sorted.parse().ok()?,
            id: id.parse().ok()?,
        })
    }
}

impl Execution {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let at = |column| row.get::<_, Option<i64>>(column);
        Ok(Self {
            id: row.get(0)?,
            machine: row.get(1)?,
            name: row.get(2)?,
            revision: row.get(3)?,
            input: row.get(4)?,
            trace: row.get(5)?,
            status: row.get(6)?,
            started: moment(row.get(7)?),
            stopped: at(8)?.map(moment),
            output: row.get(9)?,
            error: row.get(10)?,
            cause: row.get(11)?,
            redrives: row.get(12)?,
            redriven: at(13)?.map(moment),
            redrive_token: row.get(14)?,
            sorted: row.get(15)?,
        })
    }

    pub(super) fn is_running(&self) -> bool {
        self.status == RUNNING
    }

    pub(super) fn place(&self) -> Place {
        Place {
            sorted: self.sorted,
            id: self.id,
        }
    }
}

pub(super) fn by_name(
    connection: &Connection,
    machine: &str,
    name: &str,
) -> rusqlite::Result<Option<Execution>> {
    let mut select = connection.prepare_cached(select!("WHERE machine = ? AND name = ?"))?;
    select.query_row([machine, name], Execution::of).optional()
}

pub(super) fn by_id(connection: &Connection, id: i64) -> rusqlite::Result<Option<Execution>> {
    let mut select = connection.prepare_cached(select!("WHERE id = ?"))?;
    select.query_row([id], Execution::of).optional()
}

/// The ids of the executions that have not ended; of one machine, or of all.
pub(super) fn running(
    connection: &Connection,
    machine: Option<&str>,
) -> rusqlite::Result<Vec<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT id FROM states_execution WHERE status = 'RUNNING' AND (?1 IS NULL OR machine = ?1) ORDER BY id",
    )?;
    select.query_map([machine], |row| row.get(0))?.collect()
}

/// A list of executions, the newest first.
pub(super) fn list(
    connection: &Connection,
    wanted: &Wanted<'_>,
) -> rusqlite::Result<Vec<Execution>> {
    let after = wanted.after.unwrap_or(Place {
        sorted: i64::MAX,
        id: i64::MAX,
    });
    let most = i64::try_from(wanted.most).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(select!(
        "WHERE machine = ?1 AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR (redrives > 0) = ?3)
         AND (sorted, id) < (?4, ?5) ORDER BY sorted DESC, id DESC LIMIT ?6"
    ))?;
    let rows = select.query_map(
        params![
            wanted.machine,
            wanted.status,
            wanted.redriven,
            after.sorted,
            after.id,
            most
        ],
        Execution::of,
    )?;
    rows.collect()
}

/// Adds an execution that runs, and returns its id.
pub(super) fn add(
    transaction: &Transaction<'_>,
    beginning: &Beginning<'_>,
) -> rusqlite::Result<i64> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO states_execution (machine, name, revision, input, trace, status, started, sorted)
         VALUES (?1, ?2, ?3, ?4, ?5, 'RUNNING', ?6, ?6)",
    )?;
    insert.execute(params![
        beginning.machine,
        beginning.name,
        beginning.revision,
        beginning.input,
        beginning.trace,
        beginning.started.as_millisecond()
    ])?;
    Ok(transaction.last_insert_rowid())
}

/// Writes what an entry of the journal, and the step that follows it, have changed.
pub(super) fn update(
    transaction: &Transaction<'_>,
    id: i64,
    entry: &Entry,
    step: &Step,
) -> Result<(), AwsError> {
    if let Input::Redriven(token) = &entry.input {
        reopen(transaction, id, entry.at, token.as_deref())?;
    }
    if let Step::Ended(ending) = step {
        let stopped = matches!(entry.input, Input::Stopped(_));
        finish(transaction, id, entry.at, ending, stopped)?;
    }
    Ok(())
}

fn reopen(
    transaction: &Transaction<'_>,
    id: i64,
    at: Timestamp,
    token: Option<&str>,
) -> rusqlite::Result<()> {
    let mut update = transaction.prepare_cached(
        "UPDATE states_execution SET status = 'RUNNING', stopped = NULL, error = NULL, cause = NULL,
         redrives = redrives + 1, redriven = ?2, sorted = ?2, redrive_token = ?3 WHERE id = ?1",
    )?;
    update.execute(params![id, at.as_millisecond(), token])?;
    Ok(())
}

fn finish(
    transaction: &Transaction<'_>,
    id: i64,
    at: Timestamp,
    ending: &Ending,
    stopped: bool,
) -> rusqlite::Result<()> {
    let (status, output, error, cause) = match ending {
        Ending::Succeeded { output } => (SUCCEEDED, Some(output.to_string()), None, None),
        Ending::Failed { error, cause } => {
            let status = if stopped { ABORTED } else { FAILED };
            (status, None, given(error), given(cause))
        }
    };
    let mut update = transaction.prepare_cached(
        "UPDATE states_execution SET status = ?2, stopped = ?3, sorted = ?3, output = ?4, error = ?5, cause = ?6
         WHERE id = ?1",
    )?;
    update.execute(params![
        id,
        status,
        at.as_millisecond(),
        output,
        error,
        cause
    ])?;
    Ok(())
}

/// An error or a cause, as answers have it: an empty one is left out.
pub(super) fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Forgets the executions of a machine.
pub(super) fn forget_machine(transaction: &Transaction<'_>, machine: &str) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM states_journal WHERE execution IN (SELECT id FROM states_execution WHERE machine = ?)",
        [machine],
    )?;
    transaction.execute("DELETE FROM states_execution WHERE machine = ?", [machine])?;
    Ok(())
}

/// Forgets the executions that ended before this time.
pub(super) fn forget_ended(
    transaction: &Transaction<'_>,
    before: Timestamp,
) -> rusqlite::Result<()> {
    let before = before.as_millisecond();
    transaction.execute(
        "DELETE FROM states_journal WHERE execution IN (SELECT id FROM states_execution WHERE stopped < ?)",
        [before],
    )?;
    transaction.execute("DELETE FROM states_execution WHERE stopped < ?", [before])?;
    Ok(())
}
