//! Messages, as publishers send them.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    answers::{invalid, invalid_value},
    fields::members,
    table::Protocol,
};
use crate::{
    error::AwsError,
    http::Form,
    sqs::{MessageAttribute, MessageAttributes, carried, size},
};

/// SNS's limit in bytes on a message with its attributes, and on all messages of one request together.
pub(super) const LIMIT: usize = 262_144;

/// A message.
pub(super) struct Message {
    pub id: String,
    pub subject: Option<String>,
    pub attributes: MessageAttributes,
    /// The sender's group, which goes on to queues.
    pub group: Option<String>,
    /// The id by which a FIFO topic knows duplicates.
    pub deduplication: Option<String>,
    body: Body,
}

enum Body {
    /// The same text for all subscriptions.
    Plain(String),
    /// Texts by protocols, and a default one.
    ByProtocol {
        texts: Map<String, Value>,
        default: String,
    },
}

impl Message {
    /// A message without subject, group and deduplication id.
    pub fn plain(text: String, attributes: MessageAttributes) -> Result<Self, AwsError> {
        check_text(&text)?;
        Ok(Self {
            id: Uuid::new_v4().to_string(),
            subject: None,
            attributes,
            group: None,
            deduplication: None,
            body: Body::Plain(text),
        })
    }

    /// Reads a message out of the fields that begin with `prefix`, and checks it.
    pub fn read(form: &Form, prefix: &str) -> Result<Self, AwsError> {
        let field = |name: &str| form.get(&format!("{prefix}{name}"));
        let text = field("Message").unwrap_or_default();
        check_text(text)?;
        let subject = field("Subject");
        subject.map_or(Ok(()), check_subject)?;
        let attributes = read_attributes(form, &format!("{prefix}MessageAttributes.entry"))?;
        Ok(Self {
            id: Uuid::new_v4().to_string(),
            subject: subject.map(str::to_owned),
            attributes,
            group: field("MessageGroupId").map(str::to_owned),
            deduplication: field("MessageDeduplicationId").map(str::to_owned),
            body: Body::read(text, field("MessageStructure"))?,
        })
    }

    /// The text for a protocol.
    pub fn text(&self, protocol: Protocol) -> &str {
        match &self.body {
            Body::Plain(text) => text,
            Body::ByProtocol { texts, default } => {
                let text = texts.get(protocol.name()).and_then(Value::as_str);
                text.unwrap_or(default)
            }
        }
    }

    /// The size in bytes that counts against [`LIMIT`]: of the text as it was sent, and of the attributes.
    pub fn size(&self) -> usize {
        let text = match &self.body {
            Body::Plain(text) => text.len(),
            Body::ByProtocol { texts, .. } => {
                let texts = texts.values().filter_map(Value::as_str);
                texts.map(str::len).sum()
            }
        };
        text + size(&self.attributes)
    }

    /// Checks the size of a message that is a request by itself.
    pub fn check_size(&self) -> Result<(), AwsError> {
        if self.size() <= LIMIT {
            return Ok(());
        }
        Err(invalid("Message too long"))
    }
}

impl Body {
    fn read(text: &str, structure: Option<&str>) -> Result<Self, AwsError> {
        match structure {
            None => Ok(Self::Plain(text.to_owned())),
            Some("json") => {
                let texts = serde_json::from_str(text).ok();
                let texts: Map<String, Value> = texts.ok_or_else(|| {
                    invalid("Message Structure - JSON message body failed to parse")
                })?;
                let default = texts.get("default").and_then(Value::as_str);
                let default = default.ok_or_else(|| {
                    invalid("Message Structure - No default entry in JSON message body")
                })?;
                Ok(Self::ByProtocol {
                    default: default.to_owned(),
                    texts,
                })
            }
            Some(other) => Err(invalid(&format!(
                "MessageStructure Reason: {other} is not json"
            ))),
        }
    }
}

fn check_text(text: &str) -> Result<(), AwsError> {
    if text.is_empty() {
        return Err(invalid("Empty message"));
    }
    if text.chars().all(carried) {
        return Ok(());
    }
    Err(invalid(
        "Message Reason: it has characters that SQS refuses. Valid are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to \
         #xFFFD | #x10000 to #x10FFFF",
    ))
}

/// A subject has at most 100 characters of ASCII, no line breaks or control characters, and does not begin with a
/// space.
fn check_subject(subject: &str) -> Result<(), AwsError> {
    let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let valid = (1..=100).contains(&subject.len())
        && subject.bytes().all(printable)
        && !subject.starts_with(' ');
    if valid {
        Ok(())
    } else {
        Err(invalid("Subject"))
    }
}

fn read_attributes(form: &Form, list: &str) -> Result<MessageAttributes, AwsError> {
    let mut attributes = MessageAttributes::new();
    for member in members(form, list, ".Name") {
        let field = |name: &str| form.get(&format!("{member}.{name}")).map(str::to_owned);
        let name = field("Name").unwrap_or_default();
        let attribute = MessageAttribute {
            data_type: field("Value.DataType").unwrap_or_default(),
            string_value: field("Value.StringValue"),
            binary_value: field("Value.BinaryValue"),
            ..MessageAttribute::default()
        };
        check_name(&name)?;
        check_value(&name, &attribute)?;
        if attributes.insert(name.clone(), attribute).is_some() {
            return Err(invalid_value(format!(
                "The message attribute '{name}' is given twice."
            )));
        }
    }
    Ok(attributes)
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if name.is_empty() || name.len() > 256 {
        return Err(invalid_value(
            "Length of message attribute name must be less than 256 bytes.",
        ));
    }
    if name.starts_with('.') || name.ends_with('.') {
        return Err(invalid_value(
            "Invalid message attribute name starting or ending with character '.' was found.",
        ));
    }
    if let Some(letter) = name.chars().find(|letter| !allowed(*letter)) {
        return Err(invalid_value(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. Can only include \
             alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(letter)
        )));
    }
    if name.contains("..") {
        return Err(invalid_value(
            "Message attribute name can not have successive '.' character.",
        ));
    }
    Ok(())
}

fn check_value(name: &str, attribute: &MessageAttribute) -> Result<(), AwsError> {
    let data_type = &attribute.data_type;
    let kind = data_type.split('.').next().unwrap_or_default();
    if !matches!(kind, "String" | "Number" | "Binary") {
        return Err(invalid_value(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes \
             is Binary, Number, and String."
        )));
    }
    let (field, value, other) = if kind == "Binary" {
        ("Binary", &attribute.binary_value, &attribute.string_value)
    } else {
        ("String", &attribute.string_value, &attribute.binary_value)
    };
    if other.is_some() {
        return Err(invalid_value(format!(
            "The message attribute '{name}' with type '{data_type}' must use field '{field}'."
        )));
    }
    let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else {
        return Err(invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for message attribute type \
             '{data_type}'."
        )));
    };
    let readable = match kind {
        "Number" => value.parse::<f64>().is_ok_and(f64::is_finite),
        "Binary" => !attribute.bytes().is_empty(),
        _ if data_type == "String.Array" => serde_json::from_str::<Vec<Value>>(value).is_ok(),
        _ => value.chars().all(carried),
    };
    if readable {
        return Ok(());
    }
    Err(invalid_value(format!(
        "Could not cast message attribute '{name}' value to {kind}."
    )))
}
