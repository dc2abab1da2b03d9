//! The fields of requests, read by Kinesis's rules.

use std::{ops::RangeInclusive, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::errors::invalid;
use crate::{error::AwsError, input::lower_first};

/// The members of a structure in a request.
pub(super) struct Fields<'a> {
    members: &'a Map<String, Value>,
    /// The path before the members' names, for example `records.1.member.`.
    path: String,
}

/// The rule of a text.
pub(super) struct Text {
    /// The length in characters.
    pub(super) length: RangeInclusive<usize>,
    /// The form.
    pub(super) pattern: Option<Pattern>,
}

/// The form of a text.
pub(super) struct Pattern {
    /// The regular expression, for messages.
    pub(super) shown: &'static str,
    /// Says whether a text has the form.
    pub(super) fits: fn(&str) -> bool,
}

const NAME_PATTERN: Option<Pattern> = Some(Pattern {
    shown: "[a-zA-Z0-9_.-]+",
    fits: |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        text.bytes().all(allowed)
    },
});

/// The name of a stream, a consumer or a shard.
pub(super) const NAME: Text = Text {
    length: 1..=128,
    pattern: NAME_PATTERN,
};

/// An ARN, a key's id.
pub(super) const ARN: Text = text(1..=2048);
pub(super) const PARTITION_KEY: Text = text(1..=256);
pub(super) const ITERATOR: Text = text(1..=512);
pub(super) const TOKEN: Text = text(1..=1_048_576);
pub(super) const TAG_KEY: Text = text(1..=128);
pub(super) const TAG_VALUE: Text = text(0..=256);

pub(super) const HASH_KEY: Text = Text {
    length: 1..=39,
    pattern: Some(Pattern {
        shown: "0|([1-9]\\d{0,38})",
        fits: is_decimal,
    }),
};

pub(super) const SEQUENCE_NUMBER: Text = Text {
    length: 1..=129,
    pattern: Some(Pattern {
        shown: "0|([1-9]\\d{0,128})",
        fits: is_decimal,
    }),
};

const fn text(length: RangeInclusive<usize>) -> Text {
    Text {
        length,
        pattern: None,
    }
}

