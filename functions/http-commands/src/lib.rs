//! The HTTP API's commands: the requests that change something.

mod cancelacion;
mod crear_reserva;
mod reanudacion;

use std::sync::Arc;

use alpes_event_store::EventStore;
use alpes_ports::{Functions, Platform, World};
use alpes_saga::{SagaId, Sagas};
use api::{HttpApp, Refusal};
use events::Payload;
use lambda_http::{Body, Request, Response, http::Method};
use wiring::Wiring;

pub use cancelacion::MOTIVO;
pub use reanudacion::MAX_NOTA;

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Commits events.
    store: EventStore<Payload>,
    /// Stores the requests of clients to cancel or resume sagas.
    sagas: Sagas,
    /// Calls the orchestrator after a request to a saga.
    functions: Arc<dyn Functions>,
    /// The clock, and the source of new ids.
    world: World,
    /// True if this installation has a state machine, so that Step Functions can run sagas.
    step_functions: bool,
}

impl HttpApp for App {
    async fn handle(&self, request: &Request) -> Response<Body> {
        api::routed(request, &[Method::POST], self.answer(request)).await
    }
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks a port that the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            store: wiring.store()?,
            sagas: wiring.sagas(),
            functions: wiring.platform.functions(),
            world: wiring.platform.world(),
            step_functions: wiring.platform.offers_executions(),
        })
    }

    async fn answer(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        match api::segments(request).as_slice() {
            ["vuelos", "reserva"] => self.crear_reserva(request).await,
            ["vuelos", "reserva", id, "cancelacion"] => self.cancelacion(request, id).await,
            ["sagas", id, "reanudacion"] => self.reanudacion(request, id).await,
            _ => Ok(api::no_such_path(request)),
        }
    }

    /// Asks the orchestrator to process a saga now. If the call fails, the timers wake the saga later.
    async fn nudge(&self, saga: SagaId) {
        if let Err(error) = reserva_saga::nudge(&*self.functions, saga).await {
            tracing::warn!(%saga, %error, "the orchestrator was not called, and the timers will wake the saga");
        }
    }
}
