//! A system in which a view is rebuilt: reservations that go on, a log of shards that projectors consume, an archive behind it, readers.

mod rows;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use alpes_archive::Archive;
use alpes_consumer::Outcome;
use alpes_event_store::StreamReader;
use alpes_messages::{StreamId, SubjectId, Version};
use alpes_ports::{
    Clock, Condition, Consistency, IndexPage, IndexQuery, Item, Key, Log, LogBatch, LogError,
    LogReader, LogRecord, Position, ScanPage, TableError, TableName, Tables, TransactError, World,
    Write, WriteError,
};
use alpes_projections::{
    Generation, Generations, Progress, Projector, RebuildError, Rebuilder, View,
};
use async_trait::async_trait;
use events::{PAGOS, Payload, VUELOS, vuelos::EstadoReserva};
use futures::{executor::block_on, future::BoxFuture};
use jiff::{SignedDuration, Timestamp, civil::Date};
use simulation::{Dice, Faults, ProcessId, Scheduler, Step};
use twins::{ManualClock, MemoryLog, MemoryObjects, MemoryTables};
use views::{analitica, reservas};

use crate::common::{Bench, aprobada, cancelada, creada, id, pagada};

pub const BUDGET: Duration = Duration::from_secs(5);
/// As long as an invocation of the projector may take.
const TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Readers go over to the new generation before the log's tip was passed.
    TipNotPassed,
    /// No time is left for readers and projectors that still know the old generation.
    WaitsForNobody,
    /// The projector writes the live generation alone.
    OnlyTheLiveIsWritten,
    /// Where a shard is gone on with is forgotten: what is in the log and not in the archive is not replayed.
    ArchiveAlone,
    /// Readers go over to the new generation when they hear of it, each at another time.
    EachAtItsOwnTime,
}

impl Bug {
    pub const ALL: [Self; 5] = [
        Self::TipNotPassed,
        Self::WaitsForNobody,
        Self::OnlyTheLiveIsWritten,
        Self::ArchiveAlone,
        Self::EachAtItsOwnTime,
    ];
}

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub seed: u64,
    pub fault_one_in: u64,
    pub kill_one_in: u64,
}

pub struct System {
    pub bench: Bench,
    pub clock: Arc<ManualClock>,
    pub log: Arc<MemoryLog>,
    pub objects: Arc<MemoryObjects>,
    bug: Option<Bug>,
    /// How far the clock of [`Bug::WaitsForNobody`] is ahead, in seconds.
    ahead: Arc<AtomicI64>,
}

impl System {
    pub fn new(shards: usize) -> Self {
        let (world, clock) = twins::world(1);
        Self {
            log: Arc::new(MemoryLog::new(shards, world.clock.clone())),
            bench: Bench {
                tables: Arc::new(MemoryTables::new()),
                world,
            },
            clock,
            objects: Arc::new(MemoryObjects::new()),
            bug: None,
            ahead: Arc::default(),
        }
    }

    pub fn append(&self, key: &str, data: &[u8]) {
        block_on(self.log.append(key, data, None)).unwrap();
    }

    pub fn delete(&self, key: Key) {
        let delete = Write::Delete {
            key,
            condition: Condition::Always,
        };
        block_on(self.bench.tables.write(&delete)).unwrap();
    }

    /// A reservation with what happened to it, as `choice` says, in streams and log.
    pub fn history(&self, number: u128, choice: u64) {
        let subject = id(number);
        let at = i64::try_from(choice % 3).unwrap() * 86_400;
        let mut records =
            self.bench
                .commit(subject, VUELOS, vec![(creada(subject, "ana", at), at)]);
        if !choice.is_multiple_of(4) {
            records.extend(
                self.bench
                    .commit(subject, PAGOS, vec![(pagada(subject, at), at)]),
            );
        }
        if choice % 4 > 1 {
            records.extend(self.end(subject, choice));
        }
        for record in records {
            self.append(&record.partition_key, &record.data);
        }
    }

    fn end(&self, subject: SubjectId, choice: u64) -> Vec<LogRecord> {
        let at = self.bench.world.clock.now().as_second() - 1_769_853_600;
        let end = if choice.is_multiple_of(2) {
            aprobada(subject, at)
        } else {
            cancelada(subject, at)
        };
        self.bench.commit(subject, VUELOS, vec![(end, at)])
    }

