//! The tables of SQS.
//!
//! A message is delayed or in flight while its time of visibility is in the future. So no memory of deliveries is lost
//! with the process.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{
    errors::no_queue,
    settings::{Attributes, Settings},
};
use crate::error::AwsError;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sqs_queues (
  name TEXT PRIMARY KEY,
  attributes TEXT NOT NULL,
  tags TEXT NOT NULL,
  created INTEGER NOT NULL,
  modified INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sqs_messages (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  queue TEXT NOT NULL,
  id TEXT NOT NULL,
  body TEXT NOT NULL,
  attributes TEXT NOT NULL,
  trace TEXT,
  message_group TEXT,
  deduplication TEXT,
  sequence INTEGER,
  source TEXT,
  sent INTEGER NOT NULL,
  visible INTEGER NOT NULL,
  receives INTEGER NOT NULL DEFAULT 0,
  first_received INTEGER,
  last_received INTEGER,
  receipt TEXT
);
CREATE INDEX IF NOT EXISTS sqs_messages_visible ON sqs_messages (queue, visible, number);
CREATE INDEX IF NOT EXISTS sqs_messages_sent ON sqs_messages (queue, sent);
";

/// A queue.
pub(super) struct Queue {
    pub name: String,
    /// The attributes as they were set.
    pub attributes: Attributes,
    pub settings: Settings,
    pub tags: Attributes,
    /// When the queue was made, and when its attributes last changed, in milliseconds.
    pub created: u64,
    pub modified: u64,
}

/// A queue; `None` if it does not exist.
pub(super) fn find(connection: &Connection, name: &str) -> Result<Option<Queue>, AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT attributes, tags, created, modified FROM sqs_queues WHERE name = ?",
    )?;
    let row = statement
        .query_row([name], |row| {
            let texts: (String, String) = (row.get(0)?, row.get(1)?);
            Ok((texts, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    row.map(|((attributes, tags), created, modified)| {
        let attributes = parsed(&attributes)?;
        Ok(Queue {
            name: name.to_owned(),
            settings: Settings::of(&attributes)?,
            attributes,
            tags: parsed(&tags)?,
            created,
            modified,
        })
    })
    .transpose()
}

/// A queue that must exist.
pub(super) fn existing(connection: &Connection, name: &str) -> Result<Queue, AwsError> {
    find(connection, name)?.ok_or_else(no_queue)
}

/// Makes or changes a queue.
pub(super) fn save(transaction: &Transaction<'_>, queue: &Queue) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO sqs_queues (name, attributes, tags, created, modified) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET attributes = excluded.attributes, tags = excluded.tags, modified = excluded.modified",
    )?;
    statement.execute(params![
        queue.name,
        text(&queue.attributes)?,
        text(&queue.tags)?,
        queue.created,
        queue.modified,
    ])?;
    Ok(())
}

/// The names of all queues that begin with `prefix`, after the name `after`, in order.
pub(super) fn names(
    connection: &Connection,
    prefix: &str,
    after: &str,
) -> Result<Vec<String>, AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM sqs_queues WHERE substr(name, 1, length(?1)) = ?1 AND name > ?2 ORDER BY name",
    )?;
    let rows = statement.query_map([prefix, after], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A message that is to be stored.
pub(super) struct NewMessage<'a> {
    pub id: &'a str,
    pub body: &'a str,
    /// The attributes in JSON.
    pub attributes: &'a str,
    pub trace: Option<&'a str>,
    pub group: Option<&'a str>,
    /// The place in a FIFO queue; `None` in a standard queue.
    pub place: Option<Place<'a>>,
    pub sent: u64,
    pub visible: u64,
}

/// The place of a message in a FIFO queue.
pub(super) struct Place<'a> {
    pub deduplication: &'a str,
    pub sequence: i64,
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    queue: &str,
    message: &NewMessage<'_>,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO sqs_messages
         (queue, id, body, attributes, trace, message_group, deduplication, sequence, sent, visible)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        queue,
        message.id,
        message.body,
        message.attributes,
        message.trace,
        message.group,
        message.place.as_ref().map(|place| place.deduplication),
        message.place.as_ref().map(|place| place.sequence),
        message.sent,
        message.visible,
    ])?;
    Ok(())
}

