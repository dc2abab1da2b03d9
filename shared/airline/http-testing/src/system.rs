//! The functions behind the HTTP functions, over twins (ports in memory).

use std::{sync::Arc, time::Duration};

use alpes_event_store::{EventStore, Handled};
use alpes_lambda::kinesis;
use alpes_messages::{Command, CommandId, Context, CorrelationId, Event, SagaMode, StreamId};
use alpes_participant::{FaultMode, Faults, ReactionKey, Rules};
use alpes_ports::{CallError, Ending, Functions, Item, LogRecord, Progress, World};
use alpes_saga::{
    Coordinator, Direction, Input, Request, Requested, Saga, SagaId, Sagas, Status, transition,
};
use events::{CONTEXTS, GDS, IdReserva, PAGOS, Payload, VUELOS, vuelos::EstadoReserva};
use futures::executor::block_on;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use pagos::simulador::VISA;
use reserva_saga::{ORCHESTRATOR, fact, function_of, placeholders, saga_id};
use serde_json::{Value, json};
use twins::{
    ManualClock, MemoryExecutions, MemoryFunctions, MemoryLog, MemoryTables, Ports, world,
};
use wiring::Wiring;

use crate::{listen, sample};

/// All parts of the system except the function under test.
///
/// Consumers read the log only when the test calls them, with [`System::project`], [`System::run_sagas`] and
/// [`System::run_choreography`].
pub struct System {
    /// All tables.
    pub tables: Arc<MemoryTables>,
    /// The log.
    pub log: Arc<MemoryLog>,
    /// The participants and the orchestrator.
    pub functions: Arc<MemoryFunctions>,
    /// The clock. Tests advance it.
    pub clock: Arc<ManualClock>,
    /// The ports for time, ids, randomness and tasks. The clock of these ports is [`System::clock`].
    pub world: World,
    /// The event store.
    pub store: EventStore<Payload>,
    /// The stored sagas.
    pub sagas: Sagas,
    /// The faults of participants, which a test sets.
    pub faults: Faults,
    /// The twin of Step Functions, which runs the sagas of the mode `stepfunctions`.
    pub executions: MemoryExecutions,
    coordinator: Coordinator,
    wiring: Wiring<Ports>,
}