    pub fn rebuilder(&self, faults: &Faults) -> Rebuilder<Payload> {
        let tables: Arc<dyn Tables> = Arc::new(faults.tables(self.bench.tables.clone()));
        let mut world = self.bench.world.clone();
        if self.bug == Some(Bug::WaitsForNobody) {
            world.clock = Arc::new(Hasty {
                clock: self.clock.clone(),
                ahead: self.ahead.clone(),
            });
        }
        Rebuilder {
            projector: projector(tables, world),
            archive: Archive::new(Arc::new(faults.objects(self.objects.clone()))),
            log: Arc::new(Reader {
                log: self.log.clone(),
                bug: self.bug,
            }),
        }
    }

    /// How many objects the archive has.
    pub fn objects_count(&self) -> usize {
        let archive = Archive::new(self.objects.clone());
        block_on(archive.coverage()).unwrap().objects
    }

    /// All that is in the log is in the archive too.
    pub fn archive_all(&self) {
        self.archive_part(0);
    }

    /// All of the log but the last `left_out` records of each shard.
    pub fn archive_part(&self, left_out: usize) {
        for shard in block_on(self.log.shards()).unwrap() {
            let records = self.shard(&shard);
            let until = records.len().saturating_sub(left_out);
            let archive = Archive::new(self.objects.clone());
            for batch in records[..until].chunks(3) {
                block_on(archive.store(batch)).unwrap();
            }
        }
    }

    pub fn shard(&self, shard: &str) -> Vec<LogRecord> {
        let mut records = self.log.records();
        records.retain(|record| record.shard == shard);
        records
    }

    /// Has the projector take in the whole log.
    pub fn catch_up(&self, faults: &Faults) {
        let tables: Arc<dyn Tables> = Arc::new(faults.tables(self.bench.tables.clone()));
        let projector = projector(tables, self.bench.world.clone());
        for records in self.log.records().chunks(10) {
            let outcome = block_on(projector.consumer().consume(records));
            assert_eq!(outcome.failed, None);
        }
    }

    /// What a generation of a view has.
    pub fn rows(&self, view: &str, number: u32) -> BTreeMap<String, Item> {
        let items = self.bench.tables.all(alpes_projections::TABLE);
        rows::rows(items, &format!("{view}.{number}"))
    }

    pub fn live(&self, view: &str) -> u32 {
        let alias = Key::new(alpes_projections::TABLE, view, "alias");
        let alias = block_on(self.bench.tables.get_one(&alias, Consistency::Strong)).unwrap();
        alias.map_or(1, |alias| {
            alias["live"].as_u64().unwrap().try_into().unwrap()
        })
    }

    /// What each reservation must be found as: the fold of its streams.
    fn expected(&self) -> BTreeMap<SubjectId, Item> {
        let mut expected: BTreeMap<SubjectId, Item> = BTreeMap::new();
        for (key, item) in self.bench.tables.all(alpes_event_store::TABLE) {
            let id: StreamId = key.pk.parse().unwrap();
            let stream = alpes_event_store::Stream::from_item(id, &item).unwrap();
            let row = expected.entry(id.id).or_default();
            for stored in stream
                .decode(&events::catalogue(), 1, Version::MAX)
                .unwrap()
            {
                reservas::Reservas
                    .fold(row, &stored.event, &stored.payload)
                    .unwrap();
            }
        }
        expected
    }

    /// Compares the views with the fold of the streams; `number` is the generation of both that lives.
    pub fn check(&self, number: u32) -> Result<(), String> {
        for view in [reservas::NAME, analitica::NAME] {
            if self.live(view) == number {
                self.check_view(view, number)?;
            }
        }
        Ok(())
    }

    fn check_view(&self, view: &'static str, number: u32) -> Result<(), String> {
        let expected = self.expected();
        let generation = Generation { view, number };
        if view == analitica::NAME {
            let found = pivot(&self.bench.tables, &generation);
            let mut counted = BTreeMap::new();
            for row in expected.values() {
                let day: Date = row["fecha_creacion"].as_str().unwrap()[..10]
                    .parse()
                    .unwrap();
                let estado = serde_json::from_value(row["estado"].clone()).unwrap();
                *counted.entry((day, estado)).or_default() += 1;
            }
            return if found == counted {
                Ok(())
            } else {
                Err(format!(
                    "{generation}: the pivot is {found:?}, the fold {counted:?}"
                ))
            };
        }
        for (subject, row) in &expected {
            let fila = block_on(reservas::one(&*self.bench.tables, &generation, *subject)).unwrap();
            let found = serde_json::to_value(fila).unwrap();
            if found != serde_json::Value::Object(row.clone()) {
                return Err(format!(
                    "{generation}: {subject} is {found}, the fold {row:?}"
                ));
            }
        }
        Ok(())
    }
}

