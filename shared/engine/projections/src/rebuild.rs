//! Rebuilding a view while it answers queries.
//!
//! ```text
//! begin ─► survey ─► archive ─► log ─► switch ─► retire ─► drop
//!   │         │         │        │       │         │        └ delete the old generation's items
//!   │         │         │        │       │         └ no reader uses the old generation: the projector stops writing it
//!   │         │         │        │       └ all readers switch to the new generation, 15 seconds later
//!   │         │         └────────┴ fold every past event into the new generation
//!   │         └ list the archive, to find the place from which to read the log
//!   └ from here on the projector writes both generations
//! ```
//!
//! The rebuild replays, from the archive and the log, the records that arrived before the projector began to write both
//! generations.
//! The projector folds later records into both generations. A record may be both replayed and folded by the projector,
//! since folding is idempotent. So the new generation is complete once the rebuild has read the log up to a moment at
//! which the projector certainly wrote both generations. The new generation lacks no event that the old generation has,
//! since the projector writes the new one first.
//!
//! The state of a rebuild is stored in one item, the view's alias. A run saves its progress with one write of the
//! alias, on the condition that no other run has written the alias meanwhile. So an interrupted rebuild continues from
//! the progress that was saved last, and one of two concurrent runs fails as overtaken. A run claims the rebuild while
//! it works, so that two runs do not do the same work. The claim of a run that died expires after a minute.

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

/// The time from the beginning of a rebuild until the projector certainly writes both generations: clocks differ a
/// little, and a record can be read a little after its arrival.
const SETTLED: SignedDuration = SignedDuration::from_secs(10);
/// The longest time for which a reader may use the old generation after the alias names the new one: the delay of the
/// switch ([`HANDOVER`]), plus the duration of a request.
const READERS: SignedDuration = SignedDuration::from_secs(30);
/// The wait between the switch to the new generation and the end of the old one. The wait is longer than any invocation
/// of the projector, so each invocation that writes the old generation has ended by then.
const WRITERS: SignedDuration = SignedDuration::from_secs(90);
/// The number of archive objects that are replayed between two saves of the progress.
const OBJECTS: usize = 16;
/// The number of rows that are folded between two checks of the clock.
const ROWS: usize = 500;
/// The time after which a claim expires. A run saves its progress more often than this.
const LEFT: SignedDuration = SignedDuration::from_secs(60);
/// The time after which a run without progress saves again, to keep its claim.
const STILL_AT_IT: SignedDuration = SignedDuration::from_secs(15);
/// The number of items that are deleted concurrently.
const DELETES: usize = 16;

/// A phase of a rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The rebuild lists the archive.
    Survey,
    /// The rebuild replays the archive.
    Archive,
    /// The rebuild replays the log, from the end of the archive on.
    Log,
    /// The new generation is live. The rebuild waits until no reader uses the old generation.
    Retire,
    /// The rebuild waits until the projector no longer writes the old generation, and then deletes that generation.
    Drop,
}

/// The progress of a rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The generation that is or was built.
    pub generation: Generation,
    /// The current phase; `None` once the rebuild is done.
    pub phase: Option<Phase>,
    /// The number of archive objects that are replayed.
    pub objects: u64,
    /// The number of archive objects that are listed: all of them, once the listing is complete. Objects may be added
    /// later.
    pub listed: u64,
    /// The number of events folded so far, where an event that was read twice counts twice.
    pub events: u64,
    /// The number of skipped records. These records are no events that this build knows, and they are parked for the
    /// projector.
    pub foreign: u64,
    /// The arrival time of the last record that was replayed.
    pub reached: Option<Moment>,
    /// The rebuild replays the log up to records that arrived at this time.
    pub goal: Moment,
    /// The time to wait before the next run can continue.
    pub wait: Duration,
}

