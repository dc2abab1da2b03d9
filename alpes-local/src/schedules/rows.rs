//! The rules and their targets in the store.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Target;
use crate::input::moment;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS schedules_rule (
    name TEXT PRIMARY KEY, -- of a rule; group/name of a schedule of EventBridge Scheduler
    expression TEXT NOT NULL,
    description TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    made INTEGER NOT NULL -- the time from which a rate counts
);
CREATE TABLE IF NOT EXISTS schedules_target (
    rule TEXT NOT NULL,
    id TEXT NOT NULL,
    arn TEXT NOT NULL,
    input TEXT,
    PRIMARY KEY (rule, id)
) WITHOUT ROWID;
";

const COLUMNS: &str = "name, expression, description, enabled, made";

/// A rule of EventBridge, or a schedule of EventBridge Scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// The name of a rule, or `group/name`.
    pub(super) key: String,
    pub(super) expression: String,
    pub(super) description: String,
    pub(super) enabled: bool,
    pub(super) made: Timestamp,
}

impl Rule {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            expression: row.get(1)?,
            description: row.get(2)?,
            enabled: row.get(3)?,
            made: moment(row.get(4)?),
        })
    }

    /// The rule in the place of another one. A rate goes on counting if it is the same, and was not disabled.
    pub(super) fn after(mut self, before: Option<Self>) -> Self {
        let same =
            |before: &Self| before.enabled == self.enabled && before.expression == self.expression;
        if let Some(before) = before.filter(same) {
            self.made = before.made;
        }
        self
    }
}

pub(super) fn rule(connection: &Connection, key: &str) -> rusqlite::Result<Option<Rule>> {
    let select = format!("SELECT {COLUMNS} FROM schedules_rule WHERE name = ?");
    let mut select = connection.prepare_cached(&select)?;
    select.query_row([key], Rule::of).optional()
}

/// The rules and schedules that are not disabled.
pub(super) fn enabled(connection: &Connection) -> rusqlite::Result<Vec<Rule>> {
    let select = format!("SELECT {COLUMNS} FROM schedules_rule WHERE enabled");
    let mut select = connection.prepare_cached(&select)?;
    select.query_map([], Rule::of)?.collect()
}

/// The rules whose names begin with `prefix` and come after `after`, in order.
pub(super) fn rules(
    connection: &Connection,
    prefix: &str,
    after: &str,
    most: usize,
) -> rusqlite::Result<Vec<Rule>> {
    let select = format!(
        "SELECT {COLUMNS} FROM schedules_rule WHERE substr(name, 1, length(?1)) = ?1 AND name > ?2
         AND instr(name, '/') = 0 ORDER BY name LIMIT ?3"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(&select)?;
    select
        .query_map(params![prefix, after, most], Rule::of)?
        .collect()
}

pub(super) fn put(transaction: &Transaction<'_>, rule: &Rule) -> rusqlite::Result<()> {
    let insert =
        format!("INSERT OR REPLACE INTO schedules_rule ({COLUMNS}) VALUES (?, ?, ?, ?, ?)");
    transaction.execute(
        &insert,
        params![
            rule.key,
            rule.expression,
            rule.description,
            rule.enabled,
            rule.made.as_millisecond()
        ],
    )?;
    Ok(())
}

/// The targets of a rule that come after this id, in order.
pub(super) fn targets(
    connection: &Connection,
    rule: &str,
    after: &str,
    most: usize,
) -> rusqlite::Result<Vec<Target>> {
    let mut select = connection.prepare_cached(
        "SELECT id, arn, input FROM schedules_target WHERE rule = ? AND id > ? ORDER BY id LIMIT ?",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = select.query_map(params![rule, after, most], |row| {
        Ok(Target {
            id: row.get(0)?,
            arn: row.get(1)?,
            input: row.get(2)?,
        })
    })?;
    rows.collect()
}

pub(super) fn put_target(
    transaction: &Transaction<'_>,
    rule: &str,
    target: &Target,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO schedules_target (rule, id, arn, input) VALUES (?, ?, ?, ?)",
        params![rule, target.id, target.arn, target.input],
    )?;
    Ok(())
}

pub(super) fn remove(transaction: &Transaction<'_>, rule: &str) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM schedules_rule WHERE name = ?", [rule])?;
    Ok(())
}

pub(super) fn remove_targets(transaction: &Transaction<'_>, rule: &str) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM schedules_target WHERE rule = ?", [rule])?;
    Ok(())
}
