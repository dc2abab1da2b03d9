//! The function at its boundary: tasks in, what was done out, over tables and a log in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use event_store::{EventStore, Handled};
use events::{Catalogue, Command, CommandId, IdCorrelacion, IdReserva, SagaMode};
use futures::executor::block_on;
use lambda_runtime::Diagnostic;
use ports::{
    Consistency, IndexPage, IndexQuery, Item, Key, Log, LogError, ScanPage, SequenceNumber,
    TableError, TableName, Tables, TransactError, World, Write, WriteError,
    memory::{ManualClock, MemoryLog, MemoryTables, world},
};
use serde_json::{Value, json};
use timers::{App, Done, SweepFailed, Task};
use vuelos::Vuelos;

const TASK: &str = include_str!("../events/barrido.json");
const SAMPLE: &str = include_str!("../../../shared/vuelos/tests/data/crear_reserva.json");

/// A log that takes nothing of some reservations.
struct Failing {
    log: MemoryLog,
    refused: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Log for Failing {
    async fn append(
        &self,
        partition_key: &str,
        data: &[u8],
        after: Option<&SequenceNumber>,
    ) -> Result<SequenceNumber, LogError> {
        if self.refused.lock().unwrap().contains(partition_key) {
            return Err(LogError::Unavailable("throttled".into()));
        }
        self.log.append(partition_key, data, after).await
    }
}

struct Fixture {
    log: Arc<Failing>,
    clock: Arc<ManualClock>,
    world: World,
    app: App,
}

impl Fixture {
    fn new() -> Self {
        Self::over(Arc::new(MemoryTables::new()))
    }

    fn over(tables: Arc<dyn Tables>) -> Self {
        let (world, clock) = world(1);
        let log = Arc::new(Failing {
            log: MemoryLog::new(2, world.clock.clone()),
            refused: Mutex::default(),
        });
        let store = EventStore::new(
            tables.clone(),
            log.clone(),
            world.clone(),
            Catalogue::current(),
        );
        let app = App {
            store,
            tables,
            world: world.clone(),
        };
        Self {
            log,
            clock,
            world,
            app,
        }
    }

    /// Makes a reservation whose event is committed, and not in the log.
    fn pending(&self) -> String {
        let id = IdReserva(self.world.ids.fresh());
        self.refuse(&id.to_string(), true);
        let command = Command {
            id: CommandId(self.world.ids.fresh()),
            kind: vuelos::CREAR_RESERVA.into(),
            subject: id,
            correlationid: IdCorrelacion(self.world.ids.fresh()),
            causationid: None,
            sagamode: SagaMode::Orquestacion,
            traceparent: None,
            data: serde_json::from_str(SAMPLE).unwrap(),
        };
        let handled = block_on(self.app.store.handle(&Vuelos, &command)).unwrap();
        assert!(
            matches!(
                handled,
                Handled::Committed {
                    appended: false,
                    ..
                }
            ),
            "{handled:?}"
        );
        self.refuse(&id.to_string(), false);
        id.to_string()
    }

    fn refuse(&self, id: &str, refuse: bool) {
        let mut refused = self.log.refused.lock().unwrap();
        if refuse {
            refused.insert(id.to_owned());
        } else {
            refused.remove(id);
        }
    }

    fn handle(&self, task: &str) -> Result<Done, SweepFailed> {
        let task: Task = serde_json::from_str(task).unwrap();
        block_on(self.app.handle(task))
    }

