//! The function under test, with tables, a log and functions in memory.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use alpes_event_store::{EventStore, Handled};
use alpes_messages::{Command, CommandId, CorrelationId, SagaMode};
use alpes_ports::{Log, LogError, NewRecord, SequenceNumber, Tables, World};
use alpes_saga::Sagas;
use async_trait::async_trait;
use events::{IdReserva, Payload};
use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use timers::{App, Done, Limits, Task, TaskFailed};
use twins::{ManualClock, MemoryFunctions, MemoryLog, MemoryObjects, MemoryTables, Ports, world};
use vuelos::Vuelos;
use wiring::Wiring;

const SAMPLE: &str =
    include_str!("../../../../shared/airline/vuelos/tests/data/crear_reserva.json");

/// A log that refuses the records of some reservations.
pub(crate) struct Failing {
    pub(crate) log: MemoryLog,
    refused: Mutex<BTreeSet<String>>,
    /// If set, each append advances this clock by one second.
    pub(crate) slow: Mutex<Option<Arc<ManualClock>>>,
}

#[async_trait]
impl Log for Failing {
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        if self.refused.lock().unwrap().contains(record.partition_key) {
            return Err(LogError::Unavailable("throttled".into()));
        }
        if let Some(clock) = &*self.slow.lock().unwrap() {
            clock.advance(Duration::from_secs(1));
        }
        self.log.append(record).await
    }
}

pub(crate) struct Fixture {
    pub(crate) log: Arc<Failing>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) world: World,
    pub(crate) objects: Arc<MemoryObjects>,
    pub(crate) functions: Arc<MemoryFunctions>,
    pub(crate) metrics: Arc<Mutex<Vec<Value>>>,
    pub(crate) tables: Arc<dyn Tables>,
    pub(crate) wiring: Wiring<Ports>,
    pub(crate) app: App,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(MemoryTables::new()))
    }

    pub(crate) fn over(tables: Arc<dyn Tables>) -> Self {
        let (world, clock) = world(1);
        let log = Arc::new(Failing {
            log: MemoryLog::new(2, world.clock.clone()),
            refused: Mutex::default(),
            slow: Mutex::default(),
        });
        let objects = Arc::new(MemoryObjects::new());
        let metrics: Arc<Mutex<Vec<Value>>> = Arc::default();
        let functions = Arc::new(MemoryFunctions::new());
        let told = metrics.clone();
        let wiring = Wiring::new(Ports {
            tables: tables.clone(),
            log: log.clone(),
            functions: functions.clone(),
            undelivered: objects.clone(),
            stack: "aeroalpes".to_owned(),
            lines: Arc::new(move |line| {
                told.lock()
                    .unwrap()
                    .push(serde_json::from_str(line).unwrap());
            }),
            ..Ports::new(world.clone())
        });
        let Ok(app) = App::new(&wiring);
        Self {
            log,
            clock,
            world,
            objects,
            functions,
            metrics,
            tables,
            wiring,
            app,
        }
    }

    /// The function with changed ports, and the same clock and ids.
    pub(crate) fn wire(&self, change: impl FnOnce(&mut Ports)) -> App {
        let mut ports = self.wiring.platform.clone();
        change(&mut ports);
        let Ok(app) = App::new(&Wiring::new(ports));
        app
    }

    /// The same function with smaller limits.
    pub(crate) fn with_limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        self.app = self.app.with_limits(limits);
        self
    }

    pub(crate) fn sagas(&self) -> Sagas {
        self.wiring.sagas()
    }

    pub(crate) fn store(&self) -> EventStore<Payload> {
        let Ok(store) = self.wiring.store();
        store
    }

    /// Makes a reservation whose event is committed and not in the log.
    pub(crate) fn pending(&self) -> String {
        let command = self.creation(SagaMode::Orchestration);
        let id = command.subject;
        self.refuse(&id.to_string(), true);
        assert!(!self.make(&command), "it cannot be published");
        self.refuse(&id.to_string(), false);
        id.to_string()
    }

    /// Makes a reservation by choreography.
    pub(crate) fn choreographed(&self) -> IdReserva {
        let command = self.creation(SagaMode::Choreography);
        assert!(self.make(&command), "it is published");
        command.subject
    }

    /// A command for a reservation by choreography. The test sets the kind and data of the command.
    pub(crate) fn command(&self, subject: IdReserva) -> Command {
        Command {
            subject,
            ..self.creation(SagaMode::Choreography)
        }
    }

    fn creation(&self, sagamode: SagaMode) -> Command {
        Command {
            id: CommandId(self.world.ids.fresh()),
            kind: vuelos::CREAR_RESERVA.into(),
            subject: IdReserva(self.world.ids.fresh()),
            correlationid: CorrelationId(self.world.ids.fresh()),
            causationid: None,
            actor: None,
            prueba: false,
            sagamode,
            traceparent: None,
            data: serde_json::from_str(SAMPLE).unwrap(),
        }
    }

    /// Makes a reservation. The result is true if the reservation's event is in the log.
    fn make(&self, command: &Command) -> bool {
        match block_on(self.store().handle(&Vuelos, command)).unwrap() {
            Handled::Committed { appended, .. } => appended,
            refused @ Handled::Rejected(_) => panic!("{refused:?}"),
        }
    }

    pub(crate) fn refuse(&self, id: &str, refuse: bool) {
        let mut refused = self.log.refused.lock().unwrap();
        if refuse {
            refused.insert(id.to_owned());
        } else {
            refused.remove(id);
        }
    }

    pub(crate) fn handle(&self, task: &str) -> Result<Done, TaskFailed> {
        let task: Task = serde_json::from_str(task).unwrap();
        block_on(self.app.handle(task, self.deadline()))
    }

    /// The deadline of an invocation that begins now.
    pub(crate) fn deadline(&self) -> Timestamp {
        self.world.clock.now() + SignedDuration::from_mins(1)
    }

    pub(crate) fn logged(&self) -> BTreeSet<String> {
        let records = self.log.log.records();
        records
            .into_iter()
            .map(|record| record.partition_key)
            .collect()
    }

    /// The last emitted values of these metrics.
    pub(crate) fn told<const N: usize>(&self, names: [&str; N]) -> [Value; N] {
        let metrics = self.metrics.lock().unwrap();
        let line = metrics.last().expect("metrics were emitted");
        names.map(|name| line[name].clone())
    }
}
