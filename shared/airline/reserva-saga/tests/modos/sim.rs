//! The whole system without HTTP and views, in virtual time. The three contexts and the coordinator each consume one
//! log at their own positions. The timers run once a minute, and the state machine calls the contexts as functions.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use alpes_consumer::{Consumer, Group, Handler, Outcome, Parking, Stop};
use alpes_event_store::{EventStore, Handled, StreamReader, Sweeper, verify};
use alpes_messages::{Command, CommandId, Context, CorrelationId, SagaMode, StreamId};
use alpes_participant::{Class, FaultMode, Policy, REACTIONS, ReactionKey, Reactor};
use alpes_ports::{
    Clock, Ending, Executions, LogReader, LogRecord, Position, Progress, Tables, World,
};
use alpes_saga::{
    Coordinator, Definitions, Direction, Fact, Input, Requested, Rules, Saga, SagaId, Sagas,
    Status, StepNumber, Stored, command_id, execution_name, taken_over_id, transition,
};
use async_trait::async_trait;
use events::{CONTEXTS, GDS, IdReserva, PAGOS, Payload, VUELOS, vuelos::EstadoReserva};
use futures::{executor::block_on, future::BoxFuture};
use gds::inventory;
use jiff::{SignedDuration, Timestamp};
use pagos::simulador::{self, Movimiento, Tipo};
use reserva_saga::{as_it_went, current, definitions, fact, placeholders, saga_id, wire};
use serde_json::{Value, json};
use simulation::{Dice, Faults, ProcessId, Scheduler, Step, VirtualTasks};
use twins::{ManualClock, MemoryExecutions, MemoryLog, MemoryTables, SeededRandomness};
use uuid::Uuid;
use vuelos::{Vuelos, crear_reserva::Viaje, tarifa};

use crate::participants::{Contexts, Lambda, Site};

/// Longest duration of an invocation.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Longest duration of a participant's invocation.
const CALL: SignedDuration = SignedDuration::from_secs(10);
/// Time after its start during which an invocation may begin further work.
const UNTIL: SignedDuration = SignedDuration::from_secs(40);

/// The outcome that a reservation is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Approved,
    Declined,
    NoSeat,
    NotApproved,
    /// The payment token charges without an answer, so the saga compensates.
    Mute,
    /// The payment token fails twice and then pays, so the reservation is approved.
    Flaky,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Approved,
        Self::Declined,
        Self::NoSeat,
        Self::NotApproved,
        Self::Mute,
        Self::Flaky,
    ];

    pub fn stands(self) -> bool {
        matches!(self, Self::Approved | Self::Flaky)
    }
}

/// The number of passengers of each reservation.
pub const PASSENGERS: u32 = 3;

/// The journey and payment of a reservation.
#[derive(Clone, Debug)]
pub struct Booking {
    pub medio: &'static str,
    /// The flights, each with the number of reservations for whose passengers it has seats. The flight has two seats
    /// more, which are too few for another reservation.
    pub flights: Vec<(inventory::Vuelo, u32)>,
    pub approved: bool,
}

/// A reservation of a run.
#[derive(Clone, Debug)]
pub struct Reservation {
    pub id: IdReserva,
    pub mode: SagaMode,
    pub flights: Vec<inventory::Vuelo>,
    /// The price with its tax.
    price: f64,
    /// True once the client has asked to cancel the reservation.
    pub cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Context(Context),
    Orchestrator,
}

const EVERYBODY: [Who; 4] = [
    Who::Orchestrator,
    Who::Context(PAGOS),
    Who::Context(GDS),
    Who::Context(VUELOS),
];

/// The parameters of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    pub seed: u64,
    pub kill_one_in: u64,
    /// One processed batch in this many is redelivered; 0 means none.
    pub twice_one_in: u64,
    /// After one delivery in this many, the consumer gets no records for 30 seconds; 0 means never.
    pub held_one_in: u64,
}

/// The deployed state machine.
pub fn machine() -> &'static Value {
    static MACHINE: LazyLock<Value> = LazyLock::new(|| {
        let file = include_str!("../../../../../infra/saga-reserva.asl.json");
        serde_json::from_str(file).unwrap()
    });
    &MACHINE
}

