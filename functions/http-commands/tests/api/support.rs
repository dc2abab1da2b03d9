//! The function over memory, and requests to it.

use std::sync::Arc;

use async_trait::async_trait;
use event_store::EventStore;
use events::Catalogue;
use futures::executor::block_on;
use http_commands::App;
use lambda_http::{
    Body, Request, RequestExt, Response,
    http::{self, HeaderMap, Method, StatusCode, request::Builder},
};
use ports::{
    Consistency, IndexPage, IndexQuery, Item, Key, Log, LogError, ScanPage, SequenceNumber,
    TableError, TableName, Tables, TransactError, World, Write, WriteError,
    memory::{MemoryLog, MemoryTables, world},
};
use serde_json::Value;

/// The tutorials' own request.
pub(crate) const SAMPLE: &str =
    include_str!("../../../../shared/vuelos/tests/data/crear_reserva.json");

pub(crate) fn sample() -> Value {
    serde_json::from_str(SAMPLE).unwrap()
}

/// What infrastructure says when it fails: nothing that a client may see.
pub(crate) const SECRET: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/streams";

/// The function with what it works on.
pub(crate) struct Fixture {
    pub(crate) tables: Arc<MemoryTables>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) world: World,
    app: App,
}

/// An answer, taken apart.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::build(None, None)
    }

    pub(crate) fn with_log(log: Arc<dyn Log>) -> Self {
        Self::build(None, Some(log))
    }

    pub(crate) fn with_tables(tables: Arc<dyn Tables>) -> Self {
        Self::build(Some(tables), None)
    }

    fn build(other_tables: Option<Arc<dyn Tables>>, other_log: Option<Arc<dyn Log>>) -> Self {
        let (world, _) = world(1);
        let tables = Arc::new(MemoryTables::new());
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        let store = EventStore::new(
            other_tables.unwrap_or_else(|| tables.clone()),
            other_log.unwrap_or_else(|| log.clone()),
            world.clone(),
            Catalogue::current(),
        );
        let app = App {
            store,
            world: world.clone(),
        };
        Self {
            tables,
            log,
            world,
            app,
        }
    }

    /// The path is that of the event, or for a request made here that of its URI.
    pub(crate) fn answer(&self, request: &Request) -> Answer {
        let mut request = request.clone();
        if request.raw_http_path().is_empty() {
            let path = request.uri().path().to_owned();
            request = request.with_raw_http_path(path);
        }
        Answer::of(block_on(self.app.handle(&request)))
    }

    /// Posts a body of JSON.
    pub(crate) fn post(&self, body: impl Into<Body>) -> Answer {
        self.answer(&post().body(body.into()).unwrap())
    }

    /// Posts a body of JSON with an Idempotency-Key.
    pub(crate) fn post_with_key(&self, key: &str, body: impl Into<Body>) -> Answer {
        let request = post().header("Idempotency-Key", key);
        self.answer(&request.body(body.into()).unwrap())
    }

    /// The events in the log.
    pub(crate) fn logged(&self) -> Vec<Value> {
        let records = self.log.records();
        records
            .iter()
            .map(|record| serde_json::from_slice(&record.data).unwrap())
            .collect()
    }

    /// The items of the streams.
    pub(crate) fn stored(&self) -> Vec<Item> {
        let items = self.tables.all(event_store::TABLE);
        items.into_iter().map(|(_, item)| item).collect()
    }

    #[track_caller]
    pub(crate) fn assert_nothing_happened(&self, name: &str) {
        assert!(self.stored().is_empty(), "{name}");
        assert!(self.logged().is_empty(), "{name}");
    }
}

/// A request for a reservation, but for its body.
pub(crate) fn post() -> Builder {
    let request = http::Request::builder();
    let request = request.method(Method::POST).uri("/vuelos/reserva");
    request.header("Content-Type", "application/json")
}

impl Answer {
    fn of(response: Response<Body>) -> Self {
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

    /// It is a problem of this kind; what it says is the last part of its `type`.
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
        let title = self.body["title"].as_str();
        assert!(title.is_some_and(|title| !title.is_empty()), "{name}");
        assert!(!self.text.contains(SECRET), "{name}: {}", self.text);
    }

    /// Its `errores`, as `campo: regla`.
    pub(crate) fn errores(&self) -> Vec<String> {
        let errores = self.body["errores"].as_array();
        let error = |error: &Value| {
            assert!(!error["detalle"].as_str().unwrap().is_empty());
            let text = |name: &str| error[name].as_str().unwrap().to_owned();
            format!("{}: {}", text("campo"), text("regla"))
        };
        errores.map_or(vec![], |errores| errores.iter().map(error).collect())
    }
}

/// A log that takes nothing.
pub(crate) struct LogDown;

#[async_trait]
impl Log for LogDown {
    async fn append(
        &self,
        _: &str,
        _: &[u8],
        _: Option<&SequenceNumber>,
    ) -> Result<SequenceNumber, LogError> {
        Err(LogError::Unavailable(SECRET.into()))
    }
}

/// Tables that fail with this, whatever they are asked.
pub(crate) struct TablesDown(pub(crate) TableError);

#[async_trait]
impl Tables for TablesDown {
    async fn get(&self, _: &[Key], _: Consistency) -> Result<Vec<Option<Item>>, TableError> {
        Err(self.0.clone())
    }

    async fn write(&self, _: &Write) -> Result<(), WriteError> {
        Err(self.0.clone().into())
    }

    async fn transact(&self, _: &[Write]) -> Result<(), TransactError> {
        Err(self.0.clone().into())
    }

    async fn query(&self, _: &IndexQuery) -> Result<IndexPage, TableError> {
        Err(self.0.clone())
    }

    async fn list(
        &self,
        _: TableName,
        _: &str,
        _: Option<&Key>,
        _: usize,
    ) -> Result<ScanPage, TableError> {
        Err(self.0.clone())
    }

    async fn scan(&self, _: TableName, _: Option<&Key>) -> Result<ScanPage, TableError> {
        Err(self.0.clone())
    }
}
