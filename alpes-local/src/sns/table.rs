//! The tables of SNS.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Serialize, de::DeserializeOwned};

use super::{answers::not_found, fields::Texts};
use crate::{
    error::AwsError,
    names::{arn, last_part},
};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sns_topics (
  name TEXT PRIMARY KEY,
  attributes TEXT NOT NULL,
  tags TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sns_subscriptions (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  topic TEXT NOT NULL,
  protocol TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  attributes TEXT NOT NULL,
  UNIQUE (topic, protocol, endpoint)
);
CREATE TABLE IF NOT EXISTS sns_calls (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  function TEXT NOT NULL,
  payload TEXT NOT NULL,
  dead_letters TEXT,
  envelope TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS sns_calls_due ON sns_calls (due, number);
";

/// A topic.
pub(super) struct Topic {
    pub name: String,
    pub attributes: Texts,
    pub tags: Texts,
}

impl Topic {
    pub fn arn(&self) -> String {
        arn("sns", &self.name)
    }
}

/// The protocol of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Sqs,
    Lambda,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Lambda => "lambda",
        }
    }
}

/// A subscription to a topic.
pub(super) struct Subscription {
    /// The id at the end of the subscription's ARN.
    pub id: String,
    /// The topic's name.
    pub topic: String,
    pub protocol: Protocol,
    /// The ARN of the queue or function.
    pub endpoint: String,
    pub attributes: Texts,
}

impl Subscription {
    pub fn topic_arn(&self) -> String {
        arn("sns", &self.topic)
    }

    pub fn arn(&self) -> String {
        format!("{}:{}", self.topic_arn(), self.id)
    }
}

/// A call of a function that is still to be made.
pub(super) struct Call {
    pub number: i64,
    pub function: String,
    pub payload: String,
    /// The ARN of the queue that gets the message if the function refuses it.
    pub dead_letters: Option<String>,
    /// The message as this queue gets it.
    pub envelope: String,
    pub attempts: u32,
}

pub(super) fn topic(connection: &Connection, name: &str) -> Result<Option<Topic>, AwsError> {
    let mut statement = connection
        .prepare_cached("SELECT name, attributes, tags FROM sns_topics WHERE name = ?")?;
    let found = statement.query_row([name], |row| {
        Ok(Topic {
            name: row.get(0)?,
            attributes: parsed(row, 1)?,
            tags: parsed(row, 2)?,
        })
    });
    Ok(found.optional()?)
}

/// A topic that must exist, by its ARN.
pub(super) fn existing_topic(connection: &Connection, topic_arn: &str) -> Result<Topic, AwsError> {
    let name = topic_arn
        .strip_prefix(&arn("sns", ""))
        .filter(|name| !name.contains(':'))
        .ok_or_else(|| super::answers::invalid("TopicArn"))?;
    topic(connection, name)?.ok_or_else(|| not_found("Topic"))
}

pub(super) fn save_topic(transaction: &Transaction<'_>, topic: &Topic) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO sns_topics (name, attributes, tags) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET attributes = excluded.attributes, tags = excluded.tags",
    )?;
    statement.execute([&topic.name, &text(&topic.attributes)?, &text(&topic.tags)?])?;
    Ok(())
}

/// Deletes a topic with its subscriptions.
pub(super) fn delete_topic(transaction: &Transaction<'_>, name: &str) -> Result<(), AwsError> {
    transaction.execute("DELETE FROM sns_topics WHERE name = ?", [name])?;
    transaction.execute("DELETE FROM sns_subscriptions WHERE topic = ?", [name])?;
    Ok(())
}

