//! Answers in JSON.

use std::time::Duration;

use serde_json::Value;

/// Adds a member to an object.
pub(super) fn set(object: &mut Value, name: &str, member: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), member.into());
    }
}

/// A time as AWS writes it in JSON: seconds since 1970, with milliseconds as the fraction.
pub(super) fn millis_as_seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}
