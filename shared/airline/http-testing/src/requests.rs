//! Requests for tests. Each request is made from an event in the form that API Gateway sends, by the code that the
//! functions themselves use.

use std::{collections::BTreeMap, fs, path::Path};

use api::Event;
use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_http::{Body, Request, RequestExt};
use serde_json::{Map, Value, json};

/// The request for a reservation from the tutorials.
pub const SAMPLE: &str = include_str!("../../../airline/vuelos/tests/data/crear_reserva.json");

/// [`SAMPLE`] as JSON.
pub fn sample() -> Value {
    serde_json::from_str(SAMPLE).unwrap()
}

/// The API Gateway event from which a request was made. The request keeps the event as an extension.
#[derive(Clone)]
struct Sent(Value);

/// A request for a path with its query and no body, in the form in which a REST API of API Gateway sends it.
///
/// As at AWS, the event's path stays percent-encoded and its query is decoded. If the query repeats a name, the map
/// with single values has the last value. A map without entries is null.
pub fn ask(method: &str, path: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (mut last, mut all) = (Map::new(), Map::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        add(&mut last, &mut all, &decoded(name), &decoded(value));
    }
    let maps = |map: Map<String, Value>| {
        if map.is_empty() {
            Value::Null
        } else {
            map.into()
        }
    };
    let event = json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com", "X-Forwarded-Proto": "https"},
        "multiValueHeaders": {
            "Host": ["a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"], "X-Forwarded-Proto": ["https"],
        },
        "queryStringParameters": maps(last),
        "multiValueQueryStringParameters": maps(all),
        "pathParameters": {"proxy": path.trim_matches('/')},
        "stageVariables": null,
        "requestContext": {
            "resourceId": "x7k2p9",
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "extendedRequestId": "XyZ1EjHIAMEVzg=",
            "requestTime": "31/Jan/2026:10:00:00 +0000",
            "path": format!("/v1{path}"),
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": "v1",
            "domainPrefix": "a1b2c3d4e5",
            "requestTimeEpoch": 1_769_853_600_000_u64,
            "requestId": "6f1c2a9e-0c1b-4f5e-9b1a-000000000001",
            "identity": {
                "cognitoIdentityPoolId": null, "accountId": null, "cognitoIdentityId": null, "caller": null,
                "sourceIp": "203.0.113.7", "principalOrgId": null, "accessKey": null, "cognitoAuthenticationType": null,
                "cognitoAuthenticationProvider": null, "userArn": null, "userAgent": "curl/8.5.0", "user": null,
            },
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "apiId": "a1b2c3d4e5",
        },
        "body": null,
        "isBase64Encoded": false,
    });
    made_of(event)
}

fn made_of(event: Value) -> Request {
    let mut request = read(&event.to_string()).unwrap();
    request.extensions_mut().insert(Sent(event));
    request
}

/// The request that a function makes from an API Gateway event.
///
/// # Errors
///
/// The text is not an API Gateway event.
pub fn read(event: &str) -> serde_json::Result<Request> {
    Ok(serde_json::from_str::<Event>(event)?.into())
}

/// Changes the event of a request and makes the request again from it.
fn changed(mut request: Request, change: impl FnOnce(&mut Value)) -> Request {
    let sent = request.extensions_mut().remove::<Sent>();
    let Sent(mut event) = sent.expect("a request of `ask`");
    change(&mut event);
    made_of(event)
}

/// Adds a value to the two maps of an event: to the map with the last value of each name, and to the map with all
/// values.
fn add(last: &mut Map<String, Value>, all: &mut Map<String, Value>, name: &str, value: &str) {
    last.insert(name.to_owned(), value.into());
    let values = all.entry(name).or_insert_with(|| json!([]));
    values.as_array_mut().unwrap().push(value.into());
}

/// A name or value of a query, decoded as API Gateway decodes it.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (vec![], text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A POST request with this body. The content type is JSON, even if the body is not.
pub fn post(path: &str, body: impl Into<Body>) -> Request {
    let (body, encoded) = match body.into() {
        Body::Text(text) => (text.into(), false),
        Body::Binary(bytes) => (STANDARD.encode(bytes).into(), true),
        _ => (Value::Null, false),
    };
    let request = with_header(ask("POST", path), "Content-Type", "application/json");
    changed(request, |event| {
        event["body"] = body;
        event["isBase64Encoded"] = encoded.into();
    })
}

/// The request with an additional header. If the request already has a header of this name, it then has both.
pub fn with_header(request: Request, name: &str, value: &str) -> Request {
    changed(request, |event| {
        let mut maps = ["headers", "multiValueHeaders"].map(|map| event[map].take());
        if let [Value::Object(last), Value::Object(all)] = &mut maps {
            add(last, all, name, value);
        }
        let [last, all] = maps;
        (event["headers"], event["multiValueHeaders"]) = (last, all);
    })
}

/// The request with other values in its context, as an authorizer or a signature adds them.
pub fn with_context(request: Request, change: impl FnOnce(&mut Value)) -> Request {
    changed(request, |event| change(&mut event["requestContext"]))
}

/// The request without the header `name`.
pub fn without_header(request: Request, name: &str) -> Request {
    changed(request, |event| {
        for map in ["headers", "multiValueHeaders"] {
            event[map].as_object_mut().unwrap().remove(name);
        }
    })
}

/// The request with this value as the only value of the header `name`.
pub fn with_other_header(request: Request, name: &str, value: &str) -> Request {
    with_header(without_header(request, name), name, value)
}

/// Every sample event of a folder, by its name. A file whose name ends in `_v2` has the form that `cargo lambda watch`
/// sends. Every other file has the form that a REST API of API Gateway sends.
pub fn samples(folder: impl AsRef<Path>) -> BTreeMap<String, Request> {
    let files = fs::read_dir(folder).unwrap();
    let files = files.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let request = read(&fs::read_to_string(&path).unwrap()).expect(&name);
        let form = if name.ends_with("_v2") { "V2" } else { "V1" };
        let context = format!("{:?}", request.request_context());
        assert!(context.starts_with(&format!("ApiGateway{form}")), "{name}");
        (name, request)
    });
    files.collect()
}
