//! The parts that the tests share.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use alpes_local::{
    chaos::Chaos,
    invoke::{Invoked, Invoker},
    lambda::{Code, FunctionSpec, Lambda, Pace},
    logs::Logs,
    store::Store,
};
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

/// A runtime with a data folder, and a folder of code with the probe.
pub(crate) struct World {
    pub(crate) root: PathBuf,
    logs: Arc<Logs>,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) chaos: Option<Arc<Chaos>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let root = std::env::temp_dir().join(format!("alpes-lambda-{}", Uuid::new_v4()));
        let code = root.join("code");
        std::fs::create_dir_all(&code).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_probe"), code.join("bootstrap")).unwrap();
        Self::open(root)
    }

    pub(crate) fn open(root: PathBuf) -> Self {
        Self::with_pace(root, Self::quick())
    }

    /// A pace at which nobody waits for retries.
    fn quick() -> Pace {
        Pace {
            retry: Duration::from_millis(20),
            throttled: Duration::from_millis(20),
            ..Pace::default()
        }
    }

    pub(crate) fn with_pace(root: PathBuf, pace: Pace) -> Self {
        Self::build(root, pace, None)
    }

    /// A world with the unkind choices of this seed.
    pub(crate) fn with_chaos(seed: u64) -> Self {
        let root = Self::new().close();
        let chaos = Chaos::new(seed, &root).unwrap();
        Self::build(root, Self::quick(), Some(chaos))
    }

    fn build(root: PathBuf, pace: Pace, chaos: Option<Arc<Chaos>>) -> Self {
        let store = Arc::new(Store::open(&root.join("data")).unwrap());
        let logs = Logs::new(store.clone()).unwrap();
        let endpoint = "http://127.0.0.1:4566".to_owned();
        let lambda = Lambda::with_chaos(
            store,
            Arc::default(),
            logs.clone(),
            endpoint,
            pace,
            chaos.clone(),
        )
        .unwrap();
        Self {
            root,
            logs,
            lambda,
            chaos,
        }
    }

    /// Ends the runtime and begins it anew with the same data.
    pub(crate) fn again(self) -> Self {
        Self::open(self.close())
    }

    pub(crate) fn close(self) -> PathBuf {
        let Self {
            root, logs, lambda, ..
        } = self;
        drop((logs, lambda));
        root
    }

    pub(crate) fn spec(&self, name: &str) -> FunctionSpec {
        let mut spec = FunctionSpec::new(name, Code::Folder(self.root.join("code")));
        // No test waits for this, however slow the machine is.
        spec.timeout = 60;
        let file = self.file().to_str().unwrap().to_owned();
        spec.environment.insert("PROBE_FILE".into(), file);
        spec
    }

    pub(crate) async fn put(&self, name: &str) {
        self.lambda.put(self.spec(name)).await.unwrap();
    }

    pub(crate) async fn order(&self, name: &str, order: Value) -> Invoked {
        self.lambda.invoke(name, event(order)).await.unwrap()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.root.join("probe.jsonl")
    }

    /// The notes of the probe, one value an invocation.
    pub(crate) fn noted(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        // A reader may see a part of the line that is being written.
        let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn log(&self, name: &str) -> Vec<String> {
        let request = json!({ "logGroupName": format!("/aws/lambda/{name}") });
        let answer = self.logs.call("FilterLogEvents", &request).unwrap();
        let events = answer["events"].as_array().unwrap().iter();
        events
            .map(|event| event["message"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn end(self) {
        let _ = std::fs::remove_dir_all(self.close());
    }
}

pub(crate) fn event(order: Value) -> Bytes {
    let event = serde_json::Map::from_iter([("probe".to_owned(), order)]);
    Value::from(event).to_string().into()
}

pub(crate) fn document(invoked: &Invoked) -> Value {
    serde_json::from_slice(&invoked.payload).unwrap()
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "waited in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn is_running(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}
