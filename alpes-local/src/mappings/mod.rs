//! Event source mappings: Kinesis and SQS to functions, by the rules of `source-mapping`.
//!
//! Each shard of a mapped stream has a reader with a machine of its own. The machine decides what is delivered when; the
//! reader gives it records, time and the ends of invocations, and stores its checkpoints. After a restart, readers begin
//! again at the checkpoints. So what was in flight is delivered again.

mod access;
mod api;
mod checks;
mod config;
mod core;
mod effects;
mod invocation;
mod journal;
mod likely;
mod machine;
mod postman;
mod queue;
mod queue_event;
mod reader;
mod reading;
mod report;
mod services;
mod shards;
mod sources;
mod status;
mod stream;
mod unkind;
mod window;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex},
};

use source_mapping::Change;
use tokio::sync::broadcast;
use uuid::Uuid;

pub use config::MappingSpec;
pub use sources::{Message, Polling, QueueSource, ShardInfo, StreamSource};
pub use status::{Act, BatchView, Counts, MappingEvent, MappingView, ShardView};

use self::{
    access::Access,
    config::{Config, Source, invalid},
    core::{Core, Live},
    journal::{Journal, Row},
    postman::Postman,
};
use crate::{
    error::AwsError,
    http::{Request, Response},
    iam::Iam,
    invoke::{Destinations, Invoker},
    names,
    services::Behaviour,
    store::Store,
};

/// A listener that is so many events behind misses the oldest ones.
const FEED: usize = 4096;

/// All event source mappings.
pub struct Mappings {
    core: Arc<Core>,
    /// Held during a change, so that changes of one mapping come one after the other.
    changing: tokio::sync::Mutex<()>,
}

