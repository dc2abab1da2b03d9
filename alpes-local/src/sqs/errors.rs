//! Errors of SQS. Clients of the older query protocol know some of them by other codes, which a header carries.

use http::HeaderValue;

use crate::{
    error::AwsError,
    http::{Response, json_error},
};

/// The answer to a request that failed: the error in JSON, and its code of the query protocol in the header
/// `x-amzn-query-error`. SDKs that once spoke the query protocol report the header's code to their callers.
#[must_use]
pub fn error_answer(error: &AwsError) -> Response {
    let mut answer = json_error("1.0", error);
    let fault = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let value = format!("{};{fault}", query_code(&error.code));
    if let Ok(value) = HeaderValue::from_str(&value) {
        answer.headers_mut().insert("x-amzn-query-error", value);
    }
    answer
}

/// The code of the query protocol. `code` itself is the code of the JSON protocol.
pub(super) fn query_code(code: &str) -> String {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "QueueNameExists" => "QueueAlreadyExists".to_owned(),
        "InvalidParameterValueException" => "InvalidParameterValue".to_owned(),
        "MissingRequiredParameterException" => "MissingParameter".to_owned(),
        "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "MessageNotInflight"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation" => format!("AWS.SimpleQueueService.{code}"),
        _ => code.to_owned(),
    }
}

pub(super) fn invalid_value(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidParameterValueException", message)
}

/// The error for a parameter whose value breaks a rule, in AWS's words.
pub(super) fn invalid_parameter(name: &str, value: &str, reason: &str) -> AwsError {
    invalid_value(format!(
        "Value {value} for parameter {name} is invalid. Reason: {reason}"
    ))
}

pub(super) fn missing_parameter(name: &str) -> AwsError {
    AwsError::client(
        "MissingRequiredParameterException",
        format!("The request must contain the parameter {name}."),
    )
}

pub(super) fn unsupported(message: impl Into<String>) -> AwsError {
    AwsError::client("UnsupportedOperation", message)
}

pub(super) fn no_queue() -> AwsError {
    AwsError::client("QueueDoesNotExist", "The specified queue does not exist.")
}

pub(super) fn unknown_attribute(name: &str) -> AwsError {
    invalid_name(format!("Unknown Attribute {name}."))
}

pub(super) fn invalid_name(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidAttributeName", message)
}

pub(super) fn invalid_attribute(name: &str, reason: &str) -> AwsError {
    AwsError::client(
        "InvalidAttributeValue",
        format!("Invalid value for the parameter {name}. Reason: {reason}"),
    )
}

pub(super) fn invalid_receipt(receipt: &str) -> AwsError {
    AwsError::client(
        "ReceiptHandleIsInvalid",
        format!("The input receipt handle \"{receipt}\" is not a valid receipt handle."),
    )
}