/// One consumer's position in the log.
#[derive(Default)]
struct Mapping {
    /// For each shard, the number of records that the consumer has processed.
    done: BTreeMap<String, usize>,
    /// Counter of turns. Its remainder by the number of shards selects the next shard.
    turn: usize,
    working: Option<(ProcessId, Timestamp, Vec<LogRecord>)>,
    /// The consumer gets no records before this time.
    held: Timestamp,
}

enum Ended {
    Batch(Outcome),
    Other,
}

pub struct Sim {
    pub setup: Setup,
    pub world: World,
    pub clock: Arc<ManualClock>,
    pub tables: Arc<MemoryTables>,
    pub log: Arc<MemoryLog>,
    pub dice: Dice,
    pub faults: Faults,
    pub reservations: Vec<Reservation>,
    /// The policies of each context, without those that a test removes.
    pub policies: BTreeMap<Context, Vec<Policy>>,
    /// The saga definitions that the orchestrator knows.
    pub definitions: Definitions,
    /// False while the orchestrator has no state machine.
    pub has_machine: bool,
    /// The transition function of the orchestrator.
    pub rules: Arc<Rules>,
    /// A hook that runs before the orchestrator processes events.
    pub first: Option<First>,
    site: Site,
    lambda: Arc<Lambda>,
    executions: MemoryExecutions,
    /// The running invocations of participants, with their deadlines.
    invoked: Vec<(ProcessId, Timestamp)>,
    scheduler: Scheduler<Ended>,
    mappings: BTreeMap<Who, Mapping>,
    tick: Timestamp,
    ticking: Option<(ProcessId, Timestamp)>,
}

fn body(booking: &Booking) -> Value {
    let legs = booking.flights.iter().map(|(flight, _)| {
        json!({
            "fecha_salida": flight.fecha_salida,
            "fecha_llegada": flight.fecha_salida + SignedDuration::from_hours(5),
            "origen": {"codigo": flight.origen}, "destino": {"codigo": flight.destino},
        })
    });
    let legs: Vec<_> = legs.collect();
    json!({
        "itinerarios": [{"odos": [{"segmentos": [{"legs": legs}]}]}],
        "pago": {"medio": booking.medio},
        "pasajeros": (0..PASSENGERS).map(|number| json!({"nombre": format!("Pasajero {number}")})).collect::<Vec<_>>(),
    })
}

/// The price of the reservation that this body asks for, with its tax.
fn total(body: &Value) -> f64 {
    let viaje = json!({"itinerarios": body["itinerarios"], "pasajeros": body["pasajeros"]});
    let viaje = Viaje::parse(&viaje).unwrap();
    let price = tarifa::price(&viaje.itinerarios, viaje.passengers());
    let total = price.monto.0 + price.monto_vat.0;
    total.to_string().parse().unwrap()
}

/// A flight from Bogotá to New York.
pub fn vuelo(flight: &str) -> inventory::Vuelo {
    inventory::Vuelo {
        origen: "BOG".into(),
        destino: "JFK".into(),
        fecha_salida: flight.parse().unwrap(),
    }
}

/// A hook that gets the events of a saga before the orchestrator processes them.
pub type First =
    Arc<dyn Fn(SagaId, Vec<Fact>, Arc<dyn Executions>) -> BoxFuture<'static, ()> + Send + Sync>;

impl Sim {
    pub fn new(setup: Setup, faults: Faults, dice: Dice) -> Self {
        let (ambient, clock) = twins::world(setup.seed);
        let world = World {
            tasks: Arc::new(VirtualTasks::new(clock.clone())),
            randomness: Arc::new(SeededRandomness::new(setup.seed)),
            ..ambient
        };
        let tables = Arc::new(MemoryTables::new());
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        let site = Site {
            tables: tables.clone(),
            log: log.clone(),
            world: world.clone(),
            faults: faults.clone(),
            received: Arc::default(),
        };
        let functions = faults.functions(Arc::new(site.participants()));
        let lambda = Arc::new(Lambda::new(Arc::new(functions)));
        let executions =
            MemoryExecutions::new(machine(), placeholders(), lambda.clone(), world.clone());
        Self {
            setup,
            executions: executions.unwrap(),
            definitions: definitions(),
            has_machine: true,
            rules: Arc::new(transition),
            first: None,
            site,
            lambda,
            invoked: vec![],
            log,
            tables,
            dice,
            faults,
            reservations: vec![],
            policies: [
                (VUELOS, vuelos::policies()),
                (PAGOS, pagos::policies()),
                (GDS, gds::policies()),
            ]
            .into(),
            scheduler: Scheduler::default(),
            mappings: EVERYBODY.map(|who| (who, Mapping::default())).into(),
            tick: clock.now(),
            ticking: None,
            world,
            clock,
        }
    }

