//! Receipts: what a receiver shows to delete a message, or to change how long it is hidden.

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Sqs,
    batch::{self, Batch},
    errors::{invalid_parameter, invalid_receipt, missing_parameter},
    names, read_for_queue,
    table::{self, Queue},
};
use crate::{
    error::AwsError,
    names::{last_part, now_millis},
};

/// The most seconds for which a message is hidden, counted from its last receive.
const LONGEST: u64 = 43_200;

/// A receipt of a message. Each receive has another one, and only the last one counts.
pub(super) struct Receipt {
    queue: String,
    number: i64,
    /// Differs in each receive.
    pub token: String,
}

impl Receipt {
    pub fn new(queue: &str, number: i64) -> Self {
        Self {
            queue: queue.to_owned(),
            number,
            token: Uuid::new_v4().to_string(),
        }
    }

    pub fn handle(&self) -> String {
        BASE64_STANDARD.encode(format!("{} {} {}", self.queue, self.number, self.token))
    }

    /// Reads a receipt that a client sent for a queue.
    fn read(handle: &str, queue: &str) -> Result<Self, AwsError> {
        Self::parse(handle)
            .filter(|receipt| receipt.queue == queue)
            .ok_or_else(|| invalid_receipt(handle))
    }

    fn parse(handle: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64_STANDARD.decode(handle).ok()?).ok()?;
        let mut parts = text.split(' ');
        Some(Self {
            queue: parts.next()?.to_owned(),
            number: parts.next()?.parse().ok()?,
            token: parts.next()?.to_owned(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeVisibility {
    receipt_handle: String,
    visibility_timeout: Option<u64>,
}

impl Sqs {
    pub(super) fn delete_message(&self, input: Value) -> Result<Value, AwsError> {
        let (url, delete): (_, Delete) = read_for_queue(input)?;
        self.with_queue(&url, |transaction, queue| {
            delete_one(transaction, queue, &delete.receipt_handle)
        })?;
        self.deleted(names::queue_at(&url)?);
        Ok(json!({}))
    }

    pub(super) fn delete_message_batch(&self, input: Value) -> Result<Value, AwsError> {
        let batch: Batch<Delete> = Batch::read(input, "DeleteMessageBatchRequestEntry")?;
        let answer = self.with_queue(&batch.queue_url, |transaction, queue| {
            batch::each(batch.entries.iter(), |delete| {
                delete_one(transaction, queue, &delete.receipt_handle).map(|()| Map::new())
            })
        })?;
        self.deleted(names::queue_at(&batch.queue_url)?);
        Ok(answer)
    }

    pub(super) fn change_message_visibility(&self, input: Value) -> Result<Value, AwsError> {
        let (url, change): (_, ChangeVisibility) = read_for_queue(input)?;
        self.with_queue(&url, |transaction, queue| {
            change_one(transaction, queue, &change)
        })?;
        self.arrivals.arrived(names::queue_at(&url)?);
        Ok(json!({}))
    }

    pub(super) fn change_message_visibility_batch(&self, input: Value) -> Result<Value, AwsError> {
        let kind = "ChangeMessageVisibilityBatchRequestEntry";
        let batch: Batch<ChangeVisibility> = Batch::read(input, kind)?;
        let answer = self.with_queue(&batch.queue_url, |transaction, queue| {
            batch::each(batch.entries.iter(), |change| {
                change_one(transaction, queue, change).map(|()| Map::new())
            })
        })?;
        self.arrivals.arrived(names::queue_at(&batch.queue_url)?);
        Ok(answer)
    }

    /// Deletes messages that were received from a queue, by their receipts. A receipt of an earlier receive, or of a
    /// message that is gone, does nothing.
    ///
    /// # Errors
    ///
    /// `QueueDoesNotExist`; `ReceiptHandleIsInvalid` for a receipt of another queue; then nothing is deleted.
    pub fn delete(&self, queue_arn: &str, receipts: &[String]) -> Result<(), AwsError> {
        self.with_queue(&self.url_of(queue_arn)?, |transaction, queue| {
            receipts.iter().try_for_each(|handle| {
                let receipt = Receipt::read(handle, &queue.name)?;
                table::delete(transaction, &queue.name, receipt.number, &receipt.token)
            })
        })?;
        self.deleted(last_part(queue_arn));
        Ok(())
    }

    /// Hides received messages for `seconds` from now; 0 shows them again at once. Messages that are no longer in
    /// flight stay as they are.
    ///
    /// # Errors
    ///
    /// `QueueDoesNotExist`; `ReceiptHandleIsInvalid` for a receipt of another queue; then nothing has changed.
    pub fn change_visibility(
        &self,
        queue_arn: &str,
        receipts: &[String],
        seconds: u64,
    ) -> Result<(), AwsError> {
        let url = self.url_of(queue_arn)?;
        self.with_queue(&url, |transaction, queue| {
            for receipt in receipts {
                let change = ChangeVisibility {
                    receipt_handle: receipt.clone(),
                    visibility_timeout: Some(seconds),
                };
                match change_one(transaction, queue, &change) {
                    Err(error) if error.code == "MessageNotInflight" => {}
                    other => other?,
                }
            }
            Ok(())
        })?;
        self.arrived(queue_arn);
        Ok(())
    }

    /// Wakes the receivers of a FIFO queue: with the deleted messages, groups may have nothing in flight any more.
    fn deleted(&self, name: &str) {
        if names::is_fifo(name) {
            self.arrivals.arrived(name);
        }
    }

    /// Does something with a queue's messages.
    fn with_queue<T>(
        &self,
        url: &str,
        act: impl FnOnce(&Transaction<'_>, &Queue) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let name = names::queue_at(url)?;
        self.store.write(|transaction| {
            let queue = table::existing(transaction, name)?;
            act(transaction, &queue)
        })
    }
}

fn delete_one(transaction: &Transaction<'_>, queue: &Queue, handle: &str) -> Result<(), AwsError> {
    let receipt = Receipt::read(handle, &queue.name)?;
    if queue.settings.fifo.is_some() {
        check_current(transaction, &receipt, handle)?;
    }
    table::delete(transaction, &queue.name, receipt.number, &receipt.token)
}

/// A FIFO queue refuses a receipt after the message's visibility time-out, since then another receiver may get the
/// message. A message that is gone is no error.
fn check_current(
    transaction: &Transaction<'_>,
    receipt: &Receipt,
    handle: &str,
) -> Result<(), AwsError> {
    let (queue, number) = (&receipt.queue, receipt.number);
    let found = table::in_flight(transaction, queue, number, &receipt.token)?;
    let is_current = found.is_some_and(|(visible, _)| visible > now_millis());
    if is_current || !table::has(transaction, queue, number)? {
        return Ok(());
    }
    Err(invalid_parameter(
        "ReceiptHandle",
        handle,
        "The receipt handle has expired.",
    ))
}

fn change_one(
    transaction: &Transaction<'_>,
    queue: &Queue,
    change: &ChangeVisibility,
) -> Result<(), AwsError> {
    let seconds = change
        .visibility_timeout
        .ok_or_else(|| missing_parameter("VisibilityTimeout"))?;
    let refused =
        |reason: &str| invalid_parameter("VisibilityTimeout", &seconds.to_string(), reason);
    if seconds > LONGEST {
        return Err(refused(
            "VisibilityTimeout must be an integer between 0 and 43200.",
        ));
    }
    let receipt = Receipt::read(&change.receipt_handle, &queue.name)?;
    let now = now_millis();
    let (visible, received) =
        table::in_flight(transaction, &queue.name, receipt.number, &receipt.token)?
            .filter(|(visible, _)| *visible > now)
            .ok_or_else(not_in_flight)?;
    let new = now + seconds * 1_000;
    if new > visible && new > received + LONGEST * 1_000 {
        return Err(refused(
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
        ));
    }
    table::set_visible(transaction, receipt.number, new)
}

fn not_in_flight() -> AwsError {
    AwsError::client(
        "MessageNotInflight",
        "The message referred to isn't in flight: it was deleted, is visible again, or was received again.",
    )
}
