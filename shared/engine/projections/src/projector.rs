//! The projector: it keeps every view up to date.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use alpes_consumer::{
    Consumer, Group, Handler, Parked, ParkedWhat, Parking, Reason, Redrive, Redriven, Stop, Trouble,
};
use alpes_event_store::{StreamError, StreamReader};
use alpes_messages::{
    Catalogue, CorrelationId, DecodeError, DomainEvent, Event, StreamId, SubjectId, Version,
};
use alpes_ports::{
    Consistency, Item, TableError, Tables, TransactError, Update, World, Write, WriteError,
    jittered,
};
use async_trait::async_trait;
use futures::{StreamExt, stream};

use crate::{Generation, View, counters::Changes, generations, row::Row};

/// The name under which the projector parks records.
pub const CONSUMER: &str = "projector";

/// The number of rows that are folded concurrently.
const CONCURRENCY: usize = 16;
/// The number of times that a contended row is read and folded in one batch, before its work fails.
const ATTEMPTS: u32 = 6;
/// The largest number of writes in a DynamoDB transaction.
const TRANSACTION_WRITES: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Folds events into the rows of every view, in every generation that is written.
///
/// ```
/// use std::sync::Arc;
///
/// use alpes_event_store::{EventStore, StreamReader};
/// use alpes_ports::{Consistency, Tables};
/// use alpes_projections::{Generation, Projector};
/// use futures::executor::block_on;
/// use serde_json::json;
/// use toy::{loan, loans::Desk, views};
/// use twins::{MemoryLog, MemoryTables, world};
///
/// let (world, _) = world(1);
/// let tables = Arc::new(MemoryTables::new());
/// let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
/// let store = EventStore::new(tables.clone(), log.clone(), world.clone(), toy::catalogue());
/// let open = toy::command(1, "OpenLoan", loan(7), json!({ "reader": "ana" }));
/// block_on(store.handle(&Desk, &open))?;
///
/// let reader = StreamReader::new(tables.clone(), toy::catalogue());
/// let projector = Projector::new(tables.clone(), reader, world, views::registry());
/// block_on(projector.consumer().consume(&log.records()));
///
/// let live = Generation { view: "loans", number: 1 };
/// let row = block_on(tables.get_one(&live.row_key(loan(7)), Consistency::Strong))?;
/// assert_eq!(row.and_then(|row| row.get("status").cloned()), Some(json!("open")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Projector<P> {
    tables: Arc<dyn Tables>,
    reader: StreamReader<P>,
    parking: Parking,
    world: World,
    views: Vec<Arc<dyn View<P>>>,
}

impl<P: DomainEvent> Projector<P> {
    /// A projector of `views`.
    #[must_use]
    pub fn new(
        tables: Arc<dyn Tables>,
        reader: StreamReader<P>,
        world: World,
        views: Vec<Arc<dyn View<P>>>,
    ) -> Self {
        let parking = Parking::new(tables.clone(), world.clock.clone(), reader.catalogue());
        Self {
            tables,
            reader,
            parking,
            world,
            views,
        }
    }