/// A stored message.
pub(super) struct Stored {
    pub number: i64,
    pub id: String,
    pub body: String,
    /// The attributes in JSON.
    pub attributes: String,
    pub trace: Option<String>,
    pub group: Option<String>,
    pub deduplication: Option<String>,
    pub sequence: Option<i64>,
    /// The ARN of the queue from which the message was moved to this dead-letter queue.
    pub source: Option<String>,
    pub sent: u64,
    pub visible: u64,
    pub receives: u64,
    pub first_received: Option<u64>,
}

/// Begins a query whose rows [`stored`] reads.
pub(super) const STORED: &str =
    "SELECT number, id, body, attributes, trace, message_group, deduplication, sequence,
 source, sent, visible, receives, first_received FROM sqs_messages";

pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        number: row.get(0)?,
        id: row.get(1)?,
        body: row.get(2)?,
        attributes: row.get(3)?,
        trace: row.get(4)?,
        group: row.get(5)?,
        deduplication: row.get(6)?,
        sequence: row.get(7)?,
        source: row.get(8)?,
        sent: row.get(9)?,
        visible: row.get(10)?,
        receives: row.get(11)?,
        first_received: row.get(12)?,
    })
}

/// Goes through the visible messages of a standard queue, those that have been visible for longest first, until `take` returns false.
pub(super) fn visible(
    transaction: &Transaction<'_>,
    queue: &str,
    now: u64,
    mut take: impl FnMut(Stored) -> bool,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(&format!(
        "{STORED} WHERE queue = ? AND visible <= ? ORDER BY visible, number"
    ))?;
    let mut rows = statement.query(params![queue, now])?;
    while let Some(row) = rows.next()? {
        if !take(stored(row)?) {
            break;
        }
    }
    Ok(())
}

/// True if a message is visible.
pub(super) fn has_visible(
    connection: &Connection,
    queue: &str,
    now: u64,
) -> Result<bool, AwsError> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM sqs_messages WHERE queue = ? AND visible <= ?")?;
    Ok(statement.exists(params![queue, now])?)
}

/// The time at which the next message becomes visible; `None` if no message is hidden.
pub(super) fn next_visible(
    connection: &Connection,
    queue: &str,
    now: u64,
) -> Result<Option<u64>, AwsError> {
    let mut statement = connection
        .prepare_cached("SELECT min(visible) FROM sqs_messages WHERE queue = ? AND visible > ?")?;
    Ok(statement.query_row(params![queue, now], |row| row.get(0))?)
}

/// The time at which the oldest message was sent; `None` if there is no message.
pub(super) fn first_sent(connection: &Connection, queue: &str) -> Result<Option<u64>, AwsError> {
    let mut statement =
        connection.prepare_cached("SELECT min(sent) FROM sqs_messages WHERE queue = ?")?;
    Ok(statement.query_row([queue], |row| row.get(0))?)
}

/// Deletes the messages that were sent before a time.
pub(super) fn expire(
    transaction: &Transaction<'_>,
    queue: &str,
    before: u64,
) -> Result<(), AwsError> {
    let mut statement =
        transaction.prepare_cached("DELETE FROM sqs_messages WHERE queue = ? AND sent < ?")?;
    statement.execute(params![queue, before])?;
    Ok(())
}

/// Hides a received message.
pub(super) fn receive(
    transaction: &Transaction<'_>,
    number: i64,
    receipt: &str,
    now: u64,
    visible: u64,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "UPDATE sqs_messages SET receives = receives + 1, first_received = coalesce(first_received, ?1),
         last_received = ?1, receipt = ?2, visible = ?3 WHERE number = ?4",
    )?;
    statement.execute(params![now, receipt, visible, number])?;
    Ok(())
}