fn pivot(
    tables: &Arc<MemoryTables>,
    generation: &Generation,
) -> BTreeMap<(Date, EstadoReserva), u64> {
    let (from, to) = (Date::constant(2026, 1, 1), Date::constant(2026, 12, 31));
    let days = block_on(analitica::pivot(&**tables, generation, from, to)).unwrap();
    let cells = days.into_iter().flat_map(|day| {
        let cells = day.cuentas.into_iter();
        cells.map(move |(estado, count)| ((day.dia, estado), count))
    });
    cells.collect()
}

fn projector(tables: Arc<dyn Tables>, world: World) -> Projector<Payload> {
    let reader = StreamReader::new(tables.clone(), events::catalogue());
    Projector::new(tables, reader, world, views::registry())
}

/// A clock by which all waiting is over at once.
struct Hasty {
    clock: Arc<ManualClock>,
    ahead: Arc<AtomicI64>,
}

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead.fetch_add(100, Ordering::SeqCst);
        self.clock
            .now()
            .saturating_add(SignedDuration::from_secs(ahead))
            .unwrap()
    }
}

struct Reader {
    log: Arc<MemoryLog>,
    bug: Option<Bug>,
}

#[async_trait]
impl LogReader for Reader {
    async fn shards(&self) -> Result<Vec<String>, LogError> {
        self.log.shards().await
    }

    async fn read(&self, shard: &str, from: &Position) -> Result<LogBatch, LogError> {
        let mut batch = self.log.read(shard, from).await?;
        match (self.bug, from) {
            (Some(Bug::TipNotPassed), _) => {
                batch.records.truncate(1);
                batch.at_tip = true;
            }
            (Some(Bug::ArchiveAlone), _) => {
                batch.records.clear();
                batch.at_tip = true;
            }
            // A page is small, so that there are several.
            (_, Position::Oldest | Position::After(_)) if batch.records.len() > 4 => {
                batch.records.truncate(4);
                batch.at_tip = false;
                let last = batch.records[3].sequence.clone();
                batch.next = Some(Position::After(last));
            }
            _ => {}
        }
        Ok(batch)
    }
}