    /// Deploys another state machine for the executions that start or continue later.
    pub fn deploy(&self, machine: &Value) {
        self.executions.update(machine).unwrap();
    }

    fn calm_store(&self) -> EventStore<Payload> {
        let tables = self.tables.clone();
        let (log, world) = (self.log.clone(), self.world.clone());
        EventStore::new(tables, log, world, events::catalogue())
    }

    fn reader(&self) -> StreamReader<Payload> {
        StreamReader::new(self.tables.clone(), events::catalogue())
    }

    fn set_fault(
        &self,
        context: Context,
        command: &str,
        id: IdReserva,
        modo: FaultMode,
        times: u32,
    ) {
        let faults = alpes_participant::Faults::new(self.tables.clone());
        block_on(faults.set(context, command, Some(id), modo, times)).unwrap();
    }

    /// Makes a context neither execute nor answer a command of one reservation, this many times.
    pub fn silence(&self, context: Context, command: &str, place: usize, times: u32) {
        let id = self.reservations[place].id;
        self.set_fault(context, command, id, FaultMode::Silence, times);
    }

    /// Makes the answers to a step's command get lost, this many times.
    pub fn lose_answers(&self, place: usize, step: StepNumber, times: u32) {
        let command = command_id(self.saga_id(place), step, Direction::Do);
        self.lambda.lose(command, times);
    }

    /// Makes a context refuse a compensation of one reservation, this many times.
    pub fn refuse(&self, context: Context, command: &str, place: usize, times: u32) {
        let id = self.reservations[place].id;
        self.set_fault(context, command, id, FaultMode::Failure, times);
    }

    /// Makes a context answer a command of one reservation with an error, this many times.
    pub fn break_down(&self, context: Context, command: &str, place: usize, times: u32) {
        let id = self.reservations[place].id;
        self.set_fault(context, command, id, FaultMode::Error, times);
    }

    /// Makes a reservation, on the flight `flight` with the number of reservations for which it has seats, or on a
    /// flight of its own. Returns the place of the reservation in [`Sim::reservations`].
    pub fn book(&mut self, kind: Kind, mode: SagaMode, flight: Option<(&str, u32)>) -> usize {
        let place = self.reservations.len();
        let own = format!("2026-12-30T{:02}:{:02}:00Z", place / 60 % 13, place % 60);
        let (flight, seats) =
            flight.map_or((own.as_str(), u32::from(kind != Kind::NoSeat)), |own| own);
        let medio = match kind {
            Kind::Declined => "tok_rechazada",
            Kind::Mute => "tok_timeout",
            Kind::Flaky => "tok_intermitente",
            _ => "tok_visa",
        };
        let booking = Booking {
            medio,
            flights: vec![(vuelo(flight), seats)],
            approved: kind != Kind::NotApproved,
        };
        self.book_so(&booking, mode)
    }

