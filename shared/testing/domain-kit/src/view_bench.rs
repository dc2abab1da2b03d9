//! A bench for views. It commits events to the streams of subjects, and delivers their log records to a projector over
//! tables in memory.

use std::{marker::PhantomData, sync::Arc};

use alpes_consumer::{Outcome, Parked, Parking};
use alpes_event_store::{StreamReader, TABLE as STREAMS};
use alpes_messages::{
    Catalogue, Command, CommandId, Context, CorrelationId, Event, EventId, NewEvent, Origin,
    SagaMode, StreamId, SubjectId,
};
use alpes_ports::{Item, Key, LogRecord, Path, SequenceNumber, Tables, Update, World};
use alpes_projections::{Projector, View};
use futures::{FutureExt, executor::block_on};
use serde_json::Value;
use simulation::Faults;
use twins::MemoryTables;
use uuid::Uuid;

use crate::{Domain, Happens, moment};

/// The state that outlives a process: the tables, and time.
pub struct ViewBench<D> {
    /// The streams, the views, and the parked records.
    pub tables: Arc<MemoryTables>,
    /// Time, ids and randomness.
    pub world: World,
    domain: PhantomData<fn() -> D>,
}

impl<D> Clone for ViewBench<D> {
    fn clone(&self) -> Self {
        Self::over(self.tables.clone(), self.world.clone())
    }
}

impl<D: Domain> Default for ViewBench<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D> ViewBench<D> {
    /// A bench over existing tables.
    pub fn over(tables: Arc<MemoryTables>, world: World) -> Self {
        Self {
            tables,
            world,
            domain: PhantomData,
        }
    }
}

impl<D: Domain> ViewBench<D> {
    /// An empty bench.
    pub fn new() -> Self {
        Self::over(Arc::new(MemoryTables::new()), twins::world(1).0)
    }

    /// Commits events of a subject, each at its time, and returns their log records. Like [`ViewBench::commit`], but
    /// the stream of each event follows from its kind.
    pub fn happen(&self, subject: SubjectId, all: &[(Happens, i64)]) -> Vec<LogRecord> {
        let records = all.iter().flat_map(|(happens, at)| {
            let new = D::event(*happens, subject, moment(*at));
            self.commit(subject, new.context, vec![(new, *at)])
        });
        records.collect()
    }

    /// Commits events to a stream, each at its time, and returns the log records of these events.
    pub fn commit(
        &self,
        subject: SubjectId,
        context: Context,
        new: Vec<(NewEvent, i64)>,
    ) -> Vec<LogRecord> {
        let stream = StreamId::new(context, subject);
        let key = alpes_event_store::Stream::key(stream);
        let before = block_on(self.tables.get_one(&key, alpes_ports::Consistency::Strong)).unwrap();
        let version = before.map_or(0, |item| {
            u32::try_from(item["version"].as_u64().unwrap()).unwrap()
        });
        let command = Command {
            id: CommandId(Uuid::from_u128(1)),
            kind: "Try".into(),
            subject,
            correlationid: CorrelationId(Uuid::from_u128(2)),
            causationid: None,
            actor: None,
            prueba: false,
            sagamode: SagaMode::default(),
            traceparent: None,
            data: Value::Null,
        };
        let mut records = vec![];
        let mut texts = vec![];
        for (version, (new, at)) in (version + 1..).zip(new) {
            let id = EventId(Uuid::from_u128(
                subject.0.as_u128() * 1_000 + u128::from(version),
            ));
            let event = Event::placed(
                new,
                Origin {
                    command: &command,
                    stream,
                    version,
                    id,
                    time: moment(at),
                },
            );
            let text = event.encode().unwrap();
            records.push(record(&subject.to_string(), text.as_bytes()));
            texts.push(Value::from(text));
        }
        let total = version + u32::try_from(texts.len()).unwrap();
        let mut update = Update::of(key)
            .append(Path::of("events"), texts)
            .set(Path::of("version"), total);
        update = update
            .set(Path::of("published"), total)
            .set(Path::of("receipts"), Item::new());
        block_on(self.tables.write(&update.into())).unwrap();
        records
    }

    /// The projector of a process that runs under `faults`.
    pub fn projector(
        &self,
        faults: &Faults,
        catalogue: Catalogue<D::Payload>,
        views: Vec<Arc<dyn View<D::Payload>>>,
    ) -> Projector<D::Payload> {
        let tables = Arc::new(faults.tables(self.tables.clone()));
        Projector::new(
            tables.clone(),
            StreamReader::new(tables, catalogue),
            self.world.clone(),
            views,
        )
    }

    /// The view that [`ViewBench::deliver`] writes: the domain's first view.
    pub fn view() -> Arc<dyn View<D::Payload>> {
        D::views().swap_remove(0)
    }

    /// Delivers a batch to a process that runs under `faults`. `None` means that the process died.
    pub fn deliver(&self, faults: &Faults, records: &[LogRecord]) -> Option<Outcome> {
        let projector = self.projector(faults, D::catalogue(), vec![Self::view()]);
        projector.consumer().consume(records).now_or_never()
    }

    /// Delivers a batch to a process without faults. The process must handle every record.
    pub fn settle(&self, records: &[LogRecord]) -> Outcome {
        let outcome = self.deliver(&Faults::none(), records).unwrap();
        assert_eq!(outcome.failed, None);
        outcome
    }

    /// The rows of a generation such as `loans.1`, by subject, without `rev`.
    pub fn rows(&self, generation: &str) -> Vec<(String, Item)> {
        let rows = self
            .tables
            .all(alpes_projections::TABLE)
            .into_iter()
            .filter_map(|(Key { pk, sk, .. }, mut item)| {
                if sk != "row" {
                    return None;
                }
                let subject = pk.strip_prefix(&format!("{generation}#"))?.to_owned();
                item.remove("rev");
                Some((subject, item))
            });
        rows.collect()
    }

    /// The row of a subject in the first generation of [`ViewBench::view`].
    pub fn row(&self, subject: SubjectId) -> Option<Item> {
        self.rows(&format!("{}.1", Self::view().name()))
            .into_iter()
            .find(|(id, _)| *id == subject.to_string())
            .map(|(_, item)| item)
    }

    /// The parked records.
    pub fn parked(&self) -> Vec<Parked> {
        block_on(
            Parking::new(
                self.tables.clone(),
                self.world.clock.clone(),
                &D::catalogue(),
            )
            .list(),
        )
        .unwrap()
    }

    /// A reader of the streams.
    pub fn reader(&self) -> StreamReader<D::Payload> {
        StreamReader::new(self.tables.clone(), D::catalogue())
    }

    /// The number of streams.
    pub fn stream_items(&self) -> usize {
        self.tables.all(STREAMS).len()
    }
}

/// A record whose sequence number follows from its bytes.
pub fn record(partition_key: &str, data: &[u8]) -> LogRecord {
    let place = data.iter().fold(7_u64, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    LogRecord {
        shard: "shardId-000000000000".into(),
        sequence: SequenceNumber(format!("{place:056}")),
        partition_key: partition_key.to_owned(),
        data: data.to_vec(),
        arrived: moment(0).timestamp(),
    }
}
