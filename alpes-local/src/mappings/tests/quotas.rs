//! Many mappings of one stream, within the quota of its shard. The clock of the test runs as fast as the test.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use source_mapping::{Record, SequenceNumber, Settings, ShardId, StartingPosition};
use tokio::{sync::watch, time::sleep};

use super::{
    fakes::{FakeDestination, FakeQueue},
    support::STREAM_ARN,
};
use crate::{
    clock::{Clock, testing::Paused},
    error::AwsError,
    invoke::{Invoked, Invoker},
    kinesis::Kinesis,
    mappings::{MappingSpec, Mappings, Polling, ShardInfo, StreamSource},
    services::Behaviour,
    store::Store,
    throttling::Throttling,
    time::at_millis,
};

/// Functions that note the data of their records.
#[derive(Default)]
struct Functions(Mutex<BTreeMap<String, Vec<String>>>);

impl Functions {
    fn data(&self, function: &str) -> Vec<String> {
        let all = self.0.lock().unwrap();
        all.get(function).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Invoker for Functions {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, AwsError> {
        let event: Value = serde_json::from_slice(&payload).unwrap();
        let records = event["Records"].as_array().unwrap().iter();
        let data = records.map(|record| {
            let data = record["kinesis"]["data"].as_str().unwrap();
            String::from_utf8(STANDARD.decode(data).unwrap()).unwrap()
        });
        let name = function.rsplit(':').next().unwrap().to_owned();
        self.0.lock().unwrap().entry(name).or_default().extend(data);
        Ok(Invoked {
            request_id: "request".to_owned(),
            executed_version: "1".to_owned(),
            payload: "{}".into(),
            failure: None,
            log_tail: String::new(),
        })
    }

    async fn enqueue(&self, _: &str, _: Bytes) -> Result<String, AwsError> {
        panic!("mappings invoke synchronously")
    }

    fn role(&self, _: &str) -> Option<String> {
        Some("arn:aws:iam::000000000000:role/any".to_owned())
    }
}

/// A stream that counts the polls that were answered, by second of the clock, and those that were refused.
struct Counted {
    kinesis: Arc<Kinesis>,
    clock: Arc<dyn Clock>,
    answered: Mutex<BTreeMap<u64, usize>>,
    refused: Mutex<usize>,
}

impl StreamSource for Counted {
    fn topology(&self, stream: &str) -> Result<Vec<ShardInfo>, AwsError> {
        StreamSource::topology(&*self.kinesis, stream)
    }

    fn read_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        records: usize,
        bytes: usize,
    ) -> Result<Vec<Record>, AwsError> {
        self.kinesis
            .read_after(stream, shard, after, records, bytes)
    }

    fn poll_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        records: usize,
        bytes: usize,
    ) -> Result<Vec<Record>, AwsError> {
        let polled = self
            .kinesis
            .poll_after(stream, shard, after, records, bytes);
        if polled.is_ok() {
            let second = self.clock.millis() / 1_000;
            *self.answered.lock().unwrap().entry(second).or_default() += 1;
        } else {
            *self.refused.lock().unwrap() += 1;
        }
        polled
    }

    fn changes(&self, stream: &str) -> Result<watch::Receiver<u64>, AwsError> {
        self.kinesis.changes(stream)
    }

    fn latest(&self, stream: &str, shard: &ShardId) -> Result<Option<SequenceNumber>, AwsError> {
        self.kinesis.latest(stream, shard)
    }

    fn before_time(
        &self,
        stream: &str,
        shard: &ShardId,
        millis: u64,
    ) -> Result<Option<SequenceNumber>, AwsError> {
        self.kinesis.before_time(stream, shard, millis)
    }

    fn retention(&self, stream: &str) -> Result<Duration, AwsError> {
        self.kinesis.retention(stream)
    }
}

fn spec(function: &str, consumer: Option<&str>) -> MappingSpec {
    MappingSpec {
        function: function.to_owned(),
        source_arn: STREAM_ARN.to_owned(),
        consumer: consumer.map(str::to_owned),
        settings: Settings::new(StartingPosition::TrimHorizon),
        destination_arn: None,
        maximum_concurrency: None,
    }
}

