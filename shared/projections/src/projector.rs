//! Keeping every view up to date.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use consumer::{
    Consumer, Group, Handler, Parked, ParkedWhat, Parking, Reason, Redrive, Redriven, Stop, Trouble,
};
use event_store::{StreamError, StreamReader};
use events::{DecodeError, Event, IdReserva, Payload, StreamId, Version};
use futures::{StreamExt, stream};
use ports::{Consistency, Item, TableError, Tables, World, WriteError, jittered};

use crate::{Generation, View, generations, row::Row};

/// The name that records are parked under: that of the function that feeds the views.
pub const CONSUMER: &str = "projector";

/// Rows worked on at once.
const CONCURRENCY: usize = 16;
/// How often a row that others write too is read and folded again before the batch gives up on it.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Folds events into the rows of every view, in every generation that is written.
pub struct Projector {
    tables: Arc<dyn Tables>,
    reader: StreamReader,
    parking: Parking,
    world: World,
    views: Vec<Arc<dyn View>>,
}

impl Projector {
    /// A projector of `views`.
    #[must_use]
    pub fn new(
        tables: Arc<dyn Tables>,
        reader: StreamReader,
        world: World,
        views: Vec<Arc<dyn View>>,
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
    pub fn consumer(&self) -> Consumer<'_> {
        Consumer {
            name: CONSUMER,
            reader: &self.reader,
            parking: &self.parking,
            handler: self,
        }
    }

    /// The parking lot.
    #[must_use]
    pub fn parking(&self) -> &Parking {
        &self.parking
    }

