//! Requests.

use std::{collections::BTreeMap, fs, path::Path};

use lambda_http::{
    Body, Request, RequestExt,
    http::{HeaderName, HeaderValue},
    request,
};
use serde_json::{Value, json};

/// The tutorials' own request for a reservation.
pub const SAMPLE: &str = include_str!("../../vuelos/tests/data/crear_reserva.json");

/// The same as JSON.
pub fn sample() -> Value {
    serde_json::from_str(SAMPLE).unwrap()
}

/// A request for a path with its query, without a body, as API Gateway sends it, so that the query is parsed as there.
pub fn ask(method: &str, path: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "localhost"},
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "requestId": "1",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1_769_853_600_000_u64,
        },
        "isBase64Encoded": false,
    });
    request::from_str(&event.to_string()).unwrap()
}

/// A body that is posted as JSON, whatever it is.
pub fn post(path: &str, body: impl Into<Body>) -> Request {
    let mut request = with_header(ask("POST", path), "Content-Type", "application/json");
    *request.body_mut() = body.into();
    request
}

/// The request with one more header, or one more of that name.
pub fn with_header(mut request: Request, name: &str, value: &str) -> Request {
    let name: HeaderName = name.parse().unwrap();
    let value = HeaderValue::from_str(value).unwrap();
    request.headers_mut().append(name, value);
    request
}

/// Every sample event of a folder by its name: as API Gateway REST sends it, or, `_v2`, as `cargo lambda watch` does.
pub fn samples(folder: impl AsRef<Path>) -> BTreeMap<String, Request> {
    let files = fs::read_dir(folder).unwrap();
    let read = files.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let request = request::from_str(&fs::read_to_string(&path).unwrap()).expect(&name);
        let form = if name.ends_with("_v2") { "V2" } else { "V1" };
        let context = format!("{:?}", request.request_context());
        assert!(context.starts_with(&format!("ApiGateway{form}")), "{name}");
        (name, request)
    });
    read.collect()
}
