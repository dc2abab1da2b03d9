//! The HTTP API's queries: the requests that change nothing.

mod cursor;
mod eventos;
mod openapi;
mod origen;
mod parameters;
mod reportes;
mod reserva;
mod reservas;
mod resumen;
mod saga;
mod sagas;
mod size;

use std::sync::Arc;

use alpes_event_store::StreamReader;
use alpes_messages::{Problem, StreamId};
use alpes_ports::{Clock, Executions, Platform, Tables};
use alpes_projections::Generations;
use alpes_saga::Sagas;
use api::{Caller, Callers, Front, HttpApp, Refusal};
use events::{IdReserva, Payload, kinds};
use lambda_http::{
    Body, Request, Response,
    http::{Method, StatusCode},
};
use serde_json::json;
use wiring::Wiring;

pub use cursor::Cursor;
pub use origen::Origen;
pub use parameters::{DEFAULT_LIMIT, MAX_LIMIT};
pub use reportes::{
    Cuentas, DEFAULT_DAYS, FilaReservasPorDia, FilaTotales, MAX_DAYS, ReservasPorDia, Totales,
};
pub use reserva::ReservaDto;
pub use reservas::Lista;
pub use resumen::{Importe, ResumenReserva, ResumenViaje};
pub use saga::{Direccion, EntradaSaga, EstadoSaga, ModoSaga, PendienteSaga, ResumenSaga, SagaDto};
pub use sagas::ListaSagas;
pub use size::MAX_PAGE;

/// The API's description, where tests are allowed.
pub const OPENAPI: &str = include_str!("../../../infra/openapi.json");
/// The API's description without the test endpoints.
pub const OPENAPI_SIN_PRUEBAS: &str = include_str!("../../../infra/openapi-sin-pruebas.json");

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Routes requests, and gives answers their headers.
    front: Front,
    /// The tables with the views.
    tables: Arc<dyn Tables>,
    /// Reads the event streams of reservations that the views do not have yet.
    reader: StreamReader<Payload>,
    /// Says which generation of a view answers queries.
    generations: Generations,
    /// Reads the stored sagas.
    sagas: Sagas,
    /// Reads the histories of executions in Step Functions; `None` if this installation has no state machine.
    executions: Option<Arc<dyn Executions>>,
    /// The clock, which gives today's date.
    clock: Arc<dyn Clock>,
    /// The API's description.
    openapi: &'static str,
    /// Tells who sends a request.
    callers: Callers,
}

impl HttpApp for App {
    async fn handle(&self, request: &Request) -> Response<Body> {
        let answered = [Method::GET, Method::HEAD];
        self.front
            .answer(request, &answered, self.query(request))
            .await
    }
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Self {
        Self {
            front: Front::of(&wiring.platform),
            tables: wiring.platform.tables(),
            reader: wiring.reader(),
            generations: wiring.generations(),
            sagas: wiring.sagas(),
            executions: wiring.platform.executions(),
            clock: wiring.platform.world().clock,
            openapi: if wiring.platform.allows_tests() {
                OPENAPI
            } else {
                OPENAPI_SIN_PRUEBAS
            },
            callers: Callers::of(&wiring.platform),
        }
    }

    async fn query(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        match api::segments(request).as_slice() {
            ["health"] => Ok(api::json(StatusCode::OK, &json!({ "estado": "ok" }))),
            ["openapi.json"] => Ok(openapi::described(self.openapi, request)),
            _ => {
                let caller = self.callers.caller(request, &*self.clock)?;
                self.query_by(request, &caller).await
            }
        }
    }

    /// True if the caller may see the reservation whose stream in vuelos this is. Only for a client is the stream read.
    async fn shows(&self, stream: StreamId, caller: &Caller) -> Result<bool, Refusal> {
        if caller.cliente().is_none() {
            return Ok(true);
        }
        let history = self.reader.history(stream).await?;
        Ok(history.iter().any(|(_, payload)| match payload {
            Payload::ReservaCreada(creada) => caller.sees(creada.id_cliente.as_deref()),
            _ => false,
        }))
    }

    async fn query_by(
        &self,
        request: &Request,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let path = api::segments(request);
        // A client sees their own reservations, and what became of them.
        match path.as_slice() {
            ["vuelos", "reserva"] => return self.reservas(request, caller).await,
            ["vuelos", "reserva", id] => return self.reserva(id, caller).await,
            ["vuelos", "reserva", id, "eventos"] => return self.eventos(id, caller).await,
            ["sagas", id] => return self.saga(id, caller).await,
            _ => {}
        }
        caller.must_be_operator()?;
        match path.as_slice() {
            ["vuelos", "reportes", "totales"] => self.totales(request).await,
            ["vuelos", "reportes", "reservas-por-dia"] => self.reservas_por_dia(request).await,
            ["sagas"] => self.sagas(request).await,
            _ => Ok(api::no_such_path(request)),
        }
    }
}

fn no_such_reservation(id: IdReserva) -> Refusal {
    let detail = format!("No hay una reserva {id}");
    Problem::of(kinds::NOT_FOUND).because(detail).into()
}
