//! The test endpoints: any command to its participant, any event into its stream, participants that misbehave, and the seats of a
//! flight. Deployed where tests are allowed, and nowhere else.

mod comando;
mod contextos;
mod datos;
mod evento;
mod fallas;
mod inventario;
mod solicitud;

use std::sync::Arc;

use alpes_event_store::EventStore;
use alpes_ports::{Functions, Tables, World};
use api::Refusal;
use events::Payload;
use lambda_http::{Body, Request, Response, http::Method};

pub use contextos::COMANDOS;
pub use fallas::{MAX_VECES, MODOS};
pub use inventario::MAX_SILLAS;

/// What the function works with.
pub struct App {
    /// Commits events.
    pub store: EventStore<Payload>,
    /// Faults and seats.
    pub tables: Arc<dyn Tables>,
    /// The participants.
    pub functions: Arc<dyn Functions>,
    /// Time and identifiers.
    pub world: World,
}

impl App {
    /// Answers a request.
    pub async fn handle(&self, request: &Request) -> Response<Body> {
        api::routed(request, &[Method::POST], self.answer(request)).await
    }

    async fn answer(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        match api::segments(request).as_slice() {
            ["pruebas", "fallas"] => self.fallas(request).await,
            ["pruebas", "inventario"] => self.inventario(request).await,
            ["pruebas", contexto, comando] => self.comando(request, contexto, comando).await,
            ["pruebas", contexto, "eventos", evento] => {
                self.evento(request, contexto, evento).await
            }
            _ => Ok(api::no_such_path(request)),
        }
    }
}
