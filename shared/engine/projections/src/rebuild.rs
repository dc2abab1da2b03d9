//! Rebuilding a view while it serves.
//!
//! ```text
//! begin ─► survey ─► archive ─► log ─► switch ─► retire ─► drop
//!   │         │         │        │       │         │        └ delete the old generation's items
//!   │         │         │        │       │         └ the projector stops writing the old one, once no reader knows it any more
//!   │         │         │        │       └ readers go over to the new one, all of them a few seconds later
//!   │         │         └────────┴ fold every event there ever was into the new one
//!   │         └ list the archive, to know from where on the log is to be read
//!   └ from now on the projector writes both
//! ```
//!
//! What arrived before both were written is in the archive or in the log, and is replayed; what arrives after is written by the
//! projector. The two may overlap, since folding is idempotent. So once the log has been read up to a moment at which both were
//! surely written, the new generation lacks nothing, and is never behind the old one: the projector writes it first.
//!
//! All of it is one item, the view's alias, and each step one write of it on condition that nobody else wrote. So a rebuild that is
//! stopped anywhere goes on where it was, and two that run at once disturb nothing: one of them hears that it was overtaken. So that
//! they do not do the same work, a run claims the rebuild while it works; the claim of one that died is void after a minute.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use alpes_archive::{Archive, ArchiveError, Survey};
use alpes_consumer::{Reason, Trouble};
use alpes_messages::{DecodeError, DomainEvent, Event, Moment, SubjectId};
use alpes_ports::{
    Condition, Consistency, FunctionName, Item, Key, LogError, LogReader, LogRecord, Path,
    Position, SequenceNumber, TableError, Tables, World, Write, WriteError,
};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use crate::{
    Generation, Projector, TABLE,
    generations::{HANDOVER, alias_key},
    projector::{CONSUMER, Work},
};

/// From when on both generations are surely written: clocks differ a little, and a record can be read a little after it arrived.
const SETTLED: SignedDuration = SignedDuration::from_secs(10);
/// No reader goes on with a generation for so long once another lives: until they go over to it ([`HANDOVER`]), and for as long as
/// a request may take.
const READERS: SignedDuration = SignedDuration::from_secs(30);
/// No invocation of the projector takes so long.
const WRITERS: SignedDuration = SignedDuration::from_secs(90);
/// Objects of the archive that are replayed between two notes of how far it is.
const OBJECTS: usize = 16;
/// Rows that are folded between two looks at the clock.
const ROWS: usize = 500;
/// Whoever works at a rebuild notes how far it is more often than this.
const LEFT: SignedDuration = SignedDuration::from_secs(60);
/// After this long it is noted again that somebody works at it, though it got no further.
const STILL_AT_IT: SignedDuration = SignedDuration::from_secs(15);
/// Items deleted side by side.
const DELETES: usize = 16;

/// What a rebuild does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Lists the archive.
    Survey,
    /// Replays the archive.
    Archive,
    /// Replays the log, from where the archive ends.
    Log,
    /// The new generation lives. Waits until nobody reads the old one.
    Retire,
    /// Waits until nobody writes the old one, and deletes it.
    Drop,
}

/// How far a rebuild is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The generation that is built, or was.
    pub generation: Generation,
    /// What it does; `None` once all is done.
    pub phase: Option<Phase>,
    /// Objects of the archive that are replayed.
    pub objects: u64,
    /// Objects of the archive that are listed: all of them, once they are replayed. Some can be added meanwhile.
    pub listed: u64,
    /// Events folded so far, each as often as it was read.
    pub events: u64,
    /// Records that are no events of this build, and are passed by: the projector has parked them.
    pub foreign: u64,
    /// When the last record that was replayed arrived.
    pub reached: Option<Moment>,
    /// The log is replayed up to what arrived by then.
    pub goal: Moment,
    /// Nothing can be done before so much time has passed.
    pub wait: Duration,
}

