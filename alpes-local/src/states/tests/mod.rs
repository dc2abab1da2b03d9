//! Executions from start to end. Here is what the tests share.

mod api;
mod crashes;
mod history;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{runtime, time::sleep};
use uuid::Uuid;

use super::{States, arns::*};
use crate::clock::{Clock, testing::Paused};
use crate::{
    error::AwsError,
    invoke::{Failure, Invoked, Invoker, ending},
    store::Store,
};

const INVOKE: &str = "arn:aws:states:::lambda:invoke";

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("alpes-states-{}", Uuid::new_v4())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Functions that take 100 ms. Their answer follows from their name and payload.
#[derive(Default)]
struct Functions(Mutex<Vec<String>>);

impl Functions {
    fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Invoker for Functions {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, AwsError> {
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        let before = self.calls().len();
        let attempt = payload["attempt"].as_u64().unwrap_or_default();
        self.0.lock().unwrap().push(format!("{function} {attempt}"));
        sleep(Duration::from_millis(100)).await;
        let (payload, failure) = match (function, attempt) {
            ("pick", 0) => (r#"{"errorType":"Busy"}"#, Some(Failure::Error)),
            ("pick", _) => (r#"{"place":7}"#, None),
            ("charge", _) => {
                sleep(Duration::from_mins(10)).await;
                ("null", None)
            }
            ("undo", _) => ("not JSON", None),
            ("cut off", _) if before == 0 => return Err(ending()),
            ("cut off", _) => ("null", None),
            ("broken", _) => (r#"{"errorType":"Broken"}"#, Some(Failure::Exited)),
            _ => {
                let error = AwsError::of(404, "ResourceNotFoundException", "Function not found");
                return Err(error);
            }
        };
        Ok(Invoked {
            request_id: String::new(),
            executed_version: "$LATEST".into(),
            payload: Bytes::from(payload),
            failure,
            log_tail: String::new(),
        })
    }

    async fn enqueue(&self, _: &str, _: Bytes) -> Result<String, AwsError> {
        unreachable!("state machines wait for their functions")
    }

    fn role(&self, _: &str) -> Option<String> {
        Some("arn:aws:iam::000000000000:role/any".to_owned())
    }
}

/// A machine with a retry, a wait, a choice that leads to itself at first, a time limit and a catcher.
fn orders() -> String {
    let task = |function: &str, more: Value| {
        let mut task = json!({
            "Type": "Task", "Resource": INVOKE, "ResultPath": "$.result",
            "Parameters": {"FunctionName": function, "Payload": {"attempt.$": "$$.State.RetryCount"}},
            "ResultSelector": {"is.$": "$.Payload"},
        });
        let more = more.as_object().unwrap().clone();
        task.as_object_mut().unwrap().extend(more);
        task
    };
    let busy = json!({
        "ErrorEquals": ["Busy"], "IntervalSeconds": 10, "MaxAttempts": 2, "JitterStrategy": "FULL",
    });
    json!({"StartAt": "Before", "States": {
        "Before": {"Type": "Pass", "Parameters": {"order.$": "$.id", "start.$": "$$.Execution.Input"}, "Next": "Pick"},
        "Pick": task("pick", json!({"Retry": [busy], "Next": "Pause"})),
        "Pause": {"Type": "Wait", "Seconds": 60, "Next": "Which"},
        "Which": {"Type": "Choice", "Choices": [
            {"Variable": "$.result.is.place", "NumericEquals": 7, "Next": "Charge"},
        ], "Default": "Which"},
        "Charge": task("charge", json!({"TimeoutSeconds": 5, "Next": "Done", "Catch": [
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Undo"},
        ]})),
        "Undo": task("undo", json!({"Next": "Done"})),
        "Done": {"Type": "Succeed", "OutputPath": "$.error.Error"},
    }})
    .to_string()
}

fn beginning() -> Timestamp {
    Timestamp::from_second(1_769_853_600).unwrap()
}

/// A machine of one task, which calls this function.
fn calls(function: &str) -> String {
    json!({"StartAt": "Do", "States": {"Do": {
        "Type": "Task", "Resource": INVOKE, "End": true,
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
    }}})
    .to_string()
}

fn ended() -> String {
    json!({"StartAt": "Do", "States": {"Do": {"Type": "Succeed"}}}).to_string()
}

/// The world outside of the runtime, which survives its crashes.
struct World {
    folder: Folder,
    functions: Arc<Functions>,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        Self {
            folder: Folder::new(),
            functions: Arc::default(),
            now: beginning(),
        }
    }

    /// Starts the runtime, and kills it when `body` ends.
    fn run<T>(&mut self, body: impl AsyncFnOnce(&States) -> T) -> T {
        let tokio = runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let store = Arc::new(Store::open(&self.folder.0).unwrap());
        tokio.block_on(async {
            let clock = Arc::new(Paused::at(self.now));
            let functions = self.functions.clone();
            let states =
                States::with_clock(store, Arc::default(), functions, clock.clone()).unwrap();
            states.ensure_machine("orders", &orders(), "role").unwrap();
            states.resume().unwrap();
            let result = body(&states).await;
            self.now = clock.now();
            result
        })
    }
}

fn start(states: &States) {
    let request = json!({
        "stateMachineArn": machine_arn("orders"), "name": "o-1", "input": r#"{"id": 1.5e3}"#,
    });
    states.call("StartExecution", &request).unwrap();
}

fn of_order() -> Value {
    json!({"executionArn": execution_arn("orders", "o-1")})
}

fn describe(states: &States) -> Value {
    states.call("DescribeExecution", &of_order()).unwrap()
}

fn events(states: &States) -> Vec<Value> {
    let answer = states.call("GetExecutionHistory", &of_order()).unwrap();
    answer["events"].as_array().unwrap().clone()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
    kinds.collect()
}

fn entries(states: &States) -> usize {
    let engine = &states.0;
    let execution = engine.execution(&execution_arn("orders", "o-1")).unwrap();
    engine.journal(&execution).unwrap().len()
}

async fn end(states: &States) {
    while describe(states)["status"] == "RUNNING" {
        sleep(Duration::from_millis(50)).await;
    }
}

/// The history without its times, which depend on random pauses.
fn story(states: &States) -> Vec<Value> {
    let mut events = events(states);
    for event in &mut events {
        event.as_object_mut().unwrap().remove("timestamp");
    }
    events
}