/// The twin of Step Functions with the deployed state machine.
fn executions(functions: Arc<MemoryFunctions>, world: &World) -> MemoryExecutions {
    let machine = include_str!("../../../../infra/saga-reserva.asl.json");
    let machine = serde_json::from_str(machine).unwrap();
    MemoryExecutions::new(&machine, placeholders(), functions, world.clone()).unwrap()
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl System {
    /// Makes a system without reservations.
    pub fn new() -> Self {
        listen();
        let (world, clock) = world(1);
        let tables = Arc::new(MemoryTables::new());
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        let functions = Arc::new(MemoryFunctions::new());
        let executions = executions(functions.clone(), &world);
        let wiring = Wiring::new(Ports {
            tables: tables.clone(),
            log: log.clone(),
            reader: log.clone(),
            functions: functions.clone(),
            executions: Some(Arc::new(executions.clone())),
            settings: [("ACCESO".to_owned(), "abierto".to_owned())].into(),
            ..Ports::new(world.clone())
        });
        let Ok(store) = wiring.store();
        let system = Self {
            store,
            sagas: wiring.sagas(),
            coordinator: wiring.coordinator(),
            wiring,
            executions,
            faults: Faults::new(tables.clone()),
            tables,
            log,
            functions,
            clock,
            world,
        };
        system.deploy();
        system
    }

    fn deploy(&self) {
        for context in CONTEXTS {
            let Ok(app) = self.wiring.participant(context);
            let app = Arc::new(app);
            self.functions.deploy(function_of(context), move |payload| {
                let app = app.clone();
                async move {
                    let payload = serde_json::from_slice(&payload).unwrap();
                    let answered = app.answer(payload, Timestamp::MAX).await;
                    let answer = answered.map_err(|error| {
                        let told = Diagnostic::from(error);
                        CallError::Failed {
                            error_type: told.error_type,
                            message: told.error_message,
                        }
                    })?;
                    Ok(serde_json::to_vec(&answer).unwrap())
                }
            });
        }
        let coordinator = self.coordinator.clone();
        self.functions.deploy(ORCHESTRATOR, move |payload| {
            let coordinator = coordinator.clone();
            async move {
                let asked: Value = serde_json::from_slice(&payload).unwrap();
                let ids: Vec<SagaId> = serde_json::from_value(asked["wake"].clone()).unwrap();
                for id in ids {
                    coordinator.wake(id, Timestamp::MAX).await.unwrap();
                }
                Ok(vec![])
            }
        });
    }

    /// The system's ports. A test replaces some of these ports, and builds its function with the changed ports.
    pub fn ports(&self) -> Ports {
        self.wiring.platform.clone()
    }

    fn rules(&self, context: Context) -> Rules<Payload> {
        wiring::rules(context, &self.wiring.platform.tables, &self.world)
    }

    /// Makes a command with a new id, as senders other than the API do. If the reservation has a saga, the command
    /// belongs to that saga.
    pub fn command(&self, kind: &str, subject: IdReserva, data: Value) -> Command {
        let history = self.history(subject);
        let known = history
            .first()
            .map(|event| (event.correlationid, event.sagamode));
        let (correlationid, sagamode) =
            known.unwrap_or((CorrelationId(subject.0), SagaMode::Orchestration));
        Command {
            id: CommandId(self.world.ids.fresh()),
            kind: kind.to_owned(),
            subject,
            correlationid,
            causationid: None,
            actor: None,
            prueba: false,
            sagamode,
            traceparent: None,
            data,
        }
    }

    fn history(&self, id: IdReserva) -> Vec<Event> {
        let stream = StreamId::new(VUELOS, id);
        let history = block_on(self.store.reader().history(stream)).unwrap();
        history.into_iter().map(|(event, _)| event).collect()
    }

    /// Has a context handle a command. Panics unless the command commits an event.
    #[track_caller]
    pub fn take(&self, context: Context, command: &Command) {
        let decider = self.rules(context).decider;
        let handled = block_on(self.store.handle(&*decider, command)).unwrap();
        assert!(
            matches!(handled, Handled::Committed { appended: true, .. }),
            "{handled:?}"
        );
    }

    /// An id that no reservation has.
    pub fn fresh(&self) -> IdReserva {
        IdReserva(self.world.ids.fresh())
    }

    /// The command that makes the tutorials' reservation, for a test to change and to [`take`](Self::take).
    pub fn creation(&self) -> Command {
        self.command(vuelos::CREAR_RESERVA, self.fresh(), sample())
    }

    /// Makes a reservation for this client.
    pub fn create(&self, id_cliente: Option<&str>) -> IdReserva {
        let mut command = self.creation();
        command.data["id_cliente"] = id_cliente.into();
        self.take(VUELOS, &command);
        command.subject
    }

    /// Makes a reservation for this client and brings it into this state.
    pub fn create_as(&self, id_cliente: Option<&str>, estado: EstadoReserva) -> IdReserva {
        let id = self.create(id_cliente);
        match estado {
            EstadoReserva::Pendiente => {}
            EstadoReserva::Pagada => self.pay(id),
            EstadoReserva::Aprobada => {
                self.pay(id);
                self.approve(id);
            }
            EstadoReserva::Cancelada => self.cancel(id),
        }
        id
    }

    /// Pays a reservation.
    pub fn pay(&self, id: IdReserva) {
        let pago = json!({"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": VISA});
        let command = self.command(pagos::PAGAR_RESERVA, id, pago);
        self.take(PAGOS, &command);
    }

    /// Confirms a reservation.
    pub fn confirm(&self, id: IdReserva) {
        let data = json!({"itinerarios": sample()["itinerarios"]});
        let command = self.command(gds::CONFIRMAR_RESERVA, id, data);
        self.take(GDS, &command);
    }

    /// Approves a reservation.
    pub fn approve(&self, id: IdReserva) {
        let command = self.command(vuelos::APROBAR_RESERVA, id, json!({}));
        self.take(VUELOS, &command);
    }

    /// Cancels a reservation that was not cancelled before.
    pub fn cancel(&self, id: IdReserva) {
        let data = json!({"motivo": "cliente"});
        let command = self.command(vuelos::CANCELAR_RESERVA, id, data);
        self.take(VUELOS, &command);
    }

    /// Advances the clock.
    pub fn later(&self) {
        self.clock.advance(Duration::from_millis(7));
    }

    /// Projects the whole log into the views.
    pub fn project(&self) {
        self.project_such(|_| true);
    }

    /// Projects the records of the log that `such` accepts.
    pub fn project_such(&self, such: impl Fn(&LogRecord) -> bool) {
        let mut records = self.log.records();
        records.retain(such);
        let projector = self.wiring.projector();
        let consumer = projector.consumer();
        let outcome = block_on(consumer.consume(&records));
        assert!(outcome.failed.is_none(), "{:?}", outcome.failed);
        assert_eq!(outcome.parked, 0);
    }

    /// Passes the whole log to the coordinator, which runs each saga until it ends or must wait.
    pub fn run_sagas(&self) {
        self.hear_log(|_| true, Timestamp::MAX);
    }

    /// Passes the whole log to the coordinator, which begins sagas and sends no command yet.
    pub fn begin_sagas(&self) {
        self.hear_log(|_| true, Timestamp::MIN);
    }

    fn hear_log(&self, such: impl Fn(IdReserva) -> bool, until: Timestamp) {
        for (event, _) in self.logged_events() {
            if such(event.subject) {
                let facts = [fact(&event)];
                let observed = self.coordinator.observe(saga_id(&event), &facts, until);
                block_on(observed).unwrap();
            }
        }
    }

    /// Delivers the log to the contexts, including the events that their reactions commit, until the log has no new
    /// event.
    pub fn run_choreography(&self) {
        let mut heard = 0;
        while self.log.records().len() > heard {
            let records = self.log.records();
            heard = records.len();
            for context in CONTEXTS {
                let answer = self.invoke(context, &kinesis::batch_of(&records));
                assert_eq!(answer, json!({"batchItemFailures": []}));
            }
        }
    }

    /// Retries the reactions that are pending and due.
    pub fn run_reactions(&self) {
        let due = block_on(self.wiring.reactions().due(&CONTEXTS, 1_000)).unwrap();
        for context in CONTEXTS {
            let of_it = |key: &ReactionKey| key.context() == context.name;
            let reactions = due.reactions.iter().filter(|key| of_it(key));
            let resume = json!({"reactions": reactions.collect::<Vec<_>>()});
            self.invoke(context, &resume);
        }
    }

    fn invoke(&self, context: Context, payload: &Value) -> Value {
        let payload = payload.to_string();
        let called = self
            .functions
            .call(function_of(context), payload.as_bytes());
        serde_json::from_slice(&block_on(called).unwrap()).unwrap()
    }

    /// Runs the started executions of Step Functions to their ends, and then passes the whole log to the coordinator.
    pub fn run_executions(&self) {
        for execution in self.executions.take_started() {
            block_on(execution);
        }
        self.run_sagas();
    }

    /// Stores in a saga that its execution has failed, as the orchestrator does after a person stops the execution.
    pub fn tell_that_it_failed(&self, id: IdReserva) {
        let stored = block_on(self.sagas.load(self.saga_of(id)));
        let stored = stored.unwrap().expect("the saga has begun");
        let ending = Ending::Failed {
            error: "States.Aborted".into(),
            cause: "a person stopped it".into(),
        };
        let failed = Input::Execution(Direction::Do, Progress::Ended(ending));
        let now = self.sagas.now();
        let (saga, _) = transition(&reserva_saga::current(), &stored.saga, &failed, now);
        block_on(self.sagas.save(Some(&stored), saga)).unwrap();
    }

    /// Runs the asynchronous invocations of functions to their ends, and returns the number of invocations.
    pub fn run_started(&self) -> usize {
        let started = self.functions.take_started();
        started.into_iter().map(block_on).count()
    }

    /// Makes a reservation in a choreography, without a coordinator.
    pub fn create_by_choreography(&self) -> IdReserva {
        self.create_by(SagaMode::Choreography)
    }

    /// Makes a reservation whose saga Step Functions runs.
    pub fn create_by_step_functions(&self) -> IdReserva {
        self.create_by(SagaMode::StepFunctions)
    }

    fn create_by(&self, mode: SagaMode) -> IdReserva {
        let mut command = self.creation();
        command.sagamode = mode;
        self.take(VUELOS, &command);
        command.subject
    }

    /// Makes a reservation and brings its saga into this status; see [`System::bring_to`].
    pub fn create_in(&self, status: Status) -> IdReserva {
        let id = self.create(None);
        self.bring_to(status, id);
        id
    }

    /// Brings the saga of a new reservation into this status. For every status except `Running` and `Completed`, the
    /// saga completes first and is then cancelled.
    pub fn bring_to(&self, status: Status, id: IdReserva) {
        match status {
            Status::Running => self.hear_log(|of| of == id, Timestamp::MIN),
            Status::Completed => self.hear_log(|of| of == id, Timestamp::MAX),
            Status::Compensating => {
                self.bring_to(Status::Completed, id);
                let cancel = Request::Cancel("la prueba lo pide".into());
                let cancelled = block_on(self.sagas.request(self.saga_of(id), None, &cancel, None));
                assert!(matches!(cancelled, Ok(Requested::Taken(_))));
            }
            Status::Compensated => {
                self.bring_to(Status::Compensating, id);
                self.wake(id);
            }
            Status::NeedsIntervention => {
                self.bring_to(Status::Compensating, id);
                self.fail_once(PAGOS, pagos::REVERTIR_PAGO);
                self.wake(id);
            }
        }
        assert_eq!(self.saga(id).status, status);
    }

    /// Makes the next command of this type fail. If the command has no event for a failure, it is refused.
    pub fn fail_once(&self, context: Context, command: &str) {
        block_on(
            self.faults
                .set(context, command, None, FaultMode::Failure, 1),
        )
        .unwrap();
    }

    /// Wakes the saga of a reservation, and runs the saga until it ends or must wait.
    pub fn wake(&self, id: IdReserva) {
        block_on(self.coordinator.wake(self.saga_of(id), Timestamp::MAX)).unwrap();
    }

    /// The saga of a reservation. Panics if the saga has not begun.
    pub fn saga(&self, id: IdReserva) -> Saga {
        let found = block_on(self.sagas.load(self.saga_of(id))).unwrap();
        found.expect("the saga has begun").saga
    }

    /// The id of a reservation's saga.
    pub fn saga_of(&self, id: IdReserva) -> SagaId {
        saga_id(&self.history(id)[0])
    }

    /// The types of a reservation's events, in the order of the log.
    pub fn events_of(&self, id: IdReserva) -> Vec<String> {
        let logged = self.logged_events().into_iter();
        let of_it = logged.filter(|(event, _)| event.subject == id);
        of_it.map(|(event, _)| event.kind).collect()
    }

    fn logged_events(&self) -> Vec<(Event, Payload)> {
        let records = self.log.records().into_iter();
        let decode = |data: Vec<u8>| Event::decode(&data, &events::catalogue()).unwrap();
        records.map(|record| decode(record.data)).collect()
    }

    /// The events in the log, as JSON.
    pub fn logged(&self) -> Vec<Value> {
        let records = self.log.records().into_iter();
        records
            .map(|record| serde_json::from_slice(&record.data).unwrap())
            .collect()
    }

    /// The items of the table of streams.
    pub fn stored(&self) -> Vec<Item> {
        let items = self.tables.all(alpes_event_store::TABLE);
        items.into_iter().map(|(_, item)| item).collect()
    }

    /// Asserts that no event was committed or appended, that no saga has changed, and that no function was started.
    #[track_caller]
    pub fn assert_nothing_happened(&self, name: &str) {
        assert!(self.stored().is_empty(), "{name}");
        assert!(self.logged().is_empty(), "{name}");
        assert!(self.tables.all(alpes_saga::TABLE).is_empty(), "{name}");
        assert!(self.functions.take_started().is_empty(), "{name}");
    }
}