/// The names of at most `most` topics after `after`, in order.
pub(super) fn topics(
    connection: &Connection,
    after: &str,
    most: usize,
) -> Result<Vec<String>, AwsError> {
    let mut statement = connection
        .prepare_cached("SELECT name FROM sns_topics WHERE name > ? ORDER BY name LIMIT ?")?;
    let rows = statement.query_map(params![after, most], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const SUBSCRIPTION: &str =
    "SELECT id, topic, protocol, endpoint, attributes FROM sns_subscriptions";

fn subscription(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    let protocol: String = row.get(2)?;
    Ok(Subscription {
        id: row.get(0)?,
        topic: row.get(1)?,
        protocol: if protocol == Protocol::Sqs.name() {
            Protocol::Sqs
        } else {
            Protocol::Lambda
        },
        endpoint: row.get(3)?,
        attributes: parsed(row, 4)?,
    })
}

/// The subscription with this ARN; `None` if it does not exist.
pub(super) fn find_subscription(
    connection: &Connection,
    subscription_arn: &str,
) -> Result<Option<Subscription>, AwsError> {
    let mut statement = connection.prepare_cached(&format!("{SUBSCRIPTION} WHERE id = ?"))?;
    let id = last_part(subscription_arn);
    let found = statement.query_row([id], subscription).optional()?;
    Ok(found.filter(|found| found.arn() == subscription_arn))
}

/// A topic's subscription of this endpoint.
pub(super) fn subscription_of(
    connection: &Connection,
    topic: &str,
    protocol: Protocol,
    endpoint: &str,
) -> Result<Option<Subscription>, AwsError> {
    let mut statement = connection.prepare_cached(&format!(
        "{SUBSCRIPTION} WHERE topic = ? AND protocol = ? AND endpoint = ?"
    ))?;
    let found = statement.query_row([topic, protocol.name(), endpoint], subscription);
    Ok(found.optional()?)
}

/// The subscriptions to a topic, or all of them, in the order in which they were made.
pub(super) fn subscriptions(
    connection: &Connection,
    topic: Option<&str>,
) -> Result<Vec<Subscription>, AwsError> {
    let mut statement = connection.prepare_cached(&format!(
        "{SUBSCRIPTION} WHERE ?1 IS NULL OR topic = ?1 ORDER BY number"
    ))?;
    let rows = statement.query_map([topic], subscription)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn save_subscription(
    transaction: &Transaction<'_>,
    subscription: &Subscription,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO sns_subscriptions (id, topic, protocol, endpoint, attributes) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET attributes = excluded.attributes",
    )?;
    statement.execute([
        &subscription.id,
        &subscription.topic,
        subscription.protocol.name(),
        &subscription.endpoint,
        &text(&subscription.attributes)?,
    ])?;
    Ok(())
}

pub(super) fn delete_subscription(transaction: &Transaction<'_>, id: &str) -> Result<(), AwsError> {
    transaction.execute("DELETE FROM sns_subscriptions WHERE id = ?", [id])?;
    Ok(())
}

/// Stores a call that is due at `due`. Its number is given by the table.
pub(super) fn insert_call(
    transaction: &Transaction<'_>,
    call: &Call,
    due: u64,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO sns_calls (function, payload, dead_letters, envelope, attempts, due) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        call.function,
        call.payload,
        call.dead_letters,
        call.envelope,
        call.attempts,
        due,
    ])?;
    Ok(())
}

/// At most 100 calls that are due.
pub(super) fn due_calls(connection: &Connection, now: u64) -> Result<Vec<Call>, AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, function, payload, dead_letters, envelope, attempts FROM sns_calls WHERE due <= ?
         ORDER BY due, number LIMIT 100",
    )?;
    let rows = statement.query_map([now], |row| {
        Ok(Call {
            number: row.get(0)?,
            function: row.get(1)?,
            payload: row.get(2)?,
            dead_letters: row.get(3)?,
            envelope: row.get(4)?,
            attempts: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the next call is due; `None` if there is no call.
pub(super) fn next_due(connection: &Connection) -> Result<Option<u64>, AwsError> {
    let mut statement = connection.prepare_cached("SELECT min(due) FROM sns_calls")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

pub(super) fn put_off(
    transaction: &Transaction<'_>,
    number: i64,
    due: u64,
) -> Result<(), AwsError> {
    let mut statement = transaction
        .prepare_cached("UPDATE sns_calls SET attempts = attempts + 1, due = ? WHERE number = ?")?;
    statement.execute(params![due, number])?;
    Ok(())
}

pub(super) fn delete_call(transaction: &Transaction<'_>, number: i64) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached("DELETE FROM sns_calls WHERE number = ?")?;
    statement.execute([number])?;
    Ok(())
}

/// A JSON document in a column.
fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
    })
}

fn text(document: &impl Serialize) -> Result<String, AwsError> {
    serde_json::to_string(document).map_err(AwsError::internal)
}
