//! The steps of scenarios: put records, create mappings, and look at the invocations that follow.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Delivery, Harness};

/// Orders for the probe.
pub mod orders {
    use serde_json::{Value, json};

    pub fn ok() -> String {
        order(&json!({}))
    }

    pub fn fail() -> String {
        order(&json!({"do": "fail"}))
    }

    pub fn exit() -> String {
        order(&json!({"do": "exit"}))
    }

    pub fn sleep(millis: u64) -> String {
        order(&json!({"ms": millis}))
    }

    pub fn report() -> String {
        order(&json!({"do": "report"}))
    }

    pub fn answer(answer: &Value) -> String {
        order(&json!({"do": "answer", "with": answer}))
    }

    fn order(order: &Value) -> String {
        json!({"probe": order}).to_string()
    }
}

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const FUNCTIONS: &str = "/2017-10-31/functions";
/// Everything that should happen happens within this time, also while processes start.
const PATIENCE: Duration = Duration::from_secs(100);

/// A stream of its own, with a consumer for enhanced fan-out.
pub struct Stream {
    pub name: String,
    pub arn: String,
    pub consumer: String,
}

/// A record in a stream.
#[derive(Clone, Debug)]
pub struct Put {
    pub sequence: String,
    pub shard: String,
}

/// The sequence numbers of records.
pub fn sequences(puts: &[Put]) -> Vec<String> {
    puts.iter().map(|put| put.sequence.clone()).collect()
}

/// The sizes of batches.
pub fn sizes(deliveries: &[Delivery]) -> Vec<usize> {
    deliveries
        .iter()
        .map(|delivery| delivery.sequences.len())
        .collect()
}

/// One scenario's view of the runtime.
#[derive(Clone)]
pub struct Scene {
    harness: Arc<Harness>,
    mappings: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    pub fn new(harness: Arc<Harness>) -> Self {
        let mappings = Arc::default();
        Self { harness, mappings }
    }

    /// Deletes the mappings, so that none retries forever.
    pub async fn end(&self) {
        let mappings = std::mem::take(&mut *self.mappings.lock().unwrap());
        for uuid in mappings {
            self.lambda(Method::DELETE, &format!("{MAPPINGS}/{uuid}"), &json!({}))
                .await;
        }
    }

    pub async fn kinesis(&self, operation: &str, input: Value) -> Value {
        let target = format!("Kinesis_20131202.{operation}");
        self.harness.call("kinesis", &target, input).await
    }

    async fn sqs(&self, operation: &str, input: Value) -> Value {
        self.harness
            .call("sqs", &format!("AmazonSQS.{operation}"), input)
            .await
    }

    async fn lambda(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let answer = self
            .harness
            .rest("lambda", method, path, body.to_string())
            .await;
        (answer.status, answer.json())
    }

    pub async fn stream(&self, shards: u32) -> Stream {
        let name = format!("rules-{}", Uuid::new_v4());
        self.kinesis(
            "CreateStream",
            json!({"StreamName": name, "ShardCount": shards}),
        )
        .await;
        let summary = self
            .kinesis("DescribeStreamSummary", json!({"StreamName": name}))
            .await;
        let arn = summary["StreamDescriptionSummary"]["StreamARN"]
            .as_str()
            .unwrap()
            .to_owned();
        let input = json!({"StreamARN": arn, "ConsumerName": "probe"});
        let consumer = self.kinesis("RegisterStreamConsumer", input).await;
        let consumer = consumer["Consumer"]["ConsumerARN"]
            .as_str()
            .unwrap()
            .to_owned();
        Stream {
            name,
            arn,
            consumer,
        }
    }

    /// Puts records of one key, all with one call.
    pub async fn put(&self, stream: &Stream, data: &[String]) -> Vec<Put> {
        let records: Vec<_> = data
            .iter()
            .map(|data| ("key", None, data.clone()))
            .collect();
        self.put_all(stream, &records).await
    }

    /// Puts records with keys, and with hash keys if they are given.
    pub async fn put_all(
        &self,
        stream: &Stream,
        records: &[(&str, Option<&str>, String)],
    ) -> Vec<Put> {
        let records: Vec<_> = records
            .iter()
            .map(|(key, hash, data)| {
                let mut record = json!({"PartitionKey": key, "Data": STANDARD.encode(data)});
                if let Some(hash) = hash {
                    record["ExplicitHashKey"] = (*hash).into();
                }
                record
            })
            .collect();
        let input = json!({"StreamName": stream.name, "Records": records});
        let answer = self.kinesis("PutRecords", input).await;
        let put = |record: &Value| Put {
            sequence: record["SequenceNumber"].as_str().unwrap().to_owned(),
            shard: record["ShardId"].as_str().unwrap().to_owned(),
        };
        answer["Records"]
            .as_array()
            .unwrap()
            .iter()
            .map(put)
            .collect()
    }