/// Errors of a rebuild. Running the rebuild again continues it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RebuildError {
    /// No view has this name.
    #[error("there is no view {0}; there are: {1}")]
    NoSuchView(String, String),
    /// The view is not being rebuilt.
    #[error("the view {0} is not being rebuilt")]
    NotRebuilding(&'static str),
    /// The new generation is live already, so the rebuild cannot be abandoned.
    #[error("the new generation of {0} is live already, so the rebuild cannot be abandoned")]
    Switched(&'static str),
    /// Another run works on the rebuild.
    #[error("the view {0} is being rebuilt by another run")]
    Overtaken(&'static str),
    /// Some rows could not be written. A later run may succeed.
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
    /// The number of writes; 0 if the item does not exist.
    rev: u64,
    /// The run that wrote the item last.
    #[serde(skip_serializing_if = "Option::is_none")]
    writer: Option<Uuid>,
    /// The generation that readers use, from `since` on if `since` is set.
    live: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    building: Option<u32>,
    /// The previous generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    retiring: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Moment>,
    /// The greatest number of a generation so far. No number is used again, since a late write may still go to an old
    /// generation.
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

/// A rebuild in progress.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    phase: Phase,
    /// The time when the phase began.
    since: Moment,
    /// The time when the progress was last saved.
    noted: Moment,
    /// True while a run works on the rebuild. If the run died, its claim expires a minute after `noted`.
    #[serde(default)]
    working: bool,
    /// The generation under construction.
    new: u32,
    /// The generation that is deleted at the end.
    old: u32,
    /// The last archive object that is listed. Once the listing is complete, the last archive object that is replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    /// The last listed archive object of each shard, for the shards that the log still has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    last: BTreeMap<String, String>,
    /// For each shard, the sequence number of the last record that is replayed or that is in the listed archive
    /// objects.
    #[serde(default)]
    shards: BTreeMap<String, String>,
    /// The last item of the table that was checked for deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item: Option<(String, String)>,
    /// The number of objects that are listed.
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
    /// The time at which both generations are certainly written. The result is valid in the phases before the switch.
    fn settled(&self) -> Timestamp {
        let begun = self.since.timestamp();
        begun.saturating_add(SETTLED).unwrap_or_default()
    }

    /// True if no run has saved the progress for a minute.
    fn is_left(&self, now: Timestamp) -> bool {
        now.duration_since(self.noted.timestamp()) > LEFT
    }
}

/// Rebuilds views, in runs that can be interrupted anywhere.
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
/// // Call `run` until the rebuild is done. Each run continues from the saved progress.
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
    /// The projector, with the views that can be rebuilt.
    pub projector: Projector<P>,
    /// The archive, for records that the log no longer has.
    pub archive: Archive,
    /// The log.
    pub log: Arc<dyn LogReader>,
}

/// The views whose rebuild is unfinished, and whose progress no run has saved for a minute.
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
            // A newer build wrote the alias: that build continues the rebuild.
            Err(error) => tracing::warn!(view, %error, "skipped a view whose alias cannot be read"),
        }
    }
    Ok(found)
}

/// The function that rebuilds views.
pub const REBUILDER: FunctionName = FunctionName("rebuilder");

/// The payload with which [`REBUILDER`] is invoked to continue the rebuild of a view, if one is unfinished.
#[must_use]
pub fn go_on(view: &str) -> Vec<u8> {
    json!({ "view": view, "action": "resume" })
        .to_string()
        .into_bytes()
}

/// A run: the rebuild on which it works, and the time at which it ends.
struct Run<'a, P> {
    id: Uuid,
    rebuilder: &'a Rebuilder<P>,
    view: &'static str,
    alias: Alias,
    end: Timestamp,
}

impl<P: DomainEvent> Rebuilder<P> {
    /// Begins or continues the rebuild of a view, for about `budget`. Call this function again, after the returned
    /// `wait`, until the rebuild is done.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`]; calling this function again continues the rebuild.
    pub async fn run(&self, view: &str, budget: Duration) -> Result<Progress, RebuildError> {
        let mut run = self.load(view, budget).await?;
        if run.alias.rebuild.is_none() {
            run.begin().await?;
        } else {
            run.claim().await?;
        }
        run.work().await
    }

