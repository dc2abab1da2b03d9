//! The REST API of Lambda.

mod concurrency;
mod configuration;
mod functions;
mod invoke;
mod shapes;

use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Inner, limits::invalid};
use crate::{
    error::AwsError,
    http::{Request, Response, answer, json_answer, json_error},
    names::FunctionName,
};

/// Answers a request.
pub(super) async fn serve(inner: &Arc<Inner>, request: Request) -> Response {
    match route(inner, request).await {
        Ok(response) => response,
        Err(error) => json_error("", &error),
    }
}

async fn route(inner: &Arc<Inner>, request: Request) -> Result<Response, AwsError> {
    let path = request.path.clone();
    let segments: Vec<_> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(decoded)
        .collect();
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    let method = request.method.clone();
    match (&method, segments.as_slice()) {
        (&Method::POST, ["2015-03-31", "functions"]) => functions::create(inner, request).await,
        (&Method::GET, ["2015-03-31", "functions"]) => functions::list(inner, &request),
        (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => {
            invoke::invoke(inner, &named(name, &request)?, request).await
        }
        (&Method::PUT, ["2015-03-31", "functions", name, "code"]) => {
            functions::put_code(inner, named(name, &request)?, request).await
        }
        (_, ["2015-03-31", "functions", name, rest @ ..]) => {
            of_function(inner, &named(name, &request)?, rest, &request)
        }
        (_, [version, "functions", name, "concurrency"]) => {
            concurrency::serve(inner, version, &named(name, &request)?, &request)
        }
        (_, ["2019-09-25", "functions", name, "event-invoke-config"]) => {
            configuration::event_invoke_config(inner, &named(name, &request)?, &request)
        }
        _ => Err(unsupported(&request)),
    }
}

fn of_function(
    inner: &Inner,
    reference: &FunctionName,
    rest: &[&str],
    request: &Request,
) -> Result<Response, AwsError> {
    match (&request.method, rest) {
        (&Method::GET, []) => functions::get(inner, reference),
        (&Method::DELETE, []) => functions::delete(inner, reference),
        (&Method::GET, ["configuration"]) => configuration::get(inner, reference),
        (&Method::PUT, ["configuration"]) => configuration::put(inner, reference, request),
        (&Method::GET, ["versions"]) => functions::versions(inner, reference),
        (&Method::GET, ["aliases"]) => functions::aliases(inner, reference, request),
        (&Method::GET, ["aliases", alias]) => functions::alias(inner, reference, alias),
        _ => Err(unsupported(request)),
    }
}

fn named(name: &str, request: &Request) -> Result<FunctionName, AwsError> {
    FunctionName::parse(name)?.qualified(request.parameter("Qualifier"))
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// Reads a request's body. A field that the shape does not have is refused.
fn body<T: DeserializeOwned>(request: &Request) -> Result<T, AwsError> {
    let bytes: &[u8] = if request.body.is_empty() {
        b"{}"
    } else {
        &request.body
    };
    serde_json::from_slice(bytes).map_err(|error| invalid(format!("The request's body: {error}")))
}

fn ok(body: &Value) -> Response {
    json_answer(200, "", body)
}

fn no_content() -> Response {
    answer(204, "application/json", "")
}

fn unsupported(request: &Request) -> AwsError {
    let message = format!(
        "{} {} is not supported by this runtime",
        request.method, request.path
    );
    AwsError::of(404, "UnknownOperationException", message)
}

#[cfg(test)]
mod tests;
