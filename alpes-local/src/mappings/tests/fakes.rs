//! A stream, a queue, a function and a destination in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::Value;
use source_mapping::{Record, SequenceNumber, ShardId};
use tokio::sync::watch;

use super::support::QUEUE_ARN;
use crate::{
    error::AwsError,
    invoke::{Destinations, Document, Failure, Invoked, Invoker},
    mappings::{Message, QueueSource, ShardInfo, StreamSource},
    names,
};

/// The one stream, named `log`.
pub struct FakeStream {
    shards: Mutex<Vec<(ShardInfo, Vec<Record>)>>,
    changes: watch::Sender<u64>,
    last: Mutex<u64>,
}

impl FakeStream {
    pub fn new() -> Self {
        let stream = Self {
            shards: Mutex::default(),
            changes: watch::Sender::new(0),
            last: Mutex::default(),
        };
        stream.open("0", &[]);
        stream
    }

    /// Opens a shard, and closes its parents.
    pub fn open(&self, id: &str, parents: &[&str]) {
        let parents: Vec<_> = parents.iter().map(|id| ShardId::from(*id)).collect();
        let mut shards = self.shards.lock().unwrap();
        for (shard, _) in shards.iter_mut() {
            shard.closed |= parents.contains(&shard.id);
        }
        let id = id.into();
        shards.push((
            ShardInfo {
                id,
                parents,
                closed: false,
            },
            vec![],
        ));
        self.changes.send_modify(|count| *count += 1);
    }

    /// Removes a shard, as a stream does when all records of a closed shard are too old.
    pub fn lose(&self, id: &str) {
        let id = ShardId::from(id);
        self.shards
            .lock()
            .unwrap()
            .retain(|(shard, _)| shard.id != id);
    }

    pub fn put(&self, shard: &str, data: &[&str]) {
        self.put_at(shard, data, names::now_millis());
    }

    pub fn put_at(&self, shard: &str, data: &[&str], arrived: u64) {
        let id = ShardId::from(shard);
        let mut shards = self.shards.lock().unwrap();
        let (_, records) = shards.iter_mut().find(|(known, _)| known.id == id).unwrap();
        for data in data {
            let mut last = self.last.lock().unwrap();
            *last += 1;
            records.push(Record {
                sequence: (*last).into(),
                partition_key: "key".into(),
                data: data.as_bytes().into(),
                arrived: source_mapping::Millis(arrived),
            });
        }
        self.changes.send_modify(|count| *count += 1);
    }

    fn with<T>(
        &self,
        stream: &str,
        shard: &ShardId,
        read: impl FnOnce(&[Record]) -> T,
    ) -> Result<T, AwsError> {
        self.topology(stream)?;
        let shards = self.shards.lock().unwrap();
        let found = shards.iter().find(|(known, _)| known.id == *shard);
        let missing = || AwsError::client("ResourceNotFoundException", "no such shard");
        Ok(read(&found.ok_or_else(missing)?.1))
    }
}

impl StreamSource for FakeStream {
    fn topology(&self, stream: &str) -> Result<Vec<ShardInfo>, AwsError> {
        if stream != "log" {
            return Err(AwsError::client(
                "ResourceNotFoundException",
                "no such stream",
            ));
        }
        let shards = self.shards.lock().unwrap();
        Ok(shards.iter().map(|(shard, _)| shard.clone()).collect())
    }

    fn read_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        at_most_records: usize,
        at_most_bytes: usize,
    ) -> Result<Vec<Record>, AwsError> {
        let mut bytes = 0;
        self.with(stream, shard, |records| {
            records
                .iter()
                .filter(|record| after.is_none_or(|after| record.sequence > *after))
                .take(at_most_records)
                .take_while(|record| {
                    bytes += record.data.len();
                    bytes <= at_most_bytes
                })
                .cloned()
                .collect()
        })
    }

    fn changes(&self, _: &str) -> Result<watch::Receiver<u64>, AwsError> {
        Ok(self.changes.subscribe())
    }

    fn latest(&self, stream: &str, shard: &ShardId) -> Result<Option<SequenceNumber>, AwsError> {
        self.with(stream, shard, |records| {
            records.last().map(|last| last.sequence.clone())
        })
    }

    fn before_time(
        &self,
        stream: &str,
        shard: &ShardId,
        millis: u64,
    ) -> Result<Option<SequenceNumber>, AwsError> {
        self.with(stream, shard, |records| {
            let before = records
                .iter()
                .take_while(|record| record.arrived.0 < millis);
            before.last().map(|last| last.sequence.clone())
        })
    }

    fn retention(&self, _: &str) -> Result<Duration, AwsError> {
        Ok(Duration::from_hours(24))
    }
}

/// The one queue. Hidden messages stay hidden.
#[derive(Default)]
pub struct FakeQueue {
    visible: Mutex<VecDeque<Message>>,
    pub hidden: Mutex<BTreeMap<String, Message>>,
    changes: watch::Sender<u64>,
}

impl FakeQueue {
    pub fn send(&self, bodies: &[&str]) {
        for body in bodies {
            let (id, body) = (format!("id-{body}"), (*body).to_owned());
            let receipt = format!("receipt-{body}");
            let message = Message {
                id,
                receipt,
                body,
                ..Message::default()
            };
            self.visible.lock().unwrap().push_back(message);
        }
        self.changes.send_modify(|count| *count += 1);
    }

