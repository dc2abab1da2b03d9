//! A context with the simplest rules that use everything the store offers, and a bench to run it on.

use std::sync::Arc;

use alpes_event_store::{
    Circumstances, Decider, Decision, EventStore, HandleError, Handled, StoreRefusal, Stream,
    StreamReader, Sweeper, Unavailable, Verification, verify,
};
use alpes_messages::{
    Command, CommandId, CorrelationId, Event, NewEvent, Problem, SagaMode, StreamId, SubjectId,
};
use alpes_ports::{Condition, Key, Path, TableName, Update, World};
use async_trait::async_trait;
use events::{Payload, VUELOS, kinds, vuelos};
use futures::{FutureExt, executor::block_on};
use serde_json::json;
use simulation::Faults;
use twins::{ManualClock, MemoryLog, MemoryTables};
use uuid::Uuid;

pub const SEATS: TableName = TableName("seats");

/// `Abrir` opens a stream, `Anotar` adds as many events as it says, `Sentar` takes a seat with its event or tells that there is none,
/// `CancelarReserva` undoes, and undoing what is undone returns what was.
pub struct Toy;

fn note(command: &Command, now: alpes_messages::Moment, motivo: &str) -> NewEvent {
    let id_reserva = command.subject;
    vuelos::AprobacionReservaFallida {
        id_reserva,
        fecha_actualizacion: now,
        motivo: motivo.into(),
    }
    .into()
}

#[async_trait]
impl Decider<Payload> for Toy {
    fn stream(&self, command: &Command) -> StreamId {
        StreamId::new(VUELOS, command.subject)
    }

    fn opens(&self, command: &Command) -> bool {
        command.kind == "Abrir"
    }

    fn undoes(&self, command: &Command) -> bool {
        command.kind == "CancelarReserva"
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        parse::refusal(refusal)
    }