/// What can go wrong with a rebuild. Running it again goes on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RebuildError {
    /// There is no such view.
    #[error("there is no view {0}; there are: {1}")]
    NoSuchView(String, String),
    /// There is no rebuild of the view that could go on.
    #[error("the view {0} is not being rebuilt")]
    NotRebuilding(&'static str),
    /// It is past the point of return.
    #[error("the new generation of {0} lives already; the old one is only being put away")]
    Switched(&'static str),
    /// Another run is at it.
    #[error("the view {0} is being rebuilt by another run")]
    Overtaken(&'static str),
    /// Some rows could not be written now.
    #[error("events could not be folded: {0}")]
    Fold(String),
    /// The tables failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// The item that names the generations of a view.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Alias {
    /// Counts the writes; 0 if it is not there.
    rev: u64,
    /// The run that wrote it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    writer: Option<Uuid>,
    /// The generation that readers see, or will from `since` on.
    live: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    building: Option<u32>,
    /// The one before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    retiring: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Moment>,
    /// The greatest number ever used. None is used again: something late may still write to it.
    last: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuild: Option<Job>,
}

impl Default for Alias {
    fn default() -> Self {
        Self {
            rev: 0,
            writer: None,
            live: 1,
            building: None,
            retiring: None,
            since: None,
            last: 1,
            rebuild: None,
        }
    }
}

impl Alias {
    fn from_item(view: &str, item: Option<Item>) -> Result<Self, TableError> {
        let alias = item.map(|item| serde_json::from_value(Value::Object(item)));
        let alias = alias.transpose().map_err(|error| {
            TableError::Refused(format!("the alias of {view} is malformed: {error}"))
        })?;
        Ok(alias.unwrap_or_default())
    }
}

/// A rebuild under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    phase: Phase,
    /// Since when.
    since: Moment,
    /// When how far it is was last noted.
    noted: Moment,
    /// True while a run is at it; until a minute has passed since `noted`, if it died.
    #[serde(default)]
    working: bool,
    /// The generation that is built.
    new: u32,
    /// The one that goes.
    old: u32,
    /// The last object of the archive that is listed, then the last one that is replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    /// Shard -> its last object, of those listed so far; only of shards that the log has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    last: BTreeMap<String, String>,
    /// Shard -> the last record of it that is replayed, or will be from the archive.
    #[serde(default)]
    shards: BTreeMap<String, String>,
    /// The last item of the table that was looked at, while deleting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item: Option<(String, String)>,
    /// How many objects are listed, and how many of them replayed.
    #[serde(default)]
    listed: u64,
    #[serde(default)]
    objects: u64,
    #[serde(default)]
    events: u64,
    #[serde(default)]
    foreign: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reached: Option<Moment>,
}

impl Job {
    /// When both generations were surely written, if it has not switched yet.
    fn settled(&self) -> Timestamp {
        let begun = self.since.timestamp();
        begun.saturating_add(SETTLED).unwrap_or_default()
    }

    /// True if nobody has noted for a minute how far it is.
    fn is_left(&self, now: Timestamp) -> bool {
        now.duration_since(self.noted.timestamp()) > LEFT
    }
}

/// Rebuilds views.
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use alpes_archive::Archive;
/// use alpes_event_store::{EventStore, StreamReader};
/// use alpes_projections::{Projector, Rebuilder};
/// use futures::executor::block_on;
/// use serde_json::json;
/// use toy::{loan, loans::Desk, views};
/// use twins::{MemoryLog, MemoryObjects, MemoryTables, world};
///
/// let (world, clock) = world(1);
/// let tables = Arc::new(MemoryTables::new());
/// let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
/// let store = EventStore::new(tables.clone(), log.clone(), world.clone(), toy::catalogue());
/// block_on(store.handle(&Desk, &toy::command(1, "OpenLoan", loan(7), json!({}))))?;
///
/// let reader = StreamReader::new(tables.clone(), toy::catalogue());
/// let rebuilder = Rebuilder {
///     projector: Projector::new(tables, reader, world, views::registry()),
///     archive: Archive::new(Arc::new(MemoryObjects::new())),
///     log,
/// };
/// // As often as it asks for: it keeps how far it is.
/// loop {
///     let progress = block_on(rebuilder.run("loans", Duration::from_secs(5)))?;
///     if progress.phase.is_none() {
///         assert_eq!(progress.generation.number, 2);
///         break;
///     }
///     clock.advance(progress.wait);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rebuilder<P> {
    /// Folds, in the views that it has.
    pub projector: Projector<P>,
    /// What is older than the log.
    pub archive: Archive,
    /// The log.
    pub log: Arc<dyn LogReader>,
}

