//! Keeping every view up to date.

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

/// The name that records are parked under: that of the function that feeds the views.
pub const CONSUMER: &str = "projector";

/// Rows worked on at once.
const CONCURRENCY: usize = 16;
/// How often a row that others write too is read and folded again before the batch gives up on it.
const ATTEMPTS: u32 = 6;
/// As many items as DynamoDB writes in one transaction.
const TRANSACTION_WRITES: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Folds events into the rows of every view, in every generation that is written.
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

    /// The consumer that feeds this projector.
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
        let written: Vec<_> = view
            .map(|view| (view.clone(), generation.clone()))
            .into_iter()
            .collect();
        self.fold(&written, work).await
    }

    /// Folds work into the rows of each of these generations. Of one view, a newer generation comes first, and what it could not take
    /// an older one is not given: so it is never behind, and readers can go over to it at any moment.
    async fn fold(
        &self,
        written: &[(Arc<dyn View<P>>, Generation)],
        work: &[Work<'_, P>],
    ) -> Vec<Result<(), String>> {
        let mut results: Vec<Result<(), String>> = work.iter().map(|_| Ok(())).collect();
        let mut of_view = (None, (0..work.len()).collect::<Vec<_>>());
        for (view, generation) in written {
            if of_view.0 != Some(generation.view) {
                of_view = (Some(generation.view), (0..work.len()).collect());
            }
            let rows = Rows {
                projector: self,
                view: &**view,
                generation,
            };
            let todo = of_view.1.iter().filter_map(|place| work.get(*place));
            let folded = rows.fold(&todo.cloned().collect::<Vec<_>>()).await;
            let mut taken = vec![];
            for (place, row) in of_view.1.into_iter().zip(folded) {
                let folded = match (row, work.get(place)) {
                    (Ok(_), _) | (_, None) => Ok(()),
                    (Err(fault), Some(work)) => self.set_aside(generation, work, fault).await,
                };
                match (folded, results.get_mut(place)) {
                    (Ok(()), _) => taken.push(place),
                    (Err(cause), Some(result)) => *result = Err(cause),
                    (Err(_), None) => {}
                }
            }
            of_view.1 = taken;
        }
        results
    }

    /// Parks the streams of work that its row will never take, for this generation alone; why not, if that cannot be done now.
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
            tracing::warn!(owner, %stream, %correlation, version, cause, "stream parked: its row is refused");
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

    /// Each view with each generation of it that is written, the newest first.
    async fn written(&self) -> Result<Vec<(Arc<dyn View<P>>, Generation)>, TableError> {
        let names = self.views();
        let written = generations::written(&*self.tables, &names).await?;
        let mut pairs = vec![];
        for (view, generations) in self.views.iter().zip(written) {
            pairs.extend(
                generations
                    .into_iter()
                    .map(|generation| (view.clone(), generation)),
            );
        }
        Ok(pairs)
    }
}

#[async_trait]
impl<P: DomainEvent> Handler<P> for Projector<P> {
    async fn handle(&self, groups: &[Group<P>]) -> Vec<Result<(), Stop>> {
        let work: Vec<_> = groups.iter().map(Work::of).collect();
        let folded = match self.written().await {
            Ok(written) => self.fold(&written, &work).await,
            // Which generations there are is no trouble of one record.
            Err(error) => work.iter().map(|_| Err(error.to_string())).collect(),
        };
        // A group is one write a view, so it stops at its first record or not at all.
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
        // Streams are parked by generations of views alone.
        parked.owner == CONSUMER || matches!(parked.what, ParkedWhat::Stream { .. })
    }

