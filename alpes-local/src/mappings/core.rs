//! The services behind all mappings, and a mapping while the runtime runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use source_mapping::{Change, Reads, Settings};
use tokio::{
    sync::{broadcast, oneshot},
    task::JoinHandle,
};
use uuid::Uuid;

use super::{
    config::{Config, Position, Source},
    journal::{Journal, Row},
    postman::Postman,
    queue,
    sources::Polling,
    sources::{QueueSource, StreamSource},
    status::{Act, MappingEvent, MappingView, Status},
    stream,
    unkind::Choosing,
};
use crate::{
    chaos::Chaos,
    error::AwsError,
    iam::Iam,
    invoke::{Destinations, Invoker},
    names,
};

/// The services and the state behind all mappings.
pub(super) struct Core {
    pub(super) journal: Journal,
    pub(super) iam: Arc<Iam>,
    pub(super) streams: Arc<dyn StreamSource>,
    pub(super) queues: Arc<dyn QueueSource>,
    pub(super) invoker: Arc<dyn Invoker>,
    pub(super) destinations: Arc<dyn Destinations>,
    pub(super) polling: Polling,
    pub(super) chaos: Option<Arc<Chaos>>,
    pub(super) postman: Postman,
    pub(super) feed: broadcast::Sender<MappingEvent>,
    pub(super) lives: Mutex<BTreeMap<Uuid, Arc<Live>>>,
}

/// A mapping.
pub(super) struct Live {
    pub(super) uuid: Uuid,
    pub(super) status: Status,
    settings: Mutex<(Arc<Config>, u64)>,
    running: Mutex<Option<Running>>,
}

/// The task that reads for a mapping.
struct Running {
    stop: oneshot::Sender<Change>,
    task: JoinHandle<()>,
}

impl Core {
    /// The settings for the machine of a stream's shard.
    pub(super) fn machine_settings(
        &self,
        config: &Config,
        stream: &str,
    ) -> Result<Settings, AwsError> {
        let mut settings = config.settings(self.streams.retention(stream)?)?;
        match self.polling {
            // With enhanced fan-out, the machine reads records as they arrive.
            Polling::AtOnce => settings.reads = Reads::FanOut,
            Polling::WithinQuotas if settings.reads == Reads::Shared => {
                settings.reads = Reads::ByCaller;
            }
            Polling::EachSecond | Polling::WithinQuotas => {}
        }
        Ok(settings)
    }

    /// The choices for a part of a function's mapping: a shard, or the queue.
    pub(super) fn choosing(&self, config: &Config, part: &str) -> Choosing {
        Choosing::of(self.chaos.as_ref(), &config.function, part)
    }

    fn lives(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Live>>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn live(&self, uuid: Uuid) -> Option<Arc<Live>> {
        self.lives().get(&uuid).cloned()
    }

    /// All mappings, by their ids.
    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        self.lives().values().cloned().collect()
    }

    pub(super) fn add(&self, live: Arc<Live>) {
        self.lives().insert(live.uuid, live);
    }

    pub(super) fn remove(&self, uuid: Uuid) {
        self.lives().remove(&uuid);
    }

    /// Publishes an event, if anybody listens.
    pub(super) fn tell(
        &self,
        live: &Live,
        shard: Option<&str>,
        rules: Vec<&'static str>,
        acts: Vec<Act>,
    ) {
        if self.feed.receiver_count() == 0 || (rules.is_empty() && acts.is_empty()) {
            return;
        }
        // An error is the last listener going away.
        let _ = self.feed.send(MappingEvent {
            mapping: live.uuid,
            function: live.config().function.clone(),
            shard: shard.map(str::to_owned),
            millis: names::now_millis(),
            rules,
            acts,
        });
    }

    /// Tells that a mapping cannot do its work now.
    pub(super) fn problem(&self, live: &Live, shard: Option<&str>, error: &AwsError) {
        let message = error.to_string();
        live.status.set_result(&format!("PROBLEM: {message}"));
        self.tell(live, shard, vec![], vec![Act::Problem { message }]);
    }
}

impl Live {
    pub(super) fn new(row: Row) -> Self {
        Self {
            uuid: row.uuid,
            status: Status::default(),
            settings: Mutex::new((Arc::new(row.config), row.modified)),
            running: Mutex::new(None),
        }
    }

    fn settings(&self) -> MutexGuard<'_, (Arc<Config>, u64)> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn config(&self) -> Arc<Config> {
        self.settings().0.clone()
    }

    /// The time of the last change, in milliseconds since 1970.
    pub(super) fn modified(&self) -> u64 {
        self.settings().1
    }

    pub(super) fn set(&self, row: Row) {
        *self.settings() = (Arc::new(row.config), row.modified);
    }

    /// `Enabled` or `Disabled`.
    pub(super) fn state(&self) -> &'static str {
        if self.config().enabled {
            "Enabled"
        } else {
            "Disabled"
        }
    }

    pub(super) fn view(&self) -> MappingView {
        let config = self.config();
        MappingView {
            uuid: self.uuid,
            function: config.function.clone(),
            source: config.source.clone(),
            state: self.state(),
            last_result: self.status.last_result(),
            counts: self.status.counts(),
            shards: self.status.shards(),
        }
    }

    /// Whether the mapping reads.
    pub(super) fn runs(&self) -> bool {
        let running = self.running();
        running
            .as_ref()
            .is_some_and(|running| !running.task.is_finished())
    }

    /// Begins to read, if the mapping is enabled.
    pub(super) fn start(self: &Arc<Self>, core: &Arc<Core>) -> Result<(), AwsError> {
        let config = self.config();
        if !config.enabled {
            return Ok(());
        }
        let (stop, stopped) = oneshot::channel();
        let (core, live) = (core.clone(), self.clone());
        let task = match Source::parse(&config.source)? {
            Source::Stream { name, .. } => {
                // The task begins later, and a mapping with LATEST begins now. If this fails, the task tries again and
                // tells of the problem.
                let position = config.position.unwrap_or(Position::TrimHorizon);
                let fresh = stream::begin(&core, &live, &name, position.into());
                let fresh = fresh.unwrap_or_default();
                tokio::spawn(stream::run(core, live, config, name, fresh, stopped))
            }
            Source::Queue => tokio::spawn(queue::run(core, live, config, stopped)),
        };
        *self.running() = Some(Running { stop, task });
        Ok(())
    }

    /// Stops reading because of this change. When this returns, the mapping writes nothing more to the store.
    pub(super) async fn stop(&self, change: Change) {
        let running = self.running().take();
        if let Some(Running { stop, task }) = running {
            // An error here is a task that has ended already.
            let _ = stop.send(change);
            let _ = task.await;
        }
    }
}
