//! The HTTP API's commands: the requests that change something.

mod cancelacion;
mod cotizacion;
mod crear_reserva;
mod reanudacion;
mod sin_pagar;

use std::sync::Arc;

use alpes_event_store::{EventStore, Secret};
use alpes_ports::{Functions, Platform, Tables, World};
use alpes_projections::Generations;
use alpes_saga::{SagaId, Sagas};
use api::{Callers, CommandIds, Front, HttpApp, Refusal};
use events::Payload;
use lambda_http::{Body, Request, Response, http::Method};
use wiring::Wiring;

pub use cancelacion::MOTIVO;
pub use reanudacion::MAX_NOTA;
pub use sin_pagar::MAX_SIN_PAGAR;

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Routes requests, and gives answers their headers.
    front: Front,
    /// Commits events.
    store: EventStore<Payload>,
    /// Stores the requests of clients to cancel or resume sagas.
    sagas: Sagas,
    /// Calls the orchestrator after a request to a saga.
    functions: Arc<dyn Functions>,
    /// The tables with the view of reservations.
    tables: Arc<dyn Tables>,
    /// Says which generation of the view counts.
    generations: Generations,
    /// The clock, and the source of new ids.
    world: World,
    /// True if this installation has a state machine, so that Step Functions can run sagas.
    step_functions: bool,
    /// Tells who sends a request.
    callers: Callers,
    /// Gives the commands their ids.
    ids: CommandIds,
    /// Signs quotes.
    secret: Arc<Secret>,
}

impl HttpApp for App {
    async fn handle(&self, request: &Request) -> Response<Body> {
        self.front
            .answer(request, &[Method::POST], self.answer(request))
            .await
    }
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks a port that the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        let secret = Arc::new(wiring.secret());
        Ok(Self {
            front: Front::of(&wiring.platform),
            store: wiring.store()?,
            sagas: wiring.sagas(),
            functions: wiring.platform.functions(),
            tables: wiring.platform.tables(),
            generations: wiring.generations(),
            world: wiring.platform.world(),
            step_functions: wiring.platform.offers_executions(),
            callers: Callers::of(&wiring.platform),
            ids: CommandIds::new(secret.clone(), wiring.platform.world().ids),
            secret,
        })
    }

    async fn answer(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.callers.caller(request, &*self.world.clock)?;
        match api::segments(request).as_slice() {
            ["vuelos", "cotizacion"] => self.cotizacion(request, &caller).await,
            ["vuelos", "reserva"] => self.crear_reserva(request, &caller).await,
            ["vuelos", "reserva", id, "cancelacion"] => {
                self.cancelacion(request, &caller, id).await
            }
            ["sagas", id, "reanudacion"] => self.reanudacion(request, &caller, id).await,
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
