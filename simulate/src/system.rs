//! The whole system, wired over a simulated world.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use alpes_event_store::StreamReader;
use alpes_ports::{Functions, World};
use alpes_saga::{SagaId, Sagas};
use events::Payload;
use jiff::SignedDuration;
use serde_json::json;
use simulation::{Contended, Faults, Kernel, Runtime, Sky, Stale, Stream};
use timers::Limits;
use twins::{MemoryLog, MemoryObjects, MemoryTables, MemoryTopic, Ports};
use wiring::Wiring;

use crate::{
    Planted, Scenario,
    executions::Carried,
    foreign::Foreign,
    functions::{self, Ground, STACK, TIMERS},
    gaps::Gaps,
    poison::Poisons,
    versions::Builds,
};

/// The whole system, with its world.
#[derive(Clone)]
pub struct System {
    pub kernel: Kernel,
    pub sky: Sky,
    pub runtime: Runtime,
    pub stream: Stream,
    pub tables: Arc<MemoryTables>,
    pub log: Arc<MemoryLog>,
    pub archive: Arc<MemoryObjects>,
    pub failures: Arc<MemoryObjects>,
    pub topic: Arc<MemoryTopic>,
    /// The environment of the functions.
    pub ground: Ground,
    /// The functions that clients call.
    pub api: Arc<dyn Functions>,
    /// Time, ids and randomness for the operator and the checks, without faults.
    pub world: World,
    /// The builds that functions are deployed from.
    pub builds: Builds,
    /// Step Functions.
    pub machine: Carried,
    /// The unreadable records that were appended.
    pub poisons: Poisons,
    /// Sagas that were stuck when their cancellation was accepted.
    pub promised: Arc<Mutex<Vec<SagaId>>>,
    /// The items that other builds left in the tables.
    pub foreign: Foreign,
    /// On average one write in `conflicts` meets an item that another transaction is changing; 0 means none.
    pub conflicts: Arc<AtomicU64>,
    /// The log that shows some records after later ones.
    pub gaps: Arc<Gaps>,
    /// True while no operator acts and the schedule runs once an hour.
    pub night: Arc<AtomicBool>,
    /// The retention of the Kinesis stream.
    pub retention: Duration,
}

/// The most items that the timers handle in one pass: a few in some worlds, and more in larger worlds so that their
/// backlog can shrink.
fn limits(kernel: &Kernel, scenario: &Scenario) -> Limits {
    let dice = kernel.dice();
    if !dice.one_in(scenario.few_at_once_one_in) {
        return Limits::default();
    }
    kernel.count("timers", "a few things at once");
    let more = scenario.clients * scenario.bookings / 12;
    let few = || usize::try_from(2 + dice.below(4) + more).unwrap_or(5);
    Limits {
        streams: few(),
        sagas: few(),
        reactions: few(),
        objects: few(),
    }
}