    /// Makes a reservation from this booking.
    pub fn book_so(&mut self, booking: &Booking, mode: SagaMode) -> usize {
        let place = self.reservations.len();
        // Another seed gives other reservation ids. The id decides the shard, and so the order of processing.
        let number = u128::from(self.setup.seed) * 1_000 + u128::try_from(place).unwrap() + 1;
        let id = IdReserva(Uuid::from_u128(
            0x0001_7000_8000_0000_0000_0000 + number % (1 << 40),
        ));
        for (flight, reservations) in &booking.flights {
            let seats = (reservations + 1) * PASSENGERS - 1;
            let known = |other: &Reservation| other.flights.contains(flight);
            if !self.reservations.iter().any(known) {
                block_on(inventory::set_free(&*self.tables, flight, seats)).unwrap();
            }
        }
        if !booking.approved {
            self.set_fault(VUELOS, vuelos::APROBAR_RESERVA, id, FaultMode::Failure, 100);
        }
        let command = Command {
            id: CommandId(Uuid::from_u128((0xc0 << 64) | number)),
            kind: vuelos::CREAR_RESERVA.into(),
            subject: id,
            correlationid: CorrelationId(Uuid::from_u128((0x5a << 64) | number)),
            causationid: None,
            sagamode: mode,
            traceparent: None,
            actor: None,
            prueba: false,
            data: body(booking),
        };
        let handled = block_on(self.calm_store().handle(&Vuelos, &command)).unwrap();
        assert!(matches!(handled, Handled::Committed { .. }), "{handled:?}");
        self.reservations.push(Reservation {
            id,
            mode,
            price: total(&command.data),
            flights: booking
                .flights
                .iter()
                .map(|(flight, _)| flight.clone())
                .collect(),
            cancelled: false,
        });
        place
    }

    /// Cancels a reservation for its client, as the API does. The result is false if the reservation cannot be
    /// cancelled now.
    pub fn cancel(&mut self, place: usize) -> bool {
        let reservation = self.reservations[place].clone();
        let stream = StreamId::new(VUELOS, reservation.id);
        let opening = block_on(self.reader().history(stream)).unwrap()[0]
            .0
            .clone();
        let reason = "cambio de planes".to_owned();
        if reservation.mode == SagaMode::Choreography {
            let command = Command {
                id: CommandId(Uuid::new_v5(&opening.id.0, b"cancelacion")),
                kind: vuelos::CANCELAR_RESERVA.into(),
                subject: reservation.id,
                correlationid: opening.correlationid,
                causationid: Some(opening.id.0),
                sagamode: opening.sagamode,
                traceparent: None,
                actor: None,
                prueba: false,
                data: json!({ "motivo": reason }),
            };
            block_on(self.calm_store().handle(&Vuelos, &command)).unwrap();
        } else {
            let sagas = self.sagas();
            let cancel = alpes_saga::Request::Cancel(reason);
            let opens = fact(&opening);
            let asked =
                block_on(sagas.request(saga_id(&opening), Some(&opens), &cancel, None)).unwrap();
            if matches!(asked, Requested::NotNow(_)) {
                return false;
            }
        }
        self.reservations[place].cancelled = true;
        true
    }

    /// Makes a person's request to the saga of a reservation. The result is true if the request is accepted.
    pub fn ask(&self, place: usize, request: &alpes_saga::Request) -> bool {
        let asked = block_on(
            self.sagas()
                .request(self.saga_id(place), None, request, None),
        )
        .unwrap();
        matches!(asked, Requested::Taken(_))
    }

    /// Stores in a saga that its execution has failed, whether or not the execution really failed.
    pub fn tell_that_it_failed(&self, place: usize, direction: Direction) {
        let sagas = self.sagas();
        let stored = block_on(sagas.load(self.saga_id(place))).unwrap().unwrap();
        let definition = self
            .definitions
            .find(&stored.saga.definition, stored.saga.version);
        let ending = Ending::Failed {
            error: "States.Aborted".into(),
            cause: "an operator stopped it".into(),
        };
        let input = Input::Execution(direction, Progress::Ended(ending));
        let (saga, _) = transition(definition.unwrap(), &stored.saga, &input, sagas.now());
        block_on(sagas.save(Some(&stored), saga)).unwrap();
    }

    /// Redrives a failed execution, as an operator can. The result is false if the saga has no failed execution.
    pub fn redrive(&self, place: usize, direction: Direction) -> bool {
        let name = execution_name(self.saga_id(place), direction);
        self.executions.redrive(&name)
    }

    /// Sends a command to a context, as an operator can.
    pub fn by_hand(&self, place: usize, context: Context, kind: &str, data: Value) {
        let id = self.reservations[place].id;
        let command = Command {
            id: CommandId(Uuid::new_v5(&id.0, kind.as_bytes())),
            kind: kind.into(),
            subject: id,
            correlationid: CorrelationId(self.saga_id(place).0),
            causationid: None,
            sagamode: self.reservations[place].mode,
            traceparent: None,
            actor: None,
            prueba: true,
            data,
        };
        let calm = Site {
            faults: Faults::none(),
            ..self.site.clone()
        };
        let participant = calm.participants().of(context);
        block_on(participant.handle(&command)).unwrap();
    }

