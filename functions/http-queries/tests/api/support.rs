//! The function over memory, reservations to ask for, and requests that do.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use event_store::{
    Circumstances, Decider, Decision, EventStore, Handled, StreamReader, Unavailable,
};
use events::{
    Catalogue, Command, CommandId, Context, Event, IdCorrelacion, IdReserva, Payload, SagaMode,
    StreamId, pagos::ReservaPagada,
};
use futures::executor::block_on;
use http_queries::App;
use lambda_http::{
    Body, Request, Response,
    http::{HeaderMap, StatusCode},
    request,
};
use ports::{
    Tables, World,
    memory::{ManualClock, MemoryLog, MemoryTables, world},
};
use projections::{Generations, Projector};
use serde_json::{Value, json};
use vuelos::Vuelos;

/// The tutorials' own request.
pub(crate) fn sample() -> Value {
    let text = include_str!("../../../../shared/vuelos/tests/data/crear_reserva.json");
    serde_json::from_str(text).unwrap()
}

/// The function with what it works on, and with what the other functions do.
pub(crate) struct Fixture {
    pub(crate) tables: Arc<MemoryTables>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) world: World,
    store: EventStore,
    app: App,
}

/// Payments, as far as a view hears of them.
struct Pagos;

#[async_trait]
impl Decider for Pagos {
    fn stream(&self, command: &Command) -> StreamId {
        StreamId::new(Context::Pagos, command.subject)
    }

    fn opens(&self, _: &Command) -> bool {
        true
    }

    fn undoes(&self, _: &Command) -> bool {
        false
    }

    async fn decide(
        &self,
        _: &[(Event, Payload)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable> {
        let paid = ReservaPagada {
            id_reserva: command.subject,
            pago: serde_json::from_value(command.data.clone()).unwrap(),
            fecha_actualizacion: circumstances.now,
        };
        Ok(Decision::commit(vec![paid.into()]))
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let (world, clock) = world(1);
        let tables = Arc::new(MemoryTables::new());
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        let store = EventStore::new(
            tables.clone(),
            log.clone(),
            world.clone(),
            Catalogue::current(),
        );
        let app = Self::app(tables.clone(), &world);
        Self {
            tables,
            log,
            clock,
            world,
            store,
            app,
        }
    }

    /// The function over these tables.
    pub(crate) fn app(tables: Arc<dyn Tables>, world: &World) -> App {
        App {
            reader: StreamReader::new(tables.clone(), Catalogue::current()),
            generations: Generations::new(tables.clone(), world.clock.clone()),
            tables,
        }
    }

    fn command(&self, kind: &str, subject: IdReserva, data: Value) -> Command {
        Command {
            id: CommandId(self.world.ids.fresh()),
            kind: kind.to_owned(),
            subject,
            correlationid: IdCorrelacion(self.world.ids.fresh()),
            causationid: None,
            prueba: false,
            sagamode: SagaMode::Orquestacion,
            traceparent: None,
            data,
        }
    }

    fn handle(&self, decider: &dyn Decider, command: &Command) {
        let handled = block_on(self.store.handle(decider, command)).unwrap();
        assert!(
            matches!(handled, Handled::Committed { appended: true, .. }),
            "{handled:?}"
        );
    }

    /// Makes a reservation.
    pub(crate) fn create(&self, id_cliente: Option<&str>) -> IdReserva {
        let id = IdReserva(self.world.ids.fresh());
        self.create_with_id(id, id_cliente);
        id
    }

    pub(crate) fn create_with_id(&self, id: IdReserva, id_cliente: Option<&str>) {
        let mut data = sample();
        data["id_cliente"] = id_cliente.into();
        self.handle(&Vuelos, &self.command(vuelos::CREAR_RESERVA, id, data));
    }

    pub(crate) fn pay(&self, id: IdReserva) {
        let pago =
            json!({"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": "tok_visa"});
        self.handle(&Pagos, &self.command("PagarReserva", id, pago));
    }

    pub(crate) fn approve(&self, id: IdReserva) {
        self.handle(
            &Vuelos,
            &self.command(vuelos::APROBAR_RESERVA, id, json!({})),
        );
    }

    pub(crate) fn cancel(&self, id: IdReserva) {
        let data = json!({"motivo": "cliente"});
        self.handle(&Vuelos, &self.command(vuelos::CANCELAR_RESERVA, id, data));
    }

    /// Time goes on.
    pub(crate) fn later(&self) {
        self.clock.advance(Duration::from_millis(7));
    }

    /// Folds all of the log into the views.
    pub(crate) fn project(&self) {
        let projector = Projector::new(
            self.tables.clone(),
            StreamReader::new(self.tables.clone(), Catalogue::current()),
            self.world.clone(),
            projections::registry(),
        );
        let consumer = projector.consumer();
        let outcome = block_on(consumer.consume(&self.log.records()));
        assert!(outcome.failed.is_none(), "{:?}", outcome.failed);
        assert_eq!(outcome.parked, 0);
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        Answer::of(block_on(self.app.handle(request)))
    }

    /// Asks for a path with its query.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.answer(&get(path))
    }
}

/// A request for a path with its query.
pub(crate) fn get(path: &str) -> Request {
    ask("GET", path)
}

/// A request as API Gateway sends it, so that the query is parsed as there.
pub(crate) fn ask(method: &str, path: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "localhost"},
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "requestId": "1",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1_769_853_600_000_u64,
        },
        "isBase64Encoded": false,
    });
    request::from_str(&event.to_string()).unwrap()
}

/// An answer, taken apart.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let Body::Text(text) = body else {
            panic!("an answer is text: {body:?}");
        };
        Self {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).expect("an answer is JSON"),
            text,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// It is a problem of this kind; `kind` is the last part of its `type`.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, kind: &str, name: &str) {
        assert_eq!(self.status, status, "{name}: {}", self.text);
        assert_eq!(
            self.header("Content-Type"),
            Some("application/problem+json"),
            "{name}"
        );
        assert_eq!(self.body["status"], status, "{name}");
        assert_eq!(
            self.body["type"],
            format!("urn:aeroalpes:problema:{kind}"),
            "{name}"
        );
    }

    /// Its body, if it is an answer at all.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.header("Content-Type"), Some("application/json"));
        self.body
    }
}
