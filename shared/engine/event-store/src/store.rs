//! The protocol of a command: read, decide, commit, publish.

use std::{sync::Arc, time::Duration};

use alpes_messages::{
    Catalogue, Command, DomainEvent, Event, EventId, Moment, NewEvent, Origin, Problem, Reply,
    StreamId, Version,
};
use alpes_ports::{
    Condition, Log, LogError, NewRecord, Path, TableError, Tables, TransactError, Update, World,
    Write, WriteError, due, jittered,
};
use thiserror::Error;

use crate::{
    Case, Decider, Decision, Receipt, Route, StoreRefusal, Stream, StreamError, StreamReader,
};

/// The limits of a store.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The number of attempts (read, decide, commit) before the store returns an error.
    pub attempts: u32,
    /// The longest pause before the second attempt. This limit doubles for each further attempt, and each pause is a
    /// random part of its limit.
    pub pause: Duration,
    /// The longest pause before any attempt.
    pub longest_pause: Duration,
    /// The size limit of a stream's item, in bytes. DynamoDB's own limit is 409,600.
    pub stream_bytes: usize,
    /// The size limit for a command that undoes another, in bytes. The limit is larger than `stream_bytes`, so that
    /// every action can be undone.
    pub stream_bytes_undoing: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempts: 10,
            pause: Duration::from_millis(10),
            longest_pause: Duration::from_millis(500),
            stream_bytes: 320 * 1024,
            stream_bytes_undoing: 384 * 1024,
        }
    }
}

/// The outcome of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Handled {
    /// The command took effect, now or at an earlier delivery.
    Committed {
        /// The events of the command.
        events: Vec<Event>,
        /// True if all these events are known to be in the log. If false, the next command on the stream or the sweeper
        /// appends the missing events.
        appended: bool,
    },
    /// The command was refused, and nothing was stored.
    Rejected(Problem),
}

/// The command had no effect, or its outcome is unknown. Sending it again with the same id is safe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HandleError {
    /// Other commands on the stream overtook every attempt to commit. Nothing was stored.
    #[error("stream {0} is too busy: each attempt was overtaken by another command")]
    Contention(StreamId),
    /// The table, the log or a source of the decision did not answer.
    #[error("the infrastructure did not answer: {0}")]
    Unavailable(String),
    /// The command took effect, but its events are not yet known to be in the log.
    #[error("the events of the command are committed, but not yet in the log")]
    NotAppended,
    /// The infrastructure refuses the request, or the stream cannot be read. A retry fails until a person has fixed the
    /// cause.
    #[error("{0}")]
    Broken(String),
}

impl Handled {
    /// The reply to a caller that waits until the events are in the log.
    ///
    /// # Errors
    ///
    /// [`HandleError::NotAppended`] if the events are committed and their append is not confirmed.
    pub fn into_reply(self) -> Result<Reply, HandleError> {
        match self {
            Self::Committed {
                appended: false, ..
            } => Err(HandleError::NotAppended),
            Self::Committed { events, .. } => Ok(Reply::Eventos { eventos: events }),
            Self::Rejected(problem) => Ok(Reply::Rechazado { problema: problem }),
        }
    }
}

impl From<TableError> for HandleError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Unavailable(text) => Self::Unavailable(text),
            TableError::Refused(text) => Self::Broken(text),
        }
    }
}

impl From<StreamError> for HandleError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Table(error) => error.into(),
            other => Self::Broken(other.to_string()),
        }
    }
}

/// Commits events and publishes them.
///
/// ```
/// use std::sync::Arc;
///
/// use alpes_event_store::{EventStore, Handled};
/// use futures::executor::block_on;
/// use serde_json::json;
/// use toy::{loan, loans::Desk};
/// use twins::{MemoryLog, MemoryTables, world};
///
/// let (world, _) = world(1);
/// let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
/// let store = EventStore::new(Arc::new(MemoryTables::new()), log.clone(), world, toy::catalogue());
///
/// let open = toy::command(1, "OpenLoan", loan(7), json!({ "reader": "ana" }));
/// let handled = block_on(store.handle(&Desk, &open))?;
/// assert!(matches!(&handled, Handled::Committed { events, appended: true } if events[0].kind == "LoanOpened"));
///
/// // The same id takes effect once.
/// assert_eq!(block_on(store.handle(&Desk, &open))?, handled);
/// assert_eq!(log.records().len(), 1);
/// # Ok::<(), alpes_event_store::HandleError>(())
/// ```
#[derive(Clone)]
pub struct EventStore<P> {
    tables: Arc<dyn Tables>,
    log: Arc<dyn Log>,
    world: World,
    reader: StreamReader<P>,
    limits: Limits,
}

