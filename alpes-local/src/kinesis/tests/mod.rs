//! Streams as clients and mappings see them.

mod order;
mod quotas;
mod records;
mod reopened;
mod shards;
mod streams;
mod typed;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::time::at_millis;

const HOUR: u64 = 3_600_000;

/// Streams in a store of their own, with a clock that stands still.
struct Rig {
    kinesis: Arc<Kinesis>,
    clock: Arc<AtomicU64>,
    _folder: Arc<Folder>,
}

struct ClockOfRig(Arc<AtomicU64>);

impl Clock for ClockOfRig {
    fn now(&self) -> Timestamp {
        at_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A folder that is removed with its last user.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Arc<Self> {
        let name = format!("alpes-kinesis-{}", uuid::Uuid::new_v4());
        Arc::new(Self(std::env::temp_dir().join(name)))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Rig {
    fn new() -> Self {
        let folder = Folder::new();
        let store = Store::in_memory(&folder.0).unwrap();
        Self::over(store, folder)
    }

    /// A rig with AWS's quotas, and what they throttle.
    fn with_quotas() -> (Self, Arc<Throttling>) {
        let folder = Folder::new();
        let store = Arc::new(Store::in_memory(&folder.0).unwrap());
        let clock = Arc::new(AtomicU64::new(1_700_000_000_000));
        let of_rig = Arc::new(ClockOfRig(clock.clone()));
        let throttling = Throttling::with_clock(of_rig.clone());
        let kinesis = Kinesis::with_clock(store, of_rig, Some(throttling.clone())).unwrap();
        let rig = Self {
            kinesis,
            clock,
            _folder: folder,
        };
        (rig, throttling)
    }

    /// A rig whose store stays in the folder.
    fn in_folder(folder: Arc<Folder>) -> Self {
        let store = Store::open(&folder.0).unwrap();
        Self::over(store, folder)
    }

    fn over(store: Store, folder: Arc<Folder>) -> Self {
        let clock = Arc::new(AtomicU64::new(1_700_000_000_000));
        let of_rig = Arc::new(ClockOfRig(clock.clone()));
        let kinesis = Kinesis::with_clock(Arc::new(store), of_rig, None).unwrap();
        Self {
            kinesis,
            clock,
            _folder: folder,
        }
    }

    fn pass(&self, millis: u64) {
        self.clock.fetch_add(millis, Ordering::Relaxed);
    }

    fn ok(&self, operation: &str, input: Value) -> Value {
        let answer = self.kinesis.call(operation, input);
        answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    fn refused(&self, operation: &str, input: Value) -> AwsError {
        let answer = self.kinesis.call(operation, input);
        answer
            .err()
            .unwrap_or_else(|| panic!("{operation} must be refused"))
    }

    /// Creates a provisioned stream `s`.
    fn stream(&self, shards: u32) {
        self.ok(
            "CreateStream",
            json!({ "StreamName": "s", "ShardCount": shards }),
        );
    }

    /// Puts a record with this key and data, and returns its sequence number.
    fn put(&self, key: &str, data: &str) -> String {
        let data = base64(data);
        let input = json!({ "StreamName": "s", "PartitionKey": key, "Data": data });
        text(&self.ok("PutRecord", input)["SequenceNumber"])
    }

    fn iterator(&self, shard: &str, more: &Value) -> String {
        let mut input =
            json!({ "StreamName": "s", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
        let members = input.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        text(&self.ok("GetShardIterator", input)["ShardIterator"])
    }

    /// The data of the records from an iterator on.
    fn read(&self, iterator: &str) -> Vec<String> {
        let answer = self.ok("GetRecords", json!({ "ShardIterator": iterator }));
        data_of(&answer)
    }

    fn read_from_start(&self, shard: &str) -> Vec<String> {
        self.read(&self.iterator(shard, &json!({})))
    }

    fn shard_ids(&self, more: &Value) -> Vec<String> {
        let mut input = json!({ "StreamName": "s" });
        let members = input.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let shards = &self.ok("ListShards", input)["Shards"];
        let shards = shards.as_array().unwrap().iter();
        shards.map(|shard| text(&shard["ShardId"])).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn base64(data: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(data)
}

fn data_of(answer: &Value) -> Vec<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let records = answer["Records"].as_array().unwrap().iter();
    records
        .map(|record| {
            let bytes = STANDARD.decode(record["Data"].as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        })
        .collect()
}

fn shard(number: u32) -> String {
    format!("shardId-{number:012}")
}
