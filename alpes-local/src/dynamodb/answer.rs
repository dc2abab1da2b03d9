//! Errors and answers, as DynamoDB sends them.

use dynoxide::DynoxideError;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::{
    error::AwsError,
    http::{self as answers, Response},
};

/// An error as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body: JSON with `__type`, and in most cases a message.
    pub body: String,
}

impl Answer {
    /// An error of DynamoDB's own, for which `dynoxide` has no variant.
    pub(super) fn of(code: &str, message: &str) -> Self {
        let code = format!("com.amazonaws.dynamodb.v20120810#{code}");
        Self {
            status: 400,
            body: json!({"__type": code, "message": message}).to_string(),
        }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        DynoxideError::ValidationException(message.into()).into()
    }

    /// A request that DynamoDB cannot read. DynamoDB sends no message if the body is no JSON; `message` is then empty.
    pub(super) fn unreadable(message: impl Into<String>) -> Self {
        DynoxideError::SerializationException(message.into()).into()
    }

    pub(super) fn unknown(operation: &str) -> Self {
        let message = format!("this runtime does not have DynamoDB's operation {operation:?}");
        Self {
            status: 400,
            body: json!({
                "__type": "com.amazon.coral.service#UnknownOperationException",
                "message": message,
            })
            .to_string(),
        }
    }

    /// The error's code without its namespace; an empty text if the body has none.
    #[must_use]
    pub fn code(&self) -> String {
        self.parts().0
    }

    fn parts(&self) -> (String, String) {
        #[derive(Default, Deserialize)]
        struct Parts {
            #[serde(rename = "__type", default)]
            kind: String,
            #[serde(default, alias = "Message")]
            message: String,
        }
        let parts: Parts = serde_json::from_str(&self.body).unwrap_or_default();
        let code = parts.kind.rsplit('#').next().unwrap_or_default();
        (code.to_owned(), parts.message)
    }
}

impl From<DynoxideError> for Answer {
    fn from(error: DynoxideError) -> Self {
        Self {
            status: error.status_code(),
            body: error.to_json(),
        }
    }
}

impl From<serde_json::Error> for Answer {
    fn from(error: serde_json::Error) -> Self {
        DynoxideError::InternalServerError(error.to_string()).into()
    }
}

impl From<rusqlite::Error> for Answer {
    fn from(error: rusqlite::Error) -> Self {
        DynoxideError::from(error).into()
    }
}

impl From<Answer> for AwsError {
    fn from(answer: Answer) -> Self {
        let (code, message) = answer.parts();
        Self::of(answer.status, code, message)
    }
}

/// An HTTP answer. SDKs compare the CRC-32 with the body.
pub(super) fn response(status: u16, body: String) -> Response {
    let crc = crc32fast::hash(body.as_bytes());
    let mut response = answers::answer(status, "application/x-amz-json-1.0", body);
    let headers = response.headers_mut();
    headers.insert("x-amz-crc32", HeaderValue::from(crc));
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
