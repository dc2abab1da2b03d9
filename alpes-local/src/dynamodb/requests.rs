//! Reading requests, with DynamoDB's errors for bodies that it cannot read.

use dynoxide::DynoxideError;
use serde::de::DeserializeOwned;
use serde_json::{Value, error::Category};

use super::Answer;
use crate::input::lower_first;

/// Members that AWS has and this runtime lacks, by operation.
const LACKING: [(&str, &[&str]); 4] = [
    (
        "CreateTable",
        &[
            "GlobalTableSettingsReplicationMode",
            "GlobalTableSourceArn",
            "ResourcePolicy",
            "WarmThroughput",
        ],
    ),
    (
        "UpdateTable",
        &[
            "GlobalTableSettingsReplicationMode",
            "GlobalTableWitnessUpdates",
            "MultiRegionConsistency",
            "ReplicaUpdates",
            "SSESpecification",
            "WarmThroughput",
        ],
    ),
    ("DescribeStream", &["ShardFilter"]),
    ("ListTagsOfResource", &["NextToken"]),
];

/// Members of `CreateTable` and `UpdateTable` that are lists. `dynoxide` takes another type for an absent member.
const LISTS: [&str; 6] = [
    "AttributeDefinitions",
    "GlobalSecondaryIndexUpdates",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "VectorIndexes",
];

/// The beginnings of `dynoxide`'s messages about a value it refuses: the error, and whether the place in the body stays
/// in the message.
const MARKS: [(&str, Mark); 5] = [
    ("VALIDATION_REQUEST:", Mark::RequestValidation),
    ("VALIDATION_AS_READ:", Mark::ValidationWithPlace),
    ("VALIDATION:", Mark::Validation),
    ("SERIALIZATION_AS_READ:", Mark::SerializationWithPlace),
    ("SERIALIZATION:", Mark::Serialization),
];

#[derive(Clone, Copy)]
enum Mark {
    RequestValidation,
    Validation,
    ValidationWithPlace,
    Serialization,
    SerializationWithPlace,
}

/// A request that is not read yet.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub operation: &'a str,
    text: &'a str,
}

impl<'a> Call<'a> {
    /// A request whose body must be a JSON object.
    pub fn new(operation: &'a str, body: &'a [u8]) -> Result<Self, Answer> {
        let text = str::from_utf8(body).map_err(|_| Answer::unreadable(""))?;
        if !text.trim_start().starts_with('{') {
            return Err(Answer::unreadable(""));
        }
        Ok(Self { operation, text })
    }

    /// Reads the request.
    pub fn request<Q: DeserializeOwned>(self) -> Result<Q, Answer> {
        self.refuse_lacking()?;
        serde_json::from_str(self.text).map_err(|error| self.unreadable(&error))
    }

    /// Refuses members that would be ignored otherwise.
    fn refuse_lacking(self) -> Result<(), Answer> {
        let Some((operation, lacking)) = LACKING.iter().find(|(name, _)| *name == self.operation)
        else {
            return Ok(());
        };
        let members: Value =
            serde_json::from_str(self.text).map_err(|error| self.unreadable(&error))?;
        let has = |name: &str| members.get(name).is_some_and(|value| !value.is_null());
        if let Some(name) = lacking.iter().find(|name| has(name)) {
            return Err(Answer::validation(format!(
                "this runtime does not support {name} of {operation}"
            )));
        }
        for value in LISTS.iter().filter_map(|name| members.get(name)) {
            refuse_no_list(value)?;
        }
        Ok(())
    }

    fn unreadable(self, error: &serde_json::Error) -> Answer {
        let message = error.to_string();
        if message.starts_with("recursion limit exceeded") {
            return Answer::validation(
                "Nesting Levels have exceeded supported limits: Attributes in the item have \
                 nested levels beyond supported limit",
            );
        }
        if error.classify() != Category::Data {
            return Answer::unreadable("");
        }
        for (start, mark) in MARKS {
            if let Some(message) = message.strip_prefix(start) {
                return self.marked(mark, message);
            }
        }
        unmarked(without_place(&message))
    }

    fn marked(self, mark: Mark, message: &str) -> Answer {
        let plain = without_place(message).to_owned();
        match mark {
            Mark::RequestValidation if self.writes_one_item() => {
                Answer::validation(format!("1 validation error detected: {plain}"))
            }
            Mark::RequestValidation | Mark::Validation => Answer::validation(plain),
            Mark::ValidationWithPlace => Answer::validation(message),
            Mark::Serialization => Answer::unreadable(plain),
            Mark::SerializationWithPlace => Answer::unreadable(message),
        }
    }

    /// The operations for which DynamoDB counts the errors of a value.
    fn writes_one_item(self) -> bool {
        ["PutItem", "UpdateItem", "DeleteItem"].contains(&self.operation)
    }
}

fn refuse_no_list(value: &Value) -> Result<(), Answer> {
    match value {
        Value::Array(_) | Value::Null => Ok(()),
        Value::Object(_) => Err(Answer::unreadable(MAP_NOT_EXPECTED)),
        _ => Err(Answer::unreadable(NO_SUCH_TYPE)),
    }
}

const MAP_NOT_EXPECTED: &str = "Start of structure or map found where not expected";
const NO_SUCH_TYPE: &str = "Unexpected field type";
const NO_TYPE: &str =
    "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";

/// The message without serde's place in the body.
fn without_place(message: &str) -> &str {
    match message.rsplit_once(" at line ") {
        Some((text, place)) if place.contains(" column ") => text,
        _ => message,
    }
}

/// The error for a message of serde.
fn unmarked(message: &str) -> Answer {
    if let Some(name) = quoted(message, "missing field `") {
        return Answer::validation(format!(
            "1 validation error detected: Value null at '{}' failed to satisfy constraint: \
             Member must not be null",
            lower_first(name)
        ));
    }
    if message.contains("empty AttributeValue") {
        return Answer::validation(NO_TYPE);
    }
    if message.contains("Supplied AttributeValue")
        || message.starts_with("unknown variant")
        || message.starts_with("invalid type: null")
    {
        return DynoxideError::ValidationException(message.to_owned()).into();
    }
    let types = message.strip_prefix("invalid type: ");
    if let Some((found, wanted)) = types.and_then(|types| types.split_once(", expected ")) {
        return Answer::unreadable(mismatch(found, wanted));
    }
    Answer::unreadable(message)
}

fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

/// DynamoDB's words for a value of the wrong type. `found` and `wanted` are serde's words.
fn mismatch(found: &str, wanted: &str) -> String {
    let class = match wanted {
        "a string" => Some("String"),
        "a boolean" => Some("Boolean"),
        "i64" | "u64" | "usize" => Some("Long"),
        _ => None,
    };
    let token = match found.split(' ').next() {
        Some("map") => return MAP_NOT_EXPECTED.to_owned(),
        Some("sequence") => None,
        Some("string") => Some("STRING_VALUE"),
        Some("integer") => Some("NUMBER_VALUE"),
        Some("floating") => Some("DECIMAL_VALUE"),
        _ if found == "boolean `true`" => Some("TRUE_VALUE"),
        _ => Some("FALSE_VALUE"),
    };
    match (token, class) {
        (None, Some(class)) => format!("Unrecognized collection type class java.lang.{class}"),
        (Some("STRING_VALUE"), Some("Boolean")) => {
            "Unexpected token received from parser".to_owned()
        }
        (Some(token), Some(class)) => format!("{token} cannot be converted to {class}"),
        _ => NO_SUCH_TYPE.to_owned(),
    }
}