fn is_decimal(text: &str) -> bool {
    text == "0" || !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl<'a> Fields<'a> {
    /// The members of a request.
    pub(super) fn of(members: &'a Map<String, Value>) -> Self {
        Self {
            members,
            path: String::new(),
        }
    }

    /// Refuses members that are not in `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), AwsError> {
        let mut names = self.members.keys();
        match names.find(|name| !known.contains(&name.as_str()) && self.has(name)) {
            Some(name) => Err(invalid(format!(
                "The parameter {}{name} is not supported.",
                self.path
            ))),
            None => Ok(()),
        }
    }

    /// True if the member is there and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str, rule: &Text) -> Result<Option<&'a str>, AwsError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let text = value
            .as_str()
            .ok_or_else(|| self.mistyped(name, "a string"))?;
        self.checked(name, text, rule).map(Some)
    }

    pub(super) fn required_text(&self, name: &str, rule: &Text) -> Result<&'a str, AwsError> {
        self.required(name, self.text(name, rule)?)
    }

    /// The value, or AWS's error that it is missing.
    pub(super) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, AwsError> {
        value.ok_or_else(|| self.violation(name, "null", "Member must not be null"))
    }

    pub(super) fn number(
        &self,
        name: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, AwsError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let (least, most) = range.into_inner();
        let shown = format!("'{value}'");
        let too_small = format!("Member must have value greater than or equal to {least}");
        let too_great = format!("Member must have value less than or equal to {most}");
        match (value.as_u64(), value.as_i64()) {
            (Some(number), _) if number < u64::from(least) => {
                Err(self.violation(name, &shown, &too_small))
            }
            (Some(number), _) => match u32::try_from(number) {
                Ok(number) if number <= most => Ok(Some(number)),
                _ => Err(self.violation(name, &shown, &too_great)),
            },
            (None, Some(_)) => Err(self.violation(name, &shown, &too_small)),
            (None, None) => Err(self.mistyped(name, "an integer")),
        }
    }

    /// A boolean; false if it is missing.
    pub(super) fn flag(&self, name: &str) -> Result<bool, AwsError> {
        let Some(value) = self.value(name) else {
            return Ok(false);
        };
        value
            .as_bool()
            .ok_or_else(|| self.mistyped(name, "a boolean"))
    }

    /// Bytes, which are in base64 in the request.
    pub(super) fn required_blob(&self, name: &str) -> Result<Vec<u8>, AwsError> {
        let value = self.required(name, self.value(name))?;
        let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
        bytes.ok_or_else(|| self.mistyped(name, "a string in base64"))
    }

    /// A time in milliseconds since 1970, which is in seconds in the request.
    pub(super) fn time(&self, name: &str) -> Result<Option<u64>, AwsError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        // A float is not exact, so half a millisecond rounds it to the nearest one.
        let seconds = value.as_f64().map(|seconds| seconds + 0.000_5);
        let since = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let millis = since.and_then(|since| u64::try_from(since.as_millis()).ok());
        let millis = millis.ok_or_else(|| self.mistyped(name, "a number of seconds since 1970"));
        millis.map(Some)
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, AwsError> {
        let Some(word) = self.text(name, &text(0..=usize::MAX))? else {
            return Ok(None);
        };
        let chosen = choices.iter().find(|(known, _)| *known == word);
        let chosen = chosen.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(known, _)| *known).collect();
            let set = format!("Member must satisfy enum value set: [{}]", words.join(", "));
            self.violation(name, &format!("'{word}'"), &set)
        });
        chosen.map(Some)
    }

    pub(super) fn structure(&self, name: &str) -> Result<Option<Fields<'a>>, AwsError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let members = value.as_object();
        let members = members.ok_or_else(|| self.mistyped(name, "a structure"))?;
        let path = format!("{}.", self.path_of(name));
        Ok(Some(Self { members, path }))
    }

    /// A list of structures with a length in this range.
    pub(super) fn required_structures(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Vec<Fields<'a>>, AwsError> {
        let list = self.list(name, length)?;
        let list = self.required(name, list)?.iter().enumerate();
        list.map(|(index, value)| {
            let path = format!("{}.{}.member.", self.path_of(name), index + 1);
            let members = value.as_object();
            let members = members.ok_or_else(|| self.mistyped(name, "a list of structures"))?;
            Ok(Self { members, path })
        })
        .collect()
    }

    /// A list of texts with a length in this range.
    pub(super) fn required_texts(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
        rule: &Text,
    ) -> Result<Vec<&'a str>, AwsError> {
        let list = self.list(name, length)?;
        let texts = self.required(name, list)?.iter().map(|value| {
            let text = value.as_str();
            let text = text.ok_or_else(|| self.mistyped(name, "a list of strings"))?;
            self.checked(name, text, rule)
        });
        texts.collect()
    }

    /// A map of texts; empty if it is missing.
    pub(super) fn texts_by_name(
        &self,
        name: &str,
        (key_rule, value_rule): (&Text, &Text),
    ) -> Result<Vec<(&'a str, &'a str)>, AwsError> {
        let Some(value) = self.value(name) else {
            return Ok(vec![]);
        };
        let members = value.as_object();
        let members = members.ok_or_else(|| self.mistyped(name, "a map"))?.iter();
        let pairs = members.map(|(key, value)| {
            let value = value.as_str();
            let value = value.ok_or_else(|| self.mistyped(name, "a map of strings"))?;
            let key = self.checked(name, key, key_rule)?;
            Ok((key, self.checked(name, value, value_rule)?))
        });
        pairs.collect()
    }

    fn list(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<&'a Vec<Value>>, AwsError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let list = value
            .as_array()
            .ok_or_else(|| self.mistyped(name, "a list"))?;
        match length_broken_by(list.len(), &length) {
            Some(constraint) => {
                let shown = format!("[{} members]", list.len());
                Err(self.violation(name, &shown, &constraint))
            }
            None => Ok(Some(list)),
        }
    }

    fn checked<'t>(&self, name: &str, text: &'t str, rule: &Text) -> Result<&'t str, AwsError> {
        match rule.broken_by(text) {
            Some(constraint) => Err(self.violation(name, &format!("'{text}'"), &constraint)),
            None => Ok(text),
        }
    }

    /// AWS's error of a value that breaks a rule.
    pub(super) fn violation(&self, name: &str, shown: &str, constraint: &str) -> AwsError {
        let path = self.path_of(name);
        invalid(format!(
            "1 validation error detected: Value {shown} at '{path}' failed to satisfy constraint: \
             {constraint}"
        ))
    }

    fn mistyped(&self, name: &str, kind: &str) -> AwsError {
        let path = self.path_of(name);
        AwsError::client("SerializationException", format!("{path} must be {kind}"))
    }

    /// The path as AWS writes it: names begin with a small letter.
    fn path_of(&self, name: &str) -> String {
        format!("{}{}", self.path, lower_first(name))
    }
}

