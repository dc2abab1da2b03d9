//! A mapping of a stream: starts a reader for each shard, parents before their children.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use source_mapping::{Change, SequenceNumber, Settings, ShardId, StartingPosition};
use tokio::{
    sync::{oneshot, watch},
    task::{self, JoinSet},
    time::sleep,
};

use super::{
    config::Config,
    core::{Core, Live},
    journal::Positions,
    machine::{Begins, Start},
    reading::{self, End},
    shards::{Family, ready},
    sources::ShardInfo,
};
use crate::error::AwsError;

/// The pause between two looks at the shards of a stream. Records arrive much more often than shards change.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The pause before a failed look is repeated.
const AGAIN: Duration = Duration::from_secs(1);

/// The settings and services of a mapping's readers, from one change of the mapping to the next.
pub(super) struct Era {
    pub(super) core: Arc<Core>,
    pub(super) live: Arc<Live>,
    pub(super) stream: String,
    pub(super) settings: Settings,
    pub(super) destination: Option<String>,
}

/// The readers of a mapping.
struct Readers {
    era: Arc<Era>,
    tasks: JoinSet<End>,
    running: HashMap<task::Id, ShardId>,
    finished: BTreeSet<ShardId>,
    /// The positions at which the mapping began, if it did since the runtime began.
    fresh: Positions,
    /// The order to stop, for all readers.
    order: watch::Sender<Option<Change>>,
}

/// Why an era ended.
enum Ended {
    /// The owner changed the mapping.
    Stopped(Change),
    /// The stream keeps its records for another time than before.
    Retention,
}

/// Reads a stream until a change of the mapping. `fresh` has the positions at which the mapping just began.
pub(super) async fn run(
    core: Arc<Core>,
    live: Arc<Live>,
    config: Arc<Config>,
    stream: String,
    mut fresh: Positions,
    mut stopped: oneshot::Receiver<Change>,
) {
    loop {
        match run_era(&core, &live, &config, &stream, &mut fresh, &mut stopped).await {
            Ok(Ended::Stopped(_)) => return,
            Ok(Ended::Retention) => {}
            Err(error) => {
                core.problem(&live, None, &error);
                tokio::select! {
                    _ = &mut stopped => return,
                    () = sleep(AGAIN) => {}
                }
            }
        }
    }
}

async fn run_era(
    core: &Arc<Core>,
    live: &Arc<Live>,
    config: &Config,
    stream: &str,
    fresh: &mut Positions,
    stopped: &mut oneshot::Receiver<Change>,
) -> Result<Ended, AwsError> {
    let era = Era {
        core: core.clone(),
        live: live.clone(),
        stream: stream.to_owned(),
        settings: core.machine_settings(config, stream)?,
        destination: config.destination.clone(),
    };
    let position = era.settings.starting_position;
    fresh.extend(begin(core, live, stream, position)?);
    let mut readers = Readers::new(era, fresh.clone());
    let ended = readers.supervise(stopped).await;
    let change = match &ended {
        Ok(Ended::Stopped(change)) => change.clone(),
        Ok(Ended::Retention) | Err(_) => Change::Update(Box::new(readers.era.settings.clone())),
    };
    readers.stop(change).await;
    ended
}

impl Readers {
    fn new(era: Era, fresh: Positions) -> Self {
        Self {
            era: Arc::new(era),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            finished: BTreeSet::new(),
            fresh,
            order: watch::Sender::new(None),
        }
    }

