//! The runtime under test, and the invocations that its functions wrote down.

use std::{
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::Method;
use serde_json::Value;

use crate::wire::{Answer, send};

/// An invocation of a probe.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The time at which it was seen, soon after its beginning.
    pub at: Instant,
    /// The sequence numbers of its records.
    pub sequences: Vec<String>,
}

/// The runtime under test.
pub struct Harness {
    host: String,
    deliveries: Mutex<Vec<Delivery>>,
}

impl Harness {
    /// The runtime that the environment names.
    pub fn connect() -> Option<Arc<Self>> {
        let url = std::env::var("ALPES_LOCAL_URL").ok()?;
        let probe = PathBuf::from(std::env::var_os("PROBE_FILE")?);
        let host = url
            .strip_prefix("http://")
            .unwrap_or(&url)
            .trim_end_matches('/');
        let harness = Arc::new(Self {
            host: host.to_owned(),
            deliveries: Mutex::default(),
        });
        tokio::spawn(harness.clone().watch(probe));
        Some(harness)
    }

    /// Reads the probes' file as it grows.
    async fn watch(self: Arc<Self>, probe: PathBuf) {
        let (mut from, mut rest) = (0, String::new());
        loop {
            if let Ok(mut file) = std::fs::File::open(&probe) {
                file.seek(SeekFrom::Start(from)).unwrap();
                let mut news = vec![];
                from += u64::try_from(file.read_to_end(&mut news).unwrap()).unwrap();
                rest.push_str(&String::from_utf8(news).unwrap());
                while let Some((line, further)) = rest.split_once('\n') {
                    self.note(line);
                    rest = further.to_owned();
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn note(&self, line: &str) {
        let line: Value = serde_json::from_str(line).unwrap();
        let sequences = line["sequences"].as_array().into_iter().flatten();
        let sequences = sequences.filter_map(|sequence| sequence.as_str().map(str::to_owned));
        let delivery = Delivery {
            at: Instant::now(),
            sequences: sequences.collect(),
        };
        self.deliveries.lock().unwrap().push(delivery);
    }

    /// The invocations with at least one of these records.
    pub fn deliveries(&self, sequences: &[String]) -> Vec<Delivery> {
        let deliveries = self.deliveries.lock().unwrap();
        let with =
            |delivery: &&Delivery| delivery.sequences.iter().any(|one| sequences.contains(one));
        deliveries.iter().filter(with).cloned().collect()
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
