//! The HTTP API's commands: what changes something.

mod crear_reserva;
mod idempotency;

use event_store::EventStore;
use lambda_http::{Body, Request, Response, http::Method};
use lambda_kit::http;
use ports::World;

/// What the function works with.
pub struct App {
    /// Commits events.
    pub store: EventStore,
    /// Time and identifiers.
    pub world: World,
}

impl App {
    /// Answers a request.
    pub async fn handle(&self, request: &Request) -> Response<Body> {
        match http::segments(request).as_slice() {
            ["vuelos", "reserva"] if request.method() == Method::POST => {
                self.crear_reserva(request).await
            }
            ["vuelos", "reserva"] => http::no_such_method("POST"),
            _ => http::no_such_path(request),
        }
    }
}