/// The tables of somebody who does not look at this attribute.
struct Blind(&'static str, Arc<dyn Tables>);

#[async_trait]
impl Tables for Blind {
    async fn get(
        &self,
        keys: &[Key],
        consistency: Consistency,
    ) -> Result<Vec<Option<Item>>, TableError> {
        let mut items = self.1.get(keys, consistency).await?;
        for item in items.iter_mut().flatten() {
            item.remove(self.0);
        }
        Ok(items)
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.1.write(write).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        self.1.transact(writes).await
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.1.query(query).await
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.1.scan(table, after).await
    }
}

/// Somebody who looks at the views all the time, and remembers what was seen. Several processes answer, each with a memory of its own
/// of which generation lives.
struct Watcher {
    processes: [Generations; 3],
    seen: BTreeMap<SubjectId, usize>,
    counted: u64,
}

impl Watcher {
    fn new(system: &System) -> Self {
        let process = || {
            let mut tables: Arc<dyn Tables> = system.bench.tables.clone();
            if system.bug == Some(Bug::EachAtItsOwnTime) {
                tables = Arc::new(Blind("since", tables));
            }
            Generations::new(tables, system.bench.world.clock.clone())
        };
        Self {
            processes: [process(), process(), process()],
            seen: BTreeMap::new(),
            counted: 0,
        }
    }

    /// Looks at one reservation and at the pivot; nothing that was seen may be gone.
    fn look(&mut self, system: &System, subject: SubjectId, dice: &Dice) -> Result<(), String> {
        let process = dice.pick(&self.processes).unwrap();
        let generation = block_on(process.live(reservas::NAME)).unwrap();
        let fila = block_on(reservas::one(&*system.bench.tables, &generation, subject)).unwrap();
        let progress = fila.map_or(0, |fila| match fila.estado {
            Some(EstadoReserva::Cancelada) => 4,
            Some(EstadoReserva::Aprobada) => 3,
            Some(EstadoReserva::Pagada) => 2,
            Some(EstadoReserva::Pendiente) => 1,
            None => 0,
        });
        let before = self.seen.insert(subject, progress).unwrap_or(0);
        if progress < before {
            return Err(format!(
                "{generation}: {subject} went back from {before} to {progress}"
            ));
        }
        let generation = block_on(process.live(analitica::NAME)).unwrap();
        let counted = pivot(&system.bench.tables, &generation).values().sum();
        if counted < self.counted {
            return Err(format!(
                "{generation}: the total went back from {} to {counted}",
                self.counted
            ));
        }
        self.counted = counted;
        Ok(())
    }
}

enum Ended {
    Batch(Outcome),
    Rebuild(Result<Progress, RebuildError>),
    Late,
}

/// A shard as its event source mapping sees it.
#[derive(Default)]
struct Mapping {
    /// After the last record that is done; `None` before the first.
    next: Option<Position>,
    /// The invocation under way, until when it may take, and its records.
    working: Option<(ProcessId, Timestamp, Vec<LogRecord>)>,
}

/// What goes on while a view is rebuilt.
struct Play<'a> {
    setup: Setup,
    system: System,
    dice: &'a Dice,
    faults: Faults,
    scheduler: Scheduler<Ended>,
    mappings: Vec<Mapping>,
    /// Reservations made so far.
    made: u64,
    view: &'static str,
    rebuilding: Option<ProcessId>,
    /// Not to be run again before.
    resume: Timestamp,
    rebuilt: bool,
}

/// After so many steps nothing is written any more.
const QUIET: u32 = 20_000;
/// After so many nothing fails and nobody is killed any more: each fault may cost a minute, so no bound holds while they go on.
const CALM: u32 = 40_000;

/// A rebuild amid writes, reads, faults and crashes, and how many steps it took. `Err` tells what is wrong.
pub fn run(setup: Setup, bug: Option<Bug>) -> Result<u32, String> {
    let dice = Dice::new(setup.seed);
    let shards = 1 + usize::try_from(dice.below(3)).unwrap();
    let mut system = System::new(shards);
    system.bug = bug;
    let view = if dice.one_in(2) {
        reservas::NAME
    } else {
        analitica::NAME
    };
    let resume = system.clock.now();
    let mut play = Play {
        setup,
        dice: &dice,
        faults: Faults::by_chance(dice.clone(), setup.fault_one_in),
        scheduler: Scheduler::default(),
        mappings: (0..shards).map(|_| Mapping::default()).collect(),
        made: 0,
        view,
        rebuilding: None,
        resume,
        rebuilt: false,
        system,
    };
    for _ in 0..dice.below(12) {
        play.write();
    }
    if dice.one_in(2) {
        play.system
            .archive_part(usize::try_from(dice.below(4)).unwrap());
    }
    play.play()
}

