//! The parameters in the store, each with its last versions.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::input::moment;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS ssm_parameter (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL, -- of a SecureString, the ciphertext
    key TEXT,
    description TEXT,
    tier TEXT NOT NULL,
    modified INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) WITHOUT ROWID;
";

/// The number of versions of a parameter that are kept.
const VERSIONS: i64 = 100;

const COLUMNS: &str = "name, version, kind, value, key, description, tier, modified";
const NEWEST: &str = "version = (SELECT MAX(version) FROM ssm_parameter n WHERE n.name = p.name)";

/// A version of a parameter.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) version: i64,
    pub(super) kind: String,
    pub(super) value: String,
    /// The key of a `SecureString`.
    pub(super) key: Option<String>,
    pub(super) description: Option<String>,
    pub(super) tier: String,
    pub(super) modified: Timestamp,
}

impl Parameter {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            version: row.get(1)?,
            kind: row.get(2)?,
            value: row.get(3)?,
            key: row.get(4)?,
            description: row.get(5)?,
            tier: row.get(6)?,
            modified: moment(row.get(7)?),
        })
    }
}

/// The newest version of a parameter.
pub(super) fn newest(connection: &Connection, name: &str) -> rusqlite::Result<Option<Parameter>> {
    let select =
        format!("SELECT {COLUMNS} FROM ssm_parameter WHERE name = ? ORDER BY version DESC LIMIT 1");
    let mut select = connection.prepare_cached(&select)?;
    select.query_row([name], Parameter::of).optional()
}

pub(super) fn version(
    connection: &Connection,
    name: &str,
    version: i64,
) -> rusqlite::Result<Option<Parameter>> {
    let select = format!("SELECT {COLUMNS} FROM ssm_parameter WHERE name = ? AND version = ?");
    let mut select = connection.prepare_cached(&select)?;
    select
        .query_row(params![name, version], Parameter::of)
        .optional()
}

/// The newest versions of the parameters that come after this name, in order.
pub(super) fn all(
    connection: &Connection,
    after: &str,
    most: usize,
) -> rusqlite::Result<Vec<Parameter>> {
    let select = format!(
        "SELECT {COLUMNS} FROM ssm_parameter p WHERE name > ? AND {NEWEST} ORDER BY name LIMIT ?"
    );
    let mut select = connection.prepare_cached(&select)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    select
        .query_map(params![after, most], Parameter::of)?
        .collect()
}

/// The newest versions of the parameters below a path that ends with a slash, in order.
pub(super) fn below(
    connection: &Connection,
    path: &str,
    recursive: bool,
    after: &str,
    most: usize,
) -> rusqlite::Result<Vec<Parameter>> {
    let select = format!(
        "SELECT {COLUMNS} FROM ssm_parameter p
         WHERE name > ?1 AND substr(name, 1, length(?2)) = ?2
         AND (?3 OR instr(substr(name, length(?2) + 1), '/') = 0) AND {NEWEST} ORDER BY name LIMIT ?4"
    );
    let mut select = connection.prepare_cached(&select)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    select
        .query_map(params![after, path, recursive, most], Parameter::of)?
        .collect()
}

/// Adds a version, and forgets the oldest one if there are too many.
pub(super) fn add(transaction: &Transaction<'_>, parameter: &Parameter) -> rusqlite::Result<()> {
    let insert = format!("INSERT INTO ssm_parameter ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    transaction.prepare_cached(&insert)?.execute(params![
        parameter.name,
        parameter.version,
        parameter.kind,
        parameter.value,
        parameter.key,
        parameter.description,
        parameter.tier,
        parameter.modified.as_millisecond()
    ])?;
    transaction.execute(
        "DELETE FROM ssm_parameter WHERE name = ? AND version <= ?",
        params![parameter.name, parameter.version - VERSIONS],
    )?;
    Ok(())
}

/// Deletes a parameter with all its versions. Returns false if it did not exist.
pub(super) fn delete(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<bool> {
    let deleted = transaction.execute("DELETE FROM ssm_parameter WHERE name = ?", [name])?;
    Ok(deleted > 0)
}