    pub fn hidden_bodies(&self) -> Vec<String> {
        let hidden = self.hidden.lock().unwrap();
        hidden
            .values()
            .map(|message| message.body.clone())
            .collect()
    }

    pub fn visible_bodies(&self) -> Vec<String> {
        let visible = self.visible.lock().unwrap();
        visible.iter().map(|message| message.body.clone()).collect()
    }
}

#[async_trait]
impl QueueSource for FakeQueue {
    async fn receive(&self, _: &str, max: usize) -> Result<Vec<Message>, AwsError> {
        let mut visible = self.visible.lock().unwrap();
        let count = max.min(10).min(visible.len());
        let received: Vec<_> = visible.drain(..count).collect();
        let mut hidden = self.hidden.lock().unwrap();
        hidden.extend(
            received
                .iter()
                .map(|message| (message.receipt.clone(), message.clone())),
        );
        Ok(received)
    }

    async fn delete(&self, _: &str, receipts: &[String]) -> Result<(), AwsError> {
        self.hidden
            .lock()
            .unwrap()
            .retain(|receipt, _| !receipts.contains(receipt));
        Ok(())
    }

    async fn change_visibility(
        &self,
        _: &str,
        receipts: &[String],
        _: u32,
    ) -> Result<(), AwsError> {
        let mut hidden = self.hidden.lock().unwrap();
        let back = receipts.iter().filter_map(|receipt| hidden.remove(receipt));
        self.visible.lock().unwrap().extend(back);
        Ok(())
    }

    fn changes(&self, queue: &str) -> Result<watch::Receiver<u64>, AwsError> {
        if queue != QUEUE_ARN {
            return Err(AwsError::client("NonExistentQueue", "no such queue"));
        }
        Ok(self.changes.subscribe())
    }
}

/// The one function. It obeys the data of its records: `fail` fails, `hang` never ends, `report` is named in the answer.
#[derive(Default)]
pub struct FakeFunction {
    /// The data of each invocation's records, in order.
    pub batches: Mutex<Vec<Vec<String>>>,
    /// So many of the next invocations are throttled.
    pub throttles: AtomicUsize,
    /// While this holds, invocations wait.
    pub paused: AtomicBool,
    pub most_at_once: AtomicUsize,
    now: AtomicUsize,
}

impl FakeFunction {
    pub fn batches(&self) -> Vec<Vec<String>> {
        self.batches.lock().unwrap().clone()
    }

    pub fn data(&self) -> Vec<String> {
        self.batches().concat()
    }

    pub fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
    }
}

/// The data and the identifier of a record in an event.
fn record(record: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match record.get("kinesis") {
        Some(kinesis) => {
            let data = STANDARD.decode(text(&kinesis["data"]));
            let data = String::from_utf8(data.unwrap()).unwrap();
            (data, text(&kinesis["sequenceNumber"]))
        }
        None => (text(&record["body"]), text(&record["messageId"])),
    }
}

#[async_trait]
impl Invoker for FakeFunction {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, AwsError> {
        assert!(function.ends_with(":function:worker"), "{function}");
        let throttled = self
            .throttles
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if throttled.is_ok() {
            return Err(AwsError::of(
                429,
                "TooManyRequestsException",
                "Rate Exceeded.",
            ));
        }
        let event: Value = serde_json::from_slice(&payload).unwrap();
        let records: Vec<_> = event["Records"]
            .as_array()
            .unwrap()
            .iter()
            .map(record)
            .collect();
        let number = {
            let mut batches = self.batches.lock().unwrap();
            batches.push(records.iter().map(|(data, _)| data.clone()).collect());
            batches.len()
        };
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        if records.iter().any(|(data, _)| data == "hang") {
            std::future::pending::<()>().await;
        }
        while self.paused.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        let failed = records.iter().any(|(data, _)| data == "fail");
        let named = records.iter().filter(|(data, _)| data == "report");
        let named: Vec<_> = named
            .map(|(_, id)| serde_json::json!({"itemIdentifier": id}))
            .collect();
        let answer = serde_json::json!({"batchItemFailures": named});
        Ok(Invoked {
            request_id: format!("request-{number}"),
            executed_version: "7".to_owned(),
            payload: answer.to_string().into(),
            failure: failed.then_some(Failure::Error),
            log_tail: String::new(),
        })
    }

    async fn enqueue(&self, _: &str, _: Bytes) -> Result<String, AwsError> {
        panic!("mappings invoke synchronously")
    }

    fn role(&self, function: &str) -> Option<String> {
        let role = "arn:aws:iam::000000000000:role/any".to_owned();
        (!function.ends_with(":none")).then_some(role)
    }
}

/// The one destination, which may refuse.
#[derive(Default)]
pub struct FakeDestination {
    pub refuses: AtomicBool,
    /// ARN, document, and key.
    pub taken: Mutex<Vec<(String, Value, String)>>,
}

#[async_trait]
impl Destinations for FakeDestination {
    async fn deliver(&self, arn: &str, document: Document) -> Result<(), AwsError> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(AwsError::of(404, "NoSuchBucket", "no such bucket"));
        }
        let body = serde_json::from_str(&document.body).unwrap();
        self.taken
            .lock()
            .unwrap()
            .push((arn.to_owned(), body, document.object_key));
        Ok(())
    }
}
