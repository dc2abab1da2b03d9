//! The attributes of a message, and their checksum.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::errors::{invalid_parameter, invalid_value, unsupported};
use crate::error::AwsError;

/// An attribute of a message, in the form in which clients send it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, perhaps with a label: `Number.int`.
    pub data_type: String,
    /// The value of a `String` or `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of a `Binary`, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
    /// AWS has reserved lists, and refuses them.
    #[serde(default, skip_serializing)]
    pub string_list_values: Option<Vec<String>>,
    /// AWS has reserved lists, and refuses them.
    #[serde(default, skip_serializing)]
    pub binary_list_values: Option<Vec<String>>,
}

impl MessageAttribute {
    /// A text.
    #[must_use]
    pub fn text(value: impl Into<String>) -> Self {
        Self::of("String", value.into())
    }

    /// A number, in decimal notation.
    #[must_use]
    pub fn number(value: impl Into<String>) -> Self {
        Self::of("Number", value.into())
    }

    fn of(data_type: &str, value: String) -> Self {
        Self {
            data_type: data_type.to_owned(),
            string_value: Some(value),
            ..Self::default()
        }
    }
}

/// The attributes of a message, by name.
pub type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// SQS's limit on the attributes of one message.
const MOST: usize = 10;

/// Checks the attributes of a message.
pub(super) fn check(attributes: &MessageAttributes) -> Result<(), AwsError> {
    if attributes.len() > MOST {
        return Err(invalid_value(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MOST}].",
            attributes.len()
        )));
    }
    attributes.iter().try_for_each(|(name, attribute)| {
        check_name(name)?;
        check_value(name, attribute)
    })
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let allowed = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
    if name.is_empty() || name.len() > 256 {
        return Err(invalid_value(
            "Message (user) attribute names must be shorter than 256 Bytes",
        ));
    }
    if !name.chars().all(allowed) {
        return Err(invalid_value(
            "Message (user) attributes name can only contain upper and lower score characters, digits, periods, \
             hyphens and underscores. ",
        ));
    }
    let lower = name.to_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    if reserved || name.starts_with('.') || name.ends_with('.') {
        return Err(invalid_value(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for \
             internal use. Additionally, they cannot start or end with '.'.",
        ));
    }
    Ok(())
}

fn check_value(name: &str, attribute: &MessageAttribute) -> Result<(), AwsError> {
    if attribute.string_list_values.is_some() || attribute.binary_list_values.is_some() {
        return Err(unsupported(
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    let kind = kind(&attribute.data_type);
    if kind.is_empty() || attribute.data_type.len() > 256 {
        return Err(invalid_value(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes \
             is Binary, Number, and String."
        )));
    }
    let binary = kind == "Binary";
    let (value, other) = if binary {
        (&attribute.binary_value, &attribute.string_value)
    } else {
        (&attribute.string_value, &attribute.binary_value)
    };
    let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else {
        return Err(invalid_value(format!(
            "The message attribute '{name}' must contain a non-empty value of type '{kind}'."
        )));
    };
    if other.is_some() {
        return Err(invalid_value(format!(
            "Message attribute '{name}' has multiple values."
        )));
    }
    let readable = match kind {
        "Binary" => BASE64_STANDARD.decode(value).is_ok(),
        "Number" => value.parse::<f64>().is_ok_and(f64::is_finite),
        _ => value.chars().all(carried),
    };
    if readable {
        Ok(())
    } else {
        Err(invalid_parameter(
            &format!("MessageAttributes.{name}"),
            value,
            &format!("Not a valid {kind}."),
        ))
    }
}

/// The type without its label; an empty text if there is no such type.
fn kind(data_type: &str) -> &str {
    let kind = data_type.split('.').next().unwrap_or_default();
    if matches!(kind, "String" | "Number" | "Binary") {
        kind
    } else {
        ""
    }
}

/// True for the characters that SQS carries; it refuses messages with others.
pub(crate) fn carried(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

impl MessageAttribute {
    /// The value in bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(encoded)) => BASE64_STANDARD.decode(encoded).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }
}

/// The size in bytes that counts against the limits on messages.
pub(crate) fn size(attributes: &MessageAttributes) -> usize {
    let sizes = attributes
        .iter()
        .map(|(name, attribute)| name.len() + attribute.data_type.len() + attribute.bytes().len());
    sizes.sum()
}

/// The checksum by which clients check attributes; `None` if there are none.
pub(super) fn checksum(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = md5::Context::new();
    for (name, attribute) in attributes {
        consume_part(&mut digest, name.as_bytes());
        consume_part(&mut digest, attribute.data_type.as_bytes());
        let transport = if attribute.binary_value.is_some() {
            2
        } else {
            1
        };
        digest.consume([transport]);
        consume_part(&mut digest, &attribute.bytes());
    }
    Some(format!("{:x}", digest.compute()))
}

fn consume_part(digest: &mut md5::Context, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    digest.consume(length.to_be_bytes());
    digest.consume(part);
}

/// The attributes that a receiver asked for: by name, by `prefix.*`, or all of them by `All` or `.*`.
pub(super) fn selected(mut attributes: MessageAttributes, wanted: &[String]) -> MessageAttributes {
    attributes.retain(|name, _| wanted.iter().any(|wanted| matches_name(wanted, name)));
    attributes
}

fn matches_name(wanted: &str, name: &str) -> bool {
    match wanted.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => wanted == "All" || wanted == name,
    }
}
