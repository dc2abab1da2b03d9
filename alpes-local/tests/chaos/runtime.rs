//! The runtime under test: a process with a folder of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Method;
use serde_json::{Value, json};
use tokio::{task::spawn_blocking, time::sleep};
use uuid::Uuid;

use crate::{judge::Ledger, wire::send};

/// Everything that should happen happens within this time, also while processes start.
const PATIENCE: Duration = Duration::from_secs(100);

/// A running runtime. It ends with this value, and also if this process dies.
pub struct Runtime {
    process: Child,
    folder: PathBuf,
    host: String,
    /// Its output, which must stay open for what it prints later.
    _output: BufReader<ChildStdout>,
}

impl Runtime {
    /// Starts the runtime with the ledgers, and with chaos if there is a seed.
    pub async fn start(seed: Option<u64>) -> Self {
        spawn_blocking(move || Self::start_now(seed)).await.unwrap()
    }

    fn start_now(seed: Option<u64>) -> Self {
        let folder = std::env::temp_dir().join(format!("alpes-chaos-{}", Uuid::new_v4()));
        let code = folder.join("artifacts/ledger");
        fs::create_dir_all(&code).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_ledger"), code.join("bootstrap")).unwrap();
        let mut process = up(&folder, seed);
        let mut welcome = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut welcome).unwrap();
        let host = welcome.trim_end().split_once("http://");
        let host = host.expect("the runtime has not started").1.to_owned();
        Self {
            process,
            folder,
            host,
            _output: output,
        }
    }

    /// Puts records with their partition keys.
    pub async fn put(&self, records: &[(&str, Value)]) {
        let records: Vec<_> = records
            .iter()
            .map(|(key, data)| {
                let data = BASE64_STANDARD.encode(data.to_string());
                json!({"PartitionKey": key, "Data": data})
            })
            .collect();
        let input = json!({"StreamName": "records", "Records": records});
        let answer = self.call("kinesis", "Kinesis_20131202.PutRecords", input);
        assert_eq!(answer.await["FailedRecordCount"], 0);
    }

    /// Waits until the mappings have had nothing to do for so long.
    pub async fn idle(&self, long: Duration) {
        let begin = Instant::now();
        let mut since = Instant::now();
        while since.elapsed() < long {
            assert!(begin.elapsed() < PATIENCE, "the mappings are never idle");
            sleep(Duration::from_millis(10)).await;
            if self.is_busy().await {
                since = Instant::now();
            }
        }
    }

    async fn is_busy(&self) -> bool {
        let mappings = self.admin("mappings").await;
        let mappings = mappings.as_array().unwrap();
        mappings.iter().any(|mapping| {
            let shards = mapping["shards"].as_object().unwrap();
            // A shard that is not read yet has no entry.
            shards.len() < 2
                || shards.values().any(|shard| {
                    let flying = shard["in_flight"].as_array().unwrap();
                    shard["waiting"] != 0 || shard["more"] == true || !flying.is_empty()
                })
        })
    }

    /// The ledger of a function, by its mistake.
    pub async fn ledger(&self, mistake: &str) -> Ledger {
        let input = json!({"TableName": format!("ledger-{mistake}"), "ConsistentRead": true});
        let answer = self.call("dynamodb", "DynamoDB_20120810.Scan", input).await;
        let items = answer["Items"].as_array().unwrap().iter();
        let named = |item: &Value| (item["id"]["S"].as_str().unwrap().to_owned(), item.clone());
        items.map(named).collect()
    }

    /// What chaos has done.
    pub async fn chaos(&self) -> Value {
        self.admin("chaos").await
    }

    async fn admin(&self, path: &str) -> Value {
        let path = format!("/_alpes/{path}");
        let (host, body) = (&self.host, String::new());
        send(host, "admin", Method::GET, &path, &[], body)
            .await
            .json()
    }

    async fn call(&self, service: &str, target: &str, input: Value) -> Value {
        let headers = [
            ("x-amz-target", target),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        let body = input.to_string();
        let answer = send(&self.host, service, Method::POST, "/", &headers, body).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.json()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // The end of its input ends the runtime, and waiting closes that input.
        self.process.wait().unwrap();
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn up(folder: &Path, seed: Option<u64>) -> Child {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/template.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_alpes-local"));
    command
        .args(["up", "--port", "0", "--until-stdin-ends"])
        .arg("--template")
        .arg(template)
        .arg("--artifacts")
        .arg(folder.join("artifacts"))
        .arg("--data")
        .arg(folder.join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if let Some(seed) = seed {
        command.arg("--chaos").arg(seed.to_string());
    }
    command.spawn().unwrap()
}
