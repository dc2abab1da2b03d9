//! The front of each function behind the API: it routes requests, answers OPTIONS, and gives every answer its headers.

use std::future::Future;

use alpes_ports::Platform;
use lambda_http::{
    Body, Request, Response,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};

use crate::{Header, Refusal, Route, no_such_path, routes::no_such_method};

/// The headers of every answer. Answers have personal data, so no cache may store them. A browser must not guess
/// another content type, and must use the API over TLS only.
const ALWAYS: [(HeaderName, &str); 3] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::STRICT_TRANSPORT_SECURITY,
        "max-age=31536000; includeSubDomains",
    ),
];

/// The request headers that a page may send: those that the functions read, and those of a signed request. Only an open
/// API reads the last two.
const ASKED: &str = "Authorization, Content-Type, Idempotency-Key, traceparent, X-Amz-Content-Sha256, X-Amz-Date, \
                     X-Amz-Security-Token, X-Cliente, X-Operador";
/// The response headers that a page may read.
const TOLD: &str = "Allow, Location, Retry-After, X-Correlacion";
/// The time for which a browser may reuse the answer to a preflight request, in seconds.
const PREFLIGHT_AGE: &str = "600";

/// The front of a function behind the API.
pub struct Front {
    /// The web origin whose pages may call the API; `None` if no page may.
    origin: Option<HeaderValue>,
}

impl Front {
    /// The front of a function on this platform.
    pub fn of<P: Platform>(platform: &P) -> Self {
        let origin = platform.web_origin();
        Self {
            origin: origin.and_then(|origin| HeaderValue::from_str(&origin).ok()),
        }
    }

    /// Answers a request with `answer`, if the path has the request's method and this function serves the method.
    /// Otherwise the answer is 404, or 405 with the methods of the path. OPTIONS is answered here, for every path.
    ///
    /// HEAD is answered like GET, with the body: the HTTP server removes the body and sends its length. For an empty
    /// body the server would send the length 0, which RFC 9110 (8.6) forbids.
    pub async fn answer(
        &self,
        request: &Request,
        answered: &[Method],
        answer: impl Future<Output = Result<Response<Body>, Refusal>>,
    ) -> Response<Body> {
        let route = Route::of(request);
        let method = request.method();
        let mut response = match route {
            None => no_such_path(request),
            Some(route) if *method == Method::OPTIONS => options(route),
            Some(route) if route.has(method) && answered.contains(method) => {
                answer.await.unwrap_or_else(|refusal| refusal.answer())
            }
            Some(route) => no_such_method(route),
        };
        let headers = response.headers_mut();
        for (name, value) in ALWAYS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(origin) = &self.origin {
            // The answer depends on the request's origin, so a cache must keep the answers of other origins apart.
            headers.insert(header::VARY, HeaderValue::from_name(header::ORIGIN));
            let of_request = request.headers().get(header::ORIGIN);
            if of_request == Some(origin) {
                allow(origin, route, request, &mut response);
            }
        }
        response
    }
}

/// The answer to OPTIONS: the methods of the path (RFC 9110, 9.3.7).
fn options(route: &Route) -> Response<Body> {
    let mut response = Response::new(Body::Text(String::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allow = HeaderValue::from_static(route.allow);
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

/// Lets pages of the origin read an answer, and answers a preflight request (Fetch, section "CORS protocol").
fn allow(
    origin: &HeaderValue,
    route: Option<&Route>,
    request: &Request,
    response: &mut Response<Body>,
) {
    let asked = Header::of(request, header::ACCESS_CONTROL_REQUEST_METHOD.as_str());
    let is_preflight = *request.method() == Method::OPTIONS && matches!(asked, Header::Text(_));
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    let mut tell = |name, value| headers.insert(name, HeaderValue::from_static(value));
    match route {
        Some(route) if is_preflight => {
            tell(header::ACCESS_CONTROL_ALLOW_METHODS, route.allow);
            tell(header::ACCESS_CONTROL_ALLOW_HEADERS, ASKED);
            tell(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
        }
        _ => {
            tell(header::ACCESS_CONTROL_EXPOSE_HEADERS, TOLD);
        }
    }
}
