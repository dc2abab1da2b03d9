//! Publishing, and delivery to the subscriptions.
//!
//! The messages to queues are stored in the transaction of the publish, and so are the calls of functions that are
//! still to be made. So a message whose publish was acknowledged reaches all its subscriptions.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::Transaction;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Sns,
    answers::{element, invalid, list},
    fields::{members, required},
    message::{LIMIT, Message},
    table::{self, Call, Protocol, Subscription, Topic},
};
use crate::{
    error::AwsError,
    http::Form,
    names::now_millis,
    sqs::{MessageAttributes, Outgoing, Sqs},
    time::iso_millis,
};

const ENTRIES: &str = "PublishBatchRequestEntries.member";
/// The most messages of one request.
const MOST: usize = 10;

/// What a publish has to wake after its commit.
#[derive(Default)]
struct Woken {
    /// The ARNs of the queues that got a message.
    queues: BTreeSet<String>,
    calls: bool,
}

/// SNS's envelope around a message to a queue.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    #[serde(rename = "Type")]
    kind: &'static str,
    message_id: &'a str,
    topic_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    timestamp: &'a str,
    signature_version: &'a str,
    signature: &'a str,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: &'a str,
    #[serde(rename = "UnsubscribeURL")]
    unsubscribe_url: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    message_attributes: Map<String, Value>,
}

impl Sns {
    pub(super) fn publish_form(&self, form: &Form) -> Result<String, AwsError> {
        let topic_arn = topic_arn(form)?;
        let message = Message::read(form, "")?;
        message.check_size()?;
        self.send(topic_arn, std::slice::from_ref(&message))?;
        Ok(element("MessageId", &message.id))
    }

    pub(super) fn publish_batch(&self, form: &Form) -> Result<String, AwsError> {
        let topic_arn = required(form, "TopicArn")?;
        let entries = members(form, ENTRIES, ".Id");
        let ids: Vec<&str> = entries
            .iter()
            .filter_map(|entry| form.get(&format!("{entry}.Id")))
            .collect();
        check_batch(&ids)?;
        let messages = entries
            .iter()
            .map(|entry| Message::read(form, &format!("{entry}.")));
        let messages: Vec<Message> = messages.collect::<Result<_, _>>()?;
        if messages.iter().map(Message::size).sum::<usize>() > LIMIT {
            return Err(AwsError::client(
                "BatchRequestTooLong",
                "The length of all the messages put together is more than the limit.",
            ));
        }
        self.send(topic_arn, &messages)?;
        let successful = ids.iter().zip(&messages).map(|(id, message)| {
            format!("{}{}", element("Id", id), element("MessageId", &message.id))
        });
        Ok(format!("<Failed/>{}", list("Successful", successful)))
    }

    /// Publishes a text, and returns the message's id.
    ///
    /// # Errors
    ///
    /// `NotFound` for the topic; `InvalidParameter` for the text.
    pub fn publish(&self, topic_arn: &str, text: &str) -> Result<String, AwsError> {
        let message = Message::plain(text)?;
        message.check_size()?;
        self.send(topic_arn, std::slice::from_ref(&message))?;
        Ok(message.id)
    }

    fn send(&self, topic_arn: &str, messages: &[Message]) -> Result<(), AwsError> {
        let woken = self.store.write(|transaction| {
            let topic = table::existing_topic(transaction, topic_arn)?;
            let subscriptions = table::subscriptions(transaction, Some(&topic.name))?;
            let mut woken = Woken::default();
            for subscription in &subscriptions {
                let filter = subscription.filter().map_err(AwsError::internal)?;
                let wanted = messages.iter().filter(|message| {
                    let text = message.text(subscription.protocol);
                    filter
                        .as_ref()
                        .is_none_or(|filter| filter.passes(text, &message.attributes))
                });
                for message in wanted {
                    self.deliver(transaction, &topic, subscription, message, &mut woken)?;
                }
            }
            Ok::<_, AwsError>(woken)
        })?;
        for queue in &woken.queues {
            self.sqs.arrived(queue);
        }
        if woken.calls {
            self.waiting.notify_one();
        }
        Ok(())
    }

    fn deliver(
        &self,
        transaction: &Transaction<'_>,
        topic: &Topic,
        subscription: &Subscription,
        message: &Message,
        woken: &mut Woken,
    ) -> Result<(), AwsError> {
        let dead_letters = subscription.dead_letters();
        match subscription.protocol {
            Protocol::Sqs => {
                let outgoing = self.to_queue(topic, subscription, message)?;
                let queue = &subscription.endpoint;
                let sent = send_or_bury(transaction, queue, dead_letters.as_deref(), &outgoing)?;
                woken.queues.extend(sent.map(str::to_owned));
            }
            Protocol::Lambda => {
                let call = Call {
                    number: 0,
                    function: subscription.endpoint.clone(),
                    payload: self.event(topic, subscription, message).to_string(),
                    dead_letters,
                    envelope: self.envelope(topic, subscription, message)?,
                    attempts: 0,
                };
                table::insert_call(transaction, &call, now_millis())?;
                woken.calls = true;
            }
        }
        Ok(())
    }

