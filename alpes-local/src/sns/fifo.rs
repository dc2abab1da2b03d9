//! FIFO topics: their attributes, and the ids and numbers of their messages.

use rusqlite::Transaction;

use super::{
    answers::invalid,
    fields::Texts,
    message::Message,
    table::{Protocol, Topic},
};
use crate::{
    error::AwsError,
    sqs::{Candidate, Duplicates, content_id, is_fifo, sequence_number, valid_id},
};

/// The messages that topics accepted lately.
pub(super) const ACCEPTED: Duplicates = Duplicates::of("sns_duplicates");

/// Makes a topic a FIFO topic. Its value is `true` for exactly the topics whose names end in `.fifo`.
const SWITCH: &str = "FifoTopic";
const CONTENT_BASED: &str = "ContentBasedDeduplication";
const SCOPE: &str = "FifoThroughputScope";

/// The values of the attributes that a FIFO topic has if they are not set.
const DEFAULTS: [(&str, &str); 2] = [(CONTENT_BASED, "false"), (SCOPE, "Topic")];

/// A message that a topic accepted: this one, or the earlier one that it repeats.
pub(super) struct Accepted {
    pub id: String,
    /// `None` in a standard topic.
    pub order: Option<Order>,
    /// False for a duplicate, which is not delivered.
    pub is_new: bool,
}

/// The place of a message in a FIFO topic.
pub(super) struct Order {
    pub deduplication: String,
    pub sequence: String,
}

/// The attributes of a new topic, without a switch that says that it is a standard topic: AWS does not keep it.
pub(super) fn without_false_switch(mut attributes: Texts) -> Texts {
    if attributes.get(SWITCH).is_some_and(|value| value == "false") {
        attributes.remove(SWITCH);
    }
    attributes
}

/// True if attributes are those of a FIFO topic.
pub(super) fn is_set(attributes: &Texts) -> bool {
    attributes.get(SWITCH).is_some_and(|value| value == "true")
}

/// Checks an attribute of FIFO topics; `None` if it is another attribute. The switch is valid for a new topic only.
pub(super) fn check_attribute(
    name: &str,
    value: &str,
    of_fifo_topic: bool,
) -> Option<Result<(), &'static str>> {
    let checked = match (name, value) {
        (SWITCH, "true") => Ok(()),
        (SWITCH, _) => Err("FifoTopic must be true or false"),
        (CONTENT_BASED | SCOPE, _) if !of_fifo_topic => {
            Err("the attribute can only be set for FIFO topics")
        }
        (CONTENT_BASED, "true" | "false") | (SCOPE, "Topic" | "MessageGroup") => Ok(()),
        (CONTENT_BASED, _) => Err("ContentBasedDeduplication must be true or false"),
        (SCOPE, _) => Err("FifoThroughputScope must be Topic or MessageGroup"),
        _ => return None,
    };
    Some(checked)
}

/// A topic is a FIFO topic for ever, or never.
pub(super) fn check_change(name: &str) -> Result<(), AwsError> {
    if name == SWITCH {
        return Err(invalid("AttributeName"));
    }
    Ok(())
}

/// Checks that a topic delivers to an endpoint: a FIFO topic to queues only, and a FIFO queue only from FIFO topics.
pub(super) fn check_endpoint(
    topic: &Topic,
    protocol: Protocol,
    endpoint: &str,
) -> Result<(), AwsError> {
    match protocol {
        Protocol::Lambda if topic.is_fifo() => Err(invalid("Invalid protocol type: lambda")),
        Protocol::Sqs if is_fifo(endpoint) && !topic.is_fifo() => Err(invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        )),
        _ => Ok(()),
    }
}

impl Topic {
    pub fn is_fifo(&self) -> bool {
        is_fifo(&self.name)
    }

    /// The attributes with the defaults of a FIFO topic.
    pub fn shown_attributes(&self) -> Texts {
        let defaults = DEFAULTS.iter().filter(|_| self.is_fifo());
        let mut shown: Texts = defaults
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        shown.extend(self.attributes.clone());
        shown
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.attributes.get(name).is_some_and(|set| set == value)
    }

    /// Accepts a message for delivery.
    ///
    /// # Errors
    ///
    /// `InvalidParameter` if an id is not valid, or missing.
    pub fn accept(
        &self,
        transaction: &Transaction<'_>,
        message: &Message,
        now: u64,
    ) -> Result<Accepted, AwsError> {
        check_id("MessageGroupId", message.group.as_deref())?;
        check_id("MessageDeduplicationId", message.deduplication.as_deref())?;
        if self.is_fifo() {
            return self.accept_in_order(transaction, message, now);
        }
        if message.deduplication.is_some() {
            return Err(invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not \
                 valid for this topic type",
            ));
        }
        Ok(Accepted {
            id: message.id.clone(),
            order: None,
            is_new: true,
        })
    }

    fn accept_in_order(
        &self,
        transaction: &Transaction<'_>,
        message: &Message,
        now: u64,
    ) -> Result<Accepted, AwsError> {
        let group = message
            .group
            .as_deref()
            .ok_or_else(|| invalid("The MessageGroupId parameter is required for FIFO topics"))?;
        let deduplication = self.deduplication_of(message)?;
        let candidate = Candidate {
            owner: &self.name,
            group,
            deduplication: &deduplication,
            by_group: self.has(SCOPE, "MessageGroup"),
            id: &message.id,
        };
        let accepted = ACCEPTED.accept(transaction, &candidate, now)?;
        Ok(Accepted {
            id: accepted.id,
            order: Some(Order {
                deduplication,
                sequence: sequence_number(accepted.sequence),
            }),
            is_new: accepted.is_new,
        })
    }

    /// The id by which a message is a duplicate of another one.
    fn deduplication_of(&self, message: &Message) -> Result<String, AwsError> {
        match &message.deduplication {
            Some(id) => Ok(id.clone()),
            None if self.has(CONTENT_BASED, "true") => Ok(content_id(message.text(Protocol::Sqs))),
            None => Err(invalid(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                 explicitly",
            )),
        }
    }
}

fn check_id(name: &str, id: Option<&str>) -> Result<(), AwsError> {
    match id {
        Some(id) if !valid_id(id) => Err(invalid(&format!(
            "{name} Reason: {name} can only include alphanumeric and punctuation characters. 1 to 128 in length"
        ))),
        _ => Ok(()),
    }
}