impl Play<'_> {
    fn play(&mut self) -> Result<u32, String> {
        let mut watcher = Watcher::new(&self.system);
        let mut step = 0;
        loop {
            step += 1;
            if step > 60_000 {
                return Err("the run does not end".into());
            }
            let quiet = self.rebuilt || step > QUIET;
            if step == CALM {
                self.faults.cease();
                self.setup.kill_one_in = 0;
            }
            if !quiet && self.dice.one_in(25) {
                self.write();
            }
            self.invoke();
            if !self.rebuilt && self.rebuilding.is_none() && self.system.clock.now() >= self.resume
            {
                let rebuilder = self.system.rebuilder(&self.faults);
                let view = self.view;
                let run = async move { Ended::Rebuild(rebuilder.run(view, BUDGET).await) };
                self.rebuilding = Some(self.scheduler.spawn(Box::pin(run)));
            }
            for late in self.faults.take_late() {
                self.scheduler.spawn(Box::pin(async move {
                    late.await;
                    Ended::Late
                }));
            }
            self.system
                .clock
                .advance(Duration::from_millis(self.dice.below(300)));
            self.time_out();
            let stepped = self.scheduler.step(self.dice, self.setup.kill_one_in);
            let idle = matches!(stepped, Step::Idle);
            if idle && quiet {
                self.system.clock.advance(Duration::from_secs(1));
            }
            self.settle(stepped);
            if self.made > 0 && self.dice.one_in(3) {
                let subject = id(u128::from(1 + self.dice.below(self.made)));
                watcher.look(&self.system, subject, self.dice)?;
            }
            if self.rebuilt && idle {
                break;
            }
        }
        self.finish()?;
        Ok(step)
    }

    fn finish(&self) -> Result<(), String> {
        let live = self.system.live(self.view);
        self.system.check_view(self.view, live)?;
        for (key, _) in self.system.bench.tables.all(alpes_projections::TABLE) {
            let stale = key.pk.strip_prefix(&format!("{}.", self.view));
            if stale.is_some_and(|rest| !rest.starts_with(&format!("{live}#"))) {
                return Err(format!("left over: {key:?}"));
            }
        }
        match self.system.bench.parked().first() {
            Some(parked) => Err(format!("parked without need: {parked:?}")),
            None => Ok(()),
        }
    }

    /// Something happens: a reservation is made, or one goes on.
    fn write(&mut self) {
        let choice = self.dice.below(1_000);
        if self.made == 0 || self.dice.one_in(3) {
            self.made += 1;
            let subject = u128::from(self.made);
            self.system.history(subject, choice);
            return;
        }
        let subject = id(u128::from(1 + self.dice.below(self.made)));
        for record in self.system.end(subject, choice) {
            self.system.append(&record.partition_key, &record.data);
        }
    }

    /// Begins an invocation for each shard that has something and none.
    fn invoke(&mut self) {
        let shards = block_on(self.system.log.shards()).unwrap();
        for (shard, mapping) in shards.iter().zip(&mut self.mappings) {
            if mapping.working.is_some() {
                continue;
            }
            let next = mapping.next.clone().unwrap_or(Position::Oldest);
            let mut batch = block_on(self.system.log.read(shard, &next))
                .unwrap()
                .records;
            if batch.is_empty() {
                continue;
            }
            batch.truncate(1 + usize::try_from(self.dice.below(6)).unwrap());
            let mut tables: Arc<dyn Tables> =
                Arc::new(self.faults.tables(self.system.bench.tables.clone()));
            if self.system.bug == Some(Bug::OnlyTheLiveIsWritten) {
                tables = Arc::new(Blind("building", tables));
            }
            let projector = projector(tables, self.system.bench.world.clone());
            let records = batch.clone();
            let work: BoxFuture<'static, Ended> =
                Box::pin(async move { Ended::Batch(projector.consumer().consume(&records).await) });
            let end = self.system.clock.now() + TIMEOUT;
            mapping.working = Some((self.scheduler.spawn(work), end, batch));
        }
    }

    /// Ends invocations that took too long, as Lambda does.
    fn time_out(&mut self) {
        let now = self.system.clock.now();
        for mapping in &mut self.mappings {
            if let Some((process, _, _)) = mapping.working.take_if(|(_, end, _)| *end < now) {
                self.scheduler.kill(process);
            }
        }
    }

    fn settle(&mut self, stepped: Step<Ended>) {
        let (process, ended) = match stepped {
            Step::Progress | Step::Idle => return,
            Step::Killed(process) => (process, None),
            Step::Done(process, ended) => (process, Some(ended)),
        };
        if self.rebuilding == Some(process) {
            self.rebuilding = None;
            if let Some(Ended::Rebuild(Ok(progress))) = ended {
                self.resume = self.system.clock.now() + progress.wait;
                self.rebuilt = progress.phase.is_none();
            }
            return;
        }
        for mapping in &mut self.mappings {
            let Some((_, _, batch)) = mapping
                .working
                .take_if(|(working, _, _)| *working == process)
            else {
                continue;
            };
            if let Some(Ended::Batch(outcome)) = &ended {
                let failed = outcome.failed.as_ref().map(|(sequence, _)| sequence);
                let done = batch
                    .iter()
                    .take_while(|record| Some(&record.sequence) != failed);
                let last = done
                    .last()
                    .map(|record| Position::After(record.sequence.clone()));
                mapping.next = last.or(mapping.next.take());
            }
        }
    }
}