/// What happened in 30 seconds with a record each 100 ms and so many mappings without fan-out.
struct Seen {
    stream: Arc<Counted>,
    functions: Arc<Functions>,
    /// The counts of the records that the function with fan-out had right after each record.
    pushed: Vec<usize>,
}

const SECONDS: usize = 30;

async fn seen(mappings: usize) -> Seen {
    let folder = std::env::temp_dir().join(format!("alpes-quotas-{}", uuid::Uuid::new_v4()));
    let store = Arc::new(Store::in_memory(&folder).unwrap());
    let clock: Arc<dyn Clock> = Arc::new(Paused::at(at_millis(crate::names::now_millis())));
    let throttling = Throttling::with_clock(clock.clone());
    let kinesis = Kinesis::with_clock(store.clone(), clock.clone(), Some(throttling)).unwrap();
    kinesis
        .call(
            "CreateStream",
            json!({"StreamName": "log", "ShardCount": 1}),
        )
        .unwrap();
    let stream = Arc::new(Counted {
        kinesis: kinesis.clone(),
        clock,
        answered: Mutex::default(),
        refused: Mutex::default(),
    });
    let functions = Arc::new(Functions::default());
    let behaviour = Behaviour {
        polling: Polling::WithinQuotas,
        ..Behaviour::default()
    };
    let all = Mappings::new(
        store,
        Arc::default(),
        stream.clone(),
        Arc::<FakeQueue>::default(),
        functions.clone(),
        Arc::<FakeDestination>::default(),
        &behaviour,
    )
    .unwrap();
    for number in 0..mappings {
        all.ensure(spec(&format!("f{number}"), None)).await.unwrap();
    }
    let consumer = format!("{STREAM_ARN}/consumer/pushed:1");
    all.ensure(spec("pushed", Some(&consumer))).await.unwrap();
    let mut pushed = vec![];
    for number in 0..SECONDS * 10 {
        let data = STANDARD.encode(number.to_string());
        let put = json!({"StreamName": "log", "PartitionKey": "k", "Data": data});
        kinesis.call("PutRecord", put).unwrap();
        sleep(Duration::from_millis(100)).await;
        pushed.push(functions.data("pushed").len());
    }
    // Each mapping comes to read the last records.
    sleep(Duration::from_mins(1)).await;
    Seen {
        stream,
        functions,
        pushed,
    }
}

#[tokio::test(start_paused = true)]
async fn seven_mappings_share_five_reads_a_second_and_lose_nothing() {
    let seen = seen(7).await;
    let answered = seen.stream.answered.lock().unwrap();
    assert!(answered.values().all(|reads| *reads <= 5), "{answered:?}");
    let total: usize = answered.values().take(SECONDS).sum();
    assert!(
        total > SECONDS * 4,
        "most of the quota is used: {total} reads"
    );
    assert!(*seen.stream.refused.lock().unwrap() > SECONDS);
    let all: Vec<_> = (0..SECONDS * 10).map(|number| number.to_string()).collect();
    for number in 0..7 {
        assert_eq!(
            seen.functions.data(&format!("f{number}")),
            all,
            "mapping {number}"
        );
    }
    // Fan-out has no part in the quota: each record was delivered before the next one.
    let prompt: Vec<_> = (1..=SECONDS * 10).collect();
    assert_eq!(seen.pushed, prompt);
}

#[tokio::test(start_paused = true)]
async fn five_mappings_are_not_slowed() {
    let seen = seen(5).await;
    assert_eq!(*seen.stream.refused.lock().unwrap(), 0);
    let answered = seen.stream.answered.lock().unwrap();
    let total: usize = answered.values().skip(1).take(SECONDS - 2).sum();
    assert!(
        total > 5 * (SECONDS - 2) * 9 / 10,
        "each mapping reads about once a second: {total}"
    );
}