/// A command with its route and the hash of its body.
struct Asked<'a, P: DomainEvent> {
    decider: &'a dyn Decider<P>,
    command: &'a Command,
    route: Route,
    hash: String,
}

impl<P: DomainEvent> Asked<'_, P> {
    fn refused(&self, why: StoreRefusal) -> Handled {
        Handled::Rejected(self.decider.refuse(why))
    }
}

/// The outcome of one attempt.
enum Try<T> {
    /// The attempt is final, with this result.
    Ended(T),
    /// The write failed, or its outcome is unknown: read the stream again to find out.
    ReadAgain(HandleError),
    /// The stream was as expected, but some of the decision's own writes had conditions that did not hold. The
    /// positions of these writes count from 0.
    Refused(Vec<usize>),
}

impl<P: DomainEvent> EventStore<P> {
    /// A store over `tables` and `log` that decodes the types of `catalogue`.
    #[must_use]
    pub fn new(
        tables: Arc<dyn Tables>,
        log: Arc<dyn Log>,
        world: World,
        catalogue: Catalogue<P>,
    ) -> Self {
        let reader = StreamReader::new(tables.clone(), catalogue);
        Self {
            tables,
            log,
            world,
            reader,
            limits: Limits::default(),
        }
    }

    /// The same store with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The reader of the store's streams.
    #[must_use]
    pub fn reader(&self) -> &StreamReader<P> {
        &self.reader
    }

    /// Handles a command. The command takes effect once, even if calls fail and the command is sent several times.
    ///
    /// Without failures, a command with one event costs three calls on a new stream and four on an existing one.
    ///
    /// # Errors
    ///
    /// See [`HandleError`]; after each, sending the command again is safe.
    pub async fn handle(
        &self,
        decider: &dyn Decider<P>,
        command: &Command,
    ) -> Result<Handled, HandleError> {
        let asked = Asked {
            decider,
            command,
            route: decider.route(command),
            hash: command.body_hash(),
        };
        let mut refused = vec![];
        let mut failure = HandleError::Contention(asked.route.stream);
        for attempt in 0..self.limits.attempts {
            if attempt > 0 {
                self.pause(attempt - 1).await;
            }
            // A command that opens its stream is tried first without reading: the condition of its write expects an
            // empty stream.
            let unread = attempt == 0 && asked.route.opens;
            let stream = match self.expected(asked.route.stream, unread).await {
                Err(StreamError::Table(TableError::Unavailable(text))) => {
                    failure = HandleError::Unavailable(text);
                    continue;
                }
                stream => stream?,
            };
            match self.attempt(&asked, &stream, unread, &refused).await? {
                Try::Ended(handled) => return Ok(handled),
                Try::Refused(places) => refused = places,
                Try::ReadAgain(error) => {
                    failure = error;
                    refused.clear();
                }
            }
        }
        Err(failure)
    }

    /// The stream as read from the table, or an empty stream if `unread`.
    async fn expected(&self, id: StreamId, unread: bool) -> Result<Stream, StreamError> {
        if unread {
            return Ok(Stream::empty(id));
        }
        self.reader.read_one(id).await
    }

