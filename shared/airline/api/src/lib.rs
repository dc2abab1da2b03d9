//! Code shared by the functions behind the HTTP API: they read requests, write answers, and log one line for each
//! request.

#![deny(missing_docs)]

mod body;
mod caller;
mod event;
mod front;
mod idempotency;
mod refusal;
mod routes;
pub mod saga;
mod trace;

use std::{future::Future, str::FromStr, sync::Arc, time::Instant};

use alpes_messages::{CorrelationId, Problem, Violation};
use events::kinds;
use lambda_http::{
    Adapter, Body, Error, LambdaEvent, Request, RequestExt, Response, Service,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    request::LambdaRequest,
    service_fn,
};
use serde::Serialize;
use tracing::{Instrument, field::Empty, info, info_span};

pub use body::{MAX_BODY, json_body, optional_json_body};
pub use caller::{Caller, Callers, MAX_NAME, client_id, is_name};
pub use event::Event;
pub use front::Front;
pub use idempotency::{CREATION, CommandIds, MAX_KEY, is_key, reservation_of, with_key};
pub use refusal::Refusal;
pub use routes::{ROUTES, Route};
pub use trace::traceparent;

/// The response header that gives the saga's correlation id to the caller.
const CORRELATION_HEADER: HeaderName = HeaderName::from_static("x-correlacion");

/// The content coding of a body that is not compressed.
const IDENTITY: &str = "identity";

/// Splits a path at its slashes for matching, as `["vuelos", "reserva", "…"]`. A path that ends with a slash has one
/// more, empty segment, so it matches no route. A relative `Location` would resolve differently from that path.
#[must_use]
pub fn segments(request: &Request) -> Vec<&str> {
    request.raw_http_path().split('/').skip(1).collect()
}

/// Reads an id in a path.
///
/// # Errors
///
/// A 404 [`Problem`] if the text is not an id, because no resource can have that path.
pub fn id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| {
        let errores = vec![Violation::new("id", "formato", "Debe ser un UUID")];
        Problem::of(kinds::NOT_FOUND).at(errores)
    })
}

/// A JSON answer.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    answer(status, "application/json", serde_json::to_string(body))
}

/// A 202 answer, with the correlation id of the saga in a header.
#[must_use]
pub fn accepted(saga: CorrelationId, body: &impl Serialize) -> Response<Body> {
    let response = json(StatusCode::ACCEPTED, body);
    with_header(response, CORRELATION_HEADER, &saga.to_string())
}

/// Adds a header to an answer. If an HTTP header cannot hold the text, the answer stays without the header.
#[must_use]
pub fn with_header(mut response: Response<Body>, name: HeaderName, text: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The answer that carries a problem.
#[must_use]
pub fn problem(problem: &Problem) -> Response<Body> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(
        status,
        "application/problem+json",
        serde_json::to_string(problem),
    );
    let header = if problem.is(kinds::UNAVAILABLE) {
        Some((header::RETRY_AFTER, "1"))
    } else if problem.is(kinds::CODING) {
        // Of the 415 answers, only the answer for a content coding has the header `Accept-Encoding`, which tells the
        // client that the coding is at fault (RFC 9110, 15.5.16).
        Some((header::ACCEPT_ENCODING, IDENTITY))
    } else {
        None
    };
    if let Some((name, value)) = header {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The 404 answer of a path that does not exist.
#[must_use]
pub fn no_such_path(request: &Request) -> Response<Body> {
    problem(&Problem::of(kinds::NOT_FOUND).because(format!(
        "No hay nada en {}",
        parse::hidden(request.raw_http_path())
    )))
}

fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: serde_json::Result<String>,
) -> Response<Body> {
    let (status, body) = match body {
        Ok(body) => (status, body),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            (StatusCode::INTERNAL_SERVER_ERROR, String::new())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A header that a request may have at most once.
enum Header<'a> {
    /// The request lacks the header.
    Absent,
    /// The text of the header.
    Text(&'a str),
    /// The request has the header more than once, or the header is not text.
    Unreadable,
}

impl<'a> Header<'a> {
    fn of(request: &'a Request, name: &str) -> Self {
        let mut values = request.headers().get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => value.to_str().map_or(Self::Unreadable, Self::Text),
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }
}

/// A function behind the HTTP API.
pub trait HttpApp: Send + Sync + 'static {
    /// Answers a request.
    fn handle(&self, request: &Request) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves requests until the runtime ends the process, and logs one line for each request, with its caller.
///
/// # Errors
///
/// Any error of the Lambda runtime.
pub async fn serve(app: impl HttpApp) -> Result<(), Error> {
    let app = Arc::new(app);
    let answered = service_fn(move |request: Request| {
        let app = app.clone();
        let method: Method = request.method().clone();
        let path = parse::hidden(request.raw_http_path());
        let span = info_span!("request", %method, path, actor = Empty);
        let work = async move {
            let start = Instant::now();
            let response = app.handle(&request).await;
            let correlation = response
                .headers()
                .get(CORRELATION_HEADER)
                .and_then(|id| id.to_str().ok());
            let status = response.status().as_u16();
            let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            info!(status, milliseconds, correlation, "answered");
            Ok::<_, Error>(response)
        };
        work.instrument(span)
    });
    let mut adapter = Adapter::from(answered);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        adapter.call(event_of(event))
    }))
    .await
}

fn event_of(event: LambdaEvent<Event>) -> LambdaEvent<LambdaRequest> {
    LambdaEvent::new(event.payload.into_inner(), event.context)
}