    fn logged(&self) -> BTreeSet<String> {
        let records = self.log.log.records();
        records
            .into_iter()
            .map(|record| record.partition_key)
            .collect()
    }
}

fn done(encontrados: usize, publicados: usize, fallidos: usize, since: Option<&str>) -> Done {
    Done {
        encontrados,
        publicados,
        fallidos,
        mas_antiguo: since.map(str::to_owned),
    }
}

#[test]
fn what_was_committed_and_not_published_is_published() {
    let fixture = Fixture::new();
    assert_eq!(fixture.handle(TASK).unwrap(), Done::default());
    let first = fixture.pending();
    fixture.clock.advance(Duration::from_millis(250));
    let second = fixture.pending();
    assert!(fixture.logged().is_empty());

    // Whoever committed it is most likely publishing it right now.
    fixture.clock.advance(Duration::from_secs(9));
    assert_eq!(fixture.handle(TASK).unwrap(), Done::default());

    fixture.clock.advance(Duration::from_millis(1_001));
    let since = Some("2026-01-31T10:00:00.000Z");
    assert_eq!(fixture.handle(TASK).unwrap(), done(2, 2, 0, since));
    assert_eq!(fixture.logged(), BTreeSet::from([first, second]));
    assert_eq!(fixture.handle(TASK).unwrap(), Done::default());
    assert_eq!(fixture.log.log.records().len(), 2);
}

#[test]
fn the_age_can_be_said() {
    let fixture = Fixture::new();
    fixture.pending();
    fixture.clock.advance(Duration::from_secs(20));
    let swept = |seconds: u64| {
        let task = json!({"tarea": "barrido", "antiguedad_segundos": seconds});
        fixture.handle(&task.to_string()).unwrap().publicados
    };
    assert_eq!(swept(21), 0);
    assert_eq!(swept(19), 1);
}

#[test]
fn one_that_cannot_be_published_is_counted_and_holds_up_no_other() {
    let fixture = Fixture::new();
    let ids = [(); 5].map(|()| fixture.pending());
    fixture.refuse(&ids[2], true);
    fixture.clock.advance(Duration::from_secs(11));
    let since = Some("2026-01-31T10:00:00.000Z");
    assert_eq!(fixture.handle(TASK).unwrap(), done(5, 4, 1, since));
    assert_eq!(fixture.logged().len(), 4);
    assert_eq!(fixture.handle(TASK).unwrap(), done(1, 0, 1, since));
    fixture.refuse(&ids[2], false);
    assert_eq!(fixture.handle(TASK).unwrap(), done(1, 1, 0, since));
    assert_eq!(fixture.logged(), BTreeSet::from(ids));
}

#[test]
fn more_than_one_round_takes_are_swept_in_one_run() {
    let fixture = Fixture::new();
    // More than a round takes of each of the sixteen buckets.
    let count = 16 * 100 + 160;
    for _ in 0..count {
        fixture.pending();
    }
    fixture.clock.advance(Duration::from_secs(11));
    let done = fixture.handle(TASK).unwrap();
    assert_eq!((done.encontrados, done.publicados), (count, count));
    assert_eq!(fixture.logged().len(), count);
}

/// Tables that do not answer.
struct Down;

#[async_trait]
impl Tables for Down {
    async fn get(&self, _: &[Key], _: Consistency) -> Result<Vec<Option<Item>>, TableError> {
        Err(TableError::Unavailable("down".into()))
    }

    async fn write(&self, _: &Write) -> Result<(), WriteError> {
        Err(TableError::Unavailable("down".into()).into())
    }

    async fn transact(&self, _: &[Write]) -> Result<(), TransactError> {
        Err(TableError::Unavailable("down".into()).into())
    }

    async fn query(&self, _: &IndexQuery) -> Result<IndexPage, TableError> {
        Err(TableError::Unavailable("down".into()))
    }

    async fn list(
        &self,
        _: TableName,
        _: &str,
        _: Option<&Key>,
        _: usize,
    ) -> Result<ScanPage, TableError> {
        Err(TableError::Unavailable("down".into()))
    }

    async fn scan(&self, _: TableName, _: Option<&Key>) -> Result<ScanPage, TableError> {
        Err(TableError::Unavailable("down".into()))
    }
}

#[test]
fn an_index_that_cannot_be_read_fails_the_run() {
    let error = Fixture::over(Arc::new(Down)).handle(TASK).unwrap_err();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, "SweepFailed");
    assert!(diagnostic.error_message.contains("down"));
}

#[test]
fn what_is_no_task_is_not_taken_for_one() {
    for text in [
        "{}",
        r#"{"tarea": "otra"}"#,
        r#"{"tarea": "barrido", "antiguedad": 1}"#,
        r#"{"tarea": "barrido", "antiguedad_segundos": -1}"#,
        r#"{"Records": []}"#,
    ] {
        assert!(serde_json::from_str::<Task>(text).is_err(), "{text}");
    }
    let told = serde_json::to_value(Done::default()).unwrap();
    let expected: Value =
        json!({"encontrados": 0, "publicados": 0, "fallidos": 0, "mas_antiguo": null});
    assert_eq!(told, expected);
}
