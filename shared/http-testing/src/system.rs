//! What is behind the API: the other functions, over memory.

use std::{sync::Arc, time::Duration};

use event_store::{Decider, EventStore, Handled, StreamReader};
use events::{
    Catalogue, Command, CommandId, Context, Event, IdCorrelacion, IdReserva, Payload, SagaMode,
    StreamId,
};
use futures::executor::block_on;
use gds::Gds;
use jiff::Timestamp;
use pagos::{
    Pagos,
    simulador::{Simulador, VISA},
};
use participant::{Failure, Faults, Modo, Participant};
use ports::{
    CallError, Item, World,
    memory::{ManualClock, MemoryFunctions, MemoryLog, MemoryTables, world},
};
use projections::Projector;
use reserva_saga::{FunctionParticipants, ORCHESTRATOR, definitions, fact, function_of, saga_of};
use saga_engine::{Coordinator, Estado, Request, Requested, Saga, SagaId, Sagas};
use serde_json::{Value, json};
use vuelos::Vuelos;

use crate::sample;

/// Everything but the function under test.
///
/// Nothing happens by itself: what reads the log does so when told to, by [`System::project`] and [`System::run_sagas`].
pub struct System {
    /// All tables.
    pub tables: Arc<MemoryTables>,
    /// The log.
    pub log: Arc<MemoryLog>,
    /// Participants and orchestrator.
    pub functions: Arc<MemoryFunctions>,
    /// The time.
    pub clock: Arc<ManualClock>,
    /// The same, and ids.
    pub world: World,
    /// Commits events.
    pub store: EventStore,
    /// The sagas.
    pub sagas: Sagas,
    /// How participants misbehave.
    pub faults: Faults,
    coordinator: Coordinator,
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl System {
    /// One where nothing has happened.
    pub fn new() -> Self {
        let (world, clock) = world(1);
        let tables = Arc::new(MemoryTables::new());
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        let functions = Arc::new(MemoryFunctions::new());
        let sagas = Sagas::new(tables.clone(), definitions(), world.clone());
        let participants = Arc::new(FunctionParticipants(functions.clone()));
        let system = Self {
            store: EventStore::new(
                tables.clone(),
                log.clone(),
                world.clone(),
                Catalogue::current(),
            ),
            coordinator: Coordinator::new(sagas.clone(), participants),
            faults: Faults::new(tables.clone()),
            tables,
            log,
            functions,
            clock,
            world,
            sagas,
        };
        system.deploy();
        system
    }

    fn deploy(&self) {
        for context in Context::ALL {
            let participant = Arc::new(self.participant(context));
            let function = function_of(context.name()).unwrap();
            self.functions.deploy(function, move |payload| {
                let participant = participant.clone();
                async move {
                    let command: Command = serde_json::from_slice(&payload).unwrap();
                    let replied = participant.handle(&command).await;
                    let reply = replied.map_err(|error| CallError::Failed {
                        error_type: error.error_type().to_owned(),
                        message: error.to_string(),
                    })?;
                    Ok(serde_json::to_vec(&reply).unwrap())
                }
            });
        }
        let coordinator = self.coordinator.clone();
        self.functions.deploy(ORCHESTRATOR, move |payload| {
            let coordinator = coordinator.clone();
            async move {
                let asked: Value = serde_json::from_slice(&payload).unwrap();
                let ids: Vec<SagaId> = serde_json::from_value(asked["despertar"].clone()).unwrap();
                for id in ids {
                    coordinator.wake(id, Timestamp::MAX).await.unwrap();
                }
                Ok(vec![])
            }
        });
    }

    fn participant(&self, context: Context) -> Participant {
        let simulador = Simulador::new(self.tables.clone(), self.world.clone());
        let (decider, failure): (Arc<dyn Decider>, Failure) = match context {
            Context::Vuelos => (Arc::new(Vuelos), vuelos::FAILURE),
            Context::Pagos => {
                let gateway = Arc::new(simulador);
                (Arc::new(Pagos { gateway }), pagos::FAILURE)
            }
            Context::Gds => (Arc::new(Gds), gds::FAILURE),
        };
        Participant {
            store: self.store.clone(),
            decider,
            failure,
            faults: Some(self.faults.clone()),
            world: self.world.clone(),
        }
    }

    /// A command as others than the API send it, in the saga of the reservation if that exists.
    pub fn command(&self, kind: &str, subject: IdReserva, data: Value) -> Command {
        let history = self.history(subject);
        let known = history
            .first()
            .map(|event| (event.correlationid, event.sagamode));
        let (correlationid, sagamode) = known.unwrap_or_else(|| {
            let fresh = IdCorrelacion(self.world.ids.fresh());
            (fresh, SagaMode::Orquestacion)
        });
        Command {
            id: CommandId(self.world.ids.fresh()),
            kind: kind.to_owned(),
            subject,
            correlationid,
            causationid: None,
            prueba: false,
            sagamode,
            traceparent: None,
            data,
        }
    }

    fn history(&self, id: IdReserva) -> Vec<Event> {
        let stream = StreamId::new(Context::Vuelos, id);
        let history = block_on(self.store.reader().history(stream)).unwrap();
        history.into_iter().map(|(event, _)| event).collect()
    }

    /// A context takes a command, and commits something.
    #[track_caller]
    pub fn take(&self, context: Context, command: &Command) {
        let decider = self.participant(context).decider;
        let handled = block_on(self.store.handle(&*decider, command)).unwrap();
        assert!(
            matches!(handled, Handled::Committed { appended: true, .. }),
            "{handled:?}"
        );
    }

    /// The command that makes the tutorials' reservation: a test changes of it what it wants to, and has it taken.
    pub fn creation(&self) -> Command {
        let id = IdReserva(self.world.ids.fresh());
        self.command(vuelos::CREAR_RESERVA, id, sample())
    }

    /// Makes a reservation of this client.
    pub fn create(&self, id_cliente: Option<&str>) -> IdReserva {
        let mut command = self.creation();
        command.data["id_cliente"] = id_cliente.into();
        self.take(Context::Vuelos, &command);
        command.subject
    }

    /// Pays a reservation.
    pub fn pay(&self, id: IdReserva) {
        let pago = json!({"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": VISA});
        let command = self.command(pagos::PAGAR_RESERVA, id, pago);
        self.take(Context::Pagos, &command);
    }

    /// Confirms a reservation.
    pub fn confirm(&self, id: IdReserva) {
        let data = json!({"itinerarios": sample()["itinerarios"]});
        let command = self.command(gds::CONFIRMAR_RESERVA, id, data);
        self.take(Context::Gds, &command);
    }

    /// Approves a reservation.
    pub fn approve(&self, id: IdReserva) {
        let command = self.command(vuelos::APROBAR_RESERVA, id, json!({}));
        self.take(Context::Vuelos, &command);
    }

    /// Cancels a reservation, for the first time.
    pub fn cancel(&self, id: IdReserva) {
        let data = json!({"motivo": "cliente"});
        let command = self.command(vuelos::CANCELAR_RESERVA, id, data);
        self.take(Context::Vuelos, &command);
    }

    /// Time goes on.
    pub fn later(&self) {
        self.clock.advance(Duration::from_millis(7));
    }

    /// Folds all of the log into the views.
    pub fn project(&self) {
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

    /// The orchestrator hears all of the log, and moves each saga on as far as it goes.
    pub fn run_sagas(&self) {
        self.hear_log(|_| true, Timestamp::MAX);
    }

    /// The orchestrator hears all of the log, and sends nothing yet.
    pub fn begin_sagas(&self) {
        self.hear_log(|_| true, Timestamp::MIN);
    }

    fn hear_log(&self, such: impl Fn(IdReserva) -> bool, until: Timestamp) {
        for (event, _) in self.logged_events() {
            let id = saga_of(&event).filter(|_| such(event.subject));
            if let Some(id) = id {
                block_on(self.coordinator.observe(id, &[fact(&event)], until)).unwrap();
            }
        }
    }

    /// What was started runs, to its end.
    pub fn run_started(&self) -> usize {
        let started = self.functions.take_started();
        started.into_iter().map(block_on).count()
    }

    /// Makes a reservation and brings its saga to stand like this; see [`System::bring_to`].
    pub fn create_in(&self, estado: Estado) -> IdReserva {
        let id = self.create(None);
        self.bring_to(estado, id);
        id
    }

    /// Brings the saga of a reservation that was just made to stand like this. For all but the first two states its client has it
    /// undone.
    pub fn bring_to(&self, estado: Estado, id: IdReserva) {
        match estado {
            Estado::EnCurso => self.hear_log(|of| of == id, Timestamp::MIN),
            Estado::Completada => self.hear_log(|of| of == id, Timestamp::MAX),
            Estado::Compensando => {
                self.bring_to(Estado::Completada, id);
                let cancel = Request::Cancel("la prueba lo pide".into());
                let cancelled = block_on(self.sagas.request(self.saga_of(id), None, &cancel));
                assert!(matches!(cancelled, Ok(Requested::Taken(_))));
            }
            Estado::Compensada => {
                self.bring_to(Estado::Compensando, id);
                self.wake(id);
            }
            Estado::RequiereIntervencion => {
                self.bring_to(Estado::Compensando, id);
                self.fail_once(Context::Pagos, pagos::REVERTIR_PAGO);
                self.wake(id);
            }
        }
        assert_eq!(self.saga(id).estado, estado);
    }

    /// The next command of this type is refused or fails.
    pub fn fail_once(&self, context: Context, command: &str) {
        block_on(self.faults.set(context, command, None, Modo::Falla, 1)).unwrap();
    }

    /// The orchestrator looks at the saga of a reservation, and moves it on as far as it goes.
    pub fn wake(&self, id: IdReserva) {
        block_on(self.coordinator.wake(self.saga_of(id), Timestamp::MAX)).unwrap();
    }

    /// The saga of a reservation, which has begun.
    pub fn saga(&self, id: IdReserva) -> Saga {
        let found = block_on(self.sagas.load(self.saga_of(id))).unwrap();
        found.expect("the saga has begun").saga
    }

    /// The identity of a reservation's saga.
    pub fn saga_of(&self, id: IdReserva) -> SagaId {
        saga_of(&self.history(id)[0]).expect("somebody coordinates it")
    }

    /// The types of a reservation's events, in the order of the log.
    pub fn events_of(&self, id: IdReserva) -> Vec<String> {
        let logged = self.logged_events().into_iter();
        let of_it = logged.filter(|(event, _)| event.subject == id);
        of_it.map(|(event, _)| event.kind).collect()
    }

    fn logged_events(&self) -> Vec<(Event, Payload)> {
        let records = self.log.records().into_iter();
        let decode = |data: Vec<u8>| Event::decode(&data, &Catalogue::current()).unwrap();
        records.map(|record| decode(record.data)).collect()
    }

    /// The events in the log, as they lie there.
    pub fn logged(&self) -> Vec<Value> {
        let records = self.log.records().into_iter();
        records
            .map(|record| serde_json::from_slice(&record.data).unwrap())
            .collect()
    }

    /// The items of the streams.
    pub fn stored(&self) -> Vec<Item> {
        let items = self.tables.all(event_store::TABLE);
        items.into_iter().map(|(_, item)| item).collect()
    }

    /// Nothing was committed, logged, asked of a saga or started.
    #[track_caller]
    pub fn assert_nothing_happened(&self, name: &str) {
        assert!(self.stored().is_empty(), "{name}");
        assert!(self.logged().is_empty(), "{name}");
        assert!(self.tables.all(saga_engine::TABLE).is_empty(), "{name}");
        assert!(self.functions.take_started().is_empty(), "{name}");
    }
}