    /// One attempt on this stream: answers from a receipt, or decides and commits.
    async fn attempt(
        &self,
        asked: &Asked<'_, P>,
        stream: &Stream,
        unread: bool,
        refused: &[usize],
    ) -> Result<Try<Handled>, HandleError> {
        if let Some(receipt) = stream.receipts.get(&asked.command.id) {
            let handled = self.handled_before(asked, stream, receipt).await?;
            return Ok(Try::Ended(handled));
        }
        // Pending events go to the log before the next commit, so that the log keeps their order.
        self.publish_pending(stream).await?;
        let history = stream.history(self.reader.catalogue())?;
        let case = Case {
            history: &history,
            command: asked.command,
            now: self.now(),
            refused,
        };
        let decision = asked.decider.decide(&case).await;
        match decision.map_err(|error| HandleError::Unavailable(error.to_string()))? {
            // This attempt did not read the stream, which may have a receipt of the command. A receipt decides, even if
            // the rules have changed since the command was accepted. So read the stream.
            Decision::Reject(_) if unread => {
                Ok(Try::ReadAgain(HandleError::Contention(asked.route.stream)))
            }
            Decision::Reject(problem) => Ok(Try::Ended(Handled::Rejected(problem))),
            Decision::Already(events) => Ok(Try::Ended(Handled::Committed {
                events,
                appended: true,
            })),
            Decision::Commit { events, with } => {
                let events = self.place(stream, asked.command, events, case.now);
                self.commit(asked, stream, events, with, case.now).await
            }
        }
    }

    /// The answer to a command that has its receipt in the stream.
    async fn handled_before(
        &self,
        asked: &Asked<'_, P>,
        stream: &Stream,
        receipt: &Receipt,
    ) -> Result<Handled, HandleError> {
        if receipt.hash != asked.hash {
            return Ok(asked.refused(StoreRefusal::KeyReused));
        }
        let events = stream.decode(self.reader.catalogue(), receipt.from, receipt.to)?;
        let appended = stream.published >= receipt.to || self.publish_pending(stream).await.is_ok();
        Ok(Handled::Committed {
            events: events.into_iter().map(|stored| stored.event).collect(),
            appended,
        })
    }

    /// Commits these events together with the decision's own writes, and then publishes the events.
    async fn commit(
        &self,
        asked: &Asked<'_, P>,
        stream: &Stream,
        events: Vec<Event>,
        with: Vec<Write>,
        now: Moment,
    ) -> Result<Try<Handled>, HandleError> {
        let texts = events.iter().map(Event::encode);
        let texts: Vec<_> = texts.collect::<Result<_, _>>().map_err(broken)?;
        let added: usize = texts.iter().map(String::len).sum();
        let bytes = self.room(asked);
        if stream.size() + added > bytes {
            let full = StoreRefusal::StreamFull { bytes };
            return Ok(Try::Ended(asked.refused(full)));
        }
        let commit = stream.commit(&texts, asked.command.id, &asked.hash, now);
        match self.write(commit, with).await? {
            Try::Ended(()) => {}
            Try::Refused(places) => return Ok(Try::Refused(places)),
            Try::ReadAgain(error) => return Ok(Try::ReadAgain(error)),
        }
        let added = Version::try_from(texts.len()).unwrap_or(Version::MAX);
        let to = stream.version().saturating_add(added);
        let texts = texts.iter().map(String::as_str);
        let appended = self.publish(asked.route.stream, texts, to).await.is_ok();
        Ok(Try::Ended(Handled::Committed { events, appended }))
    }

