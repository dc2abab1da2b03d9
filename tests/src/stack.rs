//! The stack under test from inside: its log, event streams, views and parked records.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::Arc,
    time::Duration,
};

use alpes_archive::Archive;
use alpes_consumer::{Parked, ParkedWhat, Parking};
use alpes_event_store::{EventStore, Stream, StreamReader};
use alpes_lambda::Environment;
use alpes_messages::{Command, CommandId, CorrelationId, SagaMode, StreamId};
use alpes_ports::Platform;
use alpes_ports::{
    Consistency, Functions, Item, Key, Log, LogBatch, LogError, LogReader, LogRecord, NewRecord,
    Objects, Position, TableName, Tables, World,
};
use alpes_projections::Generation;
use events::{CONTEXTS, IdReserva, Payload, VUELOS};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use twins::Ports;
use uuid::Uuid;
use views::reservas;
use wiring::Wiring;

use crate::{Answer, Api, eventually, setting};

/// The stack that the environment names.
pub struct Stack {
    /// A client of the stack's API.
    pub api: Api,
    /// The stack's tables.
    pub tables: Arc<dyn Tables>,
    /// The stack's log, for appending.
    pub log: Arc<dyn Log>,
    /// The stack's log, for reading.
    pub reader: Arc<dyn LogReader>,
    /// The stack's functions, called as they call one another.
    pub functions: Arc<dyn Functions>,
    /// The bucket with the batches that Lambda could not deliver after all retries.
    pub undelivered: Arc<dyn Objects>,
    /// The stack's archive, which keeps the log's records beyond the log's retention.
    pub archive: Archive,
    /// The clock and the source of ids.
    pub world: World,
    /// The parts of the system, wired over the stack.
    pub wiring: Wiring<Environment>,
    runtime: Runtime,
}

impl Stack {
    /// The stack that the environment names. If it names none, the panic says how to start one.
    pub fn from_env() -> Self {
        let api = Api::from_env();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let wiring = Wiring::new(runtime.block_on(Environment::load()));
        let platform = &wiring.platform;
        Self {
            api,
            tables: platform.tables(),
            log: platform.log().unwrap(),
            reader: platform.log_reader().unwrap(),
            functions: platform.functions(),
            undelivered: platform.undelivered().unwrap(),
            archive: wiring.archive().unwrap(),
            world: platform.world(),
            wiring,
            runtime,
        }
    }

    /// Blocks until a future is done.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// An event store on this stack, like that of the stack's functions.
    pub fn store(&self) -> EventStore<Payload> {
        self.wiring.store().unwrap()
    }

    /// An event store on the stack's event streams, with some ports replaced by the test.
    pub fn store_with(&self, change: impl FnOnce(&mut Ports)) -> EventStore<Payload> {
        let mut ports = Ports {
            tables: self.tables.clone(),
            log: self.log.clone(),
            ..Ports::new(self.world.clone())
        };
        change(&mut ports);
        let Ok(store) = Wiring::new(ports).store();
        store
    }

    /// A reader of event streams.
    pub fn streams(&self) -> StreamReader<Payload> {
        self.wiring.reader()
    }

    /// A new command, which is not sent yet.
    pub fn command(&self, kind: &str, subject: IdReserva, data: Value) -> Command {
        Command {
            id: CommandId(self.world.ids.fresh()),
            kind: kind.to_owned(),
            subject,
            correlationid: CorrelationId(self.world.ids.fresh()),
            causationid: None,
            actor: None,
            prueba: false,
            sagamode: SagaMode::Orchestration,
            traceparent: None,
            data,
        }
    }

    /// Makes a reservation over HTTP, and returns its id.
    pub fn book(&self, body: &Value) -> IdReserva {
        reservation(&self.api.book(body.to_string().as_bytes(), &[]))
    }

    /// The texts of all events of a reservation, in every context.
    pub fn committed(&self, id: IdReserva) -> BTreeSet<Vec<u8>> {
        let streams = CONTEXTS.map(|context| StreamId::new(context, id));
        let streams = self.wait(self.streams().read(&streams)).unwrap();
        let texts = streams.into_iter().flat_map(|stream| stream.events);
        texts.map(String::into_bytes).collect()
    }

    /// A reservation's event stream in vuelos.
    pub fn stream(&self, id: IdReserva) -> Stream {
        let id = StreamId::new(VUELOS, id);
        self.wait(self.streams().read_one(id)).unwrap()
    }

    /// Appends a record to the log.
    pub fn append(&self, partition_key: IdReserva, data: &[u8]) {
        let key = partition_key.to_string();
        self.wait(self.log.append(NewRecord::new(&key, data)))
            .unwrap();
    }

    /// The whole log, shard after shard.
    pub fn log(&self) -> Vec<LogRecord> {
        self.log_on(&mut BTreeMap::new())
    }