    /// Creates a mapping from the stream to the probe: from the oldest record, with enhanced fan-out, and with these
    /// settings.
    pub async fn map(&self, stream: &Stream, settings: &Value) -> String {
        let (status, answer) = self.try_map(stream, settings).await;
        assert_eq!(status, 202, "{answer}");
        let uuid = answer["UUID"].as_str().unwrap().to_owned();
        self.mappings.lock().unwrap().push(uuid.clone());
        uuid
    }

    /// The answer to the request to create a mapping.
    pub async fn try_map(&self, stream: &Stream, settings: &Value) -> (u16, Value) {
        let mut body = json!({
            "FunctionName": "probe",
            "EventSourceArn": stream.consumer,
            "StartingPosition": "TRIM_HORIZON",
        });
        body.as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        self.lambda(Method::POST, MAPPINGS, &body).await
    }

    pub async fn update(&self, uuid: &str, settings: &Value) {
        let (status, answer) = self
            .lambda(Method::PUT, &format!("{MAPPINGS}/{uuid}"), settings)
            .await;
        assert_eq!(status, 202, "{answer}");
    }

    pub async fn delete(&self, uuid: &str) {
        let (status, answer) = self
            .lambda(Method::DELETE, &format!("{MAPPINGS}/{uuid}"), &json!({}))
            .await;
        assert_eq!(status, 202, "{answer}");
        self.mappings.lock().unwrap().retain(|known| known != uuid);
    }

    /// Limits the concurrency of `probe-limited`; `None` removes the limit.
    pub async fn limit(&self, most: Option<u32>) {
        let path = format!("{FUNCTIONS}/probe-limited/concurrency");
        let (method, body) = match most {
            Some(most) => (Method::PUT, json!({"ReservedConcurrentExecutions": most})),
            None => (Method::DELETE, json!({})),
        };
        let (status, answer) = self.lambda(method, &path, &body).await;
        assert!((200..300).contains(&status), "{answer}");
    }

    /// The invocations with at least one of these records.
    pub fn deliveries(&self, puts: &[Put]) -> Vec<Delivery> {
        self.harness.deliveries(&sequences(puts))
    }

    /// Waits for so many invocations with these records.
    pub async fn delivered(&self, puts: &[Put], count: usize) -> Vec<Delivery> {
        let enough = || {
            let deliveries = self.deliveries(puts);
            (deliveries.len() >= count).then_some(deliveries)
        };
        until("invocations", enough).await
    }

    /// Waits until each of these records was delivered.
    pub async fn all_delivered(&self, puts: &[Put]) -> Vec<Delivery> {
        let enough = || {
            let deliveries = self.deliveries(puts);
            let came: Vec<_> = deliveries
                .iter()
                .flat_map(|delivery| &delivery.sequences)
                .collect();
            let all = puts.iter().all(|put| came.contains(&&put.sequence));
            all.then_some(deliveries)
        };
        until("all records", enough).await
    }

    /// Waits a second, in which a record that should not come had its chance.
    pub async fn quiet(&self) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    /// A queue of its own: its ARN and its URL.
    pub async fn queue(&self) -> (String, String) {
        let name = format!("rules-{}", Uuid::new_v4());
        let url = self.sqs("CreateQueue", json!({"QueueName": name})).await;
        let url = url["QueueUrl"].as_str().unwrap().to_owned();
        let input = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
        let attributes = self.sqs("GetQueueAttributes", input).await;
        let arn = attributes["Attributes"]["QueueArn"]
            .as_str()
            .unwrap()
            .to_owned();
        (arn, url)
    }

    /// Waits for so many reports in a queue. Reports that were received before do not come again.
    pub async fn reports(&self, queue_url: &str, count: usize) -> Vec<Value> {
        let mut reports = vec![];
        let begin = std::time::Instant::now();
        while reports.len() < count {
            assert!(begin.elapsed() < PATIENCE, "{} reports came", reports.len());
            let input =
                json!({"QueueUrl": queue_url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1});
            let answer = self.sqs("ReceiveMessage", input).await;
            for message in answer["Messages"].as_array().into_iter().flatten() {
                reports.push(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap());
            }
        }
        reports
    }

    /// A bucket of its own: its name.
    pub async fn bucket(&self) -> String {
        let name = format!("rules-{}", Uuid::new_v4());
        let answer = self
            .harness
            .rest("s3", Method::PUT, &format!("/{name}"), String::new())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        name
    }

    /// Waits for an object: its key and its text.
    pub async fn object(&self, bucket: &str) -> (String, Value) {
        let begin = std::time::Instant::now();
        loop {
            assert!(begin.elapsed() < PATIENCE, "no object came");
            let list = format!("/{bucket}?list-type=2");
            let list = self
                .harness
                .rest("s3", Method::GET, &list, String::new())
                .await
                .text();
            if let Some((_, rest)) = list.split_once("<Key>") {
                let key = rest.split("</Key>").next().unwrap().to_owned();
                let path = format!("/{bucket}/{key}");
                let object = self
                    .harness
                    .rest("s3", Method::GET, &path, String::new())
                    .await;
                return (key, object.json());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Waits until there is something.
async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
