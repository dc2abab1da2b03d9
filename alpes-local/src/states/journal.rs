//! The journal of an execution: all that happened to it from outside, in order.
//!
//! A [`Run`] has neither clock nor randomness. So its journal is enough to rebuild it: each entry is applied again, with
//! its time and its random number.

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};
use serde_json::Value;
use states_language::{Failure, Run, Step};

use crate::{error::AwsError, input::moment};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS states_journal (
    execution INTEGER NOT NULL,
    place INTEGER NOT NULL,
    at INTEGER NOT NULL,
    chance REAL NOT NULL,
    kind TEXT NOT NULL,
    text TEXT,
    cause TEXT,
    PRIMARY KEY (execution, place)
) WITHOUT ROWID;
";

/// An input of an execution from outside.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Input {
    /// The execution was started.
    Began,
    /// The function answered with this text.
    Answered(String),
    /// The call of the function failed.
    Failed(Failure),
    /// The call reached its time limit.
    TimedOut,
    /// A wait was over.
    Waited,
    /// The execution was stopped.
    Stopped(Failure),
    /// The execution was redriven, with this token.
    Redriven(Option<String>),
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) input: Input,
    pub(super) at: Timestamp,
    /// The random number for the jitter of a retry.
    pub(super) chance: f64,
}

impl Entry {
    /// Lets the run hear of the entry, and advances the run as far as possible.
    pub(super) fn apply(&self, run: &mut Run) -> Step {
        match &self.input {
            Input::Began | Input::Waited => {}
            Input::Answered(text) => run.answered(answer(text)),
            Input::Failed(failure) => run.failed(&failure.error, &failure.cause),
            Input::TimedOut => run.timed_out(),
            Input::Stopped(failure) => {
                run.stop(&failure.error, &failure.cause, self.at);
            }
            Input::Redriven(_) => {
                run.redrive();
            }
        }
        run.next(self.at, self.chance)
    }
}

/// A function's answer. An answer that is not JSON becomes a text.
fn answer(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Appends an entry. Fails if the journal has an entry at this place already, so that two holders of the same execution
/// cannot both go on. Fails too if the execution was deleted.
pub(super) fn append(
    transaction: &Transaction<'_>,
    execution: i64,
    place: i64,
    entry: &Entry,
) -> rusqlite::Result<()> {
    let (kind, text, cause) = columns(&entry.input);
    let mut insert = transaction.prepare_cached(
        "INSERT INTO states_journal (execution, place, at, chance, kind, text, cause)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM states_execution WHERE id = ?1)",
    )?;
    let at = entry.at.as_millisecond();
    let added = insert.execute(params![
        execution,
        place,
        at,
        entry.chance,
        kind,
        text,
        cause
    ])?;
    if added == 0 {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    }
    Ok(())
}

/// The journal of an execution, in order.
pub(super) fn load(connection: &Connection, execution: i64) -> Result<Vec<Entry>, AwsError> {
    let mut select = connection.prepare_cached(
        "SELECT at, chance, kind, text, cause FROM states_journal WHERE execution = ? ORDER BY place",
    )?;
    let mut rows = select.query([execution])?;
    let mut entries = vec![];
    while let Some(row) = rows.next()? {
        entries.push(Entry {
            at: moment(row.get(0)?),
            chance: row.get(1)?,
            input: input(row)?,
        });
    }
    Ok(entries)
}

fn columns(input: &Input) -> (&'static str, Option<&str>, Option<&str>) {
    match input {
        Input::Began => ("began", None, None),
        Input::Answered(text) => ("answered", Some(text), None),
        Input::Failed(failure) => ("failed", Some(&failure.error), Some(&failure.cause)),
        Input::TimedOut => ("timed out", None, None),
        Input::Waited => ("waited", None, None),
        Input::Stopped(failure) => ("stopped", Some(&failure.error), Some(&failure.cause)),
        Input::Redriven(token) => ("redriven", token.as_deref(), None),
    }
}

fn input(row: &Row<'_>) -> Result<Input, AwsError> {
    let kind: String = row.get(2)?;
    let token: Option<String> = row.get(3)?;
    let text = token.clone().unwrap_or_default();
    let cause: Option<String> = row.get(4)?;
    let failure = || Failure::new(&text, cause.unwrap_or_default());
    Ok(match kind.as_str() {
        "began" => Input::Began,
        "answered" => Input::Answered(text),
        "failed" => Input::Failed(failure()),
        "timed out" => Input::TimedOut,
        "waited" => Input::Waited,
        "stopped" => Input::Stopped(failure()),
        "redriven" => Input::Redriven(token),
        other => {
            let cause = format!("the journal of an execution has the unknown entry {other:?}");
            return Err(AwsError::internal(cause));
        }
    })
}