    /// The log's records after these positions, one position for each shard. Afterwards the positions are at the log's
    /// end.
    pub fn log_on(&self, places: &mut BTreeMap<String, Position>) -> Vec<LogRecord> {
        self.wait(async {
            let mut records = vec![];
            for shard in self.reader.shards().await.unwrap() {
                let place = places.entry(shard.clone()).or_insert(Position::Oldest);
                loop {
                    let batch = self.read(&shard, place).await;
                    records.extend(batch.records);
                    let Some(next) = batch.next else {
                        break;
                    };
                    *place = next;
                    if batch.at_tip {
                        break;
                    }
                }
            }
            records
        })
    }

    /// The records of one reservation, in order.
    pub fn log_of(&self, id: IdReserva) -> Vec<Vec<u8>> {
        let key = id.to_string();
        let records = self.log().into_iter();
        records
            .filter(|record| record.partition_key == key)
            .map(|record| record.data)
            .collect()
    }

    /// All records of the archive in order. A record may be archived several times.
    pub fn whole_archive(&self) -> Vec<LogRecord> {
        self.wait(async {
            let (mut found, mut after) = (vec![], None);
            loop {
                let page = self.archive.page(after.as_deref(), 100).await.unwrap();
                found.extend(page.records);
                after = page.last;
                if !page.more {
                    return found;
                }
            }
        })
    }

    /// The archived records of these reservations.
    pub fn archived(&self, ids: &[IdReserva]) -> Vec<LogRecord> {
        let keys: BTreeSet<_> = ids.iter().map(ToString::to_string).collect();
        let mut found = self.whole_archive();
        found.retain(|record| keys.contains(&record.partition_key));
        found
    }

    /// Every item of a table with its key. The items lack their key attributes.
    pub fn every_item(&self, table: TableName) -> Vec<(Key, Item)> {
        self.wait(async {
            let (mut found, mut after) = (vec![], None);
            loop {
                let page = self.tables.scan(table, after.as_ref()).await.unwrap();
                found.extend(page.items.into_iter().map(|mut item| {
                    let [pk, sk] = ["pk", "sk"]
                        .map(|name| item.remove(name).unwrap().as_str().unwrap().to_owned());
                    (Key::new(table, pk, sk), item)
                }));
                after = page.next;
                if after.is_none() {
                    return found;
                }
            }
        })
    }

    /// Reads a batch, and repeats a read that is throttled: a shard allows 5 reads a second for all of its readers
    /// together.
    async fn read(&self, shard: &str, from: &Position) -> LogBatch {
        let mut failures = 0;
        loop {
            match self.reader.read(shard, from).await {
                Ok(batch) => return batch,
                Err(LogError::Unavailable(_)) if failures < 10 => failures += 1,
                Err(error) => panic!("{error}"),
            }
            let pause = Duration::from_secs(1);
            self.world.tasks.sleep(pause).await;
        }
    }

    /// A reservation's row in the view `reservas`, with the attributes that the projector stores in the row.
    pub fn row(&self, id: IdReserva) -> Option<Item> {
        self.row_in(&self.live(reservas::NAME), id)
    }

    /// A reservation's row in a generation of a view.
    pub fn row_in(&self, generation: &Generation, id: IdReserva) -> Option<Item> {
        let key = Key::new(
            alpes_projections::TABLE,
            format!("{generation}#{id}"),
            "row",
        );
        let row = self.tables.get_one(&key, Consistency::Strong);
        self.wait(row).unwrap()
    }

    /// The generation of a view that currently answers queries.
    pub fn live(&self, view: &'static str) -> Generation {
        let generations = self.wiring.generations();
        self.wait(generations.live(view)).unwrap()
    }

    /// Waits until the view has a reservation in this state, and returns the API's answer about it.
    pub fn seen_as(&self, id: IdReserva, estado: &str) -> Value {
        eventually(&format!("the view has {id} as {estado}"), || {
            let reserva = self.api.get(&format!("/vuelos/reserva/{id}")).expect(200);
            (reserva["origen"] == "vista" && reserva["estado"] == estado).then_some(reserva)
        })
    }

    /// Deletes parked records.
    pub fn forget(&self, parked: &[(Parked, Vec<u8>)]) {
        for (parked, _) in parked {
            self.wait(self.parking().remove(parked)).unwrap();
        }
    }

    /// The parked records with a reservation's id as partition key, each with its bytes.
    pub fn parked(&self, id: IdReserva) -> Vec<(Parked, Vec<u8>)> {
        let key = id.to_string();
        let parking = self.parking();
        self.wait(async {
            let mut found = vec![];
            for parked in parking.list().await.unwrap() {
                let ours = matches!(&parked.what, ParkedWhat::Record { partition_key, .. } if *partition_key == key);
                if ours {
                    let data = parking.data(&parked).await.unwrap().unwrap_or_default();
                    found.push((parked, data));
                }
            }
            found
        })
    }

