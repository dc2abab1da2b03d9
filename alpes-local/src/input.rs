//! Reading requests and writing answers in JSON: what services with a JSON protocol share.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::AwsError;

/// Reads a request. The type of the request refuses unknown fields with `deny_unknown_fields`, so that nothing that a
/// caller asks for is silently ignored.
pub(crate) fn read<T: DeserializeOwned>(input: &Value) -> Result<T, AwsError> {
    serde_path_to_error::deserialize(input).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { "request" } else { &path };
        validation(format!(
            "1 validation error detected: {place}: {}",
            error.inner()
        ))
    })
}

/// A `ValidationException` with this message.
pub(crate) fn validation(message: impl Into<String>) -> AwsError {
    AwsError::client("ValidationException", message)
}

/// A `ValidationException` in AWS's words. `rule` follows "Member must".
pub(crate) fn fault(field: &str, value: &str, rule: &str) -> AwsError {
    validation(format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: Member must {rule}"
    ))
}

/// Fails unless the text has a permitted number of characters.
pub(crate) fn length(
    field: &str,
    value: &str,
    permitted: RangeInclusive<usize>,
) -> Result<(), AwsError> {
    let characters = value.chars().count();
    let (least, most) = permitted.into_inner();
    if characters < least {
        let rule = format!("have length greater than or equal to {least}");
        return Err(fault(field, value, &rule));
    }
    if characters > most {
        let rule = format!("have length less than or equal to {most}");
        let start: String = value.chars().take(80).collect();
        return Err(fault(field, &start, &rule));
    }
    Ok(())
}

/// The number of results on a page: the caller's, or the largest that is permitted.
pub(crate) fn page_size(
    field: &str,
    asked: Option<usize>,
    permitted: RangeInclusive<usize>,
) -> Result<usize, AwsError> {
    let (least, most) = permitted.into_inner();
    match asked {
        None => Ok(most),
        Some(asked) if asked < least => {
            let rule = format!("have value greater than or equal to {least}");
            Err(fault(field, &asked.to_string(), &rule))
        }
        Some(asked) if asked > most => {
            let rule = format!("have value less than or equal to {most}");
            Err(fault(field, &asked.to_string(), &rule))
        }
        Some(asked) => Ok(asked),
    }
}

/// Cuts a list of one item more than a page has to the page, and returns the key of the page's last item as the token
/// of the next page; `None` after the last page.
pub(crate) fn cut<T>(
    items: &mut Vec<T>,
    page: usize,
    key: impl FnOnce(&T) -> String,
) -> Option<String> {
    if items.len() <= page {
        return None;
    }
    items.truncate(page);
    items.last().map(key)
}

/// A member's name with a small first letter, as AWS's messages have it.
pub(crate) fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// The error for an operation that is not supported.
pub(crate) fn unknown(operation: &str) -> AwsError {
    AwsError::client(
        "UnknownOperationException",
        format!("The operation {operation} is not supported by this runtime."),
    )
}

/// Adds a field to an answer.
pub(crate) fn put(answer: &mut Value, field: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = answer {
        fields.insert(field.to_owned(), value.into());
    }
}

/// Adds a field to an answer, unless it has no value.
pub(crate) fn put_some(answer: &mut Value, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(answer, field, value);
    }
}

/// A time as JSON answers have it: seconds since 1970, with fractions.
pub(crate) fn seconds(at: Timestamp) -> Value {
    json!(at.as_duration().as_secs_f64())
}

/// A time as the store has it: milliseconds since 1970.
pub(crate) fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors are of interest")]
    struct Order {
        name: String,
        lines: Vec<usize>,
    }

    #[test]
    fn a_request_that_is_not_understood_names_the_field_and_the_rule() {
        for (request, words) in [
            (json!({"name": "a"}), "request: missing field `lines`"),
            (
                json!({"name": "a", "lines": [1, "b"]}),
                "lines[1]: invalid type: string \"b\", expected usize",
            ),
            (
                json!({"name": "a", "lines": [], "more": 1}),
                "more: unknown field `more`",
            ),
        ] {
            let error = read::<Order>(&request).unwrap_err();
            assert_eq!(error.code, "ValidationException");
            assert!(error.message.contains(words), "{}", error.message);
        }
        assert!(length("name", "añ", 1..=2).is_ok());
        assert!(length("name", "", 1..=2).is_err());
        assert!(length("name", "añb", 1..=2).is_err());
        assert_eq!(page_size("max", None, 1..=10), Ok(10));
        assert!(page_size("max", Some(0), 1..=10).is_err());
        assert!(page_size("max", Some(11), 1..=10).is_err());
    }
}