/// The views whose rebuild was begun, not ended, and not gone on with for a minute: whoever ran it has left it.
///
/// # Errors
///
/// See [`TableError`].
pub async fn left_alone<P: DomainEvent>(
    projector: &Projector<P>,
) -> Result<Vec<&'static str>, TableError> {
    let views = projector.views();
    let keys: Vec<_> = views.iter().map(|view| alias_key(view)).collect();
    let items = projector.tables().get(&keys, Consistency::Eventual).await?;
    let now = projector.world().clock.now();
    let mut found = vec![];
    for (view, item) in views.into_iter().zip(items) {
        match Alias::from_item(view, item) {
            Ok(alias) if alias.rebuild.as_ref().is_some_and(|job| job.is_left(now)) => {
                found.push(view);
            }
            Ok(_) => {}
            // Another build's: that one sees to it.
            Err(error) => tracing::warn!(view, %error, "passed by"),
        }
    }
    Ok(found)
}

/// The function that rebuilds views.
pub const REBUILDER: FunctionName = FunctionName("rebuilder");

/// What [`REBUILDER`] is invoked with to go on with a view, if a rebuild of it was begun.
#[must_use]
pub fn go_on(view: &str) -> Vec<u8> {
    json!({ "view": view, "action": "resume" })
        .to_string()
        .into_bytes()
}

/// A run: what it works on, and until when.
struct Run<'a, P> {
    id: Uuid,
    rebuilder: &'a Rebuilder<P>,
    view: &'static str,
    alias: Alias,
    end: Timestamp,
}

impl<P: DomainEvent> Rebuilder<P> {
    /// Begins to rebuild a view, or goes on with it, for about `budget`. Run it again until it is done, after the time that it says.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`]; running it again goes on.
    pub async fn run(&self, view: &str, budget: Duration) -> Result<Progress, RebuildError> {
        let mut run = self.load(view, budget).await?;
        if run.alias.rebuild.is_none() {
            run.begin().await?;
        } else {
            run.claim().await?;
        }
        run.work().await
    }

    /// Goes on with the rebuild of a view that was begun, as [`Rebuilder::run`], and begins none.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`].
    pub async fn resume(&self, view: &str, budget: Duration) -> Result<Progress, RebuildError> {
        let mut run = self.load(view, budget).await?;
        run.claim().await?;
        run.work().await
    }

    /// Gives a rebuild up, as long as readers do not see what it built. What it built is dropped by going on with it.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`].
    pub async fn abandon(&self, view: &str) -> Result<Progress, RebuildError> {
        let mut run = self.load(view, Duration::ZERO).await?;
        let now = run.now();
        let building = run.alias.building.take();
        let (view, job) = run.job()?;
        job.old = building.ok_or(RebuildError::Switched(view))?;
        (job.phase, job.since, job.working) = (Phase::Drop, now, false);
        run.save().await?;
        run.progress()
    }

    async fn load(&self, view: &str, budget: Duration) -> Result<Run<'_, P>, RebuildError> {
        let views = self.projector.views();
        let Some(view) = views.iter().copied().find(|known| *known == view) else {
            return Err(RebuildError::NoSuchView(view.to_owned(), views.join(", ")));
        };
        let tables = self.projector.tables();
        let item = tables
            .get_one(&alias_key(view), Consistency::Strong)
            .await?;
        let alias = Alias::from_item(view, item)?;
        let World { clock, ids, .. } = self.projector.world();
        let now = clock.now();
        Ok(Run {
            id: ids.fresh(),
            rebuilder: self,
            view,
            alias,
            end: now
                .saturating_add(SignedDuration::try_from(budget).unwrap_or_default())
                .unwrap_or(now),
        })
    }
}

