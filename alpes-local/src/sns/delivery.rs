//! Delivery of a message to a subscription: what the queue or function gets.

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::Transaction;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Sns,
    fifo::Order,
    message::Message,
    table::{self, Call, Protocol, Subscription, Topic},
};
use crate::{
    chaos::Kind,
    error::AwsError,
    iam::{Acting, Denied},
    names::now_millis,
    sqs::{MessageAttributes, Outgoing, Sqs, is_fifo},
    time::iso_millis,
};

/// A message on its way to a subscription.
pub(super) struct Delivery<'a> {
    pub topic: &'a Topic,
    pub subscription: &'a Subscription,
    pub message: &'a Message,
    /// `None` for a message of a standard topic.
    pub order: Option<&'a Order>,
}

/// The receiver to wake after the commit of a delivery.
pub(super) enum Woken {
    /// The queue with this ARN.
    Queue(String),
    /// The task that calls functions.
    Calls,
    /// Nothing, since no queue took the message.
    Nothing,
}

/// SNS's envelope around a message to a queue. A FIFO topic signs nothing.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    #[serde(rename = "Type")]
    kind: &'static str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<&'a str>,
    topic_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    timestamp: &'a str,
    #[serde(flatten)]
    signature: Option<Signed<'a>>,
    #[serde(rename = "UnsubscribeURL")]
    unsubscribe_url: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    message_attributes: Map<String, Value>,
}

/// The form of a signature. Messages are not signed here.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Signed<'a> {
    signature_version: &'a str,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
}

impl Sns {
    /// Stores a message for the queue, or the call of the function that is to be made.
    pub(super) fn deliver(
        &self,
        transaction: &Transaction<'_>,
        delivery: &Delivery<'_>,
    ) -> Result<Woken, AwsError> {
        let subscription = delivery.subscription;
        let dead_letters = subscription.dead_letters();
        let is_let_in = self.is_let_in(delivery).is_ok();
        let sent = |queue: Option<&str>| {
            queue.map_or(Woken::Nothing, |queue| Woken::Queue(queue.to_owned()))
        };
        match subscription.protocol {
            Protocol::Sqs => {
                let outgoing = self.to_queue(delivery)?;
                let queue = Some(&*subscription.endpoint).filter(|_| is_let_in);
                let targets = [queue, dead_letters.as_deref()];
                if self.repeats(delivery) {
                    send_to_first(transaction, targets, &outgoing)?;
                }
                send_to_first(transaction, targets, &outgoing).map(sent)
            }
            Protocol::Lambda if !is_let_in => {
                let outgoing = Outgoing {
                    body: self.envelope(delivery)?,
                    ..Outgoing::default()
                };
                let targets = [dead_letters.as_deref(), None];
                send_to_first(transaction, targets, &outgoing).map(sent)
            }
            Protocol::Lambda => {
                let call = Call {
                    number: 0,
                    function: subscription.endpoint.clone(),
                    payload: self.event(delivery).to_string(),
                    dead_letters,
                    envelope: self.envelope(delivery)?,
                    attempts: 0,
                };
                table::insert_call(transaction, &call, now_millis())?;
                Ok(Woken::Calls)
            }
        }
    }

    /// A standard topic delivers at least once: <https://aws.amazon.com/sns/faqs/>.
    fn repeats(&self, delivery: &Delivery<'_>) -> bool {
        let (queue, id) = (&delivery.subscription.endpoint, &delivery.message.id);
        let chaos = self.chaos.as_ref().filter(|_| delivery.order.is_none());
        chaos.is_some_and(|chaos| chaos.strikes(Kind::NoticeTwice, &format!("sns {queue}"), id))
    }

    /// Checks that the policy of the queue or function lets the topic in.
    fn is_let_in(&self, delivery: &Delivery<'_>) -> Result<(), Denied> {
        let action = match delivery.subscription.protocol {
            Protocol::Sqs => "sqs:SendMessage",
            Protocol::Lambda => "lambda:InvokeFunction",
        };
        let (service, source) = ("sns.amazonaws.com", &*delivery.topic.arn());
        let acting = Acting::Service { service, source };
        self.iam
            .check(&acting, action, &delivery.subscription.endpoint)
    }

    /// The message as a queue gets it. A FIFO topic gives the ids of its messages to FIFO queues only.
    fn to_queue(&self, delivery: &Delivery<'_>) -> Result<Outgoing, AwsError> {
        let message = delivery.message;
        let (body, attributes) = if delivery.subscription.is_raw() {
            let text = message.text(Protocol::Sqs).to_owned();
            (text, message.attributes.clone())
        } else {
            (self.envelope(delivery)?, MessageAttributes::new())
        };
        let to_fifo = is_fifo(&delivery.subscription.endpoint);
        let order = delivery.order.filter(|_| to_fifo);
        let takes_group = to_fifo || delivery.order.is_none();
        Ok(Outgoing {
            body,
            attributes,
            group: message.group.clone().filter(|_| takes_group),
            deduplication: order.map(|order| order.deduplication.clone()),
            ..Outgoing::default()
        })
    }

    fn envelope(&self, delivery: &Delivery<'_>) -> Result<String, AwsError> {
        let (topic, message) = (delivery.topic, delivery.message);
        let signature = Signed {
            signature_version: signature_version(topic),
            signature: signature(),
            signing_cert_url: self.certificate_url(),
        };
        let envelope = Envelope {
            kind: "Notification",
            message_id: &message.id,
            sequence_number: delivery.order.map(|order| order.sequence.as_str()),
            topic_arn: &topic.arn(),
            subject: message.subject.as_deref(),
            message: message.text(delivery.subscription.protocol),
            timestamp: &iso_millis(now_millis()),
            signature: Some(signature).filter(|_| delivery.order.is_none()),
            unsubscribe_url: &self.unsubscribe_url(delivery.subscription),
            message_attributes: shown(&message.attributes),
        };
        serde_json::to_string(&envelope).map_err(AwsError::internal)
    }

    /// The message as a function gets it.
    fn event(&self, delivery: &Delivery<'_>) -> Value {
        let (topic, message) = (delivery.topic, delivery.message);
        json!({
            "Records": [{
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": delivery.subscription.arn(),
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
                    "UnsubscribeUrl": self.unsubscribe_url(delivery.subscription),
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

/// Sends a message to the first of these queues that takes it: the queue of a subscription, and its dead-letter queue. If
/// none takes it, the message is lost, as on AWS. Returns the queue that has it.
pub(super) fn send_to_first<'a>(
    transaction: &Transaction<'_>,
    queues: [Option<&'a str>; 2],
    outgoing: &Outgoing,
) -> Result<Option<&'a str>, AwsError> {
    for target in queues.into_iter().flatten() {
        match Sqs::send_within(transaction, target, outgoing) {
            Ok(()) => return Ok(Some(target)),
            Err(error) if error.status >= 500 => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
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
