mod authorizers;
mod definitions;
mod requests;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;

use super::*;
use crate::invoke::{Failure, Invoked};

/// The end of an invocation: a payload, with a failure or none.
type End = Result<(String, Option<Failure>), AwsError>;

/// Functions that answer what a test says, and keep their events.
#[derive(Default)]
struct Functions {
    answers: Mutex<BTreeMap<String, End>>,
    events: Mutex<Vec<(String, Value)>>,
}

impl Functions {
    fn answer(&self, function: &str, payload: &Value) {
        let answer = Ok((payload.to_string(), None));
        self.answers
            .lock()
            .unwrap()
            .insert(function.to_owned(), answer);
    }

    fn fail(&self, function: &str, message: &str) {
        let payload = json!({"errorMessage": message, "errorType": "Error"});
        let answer = Ok((payload.to_string(), Some(Failure::Error)));
        self.answers
            .lock()
            .unwrap()
            .insert(function.to_owned(), answer);
    }

    fn reject(&self, function: &str, error: AwsError) {
        self.answers
            .lock()
            .unwrap()
            .insert(function.to_owned(), Err(error));
    }

    fn events(&self) -> MutexGuard<'_, Vec<(String, Value)>> {
        self.events.lock().unwrap()
    }

    fn last_event(&self) -> Value {
        self.events().last().unwrap().1.clone()
    }
}

#[async_trait]
impl Invoker for Functions {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, AwsError> {
        let event = serde_json::from_slice(&payload).unwrap();
        self.events().push((function.to_owned(), event));
        let answer = self.answers.lock().unwrap().get(function).cloned();
        let Some(answer) = answer else {
            return std::future::pending().await;
        };
        let (payload, failure) = answer?;
        Ok(Invoked {
            request_id: "r".to_owned(),
            executed_version: "$LATEST".to_owned(),
            payload: Bytes::from(payload),
            failure,
            log_tail: String::new(),
        })
    }

    async fn enqueue(&self, _: &str, _: Bytes) -> Result<String, AwsError> {
        panic!("an API waits for its functions");
    }

    fn role(&self, _: &str) -> Option<String> {
        Some("arn:aws:iam::000000000000:role/any".to_owned())
    }
}

struct Fixture {
    functions: Arc<Functions>,
    gateway: Gateway,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Fixture {
    fn new(definition: Value) -> Self {
        let functions = Arc::new(Functions::default());
        functions.answer("shop", &json!({"statusCode": 200, "body": "ok"}));
        let gateway = Gateway::new(Arc::default(), functions.clone());
        gateway.put(spec(definition)).unwrap();
        Self { functions, gateway }
    }

    async fn send(&self, request: Request) -> Answer {
        let (id, stage) = ("a1b2c3", "v1");
        let response = self.gateway.serve(id, stage, &request.path, &request).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, target: &str, headers: &[(&'static str, &str)]) -> Answer {
        self.send(request("GET", target, headers, b"")).await
    }
}

fn spec(definition: Value) -> ApiSpec {
    ApiSpec {
        id: "a1b2c3".to_owned(),
        name: "shop".to_owned(),
        stage: "v1".to_owned(),
        definition,
    }
}

fn request(method: &str, target: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    Request {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: map,
        body: Bytes::copy_from_slice(body),
        peer: SocketAddr::from(([127, 0, 0, 1], 50_000)),
    }
}

fn uri(function: &str) -> String {
    format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations")
}

fn proxy(function: &str) -> Value {
    json!({"type": "aws_proxy", "httpMethod": "POST", "uri": uri(function)})
}

fn operation(function: &str) -> Value {
    json!({"x-amazon-apigateway-integration": proxy(function)})
}

fn paths(paths: &Value) -> Value {
    json!({"openapi": "3.0.1", "paths": paths})
}

fn orders() -> Fixture {
    let any = json!({"x-amazon-apigateway-any-method": operation("shop")});
    let get = json!({"get": operation("shop")});
    Fixture::new(paths(&json!({"/orders/{id}": any, "/orders": get})))
}
