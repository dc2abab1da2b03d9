//! Sending messages.

use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Sqs,
    attributes::{self, MessageAttributes, carried, checksum, size},
    batch::{self, Batch},
    errors::{invalid_parameter, invalid_value, missing_parameter, no_queue},
    fifo, names, read_for_queue,
    table::{self, NewMessage, Place, Queue},
};
use crate::{error::AwsError, names::now_millis};

/// SQS's limit on the messages of one request together, in bytes.
const BATCH_LIMIT: usize = 1_048_576;
/// The only attribute that a sender sets for AWS instead of for the receiver.
const TRACE: &str = "AWSTraceHeader";

/// A message to be sent.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Outgoing {
    #[serde(default, rename = "MessageBody")]
    pub body: String,
    #[serde(default, rename = "MessageAttributes")]
    pub attributes: MessageAttributes,
    /// The attributes that are for AWS.
    #[serde(default, rename = "MessageSystemAttributes")]
    pub system_attributes: MessageAttributes,
    /// The sender's group. A FIFO queue keeps its order. AWS shares a standard queue fairly by it; here it is carried
    /// only.
    #[serde(rename = "MessageGroupId")]
    pub group: Option<String>,
    /// Seconds until the message can be received; `None` for the queue's own delay.
    #[serde(rename = "DelaySeconds")]
    pub delay: Option<u64>,
    /// The id by which a FIFO queue knows duplicates. Standard queues refuse it.
    #[serde(rename = "MessageDeduplicationId")]
    pub deduplication: Option<String>,
}

impl Sqs {
    pub(super) fn send_message(&self, input: Value) -> Result<Value, AwsError> {
        let (url, outgoing): (_, Outgoing) = read_for_queue(input)?;
        let name = names::queue_at(&url)?;
        let answer = self.store.write(|transaction| {
            let queue = table::existing(transaction, name)?;
            put(transaction, &queue, &outgoing, now_millis())
        })?;
        self.arrivals.arrived(name);
        Ok(answer.into())
    }

    pub(super) fn send_message_batch(&self, input: Value) -> Result<Value, AwsError> {
        let batch: Batch<Outgoing> = Batch::read(input, "SendMessageBatchRequestEntry")?;
        check_batch_size(&batch.entries)?;
        let name = names::queue_at(&batch.queue_url)?;
        let answer = self.store.write(|transaction| {
            let queue = table::existing(transaction, name)?;
            let mut entries = batch.entries.iter();
            entries.try_for_each(|(_, outgoing)| fifo::check_ids(&queue, outgoing))?;
            batch::each(batch.entries.iter(), |outgoing| {
                put(transaction, &queue, outgoing, now_millis())
            })
        })?;
        self.arrivals.arrived(name);
        Ok(answer)
    }

    /// Sends a message as a part of another service's transaction. After the commit, [`Sqs::arrived`] wakes the
    /// receivers that wait.
    ///
    /// # Errors
    ///
    /// `QueueDoesNotExist`, or that of a message which the queue refuses.
    pub(crate) fn send_within(
        transaction: &Transaction<'_>,
        queue_arn: &str,
        outgoing: &Outgoing,
    ) -> Result<(), AwsError> {
        let name = names::queue_of(queue_arn).ok_or_else(no_queue)?;
        let queue = table::existing(transaction, name)?;
        put(transaction, &queue, outgoing, now_millis())?;
        Ok(())
    }
}

fn check_batch_size(entries: &[(String, Outgoing)]) -> Result<(), AwsError> {
    let sizes = entries
        .iter()
        .map(|(_, outgoing)| outgoing.body.len() + size(&outgoing.attributes));
    let total: usize = sizes.sum();
    if total <= BATCH_LIMIT {
        return Ok(());
    }
    Err(AwsError::client(
        "BatchRequestTooLong",
        format!(
            "Batch requests cannot be longer than {BATCH_LIMIT} bytes. You have sent {total} bytes."
        ),
    ))
}

