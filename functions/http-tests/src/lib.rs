//! The test endpoints. A client can send any command to its participant, commit any event to its event stream, make
//! participants fail, and set the free seats of a flight. The endpoints are deployed only where tests are allowed.

mod comando;
mod contextos;
mod datos;
mod esquema;
mod evento;
mod fallas;
mod inventario;
mod solicitud;

use std::sync::Arc;

use alpes_event_store::EventStore;
use alpes_ports::{Functions, Platform, Tables, World};
use api::{Callers, CommandIds, Front, HttpApp, Refusal};
use events::Payload;
use lambda_http::{Body, Request, Response, http::Method};
use wiring::Wiring;

pub use fallas::{MAX_VECES, MODOS};
pub use inventario::MAX_SILLAS;

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Routes requests, and gives answers their headers.
    front: Front,
    /// Commits events.
    store: EventStore<Payload>,
    /// The tables of the faults that clients set, and of the seats.
    tables: Arc<dyn Tables>,
    /// Calls the participants' functions.
    functions: Arc<dyn Functions>,
    /// The clock, and the source of new ids.
    world: World,
    /// Tells who sends a request.
    callers: Callers,
    /// Gives the commands their ids.
    ids: CommandIds,
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
        Ok(Self {
            front: Front::of(&wiring.platform),
            store: wiring.store()?,
            tables: wiring.platform.tables(),
            functions: wiring.platform.functions(),
            world: wiring.platform.world(),
            callers: Callers::of(&wiring.platform),
            ids: CommandIds::new(Arc::new(wiring.secret()), wiring.platform.world().ids),
        })
    }

    async fn answer(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let caller = self.callers.caller(request, &*self.world.clock)?;
        caller.must_be_operator()?;
        match api::segments(request).as_slice() {
            ["pruebas", "fallas"] => self.fallas(request, &caller).await,
            ["pruebas", "inventario"] => self.inventario(request).await,
            ["pruebas", contexto, comando] => {
                self.comando(request, &caller, contexto, comando).await
            }
            ["pruebas", contexto, "eventos", evento] => {
                self.evento(request, &caller, contexto, evento).await
            }
            _ => Ok(api::no_such_path(request)),
        }
    }
}
