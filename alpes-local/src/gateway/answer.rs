//! A function's answer, as an HTTP answer.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::TRANSFER_ENCODING};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::refusal::{Kind, Refusal};
use crate::http::{Response, answer};

/// Headers that a function may not set. API Gateway passes them on under another name.
const REMAPPED: [&str; 4] = ["connection", "content-length", "date", "server"];

/// A function's answer.
#[derive(Debug)]
pub(super) struct FunctionAnswer {
    status: u16,
    headers: HeaderMap,
    body: String,
    encoded: bool,
}

/// The form of a function's answer. A member of another name makes the answer malformed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Form {
    status_code: Option<Value>,
    headers: Option<Map<String, Value>>,
    multi_value_headers: Option<BTreeMap<String, Vec<Value>>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

impl FunctionAnswer {
    /// Reads an answer; `None` if it is malformed.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        // Serde would take an array for an object too.
        payload.trim_ascii_start().strip_prefix(b"{")?;
        let form: Form = serde_json::from_slice(payload).ok()?;
        Some(Self {
            status: status(form.status_code.as_ref())?,
            headers: headers(form.multi_value_headers, form.headers)?,
            body: form.body.unwrap_or_default(),
            encoded: form.is_base64_encoded.unwrap_or_default(),
        })
    }

    /// The HTTP answer. A body in base64 is decoded only for a client that takes bytes.
    pub(super) fn into_response(self, takes_bytes: bool) -> Result<Response, Refusal> {
        let body =
            if self.encoded && takes_bytes {
                let decoded = STANDARD.decode(&self.body);
                Bytes::from(decoded.map_err(|_| {
                    Refusal::of(Kind::ApiConfigurationError, "Internal server error")
                })?)
            } else {
                Bytes::from(self.body)
            };
        let mut response = answer(self.status, "application/json", body);
        // A header of the function replaces the default one.
        response.headers_mut().extend(self.headers);
        Ok(response)
    }
}

/// The status: a number, or a text with a number. A missing status is 200.
fn status(value: Option<&Value>) -> Option<u16> {
    let status = match value {
        None | Some(Value::Null) => 200,
        Some(Value::String(text)) => text.parse().ok()?,
        Some(number) => u16::try_from(number.as_u64()?).ok()?,
    };
    (200..600).contains(&status).then_some(status)
}

/// All headers. If both maps have a header, then the values of `all` come first, and the one of `single` is added
/// unless it is the same. So an answer may have all its headers in both maps.
fn headers(
    all: Option<BTreeMap<String, Vec<Value>>>,
    single: Option<Map<String, Value>>,
) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, values) in all.unwrap_or_default() {
        let name = header_name(&name)?;
        for value in values {
            headers.append(name.clone(), header_value(&value)?);
        }
    }
    for (name, value) in single.unwrap_or_default() {
        let (name, value) = (header_name(&name)?, header_value(&value)?);
        if !headers.get_all(&name).iter().any(|known| known == value) {
            headers.append(name, value);
        }
    }
    headers.remove(TRANSFER_ENCODING);
    Some(headers)
}

fn header_name(name: &str) -> Option<HeaderName> {
    let name = name.to_ascii_lowercase();
    if REMAPPED.contains(&name.as_str()) {
        return HeaderName::try_from(format!("x-amzn-remapped-{name}")).ok();
    }
    HeaderName::try_from(name).ok()
}

fn header_value(value: &Value) -> Option<HeaderValue> {
    match value {
        Value::String(text) => HeaderValue::from_bytes(text.as_bytes()).ok(),
        Value::Bool(flag) => HeaderValue::from_str(&flag.to_string()).ok(),
        _ => None,
    }
}

/// Sets a header of an answer to one value, unless name or value is none.
pub(super) fn set(response: &mut Response, name: &HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        response.headers_mut().insert(name.clone(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(payload: &str) -> Option<Response> {
        let answer = FunctionAnswer::read(payload.as_bytes())?;
        Some(answer.into_response(false).expect("no base64 is decoded"))
    }

    fn values(response: &Response, name: &str) -> Vec<String> {
        let values = response.headers().get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn an_answer_may_leave_out_everything() {
        let response = response("{}").unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(values(&response, "content-type"), ["application/json"]);
    }

    #[test]
    fn headers_of_both_maps_are_merged_without_doubles() {
        let text = r#"{"statusCode": "201", "headers": {"A": "3", "B": true, "Content-Type": "text/plain", "Date": "d"},
            "multiValueHeaders": {"a": ["1", "2"], "content-type": ["text/plain"], "Transfer-Encoding": ["chunked"]}}"#;
        let response = response(text).unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(values(&response, "a"), ["1", "2", "3"]);
        assert_eq!(values(&response, "b"), ["true"]);
        assert_eq!(values(&response, "content-type"), ["text/plain"]);
        assert_eq!(values(&response, "x-amzn-remapped-date"), ["d"]);
        assert!(values(&response, "transfer-encoding").is_empty());
    }

    #[test]
    fn malformed_answers_are_recognised() {
        for payload in [
            "null",
            "\"text\"",
            "[200, null, null, null, null]",
            r#"{"statusCode": "many"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 200, "wrongValue": "value"}"#,
            r#"{"multiValueHeaders": {"a": "1"}}"#,
            r#"{"headers": {"a": 1}}"#,
            r#"{"headers": {"a b": "1"}}"#,
            r#"{"body": {"a": 1}}"#,
        ] {
            assert!(
                FunctionAnswer::read(payload.as_bytes()).is_none(),
                "{payload}"
            );
        }
    }

    #[test]
    fn base64_is_decoded_for_clients_that_take_bytes() {
        let read = |text: &str| FunctionAnswer::read(text.as_bytes()).unwrap();
        let good = r#"{"body": "AAE=", "isBase64Encoded": true}"#;
        assert!(read(good).into_response(true).is_ok());
        let bad = read(r#"{"body": "no base64!", "isBase64Encoded": true}"#);
        let refusal = bad.into_response(true).unwrap_err();
        assert_eq!(refusal.status(), 500);
    }
}
