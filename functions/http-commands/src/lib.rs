//! The HTTP API's commands: what changes something.

mod cancelacion;
mod crear_reserva;
mod reanudacion;

use std::sync::Arc;

use alpes_event_store::EventStore;
use alpes_ports::{Functions, Platform, World};
use alpes_saga::{SagaId, Sagas};
use api::Refusal;
use events::Payload;
use lambda_http::{Body, Request, Response, http::Method};
use wiring::Wiring;

pub use cancelacion::MOTIVO;
pub use reanudacion::MAX_NOTA;

/// What the function works with.
pub struct App {
    /// Commits events.
    store: EventStore<Payload>,
    /// The sagas, to ask something of.
    sagas: Sagas,
    /// Has the orchestrator act on what was asked.
    functions: Arc<dyn Functions>,
    /// Time and identifiers.
    world: World,
    /// True where Step Functions may run a saga.
    step_functions: bool,
}

impl App {
    /// The function over a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks what the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            store: wiring.store()?,
            sagas: wiring.sagas(),
            functions: wiring.platform.functions(),
            world: wiring.platform.world(),
            step_functions: wiring.platform.offers_executions(),
        })
    }

    /// Answers a request.
    pub async fn handle(&self, request: &Request) -> Response<Body> {
        api::routed(request, &[Method::POST], self.answer(request)).await
    }

    async fn answer(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        match api::segments(request).as_slice() {
            ["vuelos", "reserva"] => self.crear_reserva(request).await,
            ["vuelos", "reserva", id, "cancelacion"] => self.cancelacion(request, id).await,
            ["sagas", id, "reanudacion"] => self.reanudacion(request, id).await,
            _ => Ok(api::no_such_path(request)),
        }
    }

    /// Has the orchestrator look at a saga now. The timers would, later.
    async fn nudge(&self, saga: SagaId) {
        if let Err(error) = reserva_saga::nudge(&*self.functions, saga).await {
            tracing::warn!(%saga, %error, "the timers will wake it");
        }
    }
}