    fn reactor(&self, context: Context) -> Reactor<Payload> {
        let tables: Arc<dyn Tables> = Arc::new(self.faults.tables(self.tables.clone()));
        let participant = self.site.participants().of(context);
        let policies = self.policies[&context].clone();
        Reactor::new(participant, policies, tables)
    }

    fn coordinator(&self) -> Coordinator {
        let tables: Arc<dyn Tables> = Arc::new(self.faults.tables(self.tables.clone()));
        let sagas = Sagas::new(tables, self.definitions.clone(), self.world.clone());
        let participants: Contexts = self.site.participants();
        let coordinator =
            Coordinator::new(sagas, Arc::new(participants)).with_rules(self.rules.clone());
        if self.has_machine {
            coordinator.with_machine(self.faulty_executions(), wire())
        } else {
            coordinator
        }
    }

    fn faulty_executions(&self) -> Arc<dyn Executions> {
        Arc::new(self.faults.executions(Arc::new(self.executions.clone())))
    }

    /// An invocation of one consumer with a batch of records.
    fn invocation(&self, who: Who, records: Vec<LogRecord>) -> BoxFuture<'static, Ended> {
        let until = self.clock.now() + UNTIL;
        let reader = self.reader();
        let clock = self.world.clock.clone();
        let parking = Parking::new(self.tables.clone(), clock, &events::catalogue());
        let work = match who {
            Who::Context(context) => Work::Reactor(Box::new(self.reactor(context)), until),
            Who::Orchestrator => Work::Observer(Box::new(Observer {
                coordinator: self.coordinator(),
                clock: self.world.clock.clone(),
                first: self
                    .first
                    .clone()
                    .map(|first| (first, self.faulty_executions())),
            })),
        };
        Box::pin(async move {
            let listener;
            let handler: &dyn Handler<Payload> = match &work {
                Work::Reactor(reactor, until) => {
                    listener = reactor.handler(*until);
                    &listener
                }
                Work::Observer(..) => &work,
            };
            let consumer = Consumer {
                name: "sim",
                catalogue: reader.catalogue(),
                parking: &parking,
                handler,
            };
            Ended::Batch(consumer.consume(&records).await)
        })
    }

    /// One run of the timers.
    fn timers(&self) -> BoxFuture<'static, Ended> {
        let store = self.site.store();
        let (world, until) = (self.world.clone(), self.clock.now() + UNTIL);
        let coordinator = self.coordinator();
        let reactors = CONTEXTS.map(|context| self.reactor(context));
        Box::pin(async move {
            let sweeper = Sweeper {
                older_than: Duration::from_secs(10),
                budget: Duration::from_secs(40),
                ..Sweeper::new(&store)
            };
            let _ = sweeper.sweep().await;
            for reactor in &reactors {
                // The timers process each class separately, so a failed read of one class does not stop the others.
                for class in Class::ALL {
                    let mut due = reactor.reactions.waiting(reactor.context, class, 100);
                    if let Ok(due) = due.next().await {
                        let due: Vec<_> = due.into_iter().map(ReactionKey::from).collect();
                        let _ = reactor.resume(&due, until).await;
                    }
                }
            }
            if let Ok(due) = coordinator.sagas().due(100).await {
                for id in due.sagas {
                    let until = world.clock.now() + SignedDuration::from_secs(2);
                    let _ = coordinator.wake(id, until).await;
                }
            }
            Ended::Other
        })
    }

    fn deliver(&mut self) {
        let now = self.clock.now();
        for who in EVERYBODY {
            let mapping = &self.mappings[&who];
            let told_all = mapping.done.values().sum::<usize>() == self.log.count();
            if told_all || mapping.working.is_some() || mapping.held > now {
                continue;
            }
            let shards = block_on(self.log.shards()).unwrap();
            let mapping = self.mappings.get_mut(&who).unwrap();
            let waiting = (0..shards.len()).find_map(|offset| {
                let shard = &shards[(mapping.turn + offset) % shards.len()];
                let done = mapping.done.get(shard).copied().unwrap_or(0);
                let from = Position::Cursor(done.to_string());
                let records = block_on(self.log.read(shard, &from)).unwrap().records;
                (!records.is_empty()).then_some((offset, records))
            });
            let Some((offset, mut batch)) = waiting else {
                continue;
            };
            mapping.turn += offset + 1;
            batch.truncate(1 + usize::try_from(self.dice.below(5)).unwrap());
            let process = self.scheduler.spawn(self.invocation(who, batch.clone()));
            let end = now + SignedDuration::try_from(TIMEOUT).unwrap();
            let held = self.setup.held_one_in > 0 && self.dice.one_in(self.setup.held_one_in);
            let mapping = self.mappings.get_mut(&who).unwrap();
            mapping.working = Some((process, end, batch));
            if held {
                mapping.held = now + SignedDuration::from_secs(30);
            }
        }
    }

    fn settle(&mut self, stepped: Step<Ended>) {
        let (process, ended) = match stepped {
            Step::Progress | Step::Idle => return,
            Step::Killed(process) => (process, None),
            Step::Done(process, ended) => (process, Some(ended)),
        };
        if self.ticking.is_some_and(|(ticking, _)| ticking == process) {
            self.ticking = None;
        }
        self.invoked.retain(|(invoked, _)| *invoked != process);
        for mapping in self.mappings.values_mut() {
            let Some((_, _, batch)) = mapping
                .working
                .take_if(|(working, _, _)| *working == process)
            else {
                continue;
            };
            let Some(Ended::Batch(outcome)) = &ended else {
                continue;
            };
            let twice = self.setup.twice_one_in;
            if twice > 0 && self.dice.one_in(twice) {
                continue;
            }
            let failed = outcome.failed.as_ref().map(|(sequence, _)| sequence);
            let done = batch
                .iter()
                .take_while(|record| Some(&record.sequence) != failed)
                .count();
            *mapping.done.entry(batch[0].shard.clone()).or_default() += done;
        }
    }

    /// Ends the invocations that took too long, as Lambda does.
    fn time_out(&mut self) {
        let now = self.clock.now();
        for mapping in self.mappings.values_mut() {
            if let Some((process, _, _)) = mapping.working.take_if(|(_, end, _)| *end < now) {
                self.scheduler.kill(process);
            }
        }
        if let Some((process, _)) = self.ticking.take_if(|(_, end)| *end < now) {
            self.scheduler.kill(process);
        }
        for (process, _) in self.invoked.extract_if(.., |(_, end)| *end < now) {
            self.scheduler.kill(process);
        }
    }

    /// Runs the state machine and the functions that it has called.
    fn execute(&mut self) {
        let other = |work: BoxFuture<'static, ()>| -> BoxFuture<'static, Ended> {
            Box::pin(async move {
                work.await;
                Ended::Other
            })
        };
        for execution in self.executions.take_started() {
            self.scheduler.spawn_durable(other(execution));
        }
        for call in self.lambda.take_called() {
            let process = self.scheduler.spawn(other(call));
            self.invoked.push((process, self.clock.now() + CALL));
        }
    }

    /// Runs one step of one process. The result is true if no process could run.
    pub fn step(&mut self) -> bool {
        let now = self.clock.now();
        self.deliver();
        if self.ticking.is_none() && now >= self.tick {
            let process = self.scheduler.spawn(self.timers());
            let timeout = SignedDuration::try_from(TIMEOUT).unwrap();
            self.ticking = Some((process, now + timeout));
            self.tick = now + SignedDuration::from_mins(1);
        }
        self.scheduler.spawn_late(&self.faults, || Ended::Other);
        self.execute();
        self.time_out();
        let stepped = self.scheduler.step(&self.dice, self.setup.kill_one_in);
        let idle = matches!(stepped, Step::Idle);
        self.settle(stepped);
        let pass = if idle { 5_000 } else { self.dice.below(20) };
        self.clock.advance(Duration::from_millis(pass));
        idle
    }

    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    fn saga_id(&self, place: usize) -> SagaId {
        let id = self.reservations[place].id;
        let stream = StreamId::new(VUELOS, id);
        let opening = &block_on(self.reader().history(stream)).unwrap()[0].0;
        saga_id(opening)
    }

    pub fn sagas(&self) -> Sagas {
        let definitions = self.definitions.clone();
        Sagas::new(self.tables.clone(), definitions, self.world.clone())
    }

    pub fn saga(&self, place: usize) -> Option<Saga> {
        let stored = block_on(self.sagas().load(self.saga_id(place))).unwrap();
        stored.map(|Stored { saga, .. }| saga)
    }

    /// The saga with its full log, which includes the histories of its executions.
    pub fn as_it_went(&self, place: usize) -> Saga {
        let saga = self.saga(place).unwrap();
        let executions: Option<&dyn Executions> = Some(&self.executions);
        block_on(as_it_went(saga, &self.definitions, executions)).unwrap()
    }

    pub fn ledger(&self, place: usize) -> Vec<Movimiento> {
        let key = pagos::key(self.reservations[place].id);
        block_on(simulador::ledger(&*self.tables, &key)).unwrap()
    }

    pub fn seats(&self, flight: &inventory::Vuelo) -> inventory::Inventory {
        block_on(inventory::read(&*self.tables, flight)).unwrap()
    }

    pub fn reserva(&self, place: usize) -> Option<EstadoReserva> {
        let stream = StreamId::new(VUELOS, self.reservations[place].id);
        let history = block_on(self.reader().history(stream)).unwrap();
        vuelos::Reserva::fold(&history).estado()
    }

    /// Runs until no process could run for 50 seconds, no reaction is pending, and all sagas have ended.
    pub fn run(&mut self) -> Result<(), String> {
        let mut quiet_since = self.clock.now();
        for _ in 0..400_000 {
            let idle = self.step();
            if !idle {
                quiet_since = self.clock.now();
            }
            let quiet =
                self.clock.now().duration_since(quiet_since) > SignedDuration::from_secs(50);
            if quiet && self.nothing_waits() && self.all_ended() {
                return Ok(());
            }
        }
        Err(format!(
            "the run does not come to rest: {:?}; {:?}",
            (0..self.reservations.len())
                .map(|place| self.saga(place).map(|saga| saga.status))
                .collect::<Vec<_>>(),
            self.tables.all(REACTIONS)
        ))
    }

    fn nothing_waits(&self) -> bool {
        let reactions = self.tables.all(REACTIONS);
        reactions
            .iter()
            .all(|(key, _)| key.sk.starts_with("heard#"))
    }

    fn all_ended(&self) -> bool {
        (0..self.reservations.len())
            .all(|place| self.saga(place).is_some_and(|saga| saga.status.has_ended()))
    }

    /// The progress of the execution of a reservation's saga.
    pub fn progress(&self, place: usize, direction: Direction) -> Progress {
        let name = execution_name(self.saga_id(place), direction);
        block_on(self.executions.progress(&name)).unwrap()
    }

    /// Checks the system's promises for every reservation. An error names the broken promise.
    pub fn check(&self) -> Result<(), String> {
        let mut held: BTreeMap<&inventory::Vuelo, i64> = BTreeMap::new();
        for (place, reservation) in self.reservations.iter().enumerate() {
            let wrong = |text: String| format!("{reservation:?}: {text}");
            let saga = self
                .saga(place)
                .ok_or_else(|| wrong("it has no saga".into()))?;
            self.check_one(place, &saga).map_err(wrong)?;
            for flight in &reservation.flights {
                let stands = i64::from(saga.status == Status::Completed);
                *held.entry(flight).or_default() += stands * i64::from(PASSENGERS);
            }
        }
        for (flight, held) in held {
            let seats = self.seats(flight);
            if seats.held != held {
                return Err(format!(
                    "{flight}: {} seats are held, not {held}",
                    seats.held
                ));
            }
        }
        let verified = block_on(verify(&*self.tables, &*self.log, &self.reader(), None)).unwrap();
        if let Some(difference) = verified.differences.first() {
            return Err(format!("{difference}"));
        }
        match self.tables.all(alpes_consumer::TABLE).first() {
            Some(parked) => Err(format!("parked without need: {parked:?}")),
            None => Ok(()),
        }
    }

    fn check_one(&self, place: usize, saga: &Saga) -> Result<(), String> {
        let stands = saga.status == Status::Completed;
        let ledger = self.ledger(place);
        let charged: f64 = simulador::balance(&ledger).to_string().parse().unwrap();
        let price = self.reservations[place].price;
        if charged != if stands { price } else { 0.0 } {
            return Err(format!(
                "{:?}, and {charged} of {price} is charged",
                saga.status
            ));
        }
        let moved_in = ledger.iter().filter(|moved| moved.tipo == Tipo::Cargo);
        if moved_in.count() > 1 {
            return Err(format!("charged twice: {ledger:?}"));
        }
        let expected = if stands {
            EstadoReserva::Aprobada
        } else {
            EstadoReserva::Cancelada
        };
        let estado = self.reserva(place);
        if estado != Some(expected) {
            return Err(format!(
                "{:?}, and the reservation is {estado:?}",
                saga.status
            ));
        }
        self.check_engine(place, saga)
    }

    /// Checks that only the engine of the saga's mode ran the saga.
    fn check_engine(&self, place: usize, saga: &Saga) -> Result<(), String> {
        let mode = self.reservations[place].mode;
        let lines = saga.log.iter().map(|entry| format!("{:?}", entry.what));
        let sent = lines
            .filter(|what| what.starts_with("CommandSent") || what.starts_with("CompensationSent"));
        if sent.count() > 0 && saga.mode != SagaMode::Orchestration {
            return Err("the coordinator sent something".into());
        }
        let started: Vec<_> = saga.executions().collect();
        for direction in [Direction::Do, Direction::Undo] {
            let runs = self.progress(place, direction) != Progress::Unknown;
            let noted = started.iter().filter(|started| **started == direction);
            if noted.count() != usize::from(runs) {
                return Err(format!("{direction:?} runs: {runs}; noted: {started:?}"));
            }
        }
        let went = self.as_it_went(place);
        if went.status != saga.status {
            return Err(format!(
                "{:?} as it went, {:?} as watched",
                went.status, saga.status
            ));
        }
        if mode == SagaMode::Choreography {
            return Ok(());
        }
        // A command of a step has the same id for every sender and every attempt.
        let definition = current();
        let ours = definition.numbered().flat_map(|(number, step)| {
            let id = |way| command_id(saga.id, number, way);
            let undo = step.compensation.as_ref().map(|undo| undo.command);
            let undoes = |id| undo.map(|undo| (undo.to_owned(), id));
            let taken = saga.is_taken_over();
            let taken = taken.then(|| taken_over_id(saga.id, number));
            [
                Some((step.command.to_owned(), id(Direction::Do))),
                undoes(id(Direction::Undo)),
                taken.and_then(undoes),
            ]
        });
        let ours: Vec<_> = ours.flatten().collect();
        let received = self.site.received.lock().unwrap();
        let mut received = received.get(&saga.id).into_iter().flatten();
        match received.find(|command| !ours.contains(command)) {
            Some(other) => Err(format!("a command of no step: {other:?}")),
            None => Ok(()),
        }
    }
}

enum Work {
    Reactor(Box<Reactor<Payload>>, Timestamp),
    Observer(Box<Observer>),
}

struct Observer {
    coordinator: Coordinator,
    clock: Arc<dyn Clock>,
    first: Option<(First, Arc<dyn Executions>)>,
}

#[async_trait]
impl Handler<Payload> for Work {
    async fn handle(&self, groups: &[Group<Payload>]) -> Vec<Result<(), Stop>> {
        let Self::Observer(own) = self else {
            unreachable!("a reactor handles by itself")
        };
        let mut results = vec![];
        for group in groups {
            let id = SagaId(group.events[0].event.correlationid.0);
            let facts: Vec<_> = group
                .events
                .iter()
                .map(|incoming| fact(&incoming.event))
                .collect();
            if let Some((first, executions)) = &own.first {
                first(id, facts.clone(), executions.clone()).await;
            }
            let until = own.clock.now() + SignedDuration::from_secs(2);
            let observed = own.coordinator.observe(id, &facts, until).await;
            let place = group.events[0].place;
            results.push(observed.map_err(|trouble| Stop::again(place, trouble.to_string())));
        }
        results
    }
}
