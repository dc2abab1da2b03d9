//! Publishing, and delivery to the subscriptions.
//!
//! The messages to queues are stored in the transaction of the publish, and so are the calls of functions that are
//! still to be made. So a message whose publish was acknowledged reaches all its subscriptions.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use super::{
    Sns,
    answers::{invalid, list},
    delivery::{Delivery, Woken},
    fields::{members, required},
    fifo::Accepted,
    message::{LIMIT, Message},
    table::{self, Subscription, Topic},
};
use crate::{
    error::AwsError,
    http::{Form, xml_element},
    names::now_millis,
    sqs::MessageAttributes,
};

const ENTRIES: &str = "PublishBatchRequestEntries.member";
/// The most messages of one request.
const MOST: usize = 10;

impl Sns {
    pub(super) fn publish_form(&self, form: &Form) -> Result<String, AwsError> {
        let topic_arn = topic_arn(form)?;
        let message = Message::read(form, "")?;
        message.check_size()?;
        let accepted = self.send(topic_arn, std::slice::from_ref(&message))?;
        Ok(accepted.iter().map(shown).collect())
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
        let accepted = self.send(topic_arn, &messages)?;
        let successful = ids
            .iter()
            .zip(&accepted)
            .map(|(id, accepted)| format!("{}{}", xml_element("Id", id), shown(accepted)));
        Ok(format!("<Failed/>{}", list("Successful", successful)))
    }

    /// Publishes a text with attributes to a standard topic, and returns the message's id.
    ///
    /// # Errors
    ///
    /// `NotFound` for the topic; `InvalidParameter` for the text. A FIFO topic refuses it, since it has no group.
    pub fn publish(
        &self,
        topic_arn: &str,
        text: String,
        attributes: MessageAttributes,
    ) -> Result<String, AwsError> {
        let message = Message::plain(text, attributes)?;
        message.check_size()?;
        self.send(topic_arn, std::slice::from_ref(&message))?;
        Ok(message.id)
    }

    /// Accepts messages, and delivers those that are no duplicates.
    fn send(&self, topic_arn: &str, messages: &[Message]) -> Result<Vec<Accepted>, AwsError> {
        let (accepted, woken) = self.store.write(|transaction| {
            let topic = table::existing_topic(transaction, topic_arn)?;
            let now = now_millis();
            let accepted = messages.iter();
            let accepted = accepted.map(|message| topic.accept(transaction, message, now));
            let accepted: Vec<Accepted> = accepted.collect::<Result<_, _>>()?;
            let fresh = messages.iter().zip(&accepted);
            let fresh: Vec<_> = fresh.filter(|(_, accepted)| accepted.is_new).collect();
            let mut woken = Vec::new();
            for subscription in table::subscriptions(transaction, Some(&topic.name))? {
                woken.extend(self.deliver_all(transaction, &topic, &subscription, &fresh)?);
            }
            Ok::<_, AwsError>((accepted, woken))
        })?;
        self.wake(&woken);
        Ok(accepted)
    }

    /// Delivers the messages that a subscription wants.
    fn deliver_all(
        &self,
        transaction: &Transaction<'_>,
        topic: &Topic,
        subscription: &Subscription,
        messages: &[(&Message, &Accepted)],
    ) -> Result<Vec<Woken>, AwsError> {
        let filter = subscription.filter().map_err(AwsError::internal)?;
        let wanted = messages.iter().filter(|(message, _)| {
            let text = message.text(subscription.protocol);
            filter
                .as_ref()
                .is_none_or(|filter| filter.passes(text, &message.attributes))
        });
        let deliveries = wanted.map(|(message, accepted)| Delivery {
            topic,
            subscription,
            message,
            order: accepted.order.as_ref(),
        });
        deliveries
            .map(|delivery| self.deliver(transaction, &delivery))
            .collect()
    }

    fn wake(&self, woken: &[Woken]) {
        let queues = woken.iter().filter_map(|woken| match woken {
            Woken::Queue(queue) => Some(queue),
            _ => None,
        });
        for queue in queues.collect::<BTreeSet<_>>() {
            self.sqs.arrived(queue);
        }
        if woken.iter().any(|woken| matches!(woken, Woken::Calls)) {
            self.waiting.notify_one();
        }
    }
}

/// The answer to the publisher of a message.
fn shown(accepted: &Accepted) -> String {
    let sequence = accepted.order.iter().map(|order| &order.sequence);
    let sequence = sequence.map(|sequence| xml_element("SequenceNumber", sequence));
    xml_element("MessageId", &accepted.id) + &sequence.collect::<String>()
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
