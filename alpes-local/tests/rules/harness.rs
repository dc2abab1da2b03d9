//! The runtime under test, and the invocations that its functions wrote down.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::Method;
use serde_json::Value;

use crate::{
    runtime::Runtime,
    wire::{Answer, send},
};

/// An invocation of a probe.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its beginning, since 1970 and in whole milliseconds.
    pub at: Duration,
    /// The sequence numbers of its records.
    pub sequences: Vec<String>,
}

impl Delivery {
    fn parse(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap();
        let records = line["records"].as_array().into_iter().flatten();
        let sequences = records.map(|record| record["id"].as_str().unwrap().to_owned());
        Self {
            at: Duration::from_millis(line["at"].as_u64().unwrap()),
            sequences: sequences.collect(),
        }
    }

    /// The time since an earlier one.
    pub fn since(&self, earlier: Duration) -> Duration {
        self.at.saturating_sub(earlier)
    }
}

/// The time, as deliveries have it.
pub fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Duration::from_millis(now.as_millis().try_into().unwrap())
}

/// The probes' file, as far as it was read.
#[derive(Default)]
struct Notes {
    read: u64,
    /// The beginning of a line that is not whole yet.
    rest: String,
    deliveries: Vec<Delivery>,
}

impl Notes {
    /// Reads what was written since the last time.
    fn read_on(&mut self, path: &PathBuf) {
        // Before the first invocation there is no file.
        let Ok(mut file) = File::open(path) else {
            return;
        };
        file.seek(SeekFrom::Start(self.read)).unwrap();
        self.read += u64::try_from(file.read_to_string(&mut self.rest).unwrap()).unwrap();
        while let Some((line, further)) = self.rest.split_once('\n') {
            self.deliveries.push(Delivery::parse(line));
            self.rest = further.to_owned();
        }
        // Processes that wrote in the same millisecond may have written in another order.
        self.deliveries.sort_by_key(|delivery| delivery.at);
    }
}

/// The runtime under test.
pub struct Harness {
    host: String,
    probe_file: PathBuf,
    notes: Mutex<Notes>,
}

impl Harness {
    pub fn new(runtime: &Runtime) -> Arc<Self> {
        Arc::new(Self {
            host: runtime.host.clone(),
            probe_file: runtime.probe_file(),
            notes: Mutex::default(),
        })
    }

    /// The invocations with at least one of these records.
    pub fn deliveries(&self, sequences: &[String]) -> Vec<Delivery> {
        let mut notes = self.notes.lock().unwrap();
        notes.read_on(&self.probe_file);
        let with =
            |delivery: &&Delivery| delivery.sequences.iter().any(|one| sequences.contains(one));
        notes.deliveries.iter().filter(with).cloned().collect()
    }

    /// Calls an operation of a service that speaks JSON, for example `Kinesis_20131202.PutRecords`.
    pub async fn call(&self, service: &str, target: &str, input: Value) -> Value {
        let version = if service == "sqs" { "1.0" } else { "1.1" };
        let kind = format!("application/x-amz-json-{version}");
        let headers = [("x-amz-target", target), ("content-type", kind.as_str())];
        let body = input.to_string();
        let answer = send(&self.host, service, Method::POST, "/", &headers, body).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.json()
    }

    /// Calls the REST API of a service.
    pub async fn rest(&self, service: &str, method: Method, path: &str, body: String) -> Answer {
        let headers = [("content-type", "application/json")];
        send(&self.host, service, method, path, &headers, body).await
    }
}