    /// Continues an unfinished rebuild of a view, as [`Rebuilder::run`] does, but begins no rebuild.
    ///
    /// # Errors
    ///
    /// See [`RebuildError`].
    pub async fn resume(&self, view: &str, budget: Duration) -> Result<Progress, RebuildError> {
        let mut run = self.load(view, budget).await?;
        run.claim().await?;
        run.work().await
    }

    /// Abandons a rebuild, as long as readers do not use the new generation. Further runs then delete the new
    /// generation.
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

    /// The part of `pause` that remains, counted from the beginning of this phase; zero if `pause` has passed.
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

    /// Saves the progress, unless another run has saved its own meanwhile.
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
        // The write may have succeeded although its answer was lost. This run then has the claim, and would lock out
        // every other run for a minute.
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

    /// Claims the rebuild for this run. Fails if another run has claimed it.
    async fn claim(&mut self) -> Result<(), RebuildError> {
        let now = self.now().timestamp();
        let (view, job) = self.job()?;
        if job.working && !job.is_left(now) {
            return Err(RebuildError::Overtaken(view));
        }
        job.working = true;
        self.save().await
    }

    /// Saves the progress if the last save is more than 15 seconds old, to keep the claim during long work.
    async fn still_at_it(&mut self) -> Result<(), RebuildError> {
        let now = self.now().timestamp();
        let (_, job) = self.job()?;
        if now.duration_since(job.noted.timestamp()) > STILL_AT_IT {
            self.save().await?;
        }
        Ok(())
    }

    /// Works on the rebuild until the run's time is over, and then releases the claim for the next run.
    async fn work(&mut self) -> Result<Progress, RebuildError> {
        let outcome = self.go_on().await;
        if matches!(outcome, Err(RebuildError::Overtaken(_))) {
            return outcome;
        }
        if let Some(job) = &mut self.alias.rebuild {
            job.working = false;
            if let Err(error) = self.save().await {
                // The claim of this run then expires after a minute.
                tracing::warn!(view = self.view, %error, "the claim on the rebuild was not released");
            }
        }
        outcome
    }

    /// Runs phase after phase, until the rebuild is done, it has to wait, or the run's time is over.
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

    /// Begins the next phase.
    async fn next(&mut self) -> Result<(), RebuildError> {
        let now = self.now();
        let (_, job) = self.job()?;
        let (from, new, old) = (job.phase, job.new, job.old);
        match from {
            // `since` stays the beginning of the rebuild, since the projector writes both generations from then on.
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

    /// Lists the archive; false if the run's time is over first. A shard is replayed from the archive up to its last
    /// listed object, and after this object from the log. The listing ends before the first object is replayed, because
    /// an object that is archived during the replay may sort before objects that are already replayed. The rebuild
    /// replays the records of later objects from the log.
    async fn survey(&mut self) -> Result<bool, RebuildError> {
        let rebuilder = self.rebuilder;
        // A shard that the log no longer has is in the archive completely.
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

    /// Replays the archive; false if the run's time is over first.
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

    /// Replays the log up to a moment at which the projector certainly wrote both generations; false if the run's time
    /// is over first.
    async fn log(&mut self) -> Result<bool, RebuildError> {
        // A shard that is created after this listing gets only later records, and the projector folds these into both
        // generations.
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
                // The log no longer has the record `from`, or never had it: read all records that the log has.
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

    /// Folds records into the new generation. Records of one subject are sorted by event stream and version.
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
                    // The record is parked, as the projector parks it, for a newer build to fold.
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

    /// Deletes the old generation; false if the run's time is over first.
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
        // Remove the entries that were parked for rows of the old generation.
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
