//! Errors of S3.

use std::fmt::Write;

use http::Method;

use super::answers::{XML, identified};
use crate::{
    error::AwsError,
    http::{Response, answer, xml_text},
};

/// The answer to a request that failed.
pub(crate) fn error_answer(method: &Method, error: &AwsError) -> Response {
    if *method == Method::HEAD || error.status == 304 {
        return identified(answer(error.status, XML, ""));
    }
    let code = if error.code == "InternalFailure" {
        "InternalError"
    } else {
        &error.code
    };
    let mut body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>",
        xml_text(code),
        xml_text(&error.message)
    );
    for (name, value) in &error.members {
        let value = value.as_str().unwrap_or_default();
        // Writing to a string does not fail.
        let _ = write!(body, "<{name}>{}</{name}>", xml_text(value));
    }
    let _ = write!(
        body,
        "<RequestId>{}</RequestId><HostId>{HOST_ID}</HostId></Error>",
        super::answers::request_id()
    );
    identified(answer(error.status, XML, body))
}

/// The id of the host that answered, which on AWS is for its support only.
pub(super) const HOST_ID: &str = "YWxwZXMtbG9jYWw=";

pub(super) fn no_bucket(name: &str) -> AwsError {
    AwsError::of(404, "NoSuchBucket", "The specified bucket does not exist")
        .with("BucketName", name)
}

pub(super) fn no_key(key: &str) -> AwsError {
    AwsError::of(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}

pub(super) fn no_upload(id: &str) -> AwsError {
    AwsError::of(
        404,
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed.",
    )
    .with("UploadId", id)
}

pub(super) fn invalid_argument(message: &str, name: &str, value: &str) -> AwsError {
    AwsError::client("InvalidArgument", message)
        .with("ArgumentName", name)
        .with("ArgumentValue", value)
}

pub(super) fn invalid_request(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidRequest", message)
}

pub(super) fn malformed_xml() -> AwsError {
    AwsError::client(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

pub(super) fn precondition_failed(condition: &str) -> AwsError {
    AwsError::of(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
    .with("Condition", condition)
}

pub(super) fn header_not_implemented(name: &str) -> AwsError {
    AwsError::of(
        501,
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
    )
    .with("Header", name)
}

pub(super) fn parameter_not_implemented(name: &str) -> AwsError {
    AwsError::of(
        501,
        "NotImplemented",
        format!("The local runtime does not implement requests with the query parameter {name}."),
    )
    .with("Parameter", name)
}

pub(super) fn not_allowed(method: &Method) -> AwsError {
    AwsError::of(
        405,
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
    )
    .with("Method", method.as_str())
}