    /// Each view with each generation of it that is written.
    async fn written(&self) -> Result<Vec<(Arc<dyn View>, Generation)>, TableError> {
        let names: Vec<_> = self.views.iter().map(|view| view.name()).collect();
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
impl Handler for Projector {
    async fn handle(&self, groups: &[Group]) -> Vec<Result<(), Stop>> {
        let written = match self.written().await {
            Ok(written) => written,
            Err(error) => return stop_all(groups, &error.to_string()),
        };
        let mut results: Vec<Result<(), Stop>> = groups.iter().map(|_| Ok(())).collect();
        for (view, generation) in &written {
            let rows = Rows {
                projector: self,
                view: &**view,
                generation,
            };
            for (result, of_this_view) in results.iter_mut().zip(rows.fold_groups(groups).await) {
                if of_this_view.is_err() {
                    *result = of_this_view;
                }
            }
        }
        results
    }
}

#[async_trait]
impl Redrive for Projector {
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

/// A group is one write, so it stops at its first record or not at all.
fn stop(group: &Group, cause: &str) -> Stop {
    let place = group.events.first().map_or(0, |incoming| incoming.place);
    Stop {
        place,
        cause: cause.to_owned(),
    }
}

fn stop_all(groups: &[Group], cause: &str) -> Vec<Result<(), Stop>> {
    groups.iter().map(|group| Err(stop(group, cause))).collect()
}

fn malformed(subject: IdReserva, error: &serde_json::Error) -> String {
    format!("the row of {subject} is malformed: {error}")
}

/// The rows of one generation of one view.
struct Rows<'a> {
    projector: &'a Projector,
    view: &'a dyn View,
    generation: &'a Generation,
}

impl Rows<'_> {
    /// Folds each group into its row. Reads all rows at once, writes each row once.
    async fn fold_groups(&self, groups: &[Group]) -> Vec<Result<(), Stop>> {
        let keys: Vec<_> = groups
            .iter()
            .map(|group| Row::key(self.generation, group.subject))
            .collect();
        let items = match self.projector.tables.get(&keys, Consistency::Strong).await {
            Ok(items) => items,
            Err(error) => return stop_all(groups, &error.to_string()),
        };
        let mut work = Vec::with_capacity(groups.len());
        for (group, item) in groups.iter().zip(items) {
            work.push(self.fold_group(group, item));
        }
        stream::iter(work).buffered(CONCURRENCY).collect().await
    }

    async fn fold_group(&self, group: &Group, item: Option<Item>) -> Result<(), Stop> {
        let events: Vec<_> = group
            .events
            .iter()
            .map(|incoming| (&incoming.event, &incoming.payload))
            .collect();
        let folded = match Row::from_item(item) {
            Ok(row) => self.fold_into(group.subject, row, &events).await,
            Err(error) => Err(malformed(group.subject, &error)),
        };
        folded.map(|_| ()).map_err(|cause| stop(group, &cause))
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
        let events: Vec<_> = last
            .iter()
            .map(|stored| (&stored.event, &stored.payload))
            .collect();
        let folded = match self.read(id.id).await {
            Ok(before) => self.fold_into(id.id, before, &events).await,
            Err(error) => Err(error),
        };
        match folded {
            Ok(row) if row.blocked.contains_key(id.context.stream_prefix()) => {
                Redriven::StillParked("the stream still cannot be folded".into())
            }
            Ok(_) => Redriven::Done,
            Err(cause) => Redriven::NotNow(cause),
        }
    }

    async fn read(&self, subject: IdReserva) -> Result<Row, String> {
        let key = Row::key(self.generation, subject);
        let item = self
            .projector
            .tables
            .get_one(&key, Consistency::Strong)
            .await;
        let item = item.map_err(|error| error.to_string())?;
        Row::from_item(item).map_err(|error| malformed(subject, &error))
    }

    /// Folds events into the row of `subject`, which was read as `before`. Answers with the row as it then is, or
    /// with why that could not be done now.
    async fn fold_into(
        &self,
        subject: IdReserva,
        mut before: Row,
        events: &[(&Event, &Payload)],
    ) -> Result<Row, String> {
        let Projector { tables, world, .. } = self.projector;
        let key = Row::key(self.generation, subject);
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                let chance = world.randomness.fraction();
                world
                    .tasks
                    .sleep(jittered(PAUSE, LONGEST_PAUSE, attempt - 1, chance))
                    .await;
                before = self.read(subject).await?;
            }
            let mut row = before.clone();
            for (event, payload) in events {
                let folded = self.fold_event(&mut row, event, payload).await;
                folded.map_err(|error| error.to_string())?;
            }
            let Some(update) = row.update(&before, key.clone(), self.generation, self.view) else {
                return Ok(row);
            };
            match tables.write(&update.into()).await {
                Ok(()) => {
                    // Lost to a crash here, an entry of the parking lot outlives its trouble: a redrive finds nothing to do, and
                    // removes it.
                    let unparked = self.unpark(subject, &before, &row).await;
                    unparked.map_err(|error| error.to_string())?;
                    return Ok(row);
                }
                // Another invocation wrote it, or we did and the answer was lost: read, and see what is still to do.
                Err(WriteError::ConditionFailed) => {}
                Err(WriteError::Table(error)) => return Err(error.to_string()),
            }
        }
        Err(format!("row {} is written by too many at once", key.pk))
    }

    /// Folds one event, and before it what the row lacks of its stream.
    async fn fold_event(
        &self,
        row: &mut Row,
        event: &Event,
        payload: &Payload,
    ) -> Result<(), TableError> {
        let prefix = event.stream.context.stream_prefix();
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
        payload: &Payload,
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
        let prefix = event.stream.context.stream_prefix();
        row.own = own;
        row.guard.insert(prefix.to_owned(), event.streamversion);
        row.blocked.remove(prefix);
        Ok(true)
    }

    /// Parks the stream for this view, from `version` on. The row goes on with the reservation's other streams.
    async fn block(
        &self,
        row: &mut Row,
        stream: StreamId,
        version: Version,
        reason: Reason,
        why: &str,
    ) -> Result<(), TableError> {
        row.blocked
            .insert(stream.context.stream_prefix().to_owned(), version);
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
        subject: IdReserva,
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
