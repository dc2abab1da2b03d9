//! An HTTP answer, with assertions about it.

use lambda_http::{
    Body, Response,
    http::{HeaderMap, StatusCode},
};
use serde_json::Value;

use crate::SECRET;

/// An HTTP answer, split into status, headers and body.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text, byte for byte.
    pub text: String,
    /// The body, parsed as JSON.
    pub body: Value,
}

impl Answer {
    /// Reads a response. Panics if the body is not JSON, if the answer contains [`SECRET`], an error text of the
    /// infrastructure, or if it lacks a header that every answer has.
    pub fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let Body::Text(text) = body else {
            panic!("an answer is text: {body:?}");
        };
        assert!(!text.contains(SECRET), "{text}");
        for (name, value) in [
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            (
                "Strict-Transport-Security",
                "max-age=31536000; includeSubDomains",
            ),
        ] {
            let header = parts.headers.get(name);
            let header = header.map(|header| header.to_str().unwrap());
            assert_eq!(header, Some(value), "{name}");
        }
        Self {
            status: parts.status,
            headers: parts.headers,
            body: if parts.status == StatusCode::NO_CONTENT {
                assert_eq!(text, "");
                Value::Null
            } else {
                serde_json::from_str(&text).expect("an answer is JSON")
            },
            text,
        }
    }

    /// The value of a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts that the answer is a problem. `kind` is the last part of its `type`, and `name` names the case in the
    /// panic's text.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, kind: &str, name: &str) {
        assert_eq!(self.status, status, "{name}: {}", self.text);
        let media = self.header("Content-Type");
        assert_eq!(media, Some("application/problem+json"), "{name}");
        assert_eq!(self.body["status"], status, "{name}");
        let kind = format!("urn:aeroalpes:problema:{kind}");
        assert_eq!(self.body["type"], kind, "{name}");
        let title = self.body["title"].as_str();
        assert!(title.is_some_and(|title| !title.is_empty()), "{name}");
    }

    /// The entries of `errores` in the body, each as `campo: regla`.
    pub fn errores(&self) -> Vec<String> {
        let errores = self.body["errores"].as_array();
        let error = |error: &Value| {
            assert!(!error["detalle"].as_str().unwrap().is_empty());
            let text = |name: &str| error[name].as_str().unwrap().to_owned();
            format!("{}: {}", text("campo"), text("regla"))
        };
        errores.map_or(vec![], |errores| errores.iter().map(error).collect())
    }

    /// The body. Panics if the answer has another status or is a problem.
    #[track_caller]
    fn of_status(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("Content-Type"), Some("application/json"));
        self.body
    }

    /// The body of a 200 answer. Panics on any other status.
    #[track_caller]
    pub fn ok(self) -> Value {
        self.of_status(200)
    }

    /// The body of a 202 answer. Panics on any other status.
    #[track_caller]
    pub fn accepted(self) -> Value {
        self.of_status(202)
    }
}
