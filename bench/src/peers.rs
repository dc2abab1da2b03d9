//! Compares two event stores on `DynamoDB`, this project's and dynamo-es. Both commit the same event to the same
//! endpoint, in turns.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alpes_aws::{DynamoTables, KinesisLog};
use alpes_event_store::{EventStore, Handled};
use alpes_messages::Event;
use alpes_ports::Log;
use anyhow::{Context, Result, bail};
use cqrs_es::{
    Aggregate, CqrsFramework, DomainEvent,
    event_sink::EventSink,
    persist::{PersistedEventRepository, PersistedEventStore, SerializedEvent},
};
use dynamo_es::DynamoEventRepository;
use events::Payload;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use twins::MemoryLog;
use uuid::Uuid;
use vuelos::Vuelos;

use crate::{
    commands,
    endpoint::Endpoint,
    plan::Rounds,
    stats::{Samples, per_second},
};

/// The measured variants of the event stores, and the AWS calls that each makes.
#[derive(Clone, Copy, Debug)]
enum Contender {
    Append,
    Execute,
    Commit,
    CommitAndAppend,
}

const CONTENDERS: [Contender; 4] = [
    Contender::Append,
    Contender::Execute,
    Contender::Commit,
    Contender::CommitAndAppend,
];

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::Append => "dynamo-es, append only",
            Self::Execute => PEER,
            Self::Commit => OURS,
            Self::CommitAndAppend => "ours, a command, and the Kinesis append",
        }
    }

    fn calls(self) -> &'static str {
        match self {
            Self::Append => "TransactWriteItems",
            Self::Execute => "Query, TransactWriteItems",
            Self::Commit => "UpdateItem, UpdateItem",
            Self::CommitAndAppend => "UpdateItem, PutRecord, UpdateItem",
        }
    }
}

#[derive(Debug, Serialize)]
pub struct Standing {
    pub name: &'static str,
    pub calls: &'static str,
    pub commands: usize,
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
}

#[derive(Debug, Serialize)]
pub struct Peers {
    /// The size of each store's event, in bytes of JSON.
    pub event_bytes: usize,
    pub standings: Vec<Standing>,
}

impl Peers {
    pub fn p50(&self, name: &str) -> f64 {
        let found = self.standings.iter().find(|standing| standing.name == name);
        found.map_or(0.0, |standing| standing.p50)
    }
}

pub const PEER: &str = "dynamo-es, a command";
pub const OURS: &str = "ours, a command";

/// An aggregate of dynamo-es whose first event is given.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Reservation {
    event: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Opened(Value);

impl DomainEvent for Opened {
    fn event_type(&self) -> String {
        "ReservaCreada".to_owned()
    }

    fn event_version(&self) -> String {
        "2".to_owned()
    }
}

impl Aggregate for Reservation {
    const TYPE: &'static str = "reserva";
    type Command = Value;
    type Event = Opened;
    type Error = std::io::Error;
    type Services = ();

    async fn handle(
        &mut self,
        command: Value,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), std::io::Error> {
        sink.write(Opened(command), self).await;
        Ok(())
    }

    fn apply(&mut self, Opened(event): Opened) {
        self.event = Some(event);
    }
}

struct Contest {
    ours: EventStore<Payload>,
    ours_and_append: EventStore<Payload>,
    repository: DynamoEventRepository,
    framework: CqrsFramework<Reservation, PersistedEventStore<DynamoEventRepository, Reservation>>,
    sample: Value,
    event: Value,
}

pub async fn compare(endpoint: &Endpoint, sample: &Value, rounds: Rounds) -> Result<Peers> {
    let streams = alpes_event_store::TABLE.0.to_owned();
    let tables = [(streams, endpoint.streams.clone())];
    let tables = Arc::new(DynamoTables::new(
        &endpoint.config,
        tables.into_iter().collect(),
    ));
    let world = alpes_aws::world();
    let nowhere = Arc::new(MemoryLog::new(1, world.clock.clone()));
    let kinesis = Arc::new(KinesisLog::new(&endpoint.config, endpoint.log.clone()));
    let store = |log: Arc<dyn Log>| {
        EventStore::new(tables.clone(), log, world.clone(), events::catalogue())
    };
    let client = aws_sdk_dynamodb::Client::new(&endpoint.config);
    let repository =
        || DynamoEventRepository::new(client.clone()).with_tables(&endpoint.peer_events, "unused");
    let ours = store(nowhere);
    let event = first_event(&ours, sample).await?;
    let contest = Contest {
        ours,
        ours_and_append: store(kinesis),
        repository: repository(),
        framework: CqrsFramework::new(
            PersistedEventStore::new_event_store(repository()),
            vec![],
            (),
        ),
        sample: sample.clone(),
        event: serde_json::to_value(&event)?,
    };

    // Run 5 uncounted commands with each contender, to open connections and fill caches.
    for contender in CONTENDERS {
        contest.turn(contender, 5).await?;
    }
    let mut totals = CONTENDERS.map(|contender| (contender, Samples::default(), Duration::ZERO));
    for _ in 0..rounds.turns {
        for (contender, samples, elapsed) in &mut totals {
            let (taken, time) = contest.turn(*contender, rounds.per_turn).await?;
            samples.extend(&taken);
            *elapsed += time;
        }
    }
    let standings = totals.map(|(contender, samples, elapsed)| Standing {
        name: contender.name(),
        calls: contender.calls(),
        commands: samples.count(),
        per_second: per_second(samples.count(), elapsed),
        p50: samples.median(),
        p99: samples.percentile(99),
    });
    Ok(Peers {
        event_bytes: event.encode()?.len(),
        standings: standings.into(),
    })
}

async fn first_event(store: &EventStore<Payload>, sample: &Value) -> Result<Event> {
    match store.handle(&Vuelos, &commands::create(sample)?).await? {
        Handled::Committed { events, .. } => events.into_iter().next().context("no event"),
        Handled::Rejected(problem) => bail!("the sample reservation is refused: {problem:?}"),
    }
}

impl Contest {
    /// Sends `count` commands, one after the other.
    async fn turn(&self, contender: Contender, count: usize) -> Result<(Samples, Duration)> {
        let mut samples = Samples::default();
        let start = Instant::now();
        for _ in 0..count {
            let before = Instant::now();
            self.once(contender)
                .await
                .with_context(|| format!("{} failed", contender.name()))?;
            samples.push(before.elapsed());
        }
        Ok((samples, start.elapsed()))
    }

    async fn once(&self, contender: Contender) -> Result<()> {
        let id = Uuid::now_v7().to_string();
        match contender {
            Contender::Append => {
                let event = SerializedEvent::new(
                    id,
                    1,
                    Reservation::TYPE.to_owned(),
                    "ReservaCreada".to_owned(),
                    "2".to_owned(),
                    self.event.clone(),
                    json!({}),
                );
                self.repository
                    .persist::<Reservation>(&[event], None)
                    .await?;
            }
            Contender::Execute => self.framework.execute(&id, self.event.clone()).await?,
            Contender::Commit => self.handle(&self.ours).await?,
            Contender::CommitAndAppend => self.handle(&self.ours_and_append).await?,
        }
        Ok(())
    }

    async fn handle(&self, store: &EventStore<Payload>) -> Result<()> {
        let command = commands::create(&self.sample)?;
        match store.handle(&Vuelos, &command).await? {
            Handled::Committed { appended: true, .. } => Ok(()),
            other => bail!("not committed: {other:?}"),
        }
    }
}
