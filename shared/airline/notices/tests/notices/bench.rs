//! The test bench: a log of events to announce, and the topic that receives the notices.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use alpes_consumer::{Outcome, Parked, Parking};
use alpes_ports::{LogRecord, Notice, SequenceNumber, Tables, Topic, TopicError, World};
use async_trait::async_trait;
use futures::{FutureExt, executor::block_on};
use jiff::{SignedDuration, Timestamp};
use notices::Announcer;
use simulation::Faults;
use twins::{ManualClock, MemoryTables, MemoryTopic, world};
use uuid::Uuid;

/// The golden samples have another JSON formatting than this code writes. So a test sees whether a notice has the text
/// that was committed.
const CREADA: &str = include_str!("../../../events/samples/vuelos/ReservaCreada.v2.json");
const APROBADA: &str = include_str!("../../../events/samples/vuelos/ReservaAprobada.v1.json");
const CANCELADA: &str = include_str!("../../../events/samples/vuelos/ReservaCancelada.v1.json");

/// A type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tipo {
    Creada,
    Aprobada,
    Cancelada,
}

impl Tipo {
    fn sample(self) -> &'static str {
        match self {
            Self::Creada => CREADA,
            Self::Aprobada => APROBADA,
            Self::Cancelada => CANCELADA,
        }
    }
}

/// The text of a field of a sample.
pub fn value<'a>(sample: &'a str, name: &str) -> &'a str {
    let mark = format!("\"{name}\": \"");
    let (_, rest) = sample.split_once(&mark).unwrap();
    rest.split('"').next().unwrap()
}

/// The id of the reservation with this number.
pub fn reserva(number: u64) -> String {
    Uuid::from_u128((7 << 76) | (2 << 62) | (u128::from(number) << 8)).to_string()
}

/// The id of the reservation's event of this type.
pub fn id(number: u64, tipo: Tipo) -> String {
    let last = tipo as u128 + 1;
    Uuid::from_u128((7 << 76) | (2 << 62) | (u128::from(number) << 8) | last).to_string()
}

/// The text of an event of this type and age, for the reservation with this number.
pub fn text(number: u64, tipo: Tipo, age: SignedDuration) -> String {
    let sample = tipo.sample();
    let time = start().checked_sub(age).unwrap();
    let text = sample.replace(value(sample, "subject"), &reserva(number));
    let text = text.replace(value(sample, "time"), &format!("{time:.3}"));
    text.replace(value(sample, "id"), &id(number, tipo))
}

fn start() -> Timestamp {
    world(1).0.clock.now()
}

/// A record of the log, with its place, its partition key and its text.
pub fn record(place: usize, key: &str, text: &str) -> LogRecord {
    LogRecord {
        shard: "shardId-000000000000".into(),
        sequence: SequenceNumber(format!("{place:056}")),
        partition_key: key.into(),
        data: text.as_bytes().to_vec(),
        arrived: start(),
    }
}

/// A log of these events, committed just now.
pub fn log(events: &[(u64, Tipo)]) -> Vec<LogRecord> {
    let numbered = (0..).zip(events);
    numbered
        .map(|(place, (number, tipo))| {
            let text = text(*number, *tipo, SignedDuration::ZERO);
            record(place, &reserva(*number), &text)
        })
        .collect()
}

/// A topic that refuses every notice while `refuses` is true.
pub struct Moody {
    pub topic: Arc<MemoryTopic>,
    pub refuses: AtomicBool,
}

#[async_trait]
impl Topic for Moody {
    async fn publish(&self, notices: &[Notice]) -> Vec<Result<(), TopicError>> {
        if self.refuses.load(Ordering::SeqCst) {
            let refused = || Err(TopicError::Refused("no such topic".into()));
            return notices.iter().map(|_| refused()).collect();
        }
        self.topic.publish(notices).await
    }
}

pub struct Bench {
    pub tables: Arc<MemoryTables>,
    pub topic: Arc<Moody>,
    pub world: World,
    pub clock: Arc<ManualClock>,
}

impl Bench {
    pub fn new() -> Self {
        let (world, clock) = world(1);
        let topic = Moody {
            topic: Arc::default(),
            refuses: AtomicBool::new(false),
        };
        Self {
            tables: Arc::default(),
            topic: Arc::new(topic),
            world,
            clock,
        }
    }

    pub fn announcer_over(&self, tables: Arc<dyn Tables>, topic: Arc<dyn Topic>) -> Announcer {
        let clock = self.world.clock.clone();
        Announcer::new(tables, topic, clock, events::catalogue())
    }

    pub fn announcer(&self, faults: &Faults) -> Announcer {
        let tables = Arc::new(faults.tables(self.tables.clone()));
        self.announcer_over(tables, Arc::new(faults.topic(self.topic.clone())))
    }

    /// Delivers a batch without faults.
    #[track_caller]
    pub fn deliver(&self, batch: &[LogRecord]) -> Outcome {
        let outcome = block_on(self.announcer(&Faults::none()).consumer().consume(batch));
        assert_eq!(outcome.failed, None);
        outcome
    }

    /// Delivers a batch until it is processed, as an event source mapping does. A redelivery begins with the first
    /// record that failed, or with the whole batch if the process died.
    pub fn deliver_to_the_end(&self, mut batch: &[LogRecord], faults: &Faults) {
        for _ in 0..20 {
            let announcer = self.announcer(faults);
            let Some(outcome) = announcer.consumer().consume(batch).now_or_never() else {
                continue;
            };
            let Some((sequence, _)) = outcome.failed else {
                return;
            };
            let place = batch.iter().position(|one| one.sequence == sequence);
            batch = &batch[place.unwrap()..];
        }
        panic!("the delivery does not end");
    }

    pub fn published(&self) -> Vec<Notice> {
        self.topic.topic.published()
    }

    /// The published texts, each with its number of publications.
    pub fn heard(&self) -> BTreeMap<String, usize> {
        let mut heard = BTreeMap::new();
        for notice in self.published() {
            *heard.entry(notice.body).or_default() += 1;
        }
        heard
    }

    pub fn parking(&self) -> Parking {
        let clock = self.world.clock.clone();
        Parking::new(self.tables.clone(), clock, &events::catalogue())
    }

    pub fn parked(&self) -> Vec<Parked> {
        block_on(self.parking().list()).unwrap()
    }
}

/// The texts of a log that must be announced, in the form of [`Bench::heard`]. Each text is announced once.
pub fn expected(log: &[LogRecord]) -> BTreeMap<String, usize> {
    let texts = log
        .iter()
        .map(|one| String::from_utf8(one.data.clone()).unwrap());
    let announced = texts.filter(|text| {
        let kind = value(text, "type");
        kind == "ReservaAprobada" || kind == "ReservaCancelada"
    });
    announced.map(|text| (text, 1)).collect()
}