    /// Starts readers until the era ends.
    async fn supervise(
        &mut self,
        stopped: &mut oneshot::Receiver<Change>,
    ) -> Result<Ended, AwsError> {
        let mut changes = self.era.core.streams.changes(&self.era.stream)?;
        loop {
            if self.era.retention()? != self.era.settings.retention {
                return Ok(Ended::Retention);
            }
            self.start_ready()?;
            tokio::select! {
                change = &mut *stopped => return Ok(Ended::Stopped(change.unwrap_or(Change::Disable))),
                Some(ended) = self.tasks.join_next_with_id() => self.note(ended)?,
                news = changes.changed() => {
                    news.map_err(|_| gone(&self.era.stream))?;
                    sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    /// Starts a reader for each shard that may be read, and forgets shards that the stream no longer has.
    fn start_ready(&mut self) -> Result<(), AwsError> {
        let era = &self.era;
        let shards = era.core.streams.topology(&era.stream)?;
        let (journal, uuid) = (&era.core.journal, era.live.uuid);
        let reading: BTreeSet<_> = self.running.values().cloned().collect();
        let idle =
            |shard: &&ShardInfo| !self.finished.contains(&shard.id) && !reading.contains(&shard.id);
        let may_start: Vec<_> = ready(&shards, &self.finished)
            .filter(idle)
            .cloned()
            .collect();
        if may_start.is_empty() {
            return Ok(());
        }
        let positions = journal.positions(uuid)?;
        self.forget_gone(&shards, &positions)?;
        for shard in may_start {
            let start = self.start_of(&shard, &shards, &positions)?;
            let order = self.order.subscribe();
            let task = self
                .tasks
                .spawn(reading::run(self.era.clone(), start, order));
            self.running.insert(task.id(), shard.id.clone());
        }
        Ok(())
    }

    fn start_of(
        &self,
        shard: &ShardInfo,
        shards: &[ShardInfo],
        positions: &Positions,
    ) -> Result<Start, AwsError> {
        let (era, id) = (&self.era, &shard.id);
        let known = positions.get(id);
        let after = if let Some(settled) = known {
            settled.clone()
        } else {
            let position = era.child_position(id)?;
            era.core
                .journal
                .open(era.live.uuid, id, position.as_ref())?;
            position
        };
        let begins = match known {
            None => Begins::AsChild,
            Some(_) if self.fresh.contains_key(id) => Begins::WithMapping,
            Some(_) => Begins::Again,
        };
        Ok(Start {
            shard: id.clone(),
            family: Family::of(shard, shards),
            begins,
            after,
        })
    }

    fn forget_gone(&mut self, shards: &[ShardInfo], positions: &Positions) -> Result<(), AwsError> {
        let is_gone = |id: &&ShardId| shards.iter().all(|shard| shard.id != **id);
        for gone in positions.keys().filter(is_gone) {
            self.era.core.journal.forget(self.era.live.uuid, gone)?;
            self.era.live.status.forget(&gone.to_string());
        }
        self.finished.retain(|id| !is_gone(&id));
        Ok(())
    }

    fn note(&mut self, ended: Result<(task::Id, End), task::JoinError>) -> Result<(), AwsError> {
        let (id, end) = ended.map_err(AwsError::internal)?;
        if let (Some(shard), End::Finished) = (self.running.remove(&id), end) {
            self.finished.insert(shard);
        }
        Ok(())
    }

    /// Lets all readers stop, and waits for them.
    async fn stop(mut self, change: Change) {
        self.order.send_replace(Some(change));
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Era {
    fn retention(&self) -> Result<Duration, AwsError> {
        self.core.streams.retention(&self.stream)
    }

    /// True if the stream no longer has a shard.
    pub(super) fn has_lost(&self, id: &ShardId) -> bool {
        let shards = self.core.streams.topology(&self.stream);
        shards.is_ok_and(|shards| shards.iter().all(|shard| shard.id != *id))
    }

    /// True if a shard takes no more records.
    pub(super) fn is_closed(&self, id: &ShardId) -> Result<bool, AwsError> {
        let shards = self.core.streams.topology(&self.stream)?;
        Ok(shards.iter().any(|shard| shard.id == *id && shard.closed))
    }

    fn child_position(&self, shard: &ShardId) -> Result<Option<SequenceNumber>, AwsError> {
        let position = self.settings.starting_position;
        child_position(&self.core, &self.stream, position, shard)
    }
}

/// Begins at the starting position of each shard, if the mapping has not begun before. Returns the positions at which the
/// mapping began now.
pub(super) fn begin(
    core: &Core,
    live: &Live,
    stream: &str,
    position: StartingPosition,
) -> Result<Positions, AwsError> {
    let mut positions = Positions::new();
    if core.journal.began(live.uuid)? {
        return Ok(positions);
    }
    for shard in core.streams.topology(stream)? {
        let begins = match position {
            StartingPosition::Latest => core.streams.latest(stream, &shard.id)?,
            _ => child_position(core, stream, position, &shard.id)?,
        };
        positions.insert(shard.id, begins);
    }
    core.journal.begin(live.uuid, &positions)?;
    Ok(positions)
}

/// The position in a shard that was opened after the mapping began: the beginning, or the time at which the mapping
/// begins.
fn child_position(
    core: &Core,
    stream: &str,
    position: StartingPosition,
    shard: &ShardId,
) -> Result<Option<SequenceNumber>, AwsError> {
    match position {
        StartingPosition::AtTimestamp(from) => core.streams.before_time(stream, shard, from.0),
        StartingPosition::TrimHorizon | StartingPosition::Latest => Ok(None),
    }
}

/// The error of a stream that was deleted.
pub(super) fn gone(stream: &str) -> AwsError {
    AwsError::client(
        "ResourceNotFoundException",
        format!("the stream {stream} was deleted"),
    )
}
