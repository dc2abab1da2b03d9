//! The forms in which AWS's services are asked and answer: JSON and XML.

use http::HeaderValue;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Response, answer};
use crate::error::AwsError;

/// The fields of a form or of a query.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Parses `name=value&…`. A `+` stands for a space.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(Self::pairs(text).collect())
    }

    /// The decoded names and values of a query, in order.
    pub fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
        let parts = text.split('&').filter(|part| !part.is_empty());
        parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(name), decoded(value))
        })
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// An answer in JSON, with a request id. `version` is that of the protocol, `1.0` or `1.1`; an empty text for a REST
/// API.
#[must_use]
pub fn json_answer(status: u16, version: &str, body: &Value) -> Response {
    let mut response = answer(status, &json_type(version), body.to_string());
    identify(&mut response);
    response
}

/// An error in JSON, as the SDKs read it: the code in `__type` and in the header `x-amzn-errortype`.
#[must_use]
pub fn json_error(version: &str, error: &AwsError) -> Response {
    let mut body = Map::new();
    body.insert("__type".to_owned(), error.code.clone().into());
    body.insert("message".to_owned(), error.message.clone().into());
    body.extend(error.members.clone());
    let mut response = json_answer(error.status, version, &body.into());
    if let Ok(code) = HeaderValue::from_str(&error.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

fn json_type(version: &str) -> String {
    if version.is_empty() {
        "application/json".to_owned()
    } else {
        format!("application/x-amz-json-{version}")
    }
}

/// An answer in XML, with a request id.
#[must_use]
pub fn xml_answer(status: u16, body: String) -> Response {
    let mut response = answer(status, "text/xml", body);
    identify(&mut response);
    response
}

/// The whole answer of a service of the query protocol to an action. `result` is the XML inside of the result; `None` if
/// the action has no result.
#[must_use]
pub fn query_answer(namespace: &str, action: &str, result: Option<&str>) -> String {
    let result = result.map(|result| format!("<{action}Result>{result}</{action}Result>"));
    let id = Uuid::new_v4();
    format!(
        "<{action}Response xmlns=\"{namespace}\">{}<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>\
         </{action}Response>",
        result.unwrap_or_default()
    )
}

/// An error of a service of the query protocol, for example SNS.
#[must_use]
pub fn query_error(namespace: &str, error: &AwsError) -> Response {
    let kind = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let (code, message) = (xml_text(&error.code), xml_text(&error.message));
    let id = Uuid::new_v4();
    let body = format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
    );
    xml_answer(error.status, body)
}

/// An element in XML with a text.
#[must_use]
pub fn xml_element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", xml_text(text))
}

/// A text in XML.
#[must_use]
pub fn xml_text(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let escaped = escaped.replace('>', "&gt;").replace('"', "&quot;");
    escaped.replace('\r', "&#xD;")
}

fn identify(response: &mut Response) {
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
}
