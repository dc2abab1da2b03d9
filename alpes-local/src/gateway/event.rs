//! Events: requests as functions get them.

use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use serde_json::{Map, Value};

use super::call::Call;
use crate::http::{Form, Request};

/// Headers that API Gateway keeps to itself.
const NOT_PASSED_ON: [&str; 12] = [
    "connection",
    "content-length",
    "content-md5",
    "expect",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// The event of a proxy integration. Maps without entries are null.
pub(super) fn proxy(call: &Call<'_>) -> Value {
    let mut event = request(call, &Value::Null);
    let (body, encoded) = body(call);
    event.insert("body".to_owned(), body);
    event.insert("isBase64Encoded".to_owned(), encoded.into());
    event.into()
}

/// The event of a `REQUEST` authorizer: a proxy event without body. Maps without entries are there.
pub(super) fn authorizer(call: &Call<'_>) -> Value {
    let mut event = request(call, &Value::Object(Map::new()));
    event.insert("type".to_owned(), "REQUEST".into());
    event.insert("methodArn".to_owned(), call.method_arn().into());
    event.into()
}

/// The members that both kinds of events have. `empty` stands for a map without entries.
fn request(call: &Call<'_>, empty: &Value) -> Map<String, Value> {
    let headers = Values::of_headers(call);
    let query = Values::of_query(call.request);
    let or_empty = |map: Map<String, Value>| {
        if map.is_empty() {
            empty.clone()
        } else {
            map.into()
        }
    };
    let route = call.route.as_ref();
    let resource = route.map(|route| route.resource.path.clone());
    let members = [
        ("resource", resource.into()),
        ("path", call.path.clone().into()),
        ("httpMethod", call.request.method.as_str().into()),
        ("headers", or_empty(headers.last())),
        ("multiValueHeaders", or_empty(headers.all())),
        ("queryStringParameters", or_empty(query.last())),
        ("multiValueQueryStringParameters", or_empty(query.all())),
        ("pathParameters", or_empty(path_parameters(call))),
        ("stageVariables", empty.clone()),
        ("requestContext", call.context()),
    ];
    let members = members.into_iter();
    members
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn path_parameters(call: &Call<'_>) -> Map<String, Value> {
    let route = call.route.iter();
    let parameters = route.flat_map(|route| &route.parameters);
    parameters
        .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
        .collect()
}

/// The body and whether it is in base64. As at AWS, a body of another media type than the binary ones is text, even if
/// it is not.
fn body(call: &Call<'_>) -> (Value, bool) {
    let request = call.request;
    if request.body.is_empty() {
        return (Value::Null, false);
    }
    if call.api.binary.contains(request.header("content-type")) {
        return (STANDARD.encode(&request.body).into(), true);
    }
    let text = String::from_utf8_lossy(&request.body).into_owned();
    (text.into(), false)
}

/// Names with their values, in the order in which they were sent.
struct Values(Vec<(String, Vec<String>)>);

impl Values {
    fn of_headers(call: &Call<'_>) -> Self {
        let headers = &call.request.headers;
        let passed = headers
            .keys()
            .filter(|name| !NOT_PASSED_ON.contains(&name.as_str()));
        let mut values = Self(vec![]);
        for name in passed {
            for value in headers.get_all(name) {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                values.add(&capitalised(name.as_str()), text);
            }
        }
        values.set("X-Amzn-Trace-Id", call.trace.clone());
        values.set("X-Forwarded-For", forwarded_for(headers, call.request.peer));
        values.set("X-Forwarded-Port", port(call.request));
        values.set("X-Forwarded-Proto", "http".to_owned());
        values
    }

    fn of_query(request: &Request) -> Self {
        let mut values = Self(vec![]);
        for (name, value) in Form::pairs(&request.query) {
            values.add(&name, value);
        }
        values
    }

    fn add(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name.to_owned(), vec![value])),
        }
    }

    fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(known, _)| known != name);
        self.add(name, value);
    }

    fn last(&self) -> Map<String, Value> {
        let entries = self.0.iter();
        entries
            .map(|(name, values)| (name.clone(), values.last().cloned().into()))
            .collect()
    }

    fn all(&self) -> Map<String, Value> {
        let entries = self.0.iter();
        entries
            .map(|(name, values)| (name.clone(), values.clone().into()))
            .collect()
    }
}

/// The name of a header as clients usually write it. The server gets all names in lower case.
fn capitalised(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

fn forwarded_for(headers: &HeaderMap, peer: SocketAddr) -> String {
    let before = headers.get_all("x-forwarded-for").iter();
    let before = before.filter_map(|value| value.to_str().ok().map(str::to_owned));
    let all: Vec<String> = before.chain([peer.ip().to_string()]).collect();
    all.join(", ")
}

/// The port to which the client sent the request.
fn port(request: &Request) -> String {
    let host = request.header("host").unwrap_or_default();
    let port = host.rsplit_once(':').map(|(_, port)| port);
    let port = port.filter(|port| port.parse::<u16>().is_ok());
    port.unwrap_or("80").to_owned()
}