/// Accepts a message, and returns the answer to its sender. A FIFO queue stores no duplicate.
fn put(
    transaction: &Transaction<'_>,
    queue: &Queue,
    outgoing: &Outgoing,
    now: u64,
) -> Result<Map<String, Value>, AwsError> {
    check(queue, outgoing)?;
    let id = Uuid::new_v4().to_string();
    let Some(fifo) = queue.settings.fifo else {
        store(transaction, queue, outgoing, &id, None, now)?;
        return Ok(answer(outgoing, id));
    };
    let given = outgoing.deduplication.clone();
    let deduplication = given.unwrap_or_else(|| fifo::content_id(&outgoing.body));
    let candidate = fifo.candidate(queue, outgoing, &deduplication, &id);
    let accepted = fifo::ACCEPTED.accept(transaction, &candidate, now)?;
    if accepted.is_new {
        let place = Place {
            deduplication: &deduplication,
            sequence: accepted.sequence,
        };
        store(transaction, queue, outgoing, &id, Some(place), now)?;
    }
    let mut answer = answer(outgoing, accepted.id);
    let sequence = fifo::sequence_number(accepted.sequence);
    answer.insert("SequenceNumber".to_owned(), sequence.into());
    Ok(answer)
}

fn store(
    transaction: &Transaction<'_>,
    queue: &Queue,
    outgoing: &Outgoing,
    id: &str,
    place: Option<Place<'_>>,
    now: u64,
) -> Result<(), AwsError> {
    // In a FIFO queue, a message has no delay of its own: its only valid delay of 0 stands for the queue's.
    let own_delay = outgoing.delay.filter(|_| place.is_none());
    let delay = own_delay.map_or(queue.settings.delay, |seconds| seconds * 1_000);
    let attributes = serde_json::to_string(&outgoing.attributes).map_err(AwsError::internal)?;
    let trace = outgoing.system_attributes.get(TRACE);
    let message = NewMessage {
        id,
        body: &outgoing.body,
        attributes: &attributes,
        trace: trace.and_then(|trace| trace.string_value.as_deref()),
        group: outgoing.group.as_deref(),
        place,
        sent: now,
        visible: now + delay,
    };
    table::insert(transaction, &queue.name, &message)
}

fn answer(outgoing: &Outgoing, id: String) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("MessageId".to_owned(), id.into());
    let body_checksum = format!("{:x}", md5::compute(&outgoing.body));
    answer.insert("MD5OfMessageBody".to_owned(), body_checksum.into());
    if let Some(checksum) = checksum(&outgoing.attributes) {
        answer.insert("MD5OfMessageAttributes".to_owned(), checksum.into());
    }
    if let Some(checksum) = checksum(&outgoing.system_attributes) {
        answer.insert("MD5OfMessageSystemAttributes".to_owned(), checksum.into());
    }
    answer
}

fn check(queue: &Queue, outgoing: &Outgoing) -> Result<(), AwsError> {
    fifo::check(queue, outgoing)?;
    if let Some(delay) = outgoing.delay.filter(|delay| *delay > 900) {
        return Err(invalid_parameter(
            "DelaySeconds",
            &delay.to_string(),
            "DelaySeconds must be >= 0 and <= 900.",
        ));
    }
    check_body(&outgoing.body)?;
    attributes::check(&outgoing.attributes)?;
    check_system_attributes(&outgoing.system_attributes)?;
    let limit = queue.settings.maximum_size;
    if outgoing.body.len() + size(&outgoing.attributes) > limit {
        return Err(invalid_value(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        )));
    }
    Ok(())
}

fn check_body(body: &str) -> Result<(), AwsError> {
    if body.is_empty() {
        return Err(missing_parameter("MessageBody"));
    }
    if body.chars().all(carried) {
        return Ok(());
    }
    Err(AwsError::client(
        "InvalidMessageContents",
        "Invalid characters found in the message body. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
         #xE000 to #xFFFD | #x10000 to #x10FFFF",
    ))
}

fn check_system_attributes(attributes: &MessageAttributes) -> Result<(), AwsError> {
    for (name, attribute) in attributes {
        let valid =
            name == TRACE && attribute.data_type == "String" && attribute.string_value.is_some();
        if !valid {
            return Err(invalid_parameter(
                "MessageSystemAttributes",
                name,
                "The only message system attribute is AWSTraceHeader, of type String.",
            ));
        }
    }
    attributes::check(attributes)
}