impl System {
    /// Builds the system.
    pub fn new(
        kernel: &Kernel,
        scenario: &Scenario,
        planted: Option<Planted>,
    ) -> Result<Self, String> {
        let world = kernel.world(SignedDuration::ZERO);
        let builds = Builds::of(scenario, kernel.dice());
        let retention = Duration::from_hours(if scenario.retention == 0 {
            8_760
        } else {
            scenario.retention
        });
        let tables = Arc::new(MemoryTables::new());
        let log = Arc::new(MemoryLog::new(2, world.clock.clone()));
        let archive = Arc::new(MemoryObjects::new());
        let failures = Arc::new(MemoryObjects::new());
        let topic = Arc::new(MemoryTopic::new());
        let runtime = Runtime::new(kernel.clone());
        let stream = Stream::new(
            kernel.clone(),
            log.clone(),
            runtime.clone(),
            failures.clone(),
        );
        let sky = Sky::new(kernel.clone(), scenario.weather);
        let faults = Faults::by(Arc::new(sky.clone()));
        let lambda: Arc<dyn Functions> = Arc::new(faults.functions(Arc::new(runtime.clone())));
        // Deploy the state machine before the functions that refer to it.
        let definitions = &builds.newest.definitions;
        let machine = Carried::new(kernel, definitions, lambda.clone(), world.clone());
        let machine = machine.map_err(|error| error.to_string())?;
        let conflicts = Arc::new(AtomicU64::new(scenario.conflict_one_in));
        let stored = Arc::new(Stale::new(
            kernel.clone(),
            tables.clone(),
            scenario.stale_one_in,
        ));
        let stored = Contended::new(kernel.clone(), tables.clone(), stored, conflicts.clone());
        let listened = Arc::new(stream.clone());
        let gaps = Arc::new(Gaps::new(kernel.clone(), listened, scenario.gap_one_in));
        let ports = Ports {
            world: world.clone(),
            tables: Arc::new(faults.tables(Arc::new(stored))),
            log: Arc::new(faults.log(gaps.clone())),
            reader: Arc::new(faults.reader(Arc::new(stream.clone()))),
            functions: lambda.clone(),
            topic: Arc::new(faults.topic(topic.clone())),
            archive: Arc::new(faults.objects(archive.clone())),
            undelivered: Arc::new(faults.objects(failures.clone())),
            executions: Some(Arc::new(faults.executions(Arc::new(machine.clone())))),
            allows_tests: scenario.misbehave_one_in > 0 || scenario.insists,
            web_origin: None,
            settings: [("ACCESO".to_owned(), "abierto".to_owned())].into(),
            stack: STACK.to_owned(),
            lines: Arc::new(|_| {}),
        };
        let ports = match planted {
            Some(planted) => planted.plant(ports, &runtime, kernel.dice()),
            None => ports,
        };
        let ground = Ground::new(ports, limits(kernel, scenario))?;
        functions::deploy(&runtime, &ground, &builds.newest);
        runtime.set_fate(scenario.fate);
        for (name, mut settings) in ground.mappings()? {
            settings.retention = retention;
            let mapped = stream.map(name, settings);
            mapped.map_err(|error| error.to_string())?;
        }
        Ok(Self {
            kernel: kernel.clone(),
            sky,
            runtime,
            stream,
            tables,
            log,
            archive,
            failures,
            topic,
            ground,
            api: lambda,
            world,
            builds,
            machine,
            poisons: Poisons::default(),
            foreign: Foreign::default(),
            promised: Arc::default(),
            conflicts,
            gaps,
            night: Arc::default(),
            retention,
        })
    }

    /// The newest build, wired over ports without faults, for the operator and the checks.
    pub fn undisturbed(&self) -> Wiring<Ports> {
        let ports = Ports {
            world: self.world.clone(),
            tables: self.tables.clone(),
            log: self.log.clone(),
            reader: self.log.clone(),
            functions: Arc::new(self.runtime.clone()),
            topic: self.topic.clone(),
            archive: self.archive.clone(),
            undelivered: self.failures.clone(),
            executions: Some(Arc::new(self.machine.clone())),
            ..self.ground.ports.clone()
        };
        Wiring::of(ports, self.builds.newest.clone())
    }

    /// A reader of streams, without faults.
    pub fn reader(&self) -> StreamReader<Payload> {
        self.undisturbed().reader()
    }

    /// A reader of sagas, without faults.
    pub fn sagas(&self) -> Sagas {
        self.undisturbed().sagas()
    }

    /// Runs each task of the timers, as the schedule does.
    pub async fn tick(&self) {
        for task in ["sweep", "parked", "wake", "reactions", "rebuilds"] {
            let payload = json!({ "task": task }).to_string();
            // The schedule ignores the outcome of a task; the trace shows the outcome.
            let _ = self.runtime.start(TIMERS, payload.as_bytes()).await;
        }
    }
}