impl<P: DomainEvent> Run<'_, P> {
    fn tables(&self) -> &dyn Tables {
        self.rebuilder.projector.tables()
    }

    fn now(&self) -> Moment {
        self.rebuilder.projector.world().clock.now().into()
    }

    fn in_time(&self) -> bool {
        self.now().timestamp() < self.end
    }

    fn job(&mut self) -> Result<(&'static str, &mut Job), RebuildError> {
        let job = self.alias.rebuild.as_mut();
        Ok((
            self.view,
            job.ok_or(RebuildError::NotRebuilding(self.view))?,
        ))
    }

    /// How long until `pause` has passed since this phase began; nothing, if it has.
    fn left_of(&mut self, pause: SignedDuration) -> Result<Duration, RebuildError> {
        let now = self.now();
        let (_, job) = self.job()?;
        let gone = now.timestamp().duration_since(job.since.timestamp());
        Ok(Duration::try_from(pause.saturating_sub(gone)).unwrap_or(Duration::ZERO))
    }

    fn progress(&mut self) -> Result<Progress, RebuildError> {
        let (view, job) = self.job()?;
        Ok(Progress {
            generation: Generation {
                view,
                number: job.new,
            },
            phase: Some(job.phase),
            objects: job.objects,
            listed: job.listed,
            events: job.events,
            foreign: job.foreign,
            reached: job.reached,
            goal: job.settled().into(),
            wait: Duration::ZERO,
        })
    }

    /// Notes how far it is, unless another run did meanwhile.
    async fn save(&mut self) -> Result<(), RebuildError> {
        let condition = match self.alias.rev {
            0 => Condition::Absent,
            rev => Condition::Equals(Path::of("rev"), rev.into()),
        };
        self.alias.rev += 1;
        self.alias.writer = Some(self.id);
        let now = self.now();
        if let Some(job) = &mut self.alias.rebuild {
            job.noted = now;
        }
        let item: Item = match serde_json::to_value(&self.alias) {
            Ok(Value::Object(item)) => item,
            other => return Err(TableError::Refused(format!("no item: {other:?}")).into()),
        };
        let put = Write::Put {
            key: alias_key(self.view),
            item: item.clone(),
            condition,
        };
        let error = match self.tables().write(&put).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // The write may have been made and its answer lost: then this run has the claim, and no other run for a minute.
        let key = alias_key(self.view);
        let found = self.tables().get_one(&key, Consistency::Strong).await;
        match (found, error) {
            (Ok(Some(found)), _) if found == item => Ok(()),
            (_, WriteError::ConditionFailed) => Err(RebuildError::Overtaken(self.view)),
            (_, WriteError::Table(error)) => Err(error.into()),
        }
    }

    async fn begin(&mut self) -> Result<(), RebuildError> {
        let new = self.alias.last.max(self.alias.live) + 1;
        self.alias.last = new;
        self.alias.building = Some(new);
        self.alias.rebuild = Some(Job {
            phase: Phase::Survey,
            since: self.now(),
            noted: self.now(),
            working: true,
            new,
            old: self.alias.live,
            object: None,
            last: BTreeMap::new(),
            shards: BTreeMap::new(),
            item: None,
            listed: 0,
            objects: 0,
            events: 0,
            foreign: 0,
            reached: None,
        });
        self.save().await
    }

    /// Claims it: no other run is at it, and none will be while this one is.
    async fn claim(&mut self) -> Result<(), RebuildError> {
        let now = self.now().timestamp();
        let (view, job) = self.job()?;
        if job.working && !job.is_left(now) {
            return Err(RebuildError::Overtaken(view));
        }
        job.working = true;
        self.save().await
    }

    /// Keeps the claim while something takes long.
    async fn still_at_it(&mut self) -> Result<(), RebuildError> {
        let now = self.now().timestamp();
        let (_, job) = self.job()?;
        if now.duration_since(job.noted.timestamp()) > STILL_AT_IT {
            self.save().await?;
        }
        Ok(())
    }

    /// Goes on as far as time allows, and leaves it to the next run.
    async fn work(&mut self) -> Result<Progress, RebuildError> {
        let outcome = self.go_on().await;
        if matches!(outcome, Err(RebuildError::Overtaken(_))) {
            return outcome;
        }
        if let Some(job) = &mut self.alias.rebuild {
            job.working = false;
            if let Err(error) = self.save().await {
                // Its claim is void after a minute.
                tracing::warn!(view = self.view, %error, "the rebuild was not left to others");
            }
        }
        outcome
    }

    /// Goes from phase to phase, until there is something to wait for, or no time left.
    async fn go_on(&mut self) -> Result<Progress, RebuildError> {
        loop {
            let (_, job) = self.job()?;
            let phase = job.phase;
            let wait = self.left_of(match phase {
                Phase::Survey | Phase::Archive => SignedDuration::ZERO,
                Phase::Log => SETTLED,
                Phase::Retire => READERS,
                Phase::Drop => WRITERS,
            })?;
            if !wait.is_zero() {
                return Ok(Progress {
                    wait,
                    ..self.progress()?
                });
            }
            let finished = match phase {
                Phase::Survey => self.survey().await?,
                Phase::Archive => self.archive().await?,
                Phase::Log => self.log().await?,
                Phase::Retire => {
                    (self.alias.retiring, self.alias.since) = (None, None);
                    true
                }
                Phase::Drop => self.drop_old().await?,
            };
            if finished {
                let progress = self.progress()?;
                self.next().await?;
                if phase == Phase::Drop {
                    return Ok(Progress {
                        phase: None,
                        ..progress
                    });
                }
            }
            if !self.in_time() {
                return self.progress();
            }
        }
    }

    /// Goes over to the next phase.
    async fn next(&mut self) -> Result<(), RebuildError> {
        let now = self.now();
        let (_, job) = self.job()?;
        let (from, new, old) = (job.phase, job.new, job.old);
        match from {
            // Both are written since it was begun.
            Phase::Survey => job.phase = Phase::Archive,
            Phase::Archive => job.phase = Phase::Log,
            Phase::Log => (job.phase, job.since) = (Phase::Retire, now),
            Phase::Retire => (job.phase, job.since) = (Phase::Drop, now),
            Phase::Drop => {}
        }
        match from {
            Phase::Log => {
                self.alias.building = None;
                self.alias.retiring = Some(old);
                self.alias.live = new;
                self.alias.since = now
                    .timestamp()
                    .saturating_add(HANDOVER)
                    .ok()
                    .map(Moment::from);
            }
            Phase::Drop => self.alias.rebuild = None,
            Phase::Survey | Phase::Archive | Phase::Retire => {}
        }
        self.save().await
    }

    /// Lists the archive; false if time ran out before its end. Up to its last object a shard is replayed from the archive, and after
    /// it from the log. All is listed before the first object is replayed: what is archived meanwhile may lie before the object that
    /// was replayed last, and then only the log has it.
    async fn survey(&mut self) -> Result<bool, RebuildError> {
        let rebuilder = self.rebuilder;
        // A shard that the log has forgotten is in the archive to its end.
        let known: BTreeSet<String> = rebuilder.log.shards().await?.into_iter().collect();
        let (_, job) = self.job()?;
        let mut survey = Survey {
            after: job.object.clone(),
            last: job.last.clone(),
            objects: usize::try_from(job.listed).unwrap_or(usize::MAX),
            ..Survey::default()
        };
        while rebuilder.archive.survey(&mut survey).await? {
            survey.last.retain(|shard, _| known.contains(shard));
            let (_, job) = self.job()?;
            (job.object, job.last) = (survey.after.clone(), survey.last.clone());
            job.listed = count(survey.objects);
            self.save().await?;
            if !self.in_time() {
                return Ok(false);
            }
        }
        let reach = rebuilder.archive.reach(&survey.last).await?;
        let (_, job) = self.job()?;
        let reach = reach.into_iter();
        job.shards = reach
            .map(|(shard, reach)| (shard, reach.sequence.0))
            .collect();
        (job.object, job.last) = (None, BTreeMap::new());
        Ok(true)
    }

    /// Replays the archive; false if time ran out before its end.
    async fn archive(&mut self) -> Result<bool, RebuildError> {
        loop {
            let (_, job) = self.job()?;
            let after = job.object.clone();
            let page = self
                .rebuilder
                .archive
                .page(after.as_deref(), OBJECTS)
                .await?;
            self.replay(&page.records).await?;
            let (_, job) = self.job()?;
            job.object = page.last;
            job.objects += count(page.objects);
            self.save().await?;
            if !page.more {
                return Ok(true);
            }
            if !self.in_time() {
                return Ok(false);
            }
        }
    }

    /// Replays the log up to a moment when both generations were surely written; false if time ran out before it.
    async fn log(&mut self) -> Result<bool, RebuildError> {
        // A shard that is not here yet gets nothing that is older than this moment.
        for shard in self.rebuilder.log.shards().await? {
            if !self.shard(&shard).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn shard(&mut self, shard: &str) -> Result<bool, RebuildError> {
        let (_, job) = self.job()?;
        let settled = job.settled();
        let archived = job.shards.get(shard).cloned();
        let mut from = archived.map_or(Position::Oldest, |last| {
            Position::After(SequenceNumber(last))
        });
        loop {
            let batch = match self.rebuilder.log.read(shard, &from).await {
                // The log does not know that record any more, or never did: then all that it has is to be read.
                Err(LogError::Refused(_)) if matches!(from, Position::After(_)) => {
                    from = Position::Oldest;
                    continue;
                }
                batch => batch?,
            };
            if let Some(last) = batch.records.last() {
                self.replay(&batch.records).await?;
                let (_, job) = self.job()?;
                job.shards.insert(shard.to_owned(), last.sequence.0.clone());
                self.save().await?;
            }
            self.still_at_it().await?;
            let passed = batch
                .records
                .last()
                .is_some_and(|last| last.arrived > settled);
            let Some(next) = batch.next.filter(|_| !batch.at_tip && !passed) else {
                return Ok(true);
            };
            if !self.in_time() {
                return Ok(false);
            }
            from = next;
        }
    }

    /// Folds records into the new generation, those of a subject by stream and version.
    async fn replay(&mut self, records: &[LogRecord]) -> Result<(), RebuildError> {
        let rebuilder = self.rebuilder;
        let projector = &rebuilder.projector;
        let (view, job) = self.job()?;
        let generation = Generation {
            view,
            number: job.new,
        };
        let mut decoded: BTreeMap<SubjectId, Vec<(Event, P)>> = BTreeMap::new();
        let (mut events, mut foreign) = (0, 0);
        for record in records {
            match Event::decode(&record.data, projector.catalogue()) {
                Ok((event, payload)) => {
                    let subject = event.subject;
                    decoded.entry(subject).or_default().push((event, payload));
                    events += 1;
                }
                Err(error @ DecodeError::UnknownType(_)) => {
                    // A newer build folds it in, as it does what the projector parked.
                    let detail = error.to_string();
                    let trouble = Trouble::with_record(record, Reason::UnknownType, &detail);
                    projector.parking().park(CONSUMER, trouble).await?;
                    foreign += 1;
                    self.still_at_it().await?;
                }
                Err(DecodeError::Undecodable(_)) => foreign += 1,
            }
        }
        for of_one in decoded.values_mut() {
            of_one.sort_by_key(|(event, _)| (event.stream, event.streamversion));
        }
        let work: Vec<_> = decoded
            .iter()
            .map(|(subject, events)| {
                Work::new(
                    *subject,
                    events.iter().map(|(event, payload)| (event, payload)),
                )
            })
            .collect();
        for work in work.chunks(ROWS) {
            for folded in projector.fold_into(&generation, work).await {
                folded.map_err(RebuildError::Fold)?;
            }
            self.still_at_it().await?;
        }
        let (_, job) = self.job()?;
        job.events += events;
        job.foreign += foreign;
        job.reached = records
            .last()
            .map(|last| last.arrived.into())
            .or(job.reached);
        Ok(())
    }

    /// Deletes the old generation; false if time ran out before its end.
    async fn drop_old(&mut self) -> Result<bool, RebuildError> {
        let (view, job) = self.job()?;
        let old = Generation {
            view,
            number: job.old,
        };
        loop {
            let (_, job) = self.job()?;
            let after = job.item.clone().map(|(pk, sk)| Key::new(TABLE, pk, sk));
            let page = self.tables().scan(TABLE, after.as_ref()).await?;
            let begins = old.partition("");
            let keys = page.items.iter().filter_map(|item| {
                let text = |name| item.get(name).and_then(Value::as_str);
                let pk = text("pk").filter(|pk| pk.starts_with(&begins))?;
                Some(Key::new(TABLE, pk, text("sk")?))
            });
            let tables = self.tables();
            stream::iter(keys.collect::<Vec<_>>())
                .map(|key| delete(tables, key))
                .buffer_unordered(DELETES)
                .try_collect::<()>()
                .await?;
            let (_, job) = self.job()?;
            let Some(next) = page.next else {
                break;
            };
            job.item = Some((next.pk, next.sk));
            self.save().await?;
            if !self.in_time() {
                return Ok(false);
            }
        }
        // What was parked for its rows.
        let parking = self.rebuilder.projector.parking();
        let (owner, mut from) = (old.to_string(), None);
        loop {
            from = parking.remove_owned(&owner, from).await?;
            if from.is_none() {
                return Ok(true);
            }
            self.still_at_it().await?;
            if !self.in_time() {
                return Ok(false);
            }
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

async fn delete(tables: &dyn Tables, key: Key) -> Result<(), TableError> {
    let delete = Write::Delete {
        key,
        condition: Condition::Always,
    };
    match tables.write(&delete).await {
        Err(WriteError::Table(error)) => Err(error),
        Ok(()) | Err(WriteError::ConditionFailed) => Ok(()),
    }
}
