//! The HTTP API's queries: what changes nothing.

mod eventos;
mod parameters;
mod reserva;
mod reservas;

use std::sync::Arc;

use event_store::{HandleError, StreamReader};
use events::{IdReserva, Problem, Violation, kinds};
use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, Method, StatusCode, header},
};
use lambda_kit::http;
use ports::Tables;
use projections::Generations;
use serde_json::json;

pub use reserva::{Origen, ReservaDto};
pub use reservas::Lista;

/// The API, described.
pub const OPENAPI: &str = include_str!("../../../infra/openapi.json");

/// What the function works with.
pub struct App {
    /// The views.
    pub tables: Arc<dyn Tables>,
    /// The streams, for what the views do not have yet.
    pub reader: StreamReader,
    /// Which generation of a view answers.
    pub generations: Generations,
}

/// Why a query has no answer.
enum Refusal {
    Problem(Problem),
    Failure(HandleError),
}

impl<E: Into<HandleError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

impl App {
    /// Answers a request.
    pub async fn handle(&self, request: &Request) -> Response<Body> {
        let segments = http::segments(request);
        let known = matches!(
            segments.as_slice(),
            ["health" | "openapi.json"]
                | ["vuelos", "reserva"]
                | ["vuelos", "reserva", _]
                | ["vuelos", "reserva", _, "eventos"]
        );
        if !known {
            return http::no_such_path(request);
        }
        if request.method() != Method::GET {
            return http::no_such_method("GET");
        }
        let answer = match segments.as_slice() {
            ["health"] => Ok(http::json(StatusCode::OK, &json!({ "estado": "ok" }))),
            ["openapi.json"] => Ok(openapi()),
            ["vuelos", "reserva"] => self.reservas(request).await,
            ["vuelos", "reserva", id] => self.reserva(id).await,
            ["vuelos", "reserva", id, ..] => self.eventos(id).await,
            _ => return http::no_such_path(request),
        };
        answer.unwrap_or_else(|refusal| match refusal {
            Refusal::Problem(problem) => http::problem(&problem),
            Refusal::Failure(error) => http::failed(&error),
        })
    }
}

fn openapi() -> Response<Body> {
    let mut response = Response::new(Body::from(OPENAPI));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn parse_id(text: &str) -> Result<IdReserva, Refusal> {
    text.parse().map_err(|_| {
        let errores = vec![Violation::new("id", "formato", "Debe ser un UUID")];
        Refusal::Problem(Problem::of(kinds::NOT_FOUND).at(errores))
    })
}

fn no_such_reservation(id: IdReserva) -> Refusal {
    Refusal::Problem(Problem::of(kinds::NOT_FOUND).because(format!("No hay una reserva {id}")))
}
