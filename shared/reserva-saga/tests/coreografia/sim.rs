//! The whole system without its edges, in virtual time: the three contexts and the coordinator as consumers of one log, each with its
//! own place in it, and the timers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use consumer::{Consumer, Group, Handler, Outcome, Parking, Stop};
use event_store::{Decider, EventStore, Handled, StreamReader, Sweeper, verify};
use events::{
    Catalogue, Command, CommandId, Context, IdCorrelacion, IdReserva, SagaMode, StreamId,
    vuelos::EstadoReserva,
};
use futures::{executor::block_on, future::BoxFuture};
use gds::{Gds, inventory};
use jiff::{SignedDuration, Timestamp};
use pagos::{
    Pagos,
    simulador::{self, Simulador},
};
use participant::{Failure, Modo, Participant, Policy, REACTIONS, Reactor};
use ports::{
    Clock, Log, LogReader, LogRecord, Position, Tables, World,
    memory::{self, ManualClock, MemoryLog, MemoryTables, SeededRandomness},
};
use reserva_saga::{answer, command, definitions, fact, saga_id};
use saga_engine::{
    Answer, Coordinator, Dispatch, Estado, NoAnswer, Participants, Saga, SagaId, Sagas, Stored,
};
use serde_json::{Value, json};
use simulation::{Dice, Faults, ProcessId, Scheduler, Step, VirtualTasks};
use uuid::Uuid;
use vuelos::Vuelos;

/// As long as an invocation may take.
const TIMEOUT: Duration = Duration::from_mins(1);
/// As long as an invocation goes on beginning things.
const UNTIL: SignedDuration = SignedDuration::from_secs(40);

/// How a reservation is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Approved,
    Declined,
    NoSeat,
    NotApproved,
    /// Paid by a token that charges and never answers.
    Mute,
    /// Paid by a token that fails twice.
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

/// A reservation of a run.
#[derive(Clone, Debug)]
pub struct Reservation {
    pub id: IdReserva,
    pub mode: SagaMode,
    pub flight: String,
    /// True once its client has asked for it to be cancelled.
    pub cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Context(Context),
    Orchestrator,
}

const EVERYBODY: [Who; 4] = [
    Who::Orchestrator,
    Who::Context(Context::Pagos),
    Who::Context(Context::Gds),
    Who::Context(Context::Vuelos),
];

/// What goes on: everything that a run may vary.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    pub seed: u64,
    pub kill_one_in: u64,
    /// Each event is delivered again, once in so many deliveries.
    pub twice_one_in: u64,
    /// A consumer hears nothing for a while, once in so many chances.
    pub held_one_in: u64,
}

/// One consumer's place in the log.
#[derive(Default)]
struct Mapping {
    /// Shard -> how many of its records are done.
    done: BTreeMap<String, usize>,
    /// The shard that has its turn, counted on without end.
    turn: usize,
    working: Option<(ProcessId, Timestamp, Vec<LogRecord>)>,
    /// Nothing is delivered before.
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
    /// The policies of each context; a test may take some out.
    pub policies: BTreeMap<Context, Vec<Policy>>,
    scheduler: Scheduler<Ended>,
    mappings: BTreeMap<Who, Mapping>,
    tick: Timestamp,
    ticking: Option<(ProcessId, Timestamp)>,
}

fn body(medio: &str, flight: &str) -> Value {
    let leg = json!({
        "fecha_salida": flight, "fecha_llegada": "2026-12-30T18:10:00Z",
        "origen": {"codigo": "BOG"}, "destino": {"codigo": "JFK"},
    });
    json!({
        "itinerarios": [{"odos": [{"segmentos": [{"legs": [leg]}]}]}],
        "pago": {"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": medio},
    })
}

fn vuelo(flight: &str) -> inventory::Vuelo {
    inventory::Vuelo {
        origen: "BOG".into(),
        destino: "JFK".into(),
        fecha_salida: flight.parse().unwrap(),
    }
}

