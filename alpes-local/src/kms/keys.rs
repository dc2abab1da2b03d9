//! The keys and aliases in the store.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Value, json};

use crate::{
    error::AwsError,
    input::{moment, put, put_some, seconds},
    names::{ACCOUNT, arn},
};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS kms_key (
    id TEXT PRIMARY KEY,
    material BLOB NOT NULL,
    description TEXT NOT NULL,
    manager TEXT NOT NULL,
    created INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    deletion INTEGER -- the time at which the key is deleted
);
CREATE TABLE IF NOT EXISTS kms_alias (
    name TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    created INTEGER NOT NULL
);
";

const COLUMNS: &str = "id, material, description, manager, created, enabled, deletion";

/// The owner of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    /// The key was made by AWS for one of its services.
    Aws,
    Customer,
}

impl Manager {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Customer => "CUSTOMER",
        }
    }
}

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Enabled,
    Disabled,
    PendingDeletion,
}

impl State {
    fn text(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
        }
    }
}

/// A key.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: String,
    /// The 32 bytes of the key.
    pub(super) material: Vec<u8>,
    pub(super) description: String,
    pub(super) manager: Manager,
    pub(super) created: Timestamp,
    pub(super) enabled: bool,
    pub(super) deletion: Option<Timestamp>,
}

impl Key {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let manager: String = row.get(3)?;
        let manager = if manager == Manager::Aws.text() {
            Manager::Aws
        } else {
            Manager::Customer
        };
        Ok(Self {
            id: row.get(0)?,
            material: row.get(1)?,
            description: row.get(2)?,
            manager,
            created: moment(row.get(4)?),
            enabled: row.get(5)?,
            deletion: row.get::<_, Option<i64>>(6)?.map(moment),
        })
    }

    pub(super) fn arn(&self) -> String {
        key_arn(&self.id)
    }

    pub(super) fn state(&self) -> State {
        match (self.deletion, self.enabled) {
            (Some(_), _) => State::PendingDeletion,
            (None, true) => State::Enabled,
            (None, false) => State::Disabled,
        }
    }

    /// Fails unless the key may encrypt and decrypt.
    pub(super) fn must_work(&self) -> Result<(), AwsError> {
        match self.state() {
            State::Enabled => Ok(()),
            State::Disabled => Err(AwsError::client(
                "DisabledException",
                format!("{} is disabled.", self.arn()),
            )),
            State::PendingDeletion => Err(self.pending()),
        }
    }

    /// Fails if the key is going to be deleted.
    pub(super) fn must_stay(&self) -> Result<(), AwsError> {
        match self.state() {
            State::PendingDeletion => Err(self.pending()),
            State::Enabled | State::Disabled => Ok(()),
        }
    }

    fn pending(&self) -> AwsError {
        invalid_state(format!("{} is pending deletion.", self.arn()))
    }

    /// The description of the key in answers.
    pub(super) fn metadata(&self) -> Value {
        let mut metadata = json!({
            "AWSAccountId": ACCOUNT,
            "KeyId": self.id,
            "Arn": self.arn(),
            "CreationDate": seconds(self.created),
            "Enabled": self.state() == State::Enabled,
            "Description": self.description,
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeyState": self.state().text(),
            "Origin": "AWS_KMS",
            "KeyManager": self.manager.text(),
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            "MultiRegion": false,
        });
        put_some(&mut metadata, "DeletionDate", self.deletion.map(seconds));
        metadata
    }
}

pub(super) fn invalid_state(message: String) -> AwsError {
    AwsError::client("KMSInvalidStateException", message)
}

pub(super) fn not_found(message: String) -> AwsError {
    AwsError::client("NotFoundException", message)
}

pub(super) fn key_arn(id: &str) -> String {
    arn("kms", &format!("key/{id}"))
}

pub(crate) fn alias_arn(name: &str) -> String {
    arn("kms", name)
}