    /// The store of parked records.
    pub fn parking(&self) -> Parking {
        self.wiring.parking()
    }

    /// Waits until every event of these event streams is marked as published, and returns the event streams. If a
    /// process dies between the append and the mark, the sweeper marks the event.
    pub fn published(&self, ids: &[StreamId]) -> Vec<Stream> {
        eventually("committed events are published", || {
            let streams = self.wait(self.streams().read(ids)).unwrap();
            let done = streams
                .iter()
                .all(|stream| stream.published == stream.version());
            if !done {
                self.sweep();
            }
            done.then_some(streams)
        })
    }

    /// Runs the sweeper now, and returns the function's answer. See [`Self::task`].
    pub fn sweep(&self) -> Option<Value> {
        self.task(&json!({ "task": "sweep", "age_seconds": 0 }))
    }

    /// Runs a task of the timers now, and returns the answer. Where [`Self::invoke`] is impossible, the schedule runs
    /// the same task within about a minute. An unkind stack may kill the function, so the task is run again there, as
    /// the schedule would.
    pub fn task(&self, task: &Value) -> Option<Value> {
        eventually("the timers do a task", || {
            let Some(answer) = self.invoke("timers", task) else {
                return Some(None);
            };
            let done = answer.expect(200);
            let error = answer.header("x-amz-function-error");
            assert!(error.is_none() || self.is_unkind(), "{done}");
            error.is_none().then_some(Some(done))
        })
    }

    /// True if the stack serves many requests at once. LocalStack answers about a hundred calls a second, so functions of
    /// a crowd exceed their timeouts.
    pub fn serves_crowds(&self) -> bool {
        setting("ALPES_ENVIRONMENT") != "localstack"
    }

    /// True if the stack is on a local runtime with chaos, where deliveries are repeated on purpose. Elsewhere they are
    /// repeated so rarely that the tests ask for none.
    pub fn is_unkind(&self) -> bool {
        let Ok(endpoint) = env::var("AWS_ENDPOINT_URL") else {
            return false;
        };
        let url = format!("{}/_alpes/chaos", endpoint.trim_end_matches('/'));
        let answer = self.api.get_url(&url);
        answer.status == 200 && answer.json()["seed"].is_u64()
    }

    /// Invokes a function that no other function calls, and returns its answer, which may be an error. `None` on AWS,
    /// because only emulators accept an unsigned request.
    pub fn invoke(&self, function: &str, payload: &Value) -> Option<Answer> {
        let endpoint = env::var("AWS_ENDPOINT_URL").ok()?;
        let url = format!(
            "{}/2015-03-31/functions/{}-{function}/invocations",
            endpoint.trim_end_matches('/'),
            setting("ALPES_STACK")
        );
        Some(self.api.post(&url, payload.to_string().as_bytes(), &[]))
    }
}

/// The target of a request to `CloudWatch` Logs.
const FILTER_LOG_EVENTS: (&str, &str) = ("X-Amz-Target", "Logs_20140328.FilterLogEvents");

impl Stack {
    /// Waits until the log of a function has an event. On AWS, nothing is asked, as in [`Self::invoke`].
    pub fn must_log(&self, function: &str) {
        self.must_tell(function, "");
    }

    /// Waits until the log of a function has an event with this text. On AWS, nothing is asked.
    pub fn must_tell(&self, function: &str, text: &str) {
        let Ok(endpoint) = env::var("AWS_ENDPOINT_URL") else {
            return;
        };
        let group = format!("/aws/lambda/{}-{function}", setting("ALPES_STACK"));
        let mut question = json!({ "logGroupName": group, "limit": 1 });
        if !text.is_empty() {
            question["filterPattern"] = json!(format!("\"{text}\""));
        }
        let question = question.to_string();
        // An emulator reads the service from this header, and checks no signature.
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/logs/aws4_request, SignedHeaders=host, Signature=none",
            setting("AWS_ACCESS_KEY_ID"),
            setting("AWS_REGION"),
        );
        let headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("Authorization", &signed),
            FILTER_LOG_EVENTS,
        ];
        eventually(&format!("{text} in {group}"), || {
            let answer = self.api.post(&endpoint, question.as_bytes(), &headers);
            let found = answer.expect(200);
            found["events"]
                .as_array()
                .filter(|events| !events.is_empty())?;
            Some(())
        });
    }
}

/// The id of the reservation in the answer that accepted it.
pub fn reservation(answer: &Answer) -> IdReserva {
    let made = answer.expect(202);
    made["id_reserva"].as_str().unwrap().parse().unwrap()
}

/// The id of a reservation that does not exist.
pub fn nobody() -> IdReserva {
    IdReserva(Uuid::new_v4())
}
