//! The parts that SNS's answers have in common, and SNS's errors.

use crate::{error::AwsError, http::xml_element};

/// The namespace of SNS's answers, also for [`crate::http::query_error`].
pub const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// A map with texts as names and values.
pub(super) fn map<'a>(
    name: &str,
    entries: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> String {
    let entries = entries.into_iter().map(|(key, value)| {
        format!(
            "<entry>{}{}</entry>",
            xml_element("key", key),
            xml_element("value", value)
        )
    });
    format!("<{name}>{}</{name}>", entries.collect::<String>())
}

/// A list of elements.
pub(super) fn list(name: &str, members: impl IntoIterator<Item = String>) -> String {
    let members = members
        .into_iter()
        .map(|member| format!("<member>{member}</member>"));
    format!("<{name}>{}</{name}>", members.collect::<String>())
}

/// The error for a parameter that breaks a rule.
pub(super) fn invalid(reason: &str) -> AwsError {
    AwsError::client("InvalidParameter", format!("Invalid parameter: {reason}"))
}

/// The error for an attribute of a message that breaks a rule.
pub(super) fn invalid_value(message: impl Into<String>) -> AwsError {
    AwsError::client("ParameterValueInvalid", message)
}

pub(super) fn not_found(what: &str) -> AwsError {
    AwsError::of(404, "NotFound", format!("{what} does not exist"))
}
