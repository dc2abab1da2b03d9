//! The attributes of a queue.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    errors::{invalid_attribute, invalid_parameter, unknown_attribute, unsupported},
    fifo::{self, Fifo},
    names::queue_of,
};
use crate::error::AwsError;

/// The attributes of a queue as they were set, without the defaults.
pub(super) type Attributes = BTreeMap<String, String>;

/// An attribute that is a number.
struct Number {
    name: &'static str,
    least: u64,
    most: u64,
    default: u64,
}

const DELAY: Number = Number {
    name: "DelaySeconds",
    least: 0,
    most: 900,
    default: 0,
};
const MAXIMUM_SIZE: Number = Number {
    name: "MaximumMessageSize",
    least: 1_024,
    most: 1_048_576,
    default: 1_048_576,
};
const RETENTION: Number = Number {
    name: "MessageRetentionPeriod",
    least: 60,
    most: 1_209_600,
    default: 345_600,
};
const WAIT: Number = Number {
    name: "ReceiveMessageWaitTimeSeconds",
    least: 0,
    most: 20,
    default: 0,
};
const VISIBILITY: Number = Number {
    name: "VisibilityTimeout",
    least: 0,
    most: 43_200,
    default: 30,
};
const NUMBERS: [Number; 5] = [DELAY, MAXIMUM_SIZE, RETENTION, WAIT, VISIBILITY];

/// Attributes without effect here: messages are not encrypted, and every caller has access.
const WITHOUT_MEANING: [&str; 4] = [
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "Policy",
    "SqsManagedSseEnabled",
];
const REDRIVE: &str = "RedrivePolicy";

/// The rules by which a queue works.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// Milliseconds until a sent message can be received.
    pub delay: u64,
    /// Milliseconds for which a received message is hidden.
    pub visibility: u64,
    /// Milliseconds for which a message is kept.
    pub retention: u64,
    /// Milliseconds for which a receiver waits if it does not say how long.
    pub wait: u64,
    /// The largest message in bytes, with its attributes.
    pub maximum_size: usize,
    /// The redrive of messages that were received too often.
    pub redrive: Option<Redrive>,
    /// The rules of a FIFO queue; `None` for a standard queue.
    pub fifo: Option<Fifo>,
}

/// The queue that takes the messages that were received too often.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Redrive {
    /// The ARN of the dead-letter queue.
    pub target_arn: String,
    /// The number of times that a message is received before it is moved.
    pub maximum: u64,
}

impl Settings {
    pub fn of(attributes: &Attributes) -> Result<Self, AwsError> {
        Ok(Self {
            delay: DELAY.of(attributes)? * 1_000,
            visibility: VISIBILITY.of(attributes)? * 1_000,
            retention: RETENTION.of(attributes)? * 1_000,
            wait: WAIT.of(attributes)? * 1_000,
            maximum_size: usize::try_from(MAXIMUM_SIZE.of(attributes)?).unwrap_or(usize::MAX),
            redrive: attributes
                .get(REDRIVE)
                .map(|policy| Redrive::parse(policy))
                .transpose()?,
            fifo: Fifo::of(attributes)?,
        })
    }
}

impl Number {
    fn of(&self, attributes: &Attributes) -> Result<u64, AwsError> {
        let Some(value) = attributes.get(self.name) else {
            return Ok(self.default);
        };
        let number = value.parse().ok();
        number
            .filter(|number| (self.least..=self.most).contains(number))
            .ok_or_else(|| {
                let (least, most) = (self.least, self.most);
                invalid_attribute(self.name, &format!("Must be between {least} and {most}."))
            })
    }
}

impl Redrive {
    fn parse(policy: &str) -> Result<Self, AwsError> {
        let invalid = |reason: &str| invalid_parameter(REDRIVE, policy, reason);
        let document: Value = serde_json::from_str(policy)
            .map_err(|_| invalid("Redrive policy is not a valid JSON map."))?;
        let target_arn = document
            .get("deadLetterTargetArn")
            .and_then(Value::as_str)
            .ok_or_else(|| invalid("The required parameter 'deadLetterTargetArn' is missing"))?;
        queue_of(target_arn).ok_or_else(|| invalid("Invalid value for deadLetterTargetArn."))?;
        let maximum = document
            .get("maxReceiveCount")
            .ok_or_else(|| invalid("The required parameter 'maxReceiveCount' is missing"))?;
        let maximum = count(maximum).ok_or_else(|| {
            invalid(&format!(
                "Invalid value for maxReceiveCount: {maximum}, valid values are from 1 to 1000 both inclusive."
            ))
        })?;
        Ok(Self {
            target_arn: target_arn.to_owned(),
            maximum,
        })
    }
}

/// A number of receives, which clients send as a number or as a text.
fn count(value: &Value) -> Option<u64> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    number.filter(|number| (1..=1_000).contains(number))
}

/// The attributes with changes. An empty text takes an attribute away.
pub(super) fn changed(
    attributes: &Attributes,
    changes: &Attributes,
) -> Result<Attributes, AwsError> {
    let mut result = attributes.clone();
    for (name, value) in changes {
        check_name(name)?;
        if value.is_empty() {
            result.remove(name);
        } else {
            result.insert(name.clone(), value.clone());
        }
    }
    Settings::of(&result)?;
    Ok(result)
}

fn check_name(name: &str) -> Result<(), AwsError> {
    if name == "RedriveAllowPolicy" {
        return Err(unsupported(
            "The local runtime does not check RedriveAllowPolicy, so it refuses the attribute.",
        ));
    }
    let known = name == REDRIVE
        || WITHOUT_MEANING.contains(&name)
        || fifo::ATTRIBUTES.contains(&name)
        || NUMBERS.iter().any(|number| number.name == name);
    if known {
        Ok(())
    } else {
        Err(unknown_attribute(name))
    }
}

/// The attributes with their defaults, as a client sees them.
pub(super) fn shown(attributes: &Attributes) -> Attributes {
    let mut shown: Attributes = NUMBERS
        .iter()
        .map(|number| (number.name.to_owned(), number.default.to_string()))
        .collect();
    shown.insert("SqsManagedSseEnabled".to_owned(), "true".to_owned());
    if fifo::is_set(attributes) {
        shown.extend(fifo::DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    shown.extend(attributes.clone());
    shown
}
