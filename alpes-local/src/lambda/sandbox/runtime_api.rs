//! The Runtime API of one process: requests become calls to the sandbox, which answers them.

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    http::{Handler, Request, Response, answer},
    lambda::{invocation::Invocation, limits::ANSWER_BYTES},
};

/// A request of the process.
pub(super) struct Call {
    /// The request.
    pub(super) ask: Ask,
    /// Takes the answer.
    pub(super) reply: oneshot::Sender<Response>,
}

/// A request of the process.
pub(super) enum Ask {
    /// The next invocation.
    Next,
    /// The invocation of this id has this answer.
    Answer(String, Bytes),
    /// The invocation of this id failed with this document; the type of the error is in a header too.
    Error(String, Bytes, Option<String>),
    /// The initialisation failed.
    InitError(Bytes, Option<String>),
}

/// Serves the Runtime API of one process.
pub(super) struct RuntimeApi {
    pub(super) calls: mpsc::Sender<Call>,
}

#[async_trait]
impl Handler for RuntimeApi {
    async fn handle(&self, request: Request) -> Response {
        if request.is_of_another_site() {
            return answer(403, "text/plain", "no web page runs functions\n");
        }
        let Some(ask) = parse(request) else {
            return answer(404, "text/plain", "404 page not found\n");
        };
        let (reply, replied) = oneshot::channel();
        if self.calls.send(Call { ask, reply }).await.is_ok()
            && let Ok(response) = replied.await
        {
            return response;
        }
        error(500, "InternalServerError", "the sandbox has ended")
    }
}

fn parse(request: Request) -> Option<Ask> {
    let header = request
        .header("Lambda-Runtime-Function-Error-Type")
        .map(str::to_owned);
    let path = request.path.strip_prefix("/2018-06-01/runtime/")?;
    let mut parts = path.split('/');
    let parts = (parts.next()?, parts.next()?, parts.next());
    match (request.method, parts) {
        (Method::GET, ("invocation", "next", None)) => Some(Ask::Next),
        (Method::POST, ("invocation", id, Some("response"))) => {
            Some(Ask::Answer(id.to_owned(), request.body))
        }
        (Method::POST, ("invocation", id, Some("error"))) => {
            Some(Ask::Error(id.to_owned(), request.body, header))
        }
        (Method::POST, ("init", "error", None)) => Some(Ask::InitError(request.body, header)),
        _ => None,
    }
}

/// The answer to `next`: an invocation, and until when it may run, in milliseconds since 1970.
pub(super) fn invocation(invocation: &Invocation, deadline: u64) -> Response {
    let mut response = answer(200, "application/json", invocation.payload.clone());
    let headers = [
        (
            "lambda-runtime-aws-request-id",
            Some(invocation.request_id.clone()),
        ),
        ("lambda-runtime-deadline-ms", Some(deadline.to_string())),
        (
            "lambda-runtime-invoked-function-arn",
            Some(invocation.arn.clone()),
        ),
        ("lambda-runtime-trace-id", Some(trace_id())),
        (
            "lambda-runtime-client-context",
            invocation.client_context.clone(),
        ),
    ];
    for (name, value) in headers {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A trace that is not sampled.
fn trace_id() -> String {
    let (trace, parent) = (Uuid::new_v4().as_u128(), Uuid::new_v4().as_u64_pair().0);
    let seconds = crate::names::now_millis() / 1_000;
    let random = trace >> 32;
    format!("Root=1-{seconds:08x}-{random:024x};Parent={parent:016x};Sampled=0")
}

/// The answer to a request that was in order.
pub(super) fn accepted() -> Response {
    answer(202, "application/json", "{\"status\":\"OK\"}\n")
}

/// The answer to a request that does not fit the state of the sandbox.
pub(super) fn wrong_state(from: &str, to: &str) -> Response {
    let message = format!("Transition from {from} to {to} is not allowed");
    error(403, "InvalidStateTransition", &message)
}

/// The answer to a request about another invocation.
pub(super) fn wrong_id() -> Response {
    error(400, "InvalidRequestID", "Invalid request ID")
}

/// The answer to an answer that is too large.
pub(super) fn too_large() -> Response {
    let message = format!("Exceeded maximum allowed payload size ({ANSWER_BYTES} bytes).");
    error(413, "RequestEntityTooLarge", &message)
}

fn error(status: u16, error_type: &str, message: &str) -> Response {
    let body = json!({ "errorMessage": message, "errorType": error_type });
    answer(status, "application/json", body.to_string())
}