impl Mappings {
    /// Opens the stored mappings, which begin to deliver at once. Call this inside a Tokio runtime, when the other
    /// services are there. `iam` says whether functions' roles may read and report.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        streams: Arc<dyn StreamSource>,
        queues: Arc<dyn QueueSource>,
        invoker: Arc<dyn Invoker>,
        destinations: Arc<dyn Destinations>,
        behaviour: &Behaviour,
    ) -> Result<Arc<Self>, AwsError> {
        let core = Arc::new(Core {
            journal: Journal::new(store)?,
            iam,
            streams,
            queues,
            invoker,
            destinations,
            polling: behaviour.polling(),
            chaos: behaviour.chaos.clone(),
            postman: Postman::default(),
            feed: broadcast::Sender::new(FEED),
            lives: Mutex::new(BTreeMap::new()),
        });
        for row in core.journal.all()? {
            let live = Arc::new(Live::new(row));
            core.add(live.clone());
            live.start(&core)?;
        }
        for destination in core.journal.waiting_destinations()? {
            core.postman.wake(&core, &destination);
        }
        let changing = tokio::sync::Mutex::new(());
        Ok(Arc::new(Self { core, changing }))
    }

    /// Makes the mapping from a source to a function as declared: creates it, or changes what is different. The starting
    /// position of an existing mapping stays. Returns the id of the mapping.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` if the settings are invalid, or the source does not exist.
    pub async fn ensure(self: &Arc<Self>, spec: MappingSpec) -> Result<Uuid, AwsError> {
        self.in_turn(async move |all| {
            let config = Config::of(spec)?;
            let Some(live) = all.of(&config.function, &config.source) else {
                return Ok(all.create(config)?.uuid);
            };
            let position = live.config().position;
            all.change(&live, Config { position, ..config }).await?;
            Ok(live.uuid)
        })
        .await
    }

    /// The id of the mapping from a source, by its ARN, to a function; `None` if there is none.
    #[must_use]
    pub fn id_of(&self, function: &str, source: &str) -> Option<Uuid> {
        let live = self.of(&names::function_arn(function), source);
        live.map(|live| live.uuid)
    }

    /// Deletes a mapping and its positions.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` 404 if there is no such mapping.
    pub async fn remove(self: &Arc<Self>, uuid: Uuid) -> Result<(), AwsError> {
        self.in_turn(async move |all| all.delete(&*all.find(uuid)?).await)
            .await
    }

    /// Answers a request to `/2015-03-31/event-source-mappings`.
    pub async fn serve(self: &Arc<Self>, request: Request) -> Response {
        api::serve(self, request).await
    }

    /// The events of all mappings from now on. A listener that falls 4,096 events behind misses the oldest ones.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<MappingEvent> {
        self.core.feed.subscribe()
    }

    /// All mappings as they are now, ordered by their ids.
    #[must_use]
    pub fn snapshot(&self) -> Vec<MappingView> {
        self.core.all().iter().map(|live| live.view()).collect()
    }

    /// Runs a change when its turn comes, in a task of its own: the change is done whole, even if its caller goes away
    /// meanwhile.
    async fn in_turn<T, F>(
        self: &Arc<Self>,
        change: impl FnOnce(Arc<Self>) -> F + Send + 'static,
    ) -> Result<T, AwsError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AwsError>> + Send + 'static,
    {
        let all = self.clone();
        let run = tokio::spawn(async move {
            let _turn = all.changing.lock().await;
            change(all.clone()).await
        });
        run.await
            .unwrap_or_else(|panic| Err(AwsError::internal(panic)))
    }

    fn find(&self, uuid: Uuid) -> Result<Arc<Live>, AwsError> {
        self.core.live(uuid).ok_or_else(not_found)
    }

    /// The mapping from a source to a function.
    fn of(&self, function: &str, source: &str) -> Option<Arc<Live>> {
        self.core.all().into_iter().find(|live| {
            let config = live.config();
            config.function == function && config.source == source
        })
    }

    /// Creates a mapping. The caller has its turn. So have the callers of the next functions.
    fn create(&self, config: Config) -> Result<Arc<Live>, AwsError> {
        self.check_function(&config.function)?;
        self.check(&config)?;
        let row = Row {
            uuid: Uuid::new_v4(),
            config,
            modified: names::now_millis(),
        };
        self.core.journal.insert(&row)?;
        let live = Arc::new(Live::new(row));
        self.core.add(live.clone());
        live.start(&self.core)?;
        self.tell_state(&live);
        Ok(live)
    }

    /// Gives a mapping other settings, which take effect at once.
    async fn change(&self, live: &Arc<Live>, config: Config) -> Result<(), AwsError> {
        let before = live.config();
        if *before == config && live.runs() == config.enabled {
            return Ok(());
        }
        if before.function != config.function {
            self.check_function(&config.function)?;
        }
        let source = self.check(&config)?;
        let change = match (before.enabled, config.enabled, source) {
            (true, false, _) => Change::Disable,
            (_, _, Source::Queue) | (false, _, _) => Change::Enable,
            (true, true, Source::Stream { name, .. }) => {
                let settings = self.core.machine_settings(&config, &name)?;
                Change::Update(Box::new(settings))
            }
        };
        let row = Row {
            uuid: live.uuid,
            config,
            modified: names::now_millis(),
        };
        self.core.journal.update(&row)?;
        live.set(row);
        live.stop(change).await;
        live.start(&self.core)?;
        self.tell_state(live);
        Ok(())
    }

    async fn delete(&self, live: &Live) -> Result<(), AwsError> {
        live.stop(Change::Delete).await;
        self.core.journal.remove(live.uuid)?;
        self.core.remove(live.uuid);
        let acts = vec![Act::Changed { state: "Deleted" }];
        self.core.tell(live, None, vec![], acts);
        Ok(())
    }

    fn tell_state(&self, live: &Live) {
        let acts = vec![Act::Changed {
            state: live.state(),
        }];
        self.core.tell(live, None, vec![], acts);
    }

    fn check_function(&self, arn: &str) -> Result<(), AwsError> {
        if self.core.invoker.role(arn).is_some() {
            return Ok(());
        }
        Err(invalid("Function does not exist"))
    }

    /// Checks settings, and that the source exists.
    fn check(&self, config: &Config) -> Result<Source, AwsError> {
        let source = config.check()?;
        let there = match &source {
            Source::Stream { name, .. } => self.core.streams.topology(name).map(|_| ()),
            Source::Queue => self.core.queues.changes(&config.source).map(|_| ()),
        };
        there.map_err(|error| invalid(format!("EventSourceArn {}: {error}", config.source)))?;
        Access::of(&self.core, config).check()?;
        Ok(source)
    }
}

/// The error of a mapping that does not exist.
fn not_found() -> AwsError {
    AwsError::of(
        404,
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
    .with("Type", "User")
}