/// The key that a request names by its id, its ARN, an alias or an alias's ARN.
pub(super) fn find(connection: &Connection, named: &str, now: Timestamp) -> Result<Key, AwsError> {
    let resource = match named.strip_prefix(&arn("kms", "")) {
        Some(resource) => resource,
        None if named.starts_with("arn:") => return Err(not_found(format!("Invalid arn {named}"))),
        None => named,
    };
    let id = if resource.starts_with("alias/") {
        let target = alias_target(connection, resource)?;
        target.ok_or_else(|| not_found(format!("Alias {} is not found.", alias_arn(resource))))?
    } else {
        resource.strip_prefix("key/").unwrap_or(resource).to_owned()
    };
    let key = by_id(connection, &id, now)?;
    key.ok_or_else(|| not_found(format!("Key '{}' does not exist", key_arn(&id))))
}

/// The key with this id. A key whose deletion is due is not there any more.
pub(super) fn by_id(
    connection: &Connection,
    id: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<Key>> {
    let select = format!(
        "SELECT {COLUMNS} FROM kms_key WHERE id = ? AND (deletion IS NULL OR deletion > ?)"
    );
    let mut select = connection.prepare_cached(&select)?;
    let at = now.as_millisecond();
    select.query_row(params![id, at], Key::of).optional()
}

/// The ids of the keys after this one, in order.
pub(super) fn ids(
    connection: &Connection,
    after: &str,
    most: usize,
    now: Timestamp,
) -> rusqlite::Result<Vec<String>> {
    let mut select = connection.prepare_cached(
        "SELECT id FROM kms_key WHERE id > ? AND (deletion IS NULL OR deletion > ?) ORDER BY id LIMIT ?",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = select.query_map(params![after, now.as_millisecond(), most], |row| row.get(0))?;
    rows.collect()
}

pub(super) fn add(transaction: &Transaction<'_>, key: &Key) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO kms_key (id, material, description, manager, created, enabled) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    insert.execute(params![
        key.id,
        key.material,
        key.description,
        key.manager.text(),
        key.created.as_millisecond(),
        key.enabled
    ])?;
    Ok(())
}

/// Writes the state and the description of a key.
pub(super) fn update(transaction: &Transaction<'_>, key: &Key) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE kms_key SET enabled = ?2, deletion = ?3, description = ?4 WHERE id = ?1",
        params![
            key.id,
            key.enabled,
            key.deletion.map(Timestamp::as_millisecond),
            key.description
        ],
    )?;
    Ok(())
}

/// Deletes the keys whose time has come, with their aliases.
pub(super) fn delete_due(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM kms_key WHERE deletion <= ?",
        [now.as_millisecond()],
    )?;
    transaction.execute(
        "DELETE FROM kms_alias WHERE key NOT IN (SELECT id FROM kms_key)",
        [],
    )?;
    Ok(())
}

/// The id of the key that an alias stands for.
pub(super) fn alias_target(
    connection: &Connection,
    alias: &str,
) -> rusqlite::Result<Option<String>> {
    let mut select = connection.prepare_cached("SELECT key FROM kms_alias WHERE name = ?")?;
    select.query_row([alias], |row| row.get(0)).optional()
}

/// Lets an alias stand for a key.
pub(super) fn put_alias(
    transaction: &Transaction<'_>,
    alias: &str,
    key: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO kms_alias (name, key, created) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET key = ?2",
        params![alias, key, at.as_millisecond()],
    )?;
    Ok(())
}

/// The aliases after this one, in order; of one key, or of all.
pub(super) fn aliases(
    connection: &Connection,
    key: Option<&str>,
    after: &str,
    most: usize,
) -> rusqlite::Result<Vec<(String, Value)>> {
    let mut select = connection.prepare_cached(
        "SELECT name, key, created FROM kms_alias WHERE name > ?1 AND (?2 IS NULL OR key = ?2)
         ORDER BY name LIMIT ?3",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = select.query_map(params![after, key, most], |row| {
        let name: String = row.get(0)?;
        let created = seconds(moment(row.get(2)?));
        let mut alias = json!({"AliasName": name, "AliasArn": alias_arn(&name)});
        put(&mut alias, "TargetKeyId", row.get::<_, String>(1)?);
        put(&mut alias, "CreationDate", created.clone());
        put(&mut alias, "LastUpdatedDate", created);
        Ok((name, alias))
    })?;
    rows.collect()
}