impl Sim {
    pub fn new(setup: Setup, faults: Faults, dice: Dice) -> Self {
        let (ambient, clock) = memory::world(setup.seed);
        let world = World {
            tasks: Arc::new(VirtualTasks::new(clock.clone())),
            randomness: Arc::new(SeededRandomness::new(setup.seed)),
            ..ambient
        };
        Self {
            setup,
            log: Arc::new(MemoryLog::new(2, world.clock.clone())),
            tables: Arc::new(MemoryTables::new()),
            dice,
            faults,
            reservations: vec![],
            policies: [
                (Context::Vuelos, vuelos::policies()),
                (Context::Pagos, pagos::policies()),
                (Context::Gds, gds::policies()),
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

    fn store(&self, tables: Arc<dyn Tables>, log: Arc<dyn Log>) -> EventStore {
        EventStore::new(tables, log, self.world.clone(), Catalogue::current())
    }

    fn calm_store(&self) -> EventStore {
        self.store(self.tables.clone(), self.log.clone())
    }

    fn reader(&self) -> StreamReader {
        StreamReader::new(self.tables.clone(), Catalogue::current())
    }

    fn set_fault(&self, context: Context, command: &str, id: IdReserva, modo: Modo, times: u32) {
        let faults = participant::Faults::new(self.tables.clone());
        block_on(faults.set(context, command, Some(id), modo, times)).unwrap();
    }

    /// A context is silent towards one reservation, so many times.
    pub fn silence(&self, context: Context, command: &str, place: usize, times: u32) {
        let id = self.reservations[place].id;
        self.set_fault(context, command, id, Modo::Silencio, times);
    }

    /// A context refuses a command that undoes, so many times.
    pub fn refuse(&self, context: Context, command: &str, place: usize, times: u32) {
        let id = self.reservations[place].id;
        self.set_fault(context, command, id, Modo::Falla, times);
    }

    /// Somebody books; the reservation has a flight of its own unless one is given.
    pub fn book(&mut self, kind: Kind, mode: SagaMode, flight: Option<(&str, u32)>) -> usize {
        let place = self.reservations.len();
        // Another seed, other ids: which shard they are in, and so who is heard first, is chance too.
        let number = u128::from(self.setup.seed) * 1_000 + u128::try_from(place).unwrap() + 1;
        let id = IdReserva(Uuid::from_u128(
            0x0001_7000_8000_0000_0000_0000 + number % (1 << 40),
        ));
        let own = format!("2026-12-30T{:02}:{:02}:00Z", place / 60 % 13, place % 60);
        let (flight, seats) =
            flight.map_or((own.as_str(), u32::from(kind != Kind::NoSeat)), |own| own);
        if self.reservations.iter().all(|other| other.flight != flight) {
            block_on(inventory::set_free(&*self.tables, &vuelo(flight), seats)).unwrap();
        }
        if kind == Kind::NotApproved {
            self.set_fault(
                Context::Vuelos,
                vuelos::APROBAR_RESERVA,
                id,
                Modo::Falla,
                100,
            );
        }
        let medio = match kind {
            Kind::Declined => "tok_rechazada",
            Kind::Mute => "tok_timeout",
            Kind::Flaky => "tok_intermitente",
            _ => "tok_visa",
        };
        let command = Command {
            id: CommandId(Uuid::from_u128((0xc0 << 64) | number)),
            kind: vuelos::CREAR_RESERVA.into(),
            subject: id,
            correlationid: IdCorrelacion(Uuid::from_u128((0x5a << 64) | number)),
            causationid: None,
            sagamode: mode,
            traceparent: None,
            prueba: false,
            data: body(medio, flight),
        };
        let handled = block_on(self.calm_store().handle(&Vuelos, &command)).unwrap();
        assert!(matches!(handled, Handled::Committed { .. }), "{handled:?}");
        self.reservations.push(Reservation {
            id,
            mode,
            flight: flight.to_owned(),
            cancelled: false,
        });
        place
    }

    /// Its client cancels a reservation, as the API does.
    pub fn cancel(&mut self, place: usize) {
        let reservation = self.reservations[place].clone();
        let stream = StreamId::new(Context::Vuelos, reservation.id);
        let opening = block_on(self.reader().history(stream)).unwrap()[0]
            .0
            .clone();
        let reason = "cambio de planes".to_owned();
        if reservation.mode == SagaMode::Orquestacion {
            let sagas = Sagas::new(self.tables.clone(), definitions(), self.world.clone());
            let cancel = saga_engine::Request::Cancel(reason);
            let opens = fact(&opening);
            block_on(sagas.request(saga_id(&opening), Some(&opens), &cancel)).unwrap();
        } else {
            let command = Command {
                id: CommandId(Uuid::new_v5(&opening.id.0, b"cancelacion")),
                kind: vuelos::CANCELAR_RESERVA.into(),
                subject: reservation.id,
                correlationid: opening.correlationid,
                causationid: Some(opening.id.0),
                sagamode: opening.sagamode,
                traceparent: None,
                prueba: false,
                data: json!({ "motivo": reason }),
            };
            block_on(self.calm_store().handle(&Vuelos, &command)).unwrap();
        }
        self.reservations[place].cancelled = true;
    }

    fn participants(&self) -> Contexts {
        let tables: Arc<dyn Tables> = Arc::new(self.faults.tables(self.tables.clone()));
        let log: Arc<dyn Log> = Arc::new(self.faults.log(self.log.clone()));
        let participant = |decider: Arc<dyn Decider>, failure: Failure| Participant {
            store: self.store(tables.clone(), log.clone()),
            decider,
            failure,
            // What tests want is no effect of the system: it is read past the faults.
            faults: Some(participant::Faults::new(self.tables.clone())),
            world: self.world.clone(),
        };
        let gateway = Arc::new(Simulador::new(tables.clone(), self.world.clone()));
        Contexts {
            vuelos: participant(Arc::new(Vuelos), vuelos::FAILURE),
            pagos: participant(Arc::new(Pagos { gateway }), pagos::FAILURE),
            gds: participant(Arc::new(Gds), gds::FAILURE),
        }
    }

    fn reactor(&self, context: Context) -> Reactor {
        let tables: Arc<dyn Tables> = Arc::new(self.faults.tables(self.tables.clone()));
        let Contexts { vuelos, pagos, gds } = self.participants();
        let participant = match context {
            Context::Vuelos => vuelos,
            Context::Pagos => pagos,
            Context::Gds => gds,
        };
        Reactor::new(
            context,
            participant,
            self.policies[&context].clone(),
            tables,
        )
    }

    fn coordinator(&self) -> Coordinator {
        let tables: Arc<dyn Tables> = Arc::new(self.faults.tables(self.tables.clone()));
        let sagas = Sagas::new(tables, definitions(), self.world.clone());
        Coordinator::new(sagas, Arc::new(self.participants()))
    }

    /// An invocation of one consumer.
    fn invocation(&self, who: Who, records: Vec<LogRecord>) -> BoxFuture<'static, Ended> {
        let until = self.clock.now() + UNTIL;
        let reader = self.reader();
        let clock = self.world.clock.clone();
        let parking = Parking::new(self.tables.clone(), clock, &Catalogue::current());
        let work = match who {
            Who::Context(context) => Work::Reactor(Box::new(self.reactor(context)), until),
            Who::Orchestrator => Work::Observer(self.coordinator(), self.world.clock.clone()),
        };
        Box::pin(async move {
            let listener;
            let handler: &dyn Handler = match &work {
                Work::Reactor(reactor, until) => {
                    listener = reactor.handler(*until);
                    &listener
                }
                Work::Observer(..) => &work,
            };
            let consumer = Consumer {
                name: "sim",
                reader: &reader,
                parking: &parking,
                handler,
            };
            Ended::Batch(consumer.consume(&records).await)
        })
    }

    /// What the timers do once a minute.
    fn timers(&self) -> BoxFuture<'static, Ended> {
        let tables: Arc<dyn Tables> = Arc::new(self.faults.tables(self.tables.clone()));
        let log: Arc<dyn Log> = Arc::new(self.faults.log(self.log.clone()));
        let store = self.store(tables.clone(), log);
        let (world, until) = (self.world.clone(), self.clock.now() + UNTIL);
        let coordinator = self.coordinator();
        let reactors = Context::ALL.map(|context| self.reactor(context));
        Box::pin(async move {
            let sweeper = Sweeper {
                store: &store,
                tables: &*tables,
                world: &world,
                older_than: Duration::from_secs(10),
                budget: Duration::from_secs(40),
            };
            let _ = sweeper.sweep().await;
            for reactor in &reactors {
                if let Ok(due) = reactor.reactions.due(100).await {
                    let own = due.reactions.into_iter();
                    let own: Vec<_> = own
                        .filter(|key| key.context() == Some(reactor.context))
                        .collect();
                    let _ = reactor.resume(&own, until).await;
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
        let shards = block_on(self.log.shards()).unwrap();
        for who in EVERYBODY {
            if self.mappings[&who].working.is_some() || self.mappings[&who].held > now {
                continue;
            }
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

    /// Ends what took too long, as Lambda does.
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
    }

    /// One step of whoever has the turn.
    pub fn step(&mut self) -> bool {
        let now = self.clock.now();
        self.deliver();
        if self.ticking.is_none() && now >= self.tick {
            let process = self.scheduler.spawn(self.timers());
            let timeout = SignedDuration::try_from(TIMEOUT).unwrap();
            self.ticking = Some((process, now + timeout));
            self.tick = now + SignedDuration::from_mins(1);
        }
        for late in self.faults.take_late() {
            self.scheduler.spawn(Box::pin(async move {
                late.await;
                Ended::Other
            }));
        }
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

    pub fn saga(&self, place: usize) -> Option<Saga> {
        let id = self.reservations[place].id;
        let stream = StreamId::new(Context::Vuelos, id);
        let opening = &block_on(self.reader().history(stream)).unwrap()[0].0;
        let sagas = Sagas::new(self.tables.clone(), definitions(), self.world.clone());
        let stored = block_on(sagas.load(saga_id(opening))).unwrap();
        stored.map(|Stored { saga, .. }| saga)
    }

    /// Goes on until nothing happens any more, for longer than any deadline.
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
            "it does not come to rest: {:?}; {:?}",
            (0..self.reservations.len())
                .map(|place| self.saga(place).map(|saga| saga.estado))
                .collect::<Vec<_>>(),
            self.tables.all(REACTIONS)
        ))
    }

    fn nothing_waits(&self) -> bool {
        let reactions = self.tables.all(REACTIONS);
        reactions.iter().all(|(key, _)| key.sk.starts_with("oido#"))
    }

    fn all_ended(&self) -> bool {
        (0..self.reservations.len())
            .all(|place| self.saga(place).is_some_and(|saga| saga.estado.has_ended()))
    }

    /// What must hold of every reservation, whatever happened to it. `Err` tells what does not.
    pub fn check(&self) -> Result<(), String> {
        let mut held: BTreeMap<&str, i64> = BTreeMap::new();
        for (place, reservation) in self.reservations.iter().enumerate() {
            let wrong = |text: String| format!("{reservation:?}: {text}");
            let saga = self
                .saga(place)
                .ok_or_else(|| wrong("it has no saga".into()))?;
            let stands = saga.estado == Estado::Completada;
            let key = pagos::key(reservation.id);
            let ledger = block_on(simulador::ledger(&*self.tables, &key)).unwrap();
            let charged: f64 = simulador::balance(&ledger).to_string().parse().unwrap();
            if charged != if stands { 119.0 } else { 0.0 } {
                return Err(wrong(format!(
                    "{:?}, and {charged} is charged",
                    saga.estado
                )));
            }
            let stream = StreamId::new(Context::Vuelos, reservation.id);
            let history = block_on(self.reader().history(stream)).unwrap();
            let estado = vuelos::Reserva::fold(&history).estado();
            let expected = if stands {
                EstadoReserva::Aprobada
            } else {
                EstadoReserva::Cancelada
            };
            if estado != Some(expected) {
                return Err(wrong(format!(
                    "{:?}, and the reservation is {estado:?}",
                    saga.estado
                )));
            }
            *held.entry(&reservation.flight).or_default() += i64::from(stands);
            // Nobody of the other kind had a hand in it.
            let kinds: Vec<_> = saga
                .log
                .iter()
                .map(|entry| format!("{:?}", entry.what))
                .collect();
            let sent = kinds.iter().any(|what| what.starts_with("ComandoEnviado"));
            if sent && reservation.mode == SagaMode::Coreografia {
                return Err(wrong("the coordinator sent something".into()));
            }
        }
        for (flight, held) in held {
            let seats = block_on(inventory::read(&*self.tables, &vuelo(flight))).unwrap();
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
        match self.tables.all(consumer::TABLE).first() {
            Some(parked) => Err(format!("parked without need: {parked:?}")),
            None => Ok(()),
        }
    }
}

enum Work {
    Reactor(Box<Reactor>, Timestamp),
    Observer(Coordinator, Arc<dyn Clock>),
}

#[async_trait]
impl Handler for Work {
    async fn handle(&self, groups: &[Group]) -> Vec<Result<(), Stop>> {
        let Self::Observer(coordinator, clock) = self else {
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
            let until = clock.now() + SignedDuration::from_secs(2);
            let observed = coordinator.observe(id, &facts, until).await;
            results.push(observed.map_err(|trouble| Stop {
                place: group.events[0].place,
                cause: trouble.to_string(),
            }));
        }
        results
    }
}

/// The three participants, as the coordinator calls them.
struct Contexts {
    vuelos: Participant,
    pagos: Participant,
    gds: Participant,
}

#[async_trait]
impl Participants for Contexts {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        let participant = match dispatch.participant {
            "vuelos" => &self.vuelos,
            "pagos" => &self.pagos,
            _ => &self.gds,
        };
        let handled = participant.handle(&command(dispatch)).await;
        handled
            .map(|reply| answer(&reply))
            .map_err(|error| NoAnswer(error.to_string()))
    }
}
