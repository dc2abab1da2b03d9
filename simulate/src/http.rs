//! HTTP requests and answers, in the form in which API Gateway passes them on.

use std::collections::BTreeMap;

use api::Event;
use lambda_http::{Body, Request, Response};
use serde_json::{Value, json};

/// The event of a request. `headers` are added to those that every client sends.
pub fn event(method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Vec<u8> {
    let mut all = BTreeMap::from([("host", "localhost")]);
    if body.is_some() {
        all.insert("content-type", "application/json");
    }
    all.extend(headers.iter().copied());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": all,
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "requestId": "1",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1_769_853_600_000_u64,
        },
        "body": body.map(Value::to_string),
        "isBase64Encoded": false,
    });
    event.to_string().into_bytes()
}

/// Parses the event of a request, as an HTTP function does.
pub fn request(event: &[u8]) -> Result<Request, (String, String)> {
    let event: Result<Event, _> = serde_json::from_slice(event);
    event
        .map(Request::from)
        .map_err(|error| ("Request".to_owned(), error.to_string()))
}

/// Serializes an answer.
pub fn written(response: Response<Body>) -> Vec<u8> {
    let (parts, body) = response.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let headers: BTreeMap<_, _> = headers.collect();
    let body = String::from_utf8_lossy(&body).into_owned();
    let answer = json!({"status": parts.status.as_u16(), "headers": headers, "body": body});
    answer.to_string().into_bytes()
}

/// An answer, as a client gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The whole answer, byte for byte.
    pub text: String,
    /// The HTTP status of the answer.
    pub status: u64,
    /// The JSON body of the answer.
    pub body: Value,
}

impl Answer {
    /// Parses the output of [`written`].
    pub fn read(bytes: &[u8]) -> Self {
        let whole: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let body = whole
            .get("body")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Self {
            text: String::from_utf8_lossy(bytes).into_owned(),
            status: whole.get("status").and_then(Value::as_u64).unwrap_or(0),
            body: serde_json::from_str(body).unwrap_or_default(),
        }
    }

    /// A string field of the answer's body.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }
}
