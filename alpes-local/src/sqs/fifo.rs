//! FIFO queues: their attributes, and the ids of their messages.

use super::{
    duplicates::{Candidate, Duplicates},
    errors::{
        invalid_attribute, invalid_name, invalid_parameter, invalid_value, missing_parameter,
        unknown_attribute,
    },
    sending::Outgoing,
    settings::Attributes,
    table::Queue,
};
use crate::{
    digest::{hexadecimal, sha256},
    error::AwsError,
};

/// The messages that queues accepted lately.
pub(super) const ACCEPTED: Duplicates = Duplicates::of("sqs_duplicates");

/// Makes a queue a FIFO queue. Its value is `true` for exactly the queues whose names end in `.fifo`.
const SWITCH: &str = "FifoQueue";
const CONTENT_BASED: &str = "ContentBasedDeduplication";
const SCOPE: &str = "DeduplicationScope";
const LIMIT: &str = "FifoThroughputLimit";

/// The attributes of FIFO queues only.
pub(super) const ATTRIBUTES: [&str; 4] = [SWITCH, CONTENT_BASED, SCOPE, LIMIT];

/// The values of the attributes that a FIFO queue has if they are not set.
pub(super) const DEFAULTS: [(&str, &str); 3] = [
    (CONTENT_BASED, "false"),
    (SCOPE, "queue"),
    (LIMIT, "perQueue"),
];

/// The rules of a FIFO queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fifo {
    /// True if a message without `MessageDeduplicationId` gets the hash of its body.
    content_based: bool,
    /// True if only messages of the same group are duplicates.
    by_group: bool,
}

impl Fifo {
    /// The rules in a queue's attributes; `None` for a standard queue.
    pub fn of(attributes: &Attributes) -> Result<Option<Self>, AwsError> {
        match attributes.get(SWITCH).map(String::as_str) {
            Some("true") => Self::read(attributes).map(Some),
            // AWS makes standard queues only without the attribute.
            Some(_) => Err(unknown_attribute(SWITCH)),
            None => none_of(attributes).map(|()| None),
        }
    }

    fn read(attributes: &Attributes) -> Result<Self, AwsError> {
        let rules = Self {
            content_based: choice(attributes, CONTENT_BASED, ["false", "true"])?,
            by_group: choice(attributes, SCOPE, ["queue", "messageGroup"])?,
        };
        // The limit has no effect here, since nothing is throttled.
        let limit_by_group = choice(attributes, LIMIT, ["perQueue", "perMessageGroupId"])?;
        if limit_by_group && !rules.by_group {
            return Err(invalid_attribute(
                LIMIT,
                "perMessageGroupId is allowed only if DeduplicationScope is messageGroup.",
            ));
        }
        Ok(rules)
    }

    /// A message with a group, as the check for duplicates takes it. `id` is the id of the message if it is new.
    pub fn candidate<'a>(
        self,
        queue: &'a Queue,
        outgoing: &'a Outgoing,
        deduplication: &'a str,
        id: &'a str,
    ) -> Candidate<'a> {
        Candidate {
            owner: &queue.name,
            group: outgoing.group.as_deref().unwrap_or_default(),
            deduplication,
            by_group: self.by_group,
            id,
        }
    }
}

/// True for the second of two values, and false for the first, which is the default.
fn choice(attributes: &Attributes, name: &str, values: [&str; 2]) -> Result<bool, AwsError> {
    let [first, second] = values;
    match attributes.get(name).map(String::as_str) {
        None => Ok(false),
        Some(value) if value == first => Ok(false),
        Some(value) if value == second => Ok(true),
        Some(_) => Err(invalid_attribute(
            name,
            &format!("Must be {first} or {second}."),
        )),
    }
}

/// A standard queue has no attribute of FIFO queues.
fn none_of(attributes: &Attributes) -> Result<(), AwsError> {
    let found = ATTRIBUTES
        .iter()
        .find(|name| attributes.contains_key(**name));
    match found {
        None => Ok(()),
        Some(&name) if name == CONTENT_BASED => Err(unknown_attribute(name)),
        Some(name) => Err(invalid_name(format!(
            "You can specify the {name} only when FifoQueue is set to true."
        ))),
    }
}

/// A queue is a FIFO queue for ever, or never.
pub(super) fn check_same_type(known: &Attributes, changes: &Attributes) -> Result<(), AwsError> {
    match changes.get(SWITCH) {
        Some(value) if known.get(SWITCH) != Some(value) => Err(invalid_attribute(
            SWITCH,
            "Modifying queue type is not supported.",
        )),
        _ => Ok(()),
    }
}

/// True if attributes are those of a FIFO queue.
pub(super) fn is_set(attributes: &Attributes) -> bool {
    attributes.get(SWITCH).is_some_and(|value| value == "true")
}

/// Checks what differs between the messages of FIFO queues and those of standard queues.
pub(super) fn check(queue: &Queue, outgoing: &Outgoing) -> Result<(), AwsError> {
    check_id("MessageGroupId", outgoing.group.as_deref())?;
    let deduplication = outgoing.deduplication.as_deref();
    check_id("MessageDeduplicationId", deduplication)?;
    if queue.settings.fifo.is_some() {
        check_ids(queue, outgoing)?;
        return match outgoing.delay {
            None | Some(0) => Ok(()),
            Some(delay) => Err(invalid_parameter(
                "DelaySeconds",
                &delay.to_string(),
                "The request include parameter that is not valid for this queue type.",
            )),
        };
    }
    deduplication.map_or(Ok(()), |id| {
        Err(invalid_parameter(
            "MessageDeduplicationId",
            id,
            "The request includes a parameter that is not valid for this queue type.",
        ))
    })
}

/// Checks that a message has the ids that its queue needs. A batch without them fails as a whole.
pub(super) fn check_ids(queue: &Queue, outgoing: &Outgoing) -> Result<(), AwsError> {
    let Some(fifo) = queue.settings.fifo else {
        return Ok(());
    };
    if outgoing.group.is_none() {
        return Err(missing_parameter("MessageGroupId"));
    }
    if outgoing.deduplication.is_none() && !fifo.content_based {
        return Err(invalid_value(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
             explicitly",
        ));
    }
    Ok(())
}

fn check_id(name: &str, id: Option<&str>) -> Result<(), AwsError> {
    match id {
        Some(id) if !valid_id(id) => Err(invalid_parameter(
            name,
            id,
            &format!(
                "{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            ),
        )),
        _ => Ok(()),
    }
}

/// True for 1 to 128 letters, digits and punctuation characters of ASCII.
pub(crate) fn valid_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The id by which messages with the same body are duplicates.
pub(crate) fn content_id(body: &str) -> String {
    hexadecimal(&sha256(body))
}

/// A sequence number as clients see it. The numbers have 20 digits, so that their order is also that of their texts.
pub(crate) fn sequence_number(sequence: i64) -> String {
    format!("1{sequence:019}")
}