/// Moves a message to the end of a dead-letter queue. Its age stays the same in a standard queue, and begins again in a
/// FIFO queue.
pub(super) fn redrive(
    transaction: &Transaction<'_>,
    number: i64,
    target: &str,
    source_arn: &str,
    now: u64,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO sqs_messages
         (queue, id, body, attributes, trace, message_group, deduplication, sequence, source, sent, visible)
         SELECT ?, id, body, attributes, trace, message_group, deduplication, sequence, ?,
         CASE WHEN sequence IS NULL THEN sent ELSE ? END, visible FROM sqs_messages WHERE number = ?",
    )?;
    statement.execute(params![target, source_arn, now, number])?;
    let mut statement = transaction.prepare_cached("DELETE FROM sqs_messages WHERE number = ?")?;
    statement.execute([number])?;
    Ok(())
}

/// When a message that was received with this receipt becomes visible, and when it was received. `None` if it is gone,
/// or was received again since.
pub(super) fn in_flight(
    connection: &Connection,
    queue: &str,
    number: i64,
    receipt: &str,
) -> Result<Option<(u64, u64)>, AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT visible, last_received FROM sqs_messages WHERE number = ? AND queue = ? AND receipt = ?",
    )?;
    let found = statement.query_row(params![number, queue, receipt], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    Ok(found.optional()?)
}

pub(super) fn set_visible(
    transaction: &Transaction<'_>,
    number: i64,
    visible: u64,
) -> Result<(), AwsError> {
    let mut statement =
        transaction.prepare_cached("UPDATE sqs_messages SET visible = ? WHERE number = ?")?;
    statement.execute(params![visible, number])?;
    Ok(())
}

/// Delays the messages that were not yet received, counted from their sending.
pub(super) fn set_delay(
    transaction: &Transaction<'_>,
    queue: &str,
    delay: u64,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "UPDATE sqs_messages SET visible = sent + ? WHERE queue = ? AND receives = 0",
    )?;
    statement.execute(params![delay, queue])?;
    Ok(())
}

/// True if a queue has this message.
pub(super) fn has(connection: &Connection, queue: &str, number: i64) -> Result<bool, AwsError> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM sqs_messages WHERE number = ? AND queue = ?")?;
    Ok(statement.exists(params![number, queue])?)
}

/// Deletes a message if this is the receipt of its last receive.
pub(super) fn delete(
    transaction: &Transaction<'_>,
    queue: &str,
    number: i64,
    receipt: &str,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM sqs_messages WHERE number = ? AND queue = ? AND receipt = ?",
    )?;
    statement.execute(params![number, queue, receipt])?;
    Ok(())
}

pub(super) fn delete_all(transaction: &Transaction<'_>, queue: &str) -> Result<(), AwsError> {
    transaction.execute("DELETE FROM sqs_messages WHERE queue = ?", [queue])?;
    Ok(())
}

pub(super) fn delete_queue(transaction: &Transaction<'_>, queue: &str) -> Result<(), AwsError> {
    transaction.execute("DELETE FROM sqs_queues WHERE name = ?", [queue])?;
    delete_all(transaction, queue)
}

/// The numbers of a queue's messages.
pub(super) struct Counts {
    pub visible: u64,
    pub delayed: u64,
    pub in_flight: u64,
}

/// Counts the messages that were sent at or after `oldest`.
pub(super) fn counts(
    connection: &Connection,
    queue: &str,
    now: u64,
    oldest: u64,
) -> Result<Counts, AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(visible <= ?2), 0), coalesce(sum(visible > ?2 AND receives = 0), 0),
         coalesce(sum(visible > ?2 AND receives > 0), 0) FROM sqs_messages WHERE queue = ?1 AND sent >= ?3",
    )?;
    Ok(statement.query_row(params![queue, now, oldest], |row| {
        Ok(Counts {
            visible: row.get(0)?,
            delayed: row.get(1)?,
            in_flight: row.get(2)?,
        })
    })?)
}

fn parsed(text: &str) -> Result<Attributes, AwsError> {
    serde_json::from_str(text).map_err(AwsError::internal)
}

fn text(attributes: &Attributes) -> Result<String, AwsError> {
    serde_json::to_string(attributes).map_err(AwsError::internal)
}
