//! SQS: queues of messages that are hidden while a receiver works on them.

mod arrivals;
mod attributes;
mod batch;
mod duplicates;
mod errors;
mod expiry;
mod fifo;
mod groups;
mod names;
mod queues;
mod receipt;
mod receiving;
mod sending;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use self::{
    arrivals::Arrivals,
    errors::{missing_parameter, no_queue},
};
use crate::{
    error::AwsError,
    names::{ACCOUNT, last_part},
    store::Store,
};

pub use attributes::{MessageAttribute, MessageAttributes};
pub(crate) use attributes::{carried, size};
pub(crate) use duplicates::{Candidate, Duplicates};
pub use errors::error_answer;
pub(crate) use fifo::{content_id, sequence_number, valid_id};
pub(crate) use names::is_fifo;
pub(crate) use sending::Outgoing;

/// The queues, of both types: standard and FIFO.
pub struct Sqs {
    store: Arc<Store>,
    endpoint: String,
    arrivals: Arrivals,
}

/// A received message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The message's id, the same in each receive.
    pub id: String,
    /// The receipt by which this receiver deletes the message.
    pub receipt: String,
    /// The body.
    pub body: String,
    /// The attributes that SQS gives to a message, as texts: `SentTimestamp`, `ApproximateReceiveCount`, …
    pub attributes: Map<String, Value>,
    /// The sender's attributes.
    pub message_attributes: MessageAttributes,
}

impl Message {
    /// The MD5 of the body, in hexadecimal.
    #[must_use]
    pub fn md5_of_body(&self) -> String {
        format!("{:x}", md5::compute(&self.body))
    }

    /// The MD5 of the sender's attributes, in hexadecimal; `None` without attributes.
    #[must_use]
    pub fn md5_of_message_attributes(&self) -> Option<String> {
        attributes::checksum(&self.message_attributes)
    }

    /// The sender's attributes, as `ReceiveMessage` shows them.
    #[must_use]
    pub fn shown_attributes(&self) -> Map<String, Value> {
        let shown = self.message_attributes.iter().map(|(name, attribute)| {
            let value = serde_json::to_value(attribute).unwrap_or_default();
            (name.clone(), value)
        });
        shown.collect()
    }
}

impl Sqs {
    /// The queues in this store. `endpoint` is where clients reach the runtime: `http://127.0.0.1:4566`. The URLs of
    /// queues begin with it.
    ///
    /// # Errors
    ///
    /// If the tables cannot be made.
    pub fn new(store: Arc<Store>, endpoint: &str) -> Result<Self, AwsError> {
        store.schema(table::SCHEMA)?;
        store.schema(groups::SCHEMA)?;
        store.schema(&fifo::ACCEPTED.schema())?;
        Ok(Self {
            store,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            arrivals: Arrivals::default(),
        })
    }

    /// Answers a request of the JSON protocol. For an error, [`error_answer`] makes the whole answer.
    ///
    /// # Errors
    ///
    /// As the operation. Its codes are those of the JSON protocol.
    pub async fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        match operation {
            "CreateQueue" => self.create_queue(input),
            "GetQueueUrl" => self.get_queue_url(input),
            "ListQueues" => self.list_queues(input),
            "DeleteQueue" => self.delete_queue(input),
            "PurgeQueue" => self.purge_queue(input),
            "GetQueueAttributes" => self.get_queue_attributes(input),
            "SetQueueAttributes" => self.set_queue_attributes(input),
            "TagQueue" => self.tag_queue(input),
            "UntagQueue" => self.untag_queue(input),
            "ListQueueTags" => self.list_queue_tags(input),
            "SendMessage" => self.send_message(input),
            "SendMessageBatch" => self.send_message_batch(input),
            "ReceiveMessage" => self.receive_message(input).await,
            "DeleteMessage" => self.delete_message(input),
            "DeleteMessageBatch" => self.delete_message_batch(input),
            "ChangeMessageVisibility" => self.change_message_visibility(input),
            "ChangeMessageVisibilityBatch" => self.change_message_visibility_batch(input),
            _ => Err(AwsError::client(
                "UnknownOperationException",
                format!("The local runtime has no SQS operation {operation}."),
            )),
        }
    }

    /// Sends a message with attributes to the standard queue with this ARN, and returns the message's id.
    ///
    /// # Errors
    ///
    /// `QueueDoesNotExist`, or if the queue refuses the message. A FIFO queue refuses it, since it has no group.
    pub fn send(
        &self,
        queue_arn: &str,
        body: &str,
        attributes: &MessageAttributes,
    ) -> Result<String, AwsError> {
        let url = self.url_of(queue_arn)?;
        let message = json!({
            "QueueUrl": url,
            "MessageBody": body,
            "MessageAttributes": attributes,
        });
        let sent = self.send_message(message)?;
        let id = sent.get("MessageId").and_then(Value::as_str);
        Ok(id.unwrap_or_default().to_owned())
    }

    /// A count that grows whenever messages may have become visible, except when a time is over: use
    /// [`Sqs::receive`] with a wait for delayed messages and for time-outs.
    ///
    /// # Errors
    ///
    /// `QueueDoesNotExist` if this is not the ARN of a queue in this account.
    pub fn changes(&self, queue_arn: &str) -> Result<watch::Receiver<u64>, AwsError> {
        let name = names::queue_of(queue_arn).ok_or_else(no_queue)?;
        self.store
            .read(|connection| table::existing(connection, name))?;
        Ok(self.arrivals.watch(name))
    }

    /// The URL of the queue with this name.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.endpoint)
    }

    /// Where clients reach the runtime.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Wakes the receivers of a queue after [`Sqs::send_within`].
    pub(crate) fn arrived(&self, queue_arn: &str) {
        self.arrivals.arrived(last_part(queue_arn));
    }

    fn url_of(&self, queue_arn: &str) -> Result<String, AwsError> {
        let name = names::queue_of(queue_arn).ok_or_else(no_queue)?;
        Ok(self.url(name))
    }
}

/// Reads a request. Fields that the operation does not have are refused by name.
fn read<T: DeserializeOwned>(input: Value) -> Result<T, AwsError> {
    serde_json::from_value(input).map_err(|error| unreadable(&error.to_string()))
}

/// Reads a request to a queue: the queue's URL and the rest.
fn read_for_queue<T: DeserializeOwned>(mut input: Value) -> Result<(String, T), AwsError> {
    let url = take_text(&mut input, "QueueUrl")?;
    Ok((url, read(input)?))
}

/// Takes a required text out of a request.
fn take_text(input: &mut Value, name: &str) -> Result<String, AwsError> {
    let taken = input.as_object_mut().and_then(|fields| fields.remove(name));
    match taken {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(AwsError::client(
            "SerializationException",
            format!("The field {name} must be a text."),
        )),
        None => Err(missing_parameter(name)),
    }
}

fn unreadable(message: &str) -> AwsError {
    let missing = message.strip_prefix("missing field `");
    let missing = missing.and_then(|rest| rest.split('`').next());
    missing.map_or_else(
        || AwsError::client("SerializationException", message),
        missing_parameter,
    )
}
