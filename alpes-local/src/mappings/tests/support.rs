//! Mappings in a folder that can be opened again.

use std::{path::PathBuf, sync::Arc, time::Duration};

use source_mapping::{Settings, StartingPosition};
use uuid::Uuid;

use super::fakes::{FakeDestination, FakeFunction, FakeQueue, FakeStream};
use crate::{
    chaos::Chaos,
    mappings::{MappingSpec, Mappings, Polling},
    services::Behaviour,
    store::Store,
};

pub const FUNCTION: &str = "worker";
pub const STREAM_ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/log";
pub const CONSUMER_ARN: &str =
    "arn:aws:kinesis:us-east-1:000000000000:stream/log/consumer/worker:1";
pub const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";
pub const BUCKET_ARN: &str = "arn:aws:s3:::failed";

/// Waits until the condition holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not happen");
}

/// A folder with a store, and what mappings use.
pub struct World {
    folder: PathBuf,
    pub stream: Arc<FakeStream>,
    pub queue: Arc<FakeQueue>,
    pub function: Arc<FakeFunction>,
    pub destination: Arc<FakeDestination>,
    chaos: Option<Arc<Chaos>>,
}

impl World {
    pub fn new() -> Self {
        Self {
            folder: std::env::temp_dir().join(format!("alpes-mappings-{}", Uuid::new_v4())),
            stream: Arc::new(FakeStream::new()),
            queue: Arc::default(),
            function: Arc::default(),
            destination: Arc::default(),
            chaos: None,
        }
    }

    /// A world with the unkind choices of this seed.
    pub fn with_chaos(seed: u64) -> Self {
        let mut world = Self::new();
        world.chaos = Some(Chaos::new(seed, &world.folder).unwrap());
        world
    }

    /// Runs the test with the mappings in a runtime of its own, and kills the runtime then.
    pub fn run<T>(&self, test: impl AsyncFnOnce(Arc<Mappings>) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = Arc::new(Store::open(&self.folder).unwrap());
            let (stream, queue) = (self.stream.clone(), self.queue.clone());
            let (function, destination) = (self.function.clone(), self.destination.clone());
            let behaviour = Behaviour {
                polling: Polling::EachSecond,
                chaos: self.chaos.clone(),
                ..Behaviour::default()
            };
            let iam = Arc::default();
            let mappings =
                Mappings::new(store, iam, stream, queue, function, destination, &behaviour)
                    .unwrap();
            test(mappings).await
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A mapping of the stream with fan-out, which needs not wait for polls.
pub fn spec(position: StartingPosition) -> MappingSpec {
    MappingSpec {
        function: FUNCTION.to_owned(),
        source_arn: STREAM_ARN.to_owned(),
        consumer: Some(CONSUMER_ARN.to_owned()),
        settings: Settings::new(position),
        destination_arn: None,
        maximum_concurrency: None,
    }
}

/// A mapping of the stream from its beginning, with this change.
pub fn spec_with(change: impl FnOnce(&mut MappingSpec)) -> MappingSpec {
    let mut spec = spec(StartingPosition::TrimHorizon);
    change(&mut spec);
    spec
}
