//! The answers of services of the query protocol, and SNS's errors.

use uuid::Uuid;

use crate::error::AwsError;
pub(crate) use crate::http::xml_element as element;

/// The namespace of SNS's answers, also for [`crate::http::query_error`].
pub const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// The whole answer to an action. `result` is the XML inside of the result; `None` if the action has no result.
pub(crate) fn query_answer(namespace: &str, action: &str, result: Option<&str>) -> String {
    let result = result.map(|result| format!("<{action}Result>{result}</{action}Result>"));
    let id = Uuid::new_v4();
    format!(
        "<{action}Response xmlns=\"{namespace}\">{}<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>\
         </{action}Response>",
        result.unwrap_or_default()
    )
}

/// A map with texts as names and values.
pub(super) fn map<'a>(
    name: &str,
    entries: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> String {
    let entries = entries.into_iter().map(|(key, value)| {
        format!(
            "<entry>{}{}</entry>",
            element("key", key),
            element("value", value)
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