impl Text {
    /// The constraint that a text does not satisfy.
    pub(super) fn broken_by(&self, text: &str) -> Option<String> {
        if let Some(constraint) = length_broken_by(text.chars().count(), &self.length) {
            return Some(constraint);
        }
        let pattern = self
            .pattern
            .as_ref()
            .filter(|pattern| !(pattern.fits)(text));
        let shown = pattern.map(|pattern| pattern.shown);
        shown.map(|shown| format!("Member must satisfy regular expression pattern: {shown}"))
    }
}

fn length_broken_by(length: usize, allowed: &RangeInclusive<usize>) -> Option<String> {
    let (least, most) = (allowed.start(), allowed.end());
    if length < *least {
        Some(format!(
            "Member must have length greater than or equal to {least}"
        ))
    } else if length > *most {
        Some(format!(
            "Member must have length less than or equal to {most}"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_name_the_field_and_the_rule_in_aws_words() {
        let input =
            json!({ "StreamName": "a b", "Limit": 0, "Old": null, "Records": [{ "Data": 5 }] });
        let fields = Fields::of(input.as_object().unwrap());
        let message = |error: AwsError| error.message;
        assert_eq!(
            message(fields.required_text("StreamName", &NAME).unwrap_err()),
            "1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        );
        assert_eq!(
            message(fields.number("Limit", 1..=10_000).unwrap_err()),
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value \
             greater than or equal to 1"
        );
        assert_eq!(
            message(fields.required_text("Old", &NAME).unwrap_err()),
            "1 validation error detected: Value null at 'old' failed to satisfy constraint: Member must not be null"
        );
        let records = fields.required_structures("Records", 1..=500).unwrap();
        let error = records[0].required_blob("Data").unwrap_err();
        assert_eq!(error.code, "SerializationException");
        assert_eq!(
            message(error),
            "records.1.member.data must be a string in base64"
        );
        let error = fields
            .only(&["StreamName", "Limit", "Records"])
            .and(fields.only(&["StreamName", "Records"]));
        assert_eq!(
            message(error.unwrap_err()),
            "The parameter Limit is not supported."
        );
    }

    #[test]
    fn times_are_rounded_to_milliseconds() {
        let input =
            json!({ "Timestamp": 1_459_799_926.480, "Whole": 1_459_799_926, "Word": "today" });
        let fields = Fields::of(input.as_object().unwrap());
        assert_eq!(fields.time("Timestamp").unwrap(), Some(1_459_799_926_480));
        assert_eq!(fields.time("Whole").unwrap(), Some(1_459_799_926_000));
        assert_eq!(
            fields.time("Word").unwrap_err().code,
            "SerializationException"
        );
    }
}
