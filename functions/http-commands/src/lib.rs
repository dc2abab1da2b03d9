//! The HTTP API's commands: what changes something.

mod cancelacion;
mod crear_reserva;
mod reanudacion;

use std::sync::Arc;

use event_store::EventStore;
use lambda_http::{Body, Request, Response, http::Method};
use lambda_kit::http;
use ports::{Functions, World};
use saga_engine::{SagaId, Sagas};

pub use cancelacion::MOTIVO;
pub use reanudacion::MAX_NOTA;

/// What the function works with.
pub struct App {
    /// Commits events.
    pub store: EventStore,
    /// The sagas, to ask something of.
    pub sagas: Sagas,
    /// Has the orchestrator act on what was asked.
    pub functions: Arc<dyn Functions>,
    /// Time and identifiers.
    pub world: World,
    /// True where Step Functions may run a saga.
    pub step_functions: bool,
}

impl App {
    /// Answers a request.
    pub async fn handle(&self, request: &Request) -> Response<Body> {
        let segments = http::segments(request);
        let known = matches!(
            segments.as_slice(),
            ["vuelos", "reserva"]
                | ["vuelos", "reserva", _, "cancelacion"]
                | ["sagas", _, "reanudacion"]
        );
        if !known {
            return http::no_such_path(request);
        }
        if request.method() != Method::POST {
            return http::no_such_method("POST");
        }
        let answer = match segments.as_slice() {
            ["vuelos", "reserva"] => self.crear_reserva(request).await,
            ["vuelos", "reserva", id, ..] => self.cancelacion(request, id).await,
            ["sagas", id, ..] => self.reanudacion(request, id).await,
            _ => return http::no_such_path(request),
        };
        answer.unwrap_or_else(|refusal| refusal.answer())
    }

    /// Has the orchestrator look at a saga now. The timers would, later.
    async fn nudge(&self, saga: SagaId) {
        if let Err(error) = reserva_saga::nudge(&*self.functions, saga).await {
            tracing::warn!(%saga, %error, "the timers will wake it");
        }
    }
}