    /// The message as a queue gets it.
    fn to_queue(
        &self,
        topic: &Topic,
        subscription: &Subscription,
        message: &Message,
    ) -> Result<Outgoing, AwsError> {
        let (body, attributes) = if subscription.is_raw() {
            let text = message.text(Protocol::Sqs).to_owned();
            (text, message.attributes.clone())
        } else {
            (
                self.envelope(topic, subscription, message)?,
                MessageAttributes::new(),
            )
        };
        Ok(Outgoing {
            body,
            attributes,
            group: message.group.clone(),
            ..Outgoing::default()
        })
    }

    fn envelope(
        &self,
        topic: &Topic,
        subscription: &Subscription,
        message: &Message,
    ) -> Result<String, AwsError> {
        let envelope = Envelope {
            kind: "Notification",
            message_id: &message.id,
            topic_arn: &topic.arn(),
            subject: message.subject.as_deref(),
            message: message.text(subscription.protocol),
            timestamp: &iso_millis(now_millis()),
            signature_version: signature_version(topic),
            signature: &signature(),
            signing_cert_url: &self.certificate_url(),
            unsubscribe_url: &self.unsubscribe_url(subscription),
            message_attributes: shown(&message.attributes),
        };
        serde_json::to_string(&envelope).map_err(AwsError::internal)
    }

    /// The message as a function gets it.
    fn event(&self, topic: &Topic, subscription: &Subscription, message: &Message) -> Value {
        json!({
            "Records": [{
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription.arn(),
                "Sns": {
                    "Type": "Notification",
                    "MessageId": message.id,
                    "TopicArn": topic.arn(),
                    "Subject": message.subject,
                    "Message": message.text(Protocol::Lambda),
                    "Timestamp": iso_millis(now_millis()),
                    "SignatureVersion": signature_version(topic),
                    "Signature": signature(),
                    "SigningCertUrl": self.certificate_url(),
                    "UnsubscribeUrl": self.unsubscribe_url(subscription),
                    "MessageAttributes": shown(&message.attributes),
                },
            }],
        })
    }

    /// There is no certificate, since messages are not signed. The URL has the form that AWS's has.
    fn certificate_url(&self) -> String {
        let endpoint = self.sqs.endpoint();
        format!("{endpoint}/SimpleNotificationService-0000000000000000.pem")
    }

    fn unsubscribe_url(&self, subscription: &Subscription) -> String {
        let endpoint = self.sqs.endpoint();
        format!(
            "{endpoint}/?Action=Unsubscribe&SubscriptionArn={}",
            subscription.arn()
        )
    }
}

/// Sends a message to a queue, or to the dead-letter queue if the queue is gone or refuses the message. If that one
/// refuses it too, the message is lost, as on AWS. Returns the queue that has it.
pub(super) fn send_or_bury<'a>(
    transaction: &Transaction<'_>,
    queue: &'a str,
    dead_letters: Option<&'a str>,
    outgoing: &Outgoing,
) -> Result<Option<&'a str>, AwsError> {
    for target in [Some(queue), dead_letters].into_iter().flatten() {
        match Sqs::send_within(transaction, target, outgoing) {
            Ok(()) => return Ok(Some(target)),
            Err(error) if error.status >= 500 => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

/// The topic of a publish. SNS also sends to telephones and apps, which the runtime does not.
fn topic_arn(form: &Form) -> Result<&str, AwsError> {
    for name in ["PhoneNumber", "TargetArn"] {
        let other = form.get(name);
        if other.is_some_and(|target| name == "PhoneNumber" || target.contains(":endpoint/")) {
            return Err(invalid(&format!(
                "{name} Reason: the local runtime publishes to topics only"
            )));
        }
    }
    form.get("TopicArn")
        .or(form.get("TargetArn"))
        .ok_or_else(|| invalid("TopicArn or TargetArn Reason: no value for required parameter"))
}

fn check_batch(ids: &[&str]) -> Result<(), AwsError> {
    let error = |code: &str, message: String| Err(AwsError::client(code, message));
    if ids.is_empty() {
        let message = "The batch request doesn't contain any entries.";
        return error("EmptyBatchRequest", message.to_owned());
    }
    if ids.len() > MOST {
        let message = "The batch request contains more entries than permissible.";
        return error("TooManyEntriesInBatchRequest", message.to_owned());
    }
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        let message = "Two or more batch entries in the request have the same Id.";
        return error("BatchEntryIdsNotDistinct", message.to_owned());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let valid = |id: &&&str| (1..=80).contains(&id.len()) && id.bytes().all(allowed);
    ids.iter().find(|id| !valid(id)).map_or(Ok(()), |id| {
        error(
            "InvalidBatchEntryId",
            format!(
                "The Id of a batch entry in the batch request is too long or contains an impermissible character: {id}"
            ),
        )
    })
}

fn signature_version(topic: &Topic) -> &str {
    topic
        .attributes
        .get("SignatureVersion")
        .map_or("1", String::as_str)
}

/// Messages are not signed.
fn signature() -> String {
    BASE64_STANDARD.encode("not signed: this message is from a local runtime")
}

/// The attributes of a message as SNS shows them.
fn shown(attributes: &MessageAttributes) -> Map<String, Value> {
    let shown = attributes.iter().map(|(name, attribute)| {
        let value = attribute
            .string_value
            .as_ref()
            .or(attribute.binary_value.as_ref());
        (
            name.clone(),
            json!({ "Type": attribute.data_type, "Value": value }),
        )
    });
    shown.collect()
}