    /// The consumer that passes events to this projector.
    #[must_use]
    pub fn consumer(&self) -> Consumer<'_, P> {
        Consumer {
            name: CONSUMER,
            catalogue: self.reader.catalogue(),
            parking: &self.parking,
            handler: self,
        }
    }

    /// The parking lot.
    #[must_use]
    pub fn parking(&self) -> &Parking {
        &self.parking
    }

    pub(crate) fn views(&self) -> Vec<&'static str> {
        self.views.iter().map(|view| view.name()).collect()
    }

    pub(crate) fn tables(&self) -> &dyn Tables {
        &*self.tables
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn catalogue(&self) -> &Catalogue<P> {
        self.reader.catalogue()
    }

    /// Folds work into the rows of one generation.
    pub(crate) async fn fold_into(
        &self,
        generation: &Generation,
        work: &[Work<'_, P>],
    ) -> Vec<Result<(), String>> {
        let view = self
            .views
            .iter()
            .find(|view| view.name() == generation.view);
        let fed: Vec<_> = view
            .map(|view| (view.clone(), generation.clone()))
            .into_iter()
            .collect();
        self.fold(&fed, work).await
    }

    /// Folds work into the rows of these generations. The generations of one view are adjacent, the newest first.
    async fn fold(
        &self,
        generations: &[(Arc<dyn View<P>>, Generation)],
        work: &[Work<'_, P>],
    ) -> Vec<Result<(), String>> {
        let mut results: Vec<Result<(), String>> = work.iter().map(|_| Ok(())).collect();
        for of_view in generations.chunk_by(|(_, one), (_, next)| one.view == next.view) {
            let folded = self.fold_view(of_view, work).await;
            let both = results.into_iter().zip(folded);
            results = both.map(|(before, now)| before.and(now)).collect();
        }
        results
    }

    /// Folds work into the rows of the generations of one view, the newest first. Work that fails in a newer generation
    /// is not folded into the older ones. So the newer generation lacks no event that an older one has, except parked
    /// events, and readers can switch to it at any moment.
    async fn fold_view(
        &self,
        generations: &[(Arc<dyn View<P>>, Generation)],
        work: &[Work<'_, P>],
    ) -> Vec<Result<(), String>> {
        let mut results: Vec<Result<(), String>> = work.iter().map(|_| Ok(())).collect();
        for (view, generation) in generations {
            let rows = Rows {
                projector: self,
                view: &**view,
                generation,
            };
            let taken = work.iter().zip(&mut results);
            let (todo, taken): (Vec<_>, Vec<_>) = taken
                .filter(|(_, result)| result.is_ok())
                .map(|(work, result)| (work.clone(), result))
                .unzip();
            let folded = rows.fold(&todo).await;
            for ((work, result), row) in todo.iter().zip(taken).zip(folded) {
                if let Err(fault) = row {
                    *result = self.set_aside(generation, work, fault).await;
                }
            }
        }
        results
    }

    /// If the fault is permanent, parks the event streams of the work for this generation alone. Otherwise returns the
    /// cause.
    async fn set_aside(
        &self,
        generation: &Generation,
        work: &Work<'_, P>,
        Fault {
            cause,
            is_permanent,
        }: Fault,
    ) -> Result<(), String> {
        if !is_permanent {
            return Err(cause);
        }
        let mut streams: BTreeMap<StreamId, (Version, CorrelationId)> = BTreeMap::new();
        for (event, _) in &work.events {
            let first = (event.streamversion, event.correlationid);
            let (version, _) = streams.entry(event.stream).or_insert(first);
            *version = event.streamversion.min(*version);
        }
        let owner = generation.to_string();
        for (stream, (version, correlation)) in streams {
            tracing::warn!(owner, %stream, %correlation, version, cause, "stream parked: the table refuses its row");
            let trouble = Trouble {
                what: ParkedWhat::Stream { stream, version },
                reason: Reason::Permanent,
                detail: &cause,
                data: &[],
            };
            let parked = self.parking.park(&owner, trouble).await;
            parked.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Each view with each of its generations that is written, the newest first.
    async fn fed(&self) -> Result<Vec<(Arc<dyn View<P>>, Generation)>, TableError> {
        let fed = generations::fed(&*self.tables, &self.views()).await?;
        let fed = self.views.iter().zip(fed).flat_map(|(view, generations)| {
            let of_view = generations.into_iter();
            of_view.map(|generation| (view.clone(), generation))
        });
        Ok(fed.collect())
    }
}

#[async_trait]
impl<P: DomainEvent> Handler<P> for Projector<P> {
    async fn handle(&self, groups: &[Group<P>]) -> Vec<Result<(), Stop>> {
        let work: Vec<_> = groups.iter().map(Work::of).collect();
        let folded = match self.fed().await {
            Ok(generations) => self.fold(&generations, &work).await,
            // If the list of generations cannot be read, all groups fail.
            Err(error) => work.iter().map(|_| Err(error.to_string())).collect(),
        };
        // Each view writes all events of a group together, so a group fails at its first record or not at all.
        let results = groups.iter().zip(folded).map(|(group, folded)| {
            let place = group.events.first().map_or(0, |incoming| incoming.place);
            folded.map_err(|cause| Stop::again(place, cause))
        });
        results.collect()
    }
}

#[async_trait]
impl<P: DomainEvent> Redrive for Projector<P> {
    fn owns(&self, parked: &Parked) -> bool {
        // Only the generations of views park event streams.
        parked.owner == CONSUMER || matches!(parked.what, ParkedWhat::Stream { .. })
    }

    /// Handles a parked record as if it had just arrived. Folds a parked event stream from the stream's item.
    async fn redrive(&self, parked: &Parked) -> Result<Redriven, TableError> {
        let ParkedWhat::Stream { stream, .. } = &parked.what else {
            return self.consumer().redrive(parked).await;
        };
        let mut fed = self.fed().await?.into_iter();
        let owner = fed.find(|(_, generation)| generation.to_string() == parked.owner);
        let Some((view, generation)) = owner else {
            // The generation was deleted, with the rows for which the stream was parked.
            self.parking.remove(parked).await?;
            return Ok(Redriven::Done);
        };
        let rows = Rows {
            projector: self,
            view: &*view,
            generation: &generation,
        };
        let redriven = rows.refold(*stream).await;
        if redriven == Redriven::Done {
            self.parking.remove(parked).await?;
        }
        Ok(redriven)
    }
}

/// The reason why a row could not be folded or written.
struct Fault {
    cause: String,
    /// True if another attempt would fail too.
    is_permanent: bool,
}

impl From<&TableError> for Fault {
    fn from(error: &TableError) -> Self {
        Self {
            cause: error.to_string(),
            is_permanent: matches!(error, TableError::Refused(_)),
        }
    }
}

impl Fault {
    fn again(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            is_permanent: false,
        }
    }

    fn malformed(subject: SubjectId, error: &serde_json::Error) -> Self {
        Self {
            cause: format!("the row of {subject} is malformed: {error}"),
            is_permanent: true,
        }
    }
}

/// Events of one subject that are to be folded into its rows.
#[derive(Clone)]
pub(crate) struct Work<'a, P> {
    subject: SubjectId,
    events: Vec<(&'a Event, &'a P)>,
}

impl<'a, P: DomainEvent> Work<'a, P> {
    pub(crate) fn new(
        subject: SubjectId,
        events: impl Iterator<Item = (&'a Event, &'a P)>,
    ) -> Self {
        let events = events.collect();
        Self { subject, events }
    }

    fn of(group: &'a Group<P>) -> Self {
        let events = group.events.iter();
        Self::new(
            group.subject,
            events.map(|incoming| (&incoming.event, &incoming.payload)),
        )
    }
}

/// A row that is to be written.
struct Change {
    subject: SubjectId,
    before: Row,
    after: Row,
    update: Update,
    /// The changes of the counters; `None` in a view without counters.
    counters: Option<Changes>,
}

/// A piece of work with its result.
struct Piece<'a, P> {
    work: &'a Work<'a, P>,
    /// The row after the work, or the fault.
    result: Result<Row, Fault>,
    is_settled: bool,
}

impl<'a, P: DomainEvent> Piece<'a, P> {
    fn of(work: &'a Work<'a, P>) -> Self {
        Self {
            work,
            result: Err(Fault::again("no attempt was made")),
            is_settled: false,
        }
    }

    fn settle(&mut self, result: Result<Row, Fault>) {
        self.result = result;
        self.is_settled = true;
    }

    /// Another writer changed the row since it was read: it must be read and folded again.
    fn overtaken(&mut self, error: impl std::fmt::Display) {
        self.result = Err(Fault::again(error.to_string()));
    }
}

/// A row of the batch, and the row's change, which is not written yet.
type Pending<'p, 'a, P> = (&'p mut Piece<'a, P>, Change);

/// Packs changes into transactions: each has at most `most` rows, and no more rows and counters than DynamoDB allows.
fn pack<'p, 'a, P>(changes: Vec<Pending<'p, 'a, P>>, most: usize) -> Vec<Vec<Pending<'p, 'a, P>>> {
    let mut packs: Vec<Vec<_>> = vec![];
    let mut groups: BTreeSet<String> = BTreeSet::new();
    for (piece, change) in changes {
        let own = change.counters.iter().flat_map(Changes::groups);
        let own: Vec<String> = own.map(str::to_owned).collect();
        groups.extend(own.iter().cloned());
        let room = |pack: &Vec<_>| {
            pack.len() < most && pack.len() + 1 + groups.len() <= TRANSACTION_WRITES
        };
        if let Some(pack) = packs.last_mut().filter(|pack| room(pack)) {
            pack.push((piece, change));
        } else {
            groups = own.into_iter().collect();
            packs.push(vec![(piece, change)]);
        }
    }
    packs
}

/// The result of folding: the row is up to date, or a change is to be written.
enum Folded {
    Is(Row),
    Becomes(Box<Change>),
}

/// The rows of one generation of one view.
struct Rows<'a, P> {
    projector: &'a Projector<P>,
    view: &'a dyn View<P>,
    generation: &'a Generation,
}

impl<P: DomainEvent> Rows<'_, P> {
    /// Folds each piece of work into its row, reading all rows at once. Returns for each piece of work the row after
    /// the fold, or the fault.
    async fn fold(&self, work: &[Work<'_, P>]) -> Vec<Result<Row, Fault>> {
        let World {
            tasks, randomness, ..
        } = &self.projector.world;
        let mut pieces: Vec<_> = work.iter().map(Piece::of).collect();
        for attempt in 0..ATTEMPTS {
            let open = pieces.iter_mut().filter(|piece| !piece.is_settled);
            let open: Vec<_> = open.collect();
            if open.is_empty() {
                break;
            }
            if attempt > 0 {
                let pause = jittered(PAUSE, LONGEST_PAUSE, attempt - 1, randomness.fraction());
                tasks.sleep(pause).await;
            }
            // One row may make every transaction fail. So the last attempts write each row alone.
            let most = if attempt + 2 < ATTEMPTS {
                TRANSACTION_WRITES
            } else {
                1
            };
            self.attempt(open, most).await;
        }
        pieces.into_iter().map(|piece| piece.result).collect()
    }

    /// Computes and writes each row once, at most `most` rows in a transaction.
    async fn attempt(&self, pieces: Vec<&mut Piece<'_, P>>, most: usize) {
        let work: Vec<_> = pieces.iter().map(|piece| piece.work).collect();
        let folded = self.compute(&work).await;
        let mut changes = vec![];
        for (piece, folded) in pieces.into_iter().zip(folded) {
            match folded {
                Ok(Folded::Is(row)) => piece.settle(Ok(row)),
                Ok(Folded::Becomes(change)) => changes.push((piece, *change)),
                Err(fault) => piece.settle(Err(fault)),
            }
        }
        self.write(changes, most).await;
    }

    /// Computes the new content of each row.
    async fn compute(&self, work: &[&Work<'_, P>]) -> Vec<Result<Folded, Fault>> {
        let keys = work
            .iter()
            .map(|work| self.generation.row_key(work.subject));
        let keys: Vec<_> = keys.collect();
        let tables = &self.projector.tables;
        let rows = tables.get_each(&keys, Consistency::Strong).await;
        let folding: Vec<_> = work
            .iter()
            .zip(rows)
            .map(|(work, row)| self.compute_one(work, row))
            .collect();
        stream::iter(folding).buffered(CONCURRENCY).collect().await
    }

    async fn compute_one(
        &self,
        work: &Work<'_, P>,
        row: Result<Option<Item>, TableError>,
    ) -> Result<Folded, Fault> {
        let subject = work.subject;
        let item = row.map_err(|error| Fault::from(&error))?;
        let before = Row::from_item(item).map_err(|error| Fault::malformed(subject, &error))?;
        let mut after = before.clone();
        for (event, payload) in &work.events {
            let folded = self.fold_event(&mut after, event, payload).await;
            folded.map_err(|error| Fault::from(&error))?;
        }
        let key = self.generation.row_key(subject);
        let Some(update) = after.update(&before, key, self.generation, self.view) else {
            return Ok(Folded::Is(after));
        };
        Ok(Folded::Becomes(Box::new(Change {
            subject,
            counters: Changes::of(self.view, &before.own, &after.own),
            update,
            before,
            after,
        })))
    }

    /// Writes rows: each alone or, in a view with counters, at most `most` in a transaction.
    async fn write(&self, changes: Vec<Pending<'_, '_, P>>, most: usize) {
        let (counted, plain): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .partition(|(_, change)| change.counters.is_some());
        let singles = plain
            .into_iter()
            .map(|(piece, change)| self.write_one(piece, change));
        let singles: Vec<_> = singles.collect();
        let singles = stream::iter(singles).buffered(CONCURRENCY);
        singles.collect::<Vec<()>>().await;
        // Transactions run one after the other, since they may add to the same counters.
        for packed in pack(counted, most) {
            self.transact(packed).await;
        }
    }

    async fn write_one(&self, piece: &mut Piece<'_, P>, change: Change) {
        let write = change.update.clone().into();
        match self.projector.tables.write(&write).await {
            Ok(()) => piece.settle(self.unparked(change).await),
            // Another invocation wrote the row, or this invocation wrote the row and the answer was lost. The next
            // attempt reads the row again.
            Err(error @ WriteError::ConditionFailed) => piece.overtaken(error),
            Err(WriteError::Table(error)) => piece.settle(Err(Fault::from(&error))),
        }
    }

    /// Writes rows and the changes of their counters, all or nothing.
    async fn transact(&self, mut packed: Vec<Pending<'_, '_, P>>) {
        let mut changes = Changes::default();
        let mut writes: Vec<Write> = vec![];
        for (_, change) in &packed {
            changes.add(change.counters.as_ref().unwrap_or(&Changes::default()));
            writes.push(change.update.clone().into());
        }
        if let Some((_, first)) = packed.first() {
            writes.extend(changes.writes(self.generation, first.subject));
        }
        // A single row that changes no counter needs no transaction, and a transaction costs twice as much as a write.
        if writes.len() == 1
            && let Some((piece, change)) = packed.pop()
        {
            return self.write_one(piece, change).await;
        }
        let alone = packed.len() == 1;
        let answer = self.projector.tables.transact(&writes).await;
        for (piece, change) in packed {
            match &answer {
                Ok(()) => piece.settle(self.unparked(change).await),
                Err(TransactError::Table(error @ TableError::Refused(_))) if alone => {
                    piece.settle(Err(error.into()));
                }
                // Another invocation wrote the row, or a transaction changed the same counters. Nothing was written.
                Err(error) => piece.overtaken(error),
            }
        }
    }

    /// Returns the row after its change. Removes from the parking lot the event streams that no longer block the row.
    async fn unparked(&self, change: Change) -> Result<Row, Fault> {
        // After a crash here, an entry of the parking lot remains although its event stream was folded. The next
        // redrive finds no event to fold, and removes the entry.
        let unparked = self
            .unpark(change.subject, &change.before, &change.after)
            .await;
        unparked.map_err(|error| Fault::from(&error))?;
        Ok(change.after)
    }

    /// Folds into its row the events of an event stream that the row lacks.
    async fn refold(&self, id: StreamId) -> Redriven {
        let reader = &self.projector.reader;
        let stream = match reader.read_one(id).await {
            Ok(stream) => stream,
            Err(StreamError::Table(error)) => return Redriven::NotNow(error.to_string()),
            Err(other) => return Redriven::StillParked(other.to_string()),
        };
        let last = match stream.decode(reader.catalogue(), stream.version(), stream.version()) {
            Ok(last) => last,
            Err(error) => return Redriven::StillParked(error.to_string()),
        };
        let events = last.iter().map(|stored| (&stored.event, &stored.payload));
        let work = Work::new(id.id, events);
        match self.fold(&[work]).await.pop() {
            Some(Ok(row)) if row.blocked.contains_key(id.category()) => {
                Redriven::StillParked("the view still cannot fold the stream".into())
            }
            Some(Err(fault)) if fault.is_permanent => Redriven::StillParked(fault.cause),
            Some(Err(fault)) => Redriven::NotNow(fault.cause),
            Some(Ok(_)) | None => Redriven::Done,
        }
    }

    /// Folds one event, and before it the earlier events of its stream that the row lacks.
    async fn fold_event(
        &self,
        row: &mut Row,
        event: &Event,
        payload: &P,
    ) -> Result<(), TableError> {
        let prefix = event.stream.category();
        let folded = row.guard.get(prefix).copied().unwrap_or(0);
        if event.streamversion <= folded {
            return Ok(());
        }
        let blocked = row.blocked.contains_key(prefix);
        if event.streamversion == folded + 1 && !blocked {
            return self.fold_next(row, event, payload).await.map(|_| ());
        }
        // Earlier events of the stream are missing, or the stream was blocked and later events were skipped. The
        // stream's item has every committed event.
        let reader = &self.projector.reader;
        let stream = match reader.read_one(event.stream).await {
            Ok(stream) => stream,
            Err(StreamError::Table(error)) => return Err(error),
            Err(other) => {
                let why = other.to_string();
                return self
                    .block(row, event.stream, folded + 1, Reason::Permanent, &why)
                    .await;
            }
        };
        let newest = if blocked { stream.version() } else { 0 };
        for version in folded + 1..=event.streamversion.max(newest) {
            let (reason, why) = match stream
                .decode(reader.catalogue(), version, version)
                .as_deref()
            {
                Ok([stored]) => {
                    if self.fold_next(row, &stored.event, &stored.payload).await? {
                        continue;
                    }
                    return Ok(());
                }
                Ok(_) => {
                    let why = format!(
                        "event {version} was never committed, but a later one is in the log"
                    );
                    (Reason::Permanent, why)
                }
                Err(error @ StreamError::Event(_, _, DecodeError::UnknownType(_))) => {
                    (Reason::UnknownType, error.to_string())
                }
                Err(error) => (Reason::Permanent, error.to_string()),
            };
            return self.block(row, event.stream, version, reason, &why).await;
        }
        Ok(())
    }

    /// Folds the next event of an event stream. False if the view cannot fold the event: the stream is then parked.
    async fn fold_next(
        &self,
        row: &mut Row,
        event: &Event,
        payload: &P,
    ) -> Result<bool, TableError> {
        let mut own = row.own.clone();
        if let Err(error) = self.view.fold(&mut own, event, payload) {
            self.block(
                row,
                event.stream,
                event.streamversion,
                Reason::Permanent,
                &error.to_string(),
            )
            .await?;
            return Ok(false);
        }
        let prefix = event.stream.category();
        row.own = own;
        row.guard.insert(prefix.to_owned(), event.streamversion);
        row.blocked.remove(prefix);
        Ok(true)
    }

    /// Parks the event stream for this view, from `version` on. The row continues with the subject's other streams.
    async fn block(
        &self,
        row: &mut Row,
        stream: StreamId,
        version: Version,
        reason: Reason,
        why: &str,
    ) -> Result<(), TableError> {
        row.blocked.insert(stream.category().to_owned(), version);
        let what = ParkedWhat::Stream { stream, version };
        let trouble = Trouble {
            what,
            reason,
            detail: why,
            data: &[],
        };
        self.projector
            .parking
            .park(&self.generation.to_string(), trouble)
            .await
    }

    /// Removes from the parking lot the event streams that blocked the row before and no longer block it.
    async fn unpark(
        &self,
        subject: SubjectId,
        before: &Row,
        after: &Row,
    ) -> Result<(), TableError> {
        let owner = self.generation.to_string();
        let freed = before
            .blocked
            .iter()
            .filter(|(prefix, _)| !after.blocked.contains_key(*prefix));
        for (prefix, version) in freed {
            if let Ok(stream) = format!("{prefix}-{subject}").parse() {
                self.projector
                    .parking
                    .remove_stream(&owner, stream, *version)
                    .await?;
            }
        }
        Ok(())
    }
}