    /// A record is taken as if it came anew, a stream is folded on from its item.
    async fn redrive(&self, parked: &Parked) -> Result<Redriven, TableError> {
        let ParkedWhat::Stream { stream, .. } = &parked.what else {
            return self.consumer().redrive(parked).await;
        };
        let mut written = self.written().await?.into_iter();
        let owner = written.find(|(_, generation)| generation.to_string() == parked.owner);
        let Some((view, generation)) = owner else {
            // Its generation is gone, and with it the rows it was parked for.
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

/// Why a row is not as it should be.
struct Fault {
    cause: String,
    /// True if trying again will not help.
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

/// Events of one subject, to be folded into its rows.
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
    /// How the counters change; `None` in a view that has none.
    counters: Option<Changes>,
}

/// What came of writing a row.
enum Written {
    /// It is written, or cannot be now.
    Done(Result<Row, Fault>),
    /// It is not what was read any more, and is to be read and folded again.
    Overtaken(String),
}

/// Cuts changes into transactions, each of at most so many rows, and of as many rows and counters as one may write.
fn pack(changes: Vec<(usize, Change)>, most: usize) -> Vec<Vec<(usize, Change)>> {
    let mut packs: Vec<Vec<(usize, Change)>> = vec![];
    let mut groups: BTreeSet<String> = BTreeSet::new();
    for (place, change) in changes {
        let own = change.counters.iter().flat_map(Changes::groups);
        let own: Vec<String> = own.map(str::to_owned).collect();
        groups.extend(own.iter().cloned());
        let room = |pack: &Vec<_>| {
            pack.len() < most && pack.len() + 1 + groups.len() <= TRANSACTION_WRITES
        };
        if let Some(pack) = packs.last_mut().filter(|pack| room(pack)) {
            pack.push((place, change));
        } else {
            groups = own.into_iter().collect();
            packs.push(vec![(place, change)]);
        }
    }
    packs
}

/// What came of one piece of work: the row as it then is, or a change of it that is still to be written.
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
    /// Folds each piece of work into its row. Reads all rows at once. Answers with the rows as they then are, or with why that could
    /// not be done now.
    async fn fold(&self, work: &[Work<'_, P>]) -> Vec<Result<Row, Fault>> {
        let World {
            tasks, randomness, ..
        } = &self.projector.world;
        let mut results: Vec<Result<Row, Fault>> = work
            .iter()
            .map(|work| {
                Err(Fault::again(format!(
                    "row of {} is written by too many at once",
                    work.subject
                )))
            })
            .collect();
        let mut left: Vec<usize> = (0..work.len()).collect();
        for attempt in 0..ATTEMPTS {
            if left.is_empty() {
                break;
            }
            if attempt > 0 {
                let pause = jittered(PAUSE, LONGEST_PAUSE, attempt - 1, randomness.fraction());
                tasks.sleep(pause).await;
            }
            let todo: Vec<_> = left.iter().filter_map(|place| work.get(*place)).collect();
            let mut changes = vec![];
            let mut settled = vec![];
            for (place, folded) in left.iter().copied().zip(self.compute(&todo).await) {
                match folded {
                    Ok(Folded::Is(row)) => settled.push((place, Written::Done(Ok(row)))),
                    Ok(Folded::Becomes(change)) => changes.push((place, *change)),
                    Err(cause) => settled.push((place, Written::Done(Err(cause)))),
                }
            }
            // What keeps a transaction from being made may be one row of it: at last each is tried by itself.
            let alone = attempt + 2 >= ATTEMPTS;
            settled.extend(self.write(changes, alone).await);
            left.clear();
            for (place, written) in settled {
                let (result, again) = match written {
                    Written::Done(result) => (result, false),
                    Written::Overtaken(cause) => (Err(Fault::again(cause)), true),
                };
                if let Some(slot) = results.get_mut(place) {
                    *slot = result;
                }
                if again {
                    left.push(place);
                }
            }
            left.sort_unstable();
        }
        results
    }

    /// What each row becomes.
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

    /// Writes rows: each by itself, or with their counters, many in a transaction.
    async fn write(&self, changes: Vec<(usize, Change)>, alone: bool) -> Vec<(usize, Written)> {
        let (counted, plain): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .partition(|(_, change)| change.counters.is_some());
        let singles = plain
            .into_iter()
            .map(|(place, change)| self.write_one(place, change));
        let singles: Vec<_> = singles.collect();
        let mut all: Vec<_> = stream::iter(singles).buffered(CONCURRENCY).collect().await;
        // One after the other, since they may add to the same counters.
        let most = if alone { 1 } else { TRANSACTION_WRITES };
        for packed in pack(counted, most) {
            all.extend(self.transact(packed).await);
        }
        all
    }

    async fn write_one(&self, place: usize, change: Change) -> (usize, Written) {
        let write = change.update.clone().into();
        let written = match self.projector.tables.write(&write).await {
            Ok(()) => Written::Done(self.written(change).await),
            // Another invocation wrote it, or we did and the answer was lost: read, and see what is still to do.
            Err(error @ WriteError::ConditionFailed) => Written::Overtaken(error.to_string()),
            Err(WriteError::Table(error)) => Written::Done(Err(Fault::from(&error))),
        };
        (place, written)
    }

    /// Writes rows and what they change in the counters, all or nothing.
    async fn transact(&self, mut packed: Vec<(usize, Change)>) -> Vec<(usize, Written)> {
        let mut changes = Changes::default();
        let mut writes: Vec<Write> = vec![];
        for (_, change) in &packed {
            changes.add(change.counters.as_ref().unwrap_or(&Changes::default()));
            writes.push(change.update.clone().into());
        }
        if let Some((_, first)) = packed.first() {
            writes.extend(changes.writes(self.generation, first.subject));
        }
        // One row that changes no counter needs no transaction, which costs twice as much.
        if writes.len() == 1
            && let Some((place, change)) = packed.pop()
        {
            return vec![self.write_one(place, change).await];
        }
        let alone = packed.len() == 1;
        let written = self.projector.tables.transact(&writes).await;
        let mut all = vec![];
        for (place, change) in packed {
            all.push((
                place,
                match &written {
                    Ok(()) => Written::Done(self.written(change).await),
                    Err(TransactError::Table(error @ TableError::Refused(_))) if alone => {
                        Written::Done(Err(error.into()))
                    }
                    // As above; or another transaction was at the same counters, and nothing was written.
                    Err(error) => Written::Overtaken(error.to_string()),
                },
            ));
        }
        all
    }

    /// What follows once a row is written.
    async fn written(&self, change: Change) -> Result<Row, Fault> {
        // Lost to a crash here, an entry of the parking lot outlives its trouble: a redrive finds nothing to do, and removes it.
        let unparked = self
            .unpark(change.subject, &change.before, &change.after)
            .await;
        unparked.map_err(|error| Fault::from(&error))?;
        Ok(change.after)
    }

    /// Folds what a stream has and its row lacks.
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
                Redriven::StillParked("the stream still cannot be folded".into())
            }
            Some(Err(fault)) if fault.is_permanent => Redriven::StillParked(fault.cause),
            Some(Err(fault)) => Redriven::NotNow(fault.cause),
            Some(Ok(_)) | None => Redriven::Done,
        }
    }

    /// Folds one event, and before it what the row lacks of its stream.
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
        // A gap, or a stream that was blocked, of which later events have come and gone: its item has every committed event.
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

    /// Folds the next event of its stream; false if the view cannot, and the stream is parked.
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

    /// Parks the stream for this view, from `version` on. The row goes on with the subject's other streams.
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

    /// Takes out of the parking lot the streams that the row was blocked on and is no longer.
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
