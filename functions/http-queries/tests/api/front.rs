//! Tests of OPTIONS, and of what pages of other origins may do.

use api::ROUTES;
use http_testing::{Answer, ask, with_header};
use lambda_http::{Request, http::HeaderName};

use crate::support::{Fixture, fixture};

const ORIGIN: &str = "https://tienda.example";

/// A fixture whose API pages of [`ORIGIN`] may call.
fn with_origin() -> Fixture {
    fixture().over(|ports| ports.web_origin = Some(ORIGIN.to_owned()))
}

fn from(origin: &str, request: Request) -> Request {
    with_header(request, "Origin", origin)
}

fn preflight(path: &str) -> Request {
    let request = ask("OPTIONS", path);
    with_header(request, "Access-Control-Request-Method", "POST")
}

/// The names of an answer's headers that are about other origins.
fn of_cors(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.keys().map(HeaderName::as_str);
    names
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

#[test]
fn every_path_tells_its_methods() {
    let fixture = fixture();
    for route in ROUTES {
        let path = route.path.replace(['{', '}'], "");
        let answer = fixture.answer(&ask("OPTIONS", &path));
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("Allow"), Some(route.allow), "{path}");
        assert_eq!(answer.header("Content-Type"), None);
    }
    fixture
        .answer(&ask("OPTIONS", "/otra"))
        .assert_problem(404, "no-existe", "another path");
}

#[test]
fn without_an_origin_no_page_may_call() {
    for request in [
        from(ORIGIN, ask("GET", "/health")),
        from(ORIGIN, preflight("/vuelos/reserva")),
        from("null", preflight("/vuelos/reserva")),
    ] {
        let answer = fixture().answer(&request);
        assert!(answer.status.is_success());
        assert_eq!(of_cors(&answer), [""; 0]);
        assert_eq!(answer.header("Vary"), None);
    }
}

#[test]
fn a_page_of_the_origin_may_call_and_read() {
    let fixture = with_origin();
    let answer = fixture.answer(&from(ORIGIN, preflight("/vuelos/reserva")));
    assert_eq!(answer.status, 204);
    let allowed = answer.header("Access-Control-Allow-Methods");
    assert_eq!(allowed, Some("GET, HEAD, OPTIONS, POST"));
    let asked = answer.header("Access-Control-Allow-Headers").unwrap();
    assert!(asked.contains("Content-Type, Idempotency-Key"), "{asked}");
    assert_eq!(answer.header("Access-Control-Max-Age"), Some("600"));

    // A refusal can be read too.
    for (path, status) in [
        ("/health", 200),
        ("/vuelos/reserva?limite=0", 400),
        ("/otra", 404),
    ] {
        let answer = fixture.answer(&from(ORIGIN, ask("GET", path)));
        assert_eq!(answer.status, status);
        let allowed = answer.header("Access-Control-Allow-Origin");
        assert_eq!(allowed, Some(ORIGIN), "{path}");
        let told = answer.header("Access-Control-Expose-Headers").unwrap();
        assert!(told.contains("X-Correlacion"), "{told}");
        assert_eq!(answer.header("Vary"), Some("origin"));
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), None);
    }
}

#[test]
fn a_page_of_another_origin_may_not() {
    let fixture = with_origin();
    for origin in [
        "https://tienda.example.com",
        "http://tienda.example",
        "https://TIENDA.example",
        "null",
        "*",
    ] {
        for request in [ask("GET", "/health"), preflight("/vuelos/reserva")] {
            let answer = fixture.answer(&from(origin, request));
            assert_eq!(of_cors(&answer), [""; 0], "{origin}");
            assert_eq!(answer.header("Vary"), Some("origin"), "{origin}");
        }
    }
}
