//! The API's paths, and the methods of each path.

use alpes_messages::Problem;
use events::kinds;
use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, Method, header},
};

use crate::{problem, segments};

/// A path of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The path as in the API's description. A segment in braces stands for any segment that is not empty.
    pub path: &'static str,
    /// The methods of the path, as the `Allow` header lists them.
    pub allow: &'static str,
}

/// The methods of a path that can only be read.
const READ: &str = "GET, HEAD, OPTIONS";
/// The methods of a path that only accepts commands.
const DO: &str = "OPTIONS, POST";

/// Every path of the API. Each function has the whole list, so that its 405 answer can list the methods of any path.
pub const ROUTES: &[Route] = &[
    route("/vuelos/cotizacion", DO),
    route("/vuelos/reserva", "GET, HEAD, OPTIONS, POST"),
    route("/vuelos/reserva/{id}", READ),
    route("/vuelos/reserva/{id}/cancelacion", DO),
    route("/vuelos/reserva/{id}/eventos", READ),
    route("/vuelos/reportes/totales", READ),
    route("/vuelos/reportes/reservas-por-dia", READ),
    route("/sagas", READ),
    route("/sagas/{id}", READ),
    route("/sagas/{id}/reanudacion", DO),
    route("/pruebas/fallas", DO),
    route("/pruebas/inventario", DO),
    route("/pruebas/{contexto}/{comando}", DO),
    route("/pruebas/{contexto}/eventos/{evento}", DO),
    route("/health", READ),
    route("/openapi.json", READ),
];

const fn route(path: &'static str, allow: &'static str) -> Route {
    Route { path, allow }
}

impl Route {
    /// The route of a request; `None` if the API has no path of that form.
    pub(crate) fn of(request: &Request) -> Option<&'static Self> {
        let asked = segments(request);
        ROUTES.iter().find(|route| route.is(&asked))
    }

    fn is(&self, asked: &[&str]) -> bool {
        let mut own = self.path.split('/').skip(1);
        let mut asked = asked.iter();
        loop {
            match (own.next(), asked.next()) {
                (None, None) => return true,
                (Some(own), Some(asked)) if own == *asked => {}
                (Some(own), Some(asked)) if own.starts_with('{') && !asked.is_empty() => {}
                _ => return false,
            }
        }
    }

    pub(crate) fn has(&self, method: &Method) -> bool {
        self.allow.split(", ").any(|known| known == method.as_str())
    }
}

/// The 405 answer of a path that lacks the method.
pub(crate) fn no_such_method(route: &Route) -> Response<Body> {
    let detail = format!("Métodos permitidos: {}", route.allow);
    let mut response = problem(&Problem::of(kinds::METHOD).because(detail));
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(route.allow));
    response
}