    async fn decide(
        &self,
        history: &[(Event, Payload)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable> {
        let now = circumstances.now;
        Ok(match command.kind.as_str() {
            "Abrir" if history.is_empty() => Decision::commit(vec![note(command, now, "abierta")]),
            "Anotar" if !history.is_empty() => {
                let count = usize::try_from(command.data["count"].as_u64().unwrap()).unwrap();
                let text = command.data["text"].as_str().unwrap_or("nota");
                Decision::commit((0..count).map(|_| note(command, now, text)).collect())
            }
            "Sentar" if circumstances.refused.is_empty() => Decision::Commit {
                events: vec![note(command, now, "sentada")],
                with: vec![
                    Update::of(Key::new(SEATS, "flight", "seats"))
                        .when(Condition::AtLeast(Path::of("left"), 1))
                        .add(Path::of("left"), -1)
                        .into(),
                ],
            },
            "Sentar" => Decision::commit(vec![note(command, now, "sin sillas")]),
            "CancelarReserva" => {
                let before = history
                    .iter()
                    .find(|(_, payload)| matches!(payload, Payload::ReservaCancelada(_)));
                let cancelled = vuelos::ReservaCancelada {
                    id_reserva: command.subject,
                    fecha_actualizacion: now,
                    motivo: "x".into(),
                };
                before.map_or_else(
                    || Decision::commit(vec![cancelled.into()]),
                    |(event, _)| Decision::Already(vec![event.clone()]),
                )
            }
            "Caer" => return Err(Unavailable("the gateway does not answer".into())),
            _ => Decision::Reject(Problem::of(kinds::STATE)),
        })
    }
}

pub fn command(id: u128, kind: &str, data: serde_json::Value) -> Command {
    Command {
        id: CommandId(Uuid::from_u128(id)),
        kind: kind.into(),
        subject: SubjectId(Uuid::from_u128(7)),
        correlationid: CorrelationId(Uuid::from_u128(8)),
        causationid: None,
        prueba: false,
        sagamode: SagaMode::Orchestration,
        traceparent: None,
        data,
    }
}

pub fn open(id: u128) -> Command {
    command(id, "Abrir", json!({}))
}

pub fn add(id: u128, count: u32) -> Command {
    command(id, "Anotar", json!({ "count": count }))
}

/// What outlives a process: the tables, the log, and time.
#[derive(Clone)]
pub struct Bench {
    pub tables: Arc<MemoryTables>,
    pub log: Arc<MemoryLog>,
    pub world: World,
    pub clock: Arc<ManualClock>,
}

impl Bench {
    pub fn new() -> Self {
        let (world, clock) = twins::world(1);
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        Self {
            tables: Arc::new(MemoryTables::new()),
            log,
            world,
            clock,
        }
    }

    /// A process that works under `faults`.
    pub fn store(&self, faults: &Faults) -> EventStore<Payload> {
        let tables = Arc::new(faults.tables(self.tables.clone()));
        let log = Arc::new(faults.log(self.log.clone()));
        EventStore::new(tables, log, self.world.clone(), events::catalogue())
    }

    /// Sends a command to a process under `faults`; `None` if the process died of it.
    pub fn send(&self, faults: &Faults, command: &Command) -> Option<Result<Handled, HandleError>> {
        self.store(faults).handle(&Toy, command).now_or_never()
    }

    /// Sends a command as a patient client does: again until there is an answer, each time to a new process, only the first of
    /// which is under `faults`.
    pub fn insist(&self, faults: &Faults, command: &Command) -> Handled {
        let first = self.send(faults, command);
        let mut answers =
            std::iter::once(first).chain((0..3).map(|_| self.send(&Faults::none(), command)));
        answers
            .find_map(|answer| answer?.ok())
            .expect("a healthy process answers")
    }

    pub fn sweep(&self) -> alpes_event_store::Swept {
        let store = self.store(&Faults::none());
        let sweeper = Sweeper {
            store: &store,
            world: &self.world,
            older_than: std::time::Duration::ZERO,
            budget: std::time::Duration::MAX,
            page: alpes_event_store::PAGE,
        };
        self.clock.advance(std::time::Duration::from_mins(1));
        block_on(sweeper.sweep()).unwrap()
    }

    pub fn reader(&self) -> StreamReader<Payload> {
        StreamReader::new(self.tables.clone(), events::catalogue())
    }

    pub fn stream(&self) -> Stream {
        let id = StreamId::new(VUELOS, SubjectId(Uuid::from_u128(7)));
        block_on(self.reader().read_one(id)).unwrap()
    }

    pub fn verify(&self) -> Verification {
        block_on(verify(&*self.tables, &*self.log, &self.reader(), None)).unwrap()
    }

    /// True if the sweeper has the stream on its list.
    pub fn listed(&self) -> bool {
        self.tables
            .all(alpes_event_store::TABLE)
            .iter()
            .any(|(_, item)| item.contains_key("gsi1pk"))
    }

    /// What must hold once all is quiet: nothing lost, nothing twice, nothing left over.
    pub fn check(&self, committed: usize, context: &str) {
        let found = self.verify();
        assert_eq!(found.differences, [], "{context}");
        assert_eq!(
            (found.committed, found.in_log, found.pending),
            (committed, committed, 0),
            "{context}"
        );
        assert!(
            !self.listed(),
            "{context}: published, but still on the sweeper's list"
        );
        let stream = self.stream();
        let versions = stream.decode(&events::catalogue(), 1, u32::MAX).unwrap();
        let versions: Vec<_> = versions
            .iter()
            .map(|stored| stored.event.streamversion)
            .collect();
        assert_eq!(
            versions,
            (1..=stream.version()).collect::<Vec<_>>(),
            "{context}"
        );
        assert_eq!(stream.published, stream.version(), "{context}");
    }
}

/// The events of an answer that is one.
pub fn events_of(handled: &Handled) -> &[Event] {
    match handled {
        Handled::Committed { events, .. } => events,
        Handled::Rejected(problem) => panic!("rejected: {problem:?}"),
    }
}
