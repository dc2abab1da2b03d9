//! The groups of a FIFO queue: which messages can be received.
//!
//! A group's messages are received in the order in which the queue got them. While one of them is in flight or delayed,
//! the group's other messages wait.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::table::{STORED, Stored, stored};
use crate::error::AwsError;

/// Only messages of FIFO queues have a sequence number. So the indexes cost standard queues nothing.
pub(super) const SCHEMA: &str = "
CREATE INDEX IF NOT EXISTS sqs_messages_order ON sqs_messages (queue, number) WHERE sequence IS NOT NULL;
CREATE INDEX IF NOT EXISTS sqs_messages_group ON sqs_messages (queue, message_group, number) WHERE sequence IS NOT NULL;
CREATE INDEX IF NOT EXISTS sqs_messages_received ON sqs_messages (queue, message_group, visible)
  WHERE sequence IS NOT NULL AND receives > 0;
";

/// Goes through the messages that can be received, until `take` returns false. As on AWS, a group's messages come
/// together. The groups are in the order of their first messages.
pub(super) fn available(
    transaction: &Transaction<'_>,
    queue: &str,
    now: u64,
    mut take: impl FnMut(Stored) -> bool,
) -> Result<(), AwsError> {
    let mut last = 0;
    while let Some((first, group)) = next(transaction, queue, now, last)? {
        if !each(transaction, queue, &group, now, &mut take)? {
            break;
        }
        last = first;
    }
    Ok(())
}

/// The next group whose messages can be received: the number of its first message, which is greater than `after`, and
/// the group's name.
pub(super) fn next(
    connection: &Connection,
    queue: &str,
    now: u64,
    after: i64,
) -> Result<Option<(i64, String)>, AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, message_group FROM sqs_messages AS first INDEXED BY sqs_messages_order
         WHERE queue = ?1 AND sequence IS NOT NULL AND number > ?2 AND visible <= ?3
         AND NOT EXISTS (
           SELECT 1 FROM sqs_messages AS earlier INDEXED BY sqs_messages_group
           WHERE earlier.queue = ?1 AND earlier.sequence IS NOT NULL
           AND earlier.message_group = first.message_group AND earlier.number < first.number
         )
         AND NOT EXISTS (
           SELECT 1 FROM sqs_messages AS received INDEXED BY sqs_messages_received
           WHERE received.queue = ?1 AND received.sequence IS NOT NULL AND received.receives > 0
           AND received.message_group = first.message_group AND received.visible > ?3
         )
         ORDER BY number LIMIT 1",
    )?;
    let found = statement.query_row(params![queue, after, now], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    Ok(found.optional()?)
}

/// Goes through a group's messages up to the first one that is delayed. Returns false if `take` did.
fn each(
    transaction: &Transaction<'_>,
    queue: &str,
    group: &str,
    now: u64,
    take: &mut impl FnMut(Stored) -> bool,
) -> Result<bool, AwsError> {
    let mut statement = transaction.prepare_cached(&format!(
        "{STORED} WHERE queue = ? AND sequence IS NOT NULL AND message_group = ? ORDER BY number"
    ))?;
    let mut rows = statement.query([queue, group])?;
    while let Some(row) = rows.next()? {
        let message = stored(row)?;
        if message.visible > now {
            break;
        }
        if !take(message) {
            return Ok(false);
        }
    }
    Ok(true)
}