    /// The size limit of the stream's item for this command, in bytes.
    fn room(&self, asked: &Asked<'_, P>) -> usize {
        if asked.route.undoes {
            self.limits.stream_bytes_undoing
        } else {
            self.limits.stream_bytes
        }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn tables(&self) -> &Arc<dyn Tables> {
        &self.tables
    }

    fn now(&self) -> Moment {
        self.world.clock.now().into()
    }

    async fn pause(&self, attempt: u32) {
        let Limits {
            pause,
            longest_pause,
            ..
        } = self.limits;
        let pause = jittered(
            pause,
            longest_pause,
            attempt,
            self.world.randomness.fraction(),
        );
        self.world.tasks.sleep(pause).await;
    }

    fn place(
        &self,
        stream: &Stream,
        command: &Command,
        new: Vec<NewEvent>,
        time: Moment,
    ) -> Vec<Event> {
        (stream.version() + 1..)
            .zip(new)
            .map(|(version, new)| {
                let id = EventId(self.world.ids.fresh());
                Event::placed(
                    new,
                    Origin {
                        command,
                        stream: stream.id,
                        version,
                        id,
                        time,
                    },
                )
            })
            .collect()
    }

    /// Writes a commit and the decision's own writes, all or none.
    async fn write(&self, commit: Update, with: Vec<Write>) -> Result<Try<()>, HandleError> {
        let stream = commit.key.pk.clone();
        let overtaken = || {
            let id = stream.parse().map_err(broken)?;
            Ok(Try::ReadAgain(HandleError::Contention(id)))
        };
        let table_error = |error| match error {
            // The write may have happened: the receipt in the stream shows whether it did.
            TableError::Unavailable(text) => Ok(Try::ReadAgain(HandleError::Unavailable(text))),
            TableError::Refused(text) => Err(HandleError::Broken(text)),
        };
        if with.is_empty() {
            return match self.tables.write(&commit.into()).await {
                Ok(()) => Ok(Try::Ended(())),
                // Another command overtook this one, or an earlier write of this one succeeded and its answer was lost.
                // The receipts in the stream show which of the two happened.
                Err(WriteError::ConditionFailed) => overtaken(),
                Err(WriteError::Table(error)) => table_error(error),
            };
        }
        let writes: Vec<_> = std::iter::once(Write::from(commit)).chain(with).collect();
        match self.tables.transact(&writes).await {
            Ok(()) => Ok(Try::Ended(())),
            Err(TransactError::ConditionsFailed(places)) if places.contains(&0) => overtaken(),
            Err(TransactError::ConditionsFailed(places)) => Ok(Try::Refused(
                places.into_iter().map(|place| place - 1).collect(),
            )),
            Err(TransactError::Table(error)) => table_error(error),
        }
    }

    /// Appends the committed events that are not known to be in the log. If all events are known to be in the log, the
    /// method makes no call.
    ///
    /// # Errors
    ///
    /// [`HandleError::Unavailable`] or [`HandleError::Broken`] if some events could not be appended.
    pub async fn publish_pending(&self, stream: &Stream) -> Result<(), HandleError> {
        if stream.published == stream.version() {
            return Ok(());
        }
        self.publish(stream.id, stream.pending(), stream.version())
            .await
    }

    /// Appends `texts`, the texts of events up to version `to`, and then marks these events as published.
    async fn publish(
        &self,
        id: StreamId,
        texts: impl Iterator<Item = &str>,
        to: Version,
    ) -> Result<(), HandleError> {
        let (key, mut after) = (id.id.to_string(), None);
        for text in texts {
            let record = NewRecord {
                partition_key: &key,
                data: text.as_bytes(),
                after: after.as_ref(),
            };
            let appended = self.log.append(record).await;
            after = Some(appended.map_err(|error| match error {
                LogError::Unavailable(text) => HandleError::Unavailable(text),
                LogError::Refused(text) => HandleError::Broken(text),
            })?);
        }
        if let Err(error) = self.note_published(id, to).await {
            // The events are in the log, but `published` does not count them. So a later publication appends them once
            // more, which is harmless.
            tracing::warn!(stream = %id, version = to, %error, "could not mark events as published");
        }
        Ok(())
    }

    async fn note_published(&self, id: StreamId, to: Version) -> Result<(), TableError> {
        let update = || Update::of(Stream::key(id)).set(Path::of("published"), to);
        let behind = || Condition::Less(Path::of("published"), i64::from(to));
        let newest = Condition::Equals(Path::of("version"), to.into());
        let and_done = due::leave(update().when(Condition::All(vec![behind(), newest])));
        // The first write also removes the stream from the sweeper's index. If a newer commit came meanwhile, the
        // second write leaves the stream in the index.
        for attempt in [and_done, update().when(behind())] {
            match self.tables.write(&attempt.into()).await {
                Ok(()) => return Ok(()),
                Err(WriteError::ConditionFailed) => {}
                Err(WriteError::Table(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

fn broken(error: impl std::fmt::Display) -> HandleError {
    HandleError::Broken(error.to_string())
}
