//! Executions from start to end, over crashes.

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

use super::{States, arns::*, clock::testing::Paused};
use crate::{
    error::AwsError,
    invoke::{Failure, Invoked, Invoker},
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

/// Functions that take 100 ms. What they answer follows from their name and payload.
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
        let attempt = payload["attempt"].as_u64().unwrap_or_default();
        self.0.lock().unwrap().push(format!("{function} {attempt}"));
        sleep(Duration::from_millis(100)).await;
        let (payload, failure) = match (function, attempt) {
            ("reserve", 0) => (r#"{"errorType":"Busy"}"#, Some(Failure::Error)),
            ("reserve", _) => (r#"{"place":7}"#, None),
            ("charge", _) => {
                sleep(Duration::from_mins(10)).await;
                ("null", None)
            }
            ("undo", _) => ("not JSON", None),
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
        "Before": {"Type": "Pass", "Parameters": {"order.$": "$.id", "start.$": "$$.Execution.Input"}, "Next": "Reserve"},
        "Reserve": task("reserve", json!({"Retry": [busy], "Next": "Pause"})),
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
            let states = States::with_clock(store, functions, clock.clone()).unwrap();
            states.ensure_machine("orders", &orders(), "role").unwrap();
            states.resume().unwrap();
            let result = body(&states).await;
            self.now = super::Clock::now(&*clock);
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

#[test]
fn an_execution_goes_on_after_a_crash_at_every_step() {
    let mut world = World::new();
    let (expected, steps) = world.run(async |states| {
        start(states);
        end(states).await;
        assert_eq!(describe(states)["output"], r#""States.Timeout""#);
        (story(states), entries(states))
    });
    let calls = world.functions.calls();
    assert_eq!(calls, ["reserve 0", "reserve 1", "charge 0", "undo 0"]);
    // The start, four outcomes, the pause before the retry and the wait.
    assert_eq!(steps, 7);

    for crash in 1..steps {
        let mut world = World::new();
        world.run(async |states| {
            start(states);
            while entries(states) < crash {
                sleep(Duration::from_millis(20)).await;
            }
            sleep(Duration::from_millis(20)).await;
        });
        world.now += SignedDuration::from_secs(30);
        world.run(async |states| {
            assert_eq!(entries(states), crash);
            end(states).await;
            assert_eq!(story(states), expected, "after a crash at step {crash}");
            let wait = describe(states)["stopDate"].as_f64().unwrap()
                - describe(states)["startDate"].as_f64().unwrap();
            assert!((60.0..110.0).contains(&wait), "{wait}");
        });
        let again = world.functions.calls();
        let mut once = again.clone();
        once.dedup();
        assert_eq!(once, calls);
        assert!(again.len() <= calls.len() + 1, "{again:?}");
        world.run(async |states| {
            assert_eq!(states.resume(), Ok(0));
            assert_eq!(story(states), expected);
        });
    }
}

#[test]
fn a_wait_ends_at_its_time_although_the_runtime_was_down() {
    let mut world = World::new();
    world.run(async |states| {
        start(states);
        while kinds(&events(states)).last() != Some(&"WaitStateEntered") {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let entered = world.now;
    world.now += SignedDuration::from_secs(50);
    let left = world.run(async |states| {
        end(states).await;
        let events = events(states);
        let left = events
            .iter()
            .find(|event| event["type"] == "WaitStateExited");
        left.unwrap()["timestamp"].as_f64().unwrap()
    });
    let waited = left - entered.as_duration().as_secs_f64();
    assert!((59.0..=60.1).contains(&waited), "{waited}");
}

#[test]
fn a_history_tells_every_event_with_its_data() {
    World::new().run(async |states| {
        start(states);
        end(states).await;
        let told = story(states);
        let started = [
            "ExecutionStarted",
            "PassStateEntered",
            "PassStateExited",
            "TaskStateEntered",
        ];
        let call = ["TaskScheduled", "TaskStarted"];
        let expected: Vec<&str> = [
            &started[..],
            &call,
            &["TaskFailed"],
            &call,
            &["TaskSucceeded", "TaskStateExited"],
            &["WaitStateEntered", "WaitStateExited"],
            &[
                "ChoiceStateEntered",
                "ChoiceStateExited",
                "TaskStateEntered",
            ],
            &call,
            &["TaskTimedOut", "TaskStateExited", "TaskStateEntered"],
            &call,
            &["TaskSucceeded", "TaskStateExited"],
            &["SucceedStateEntered", "SucceedStateExited"],
            &["ExecutionSucceeded"],
        ]
        .concat();
        assert_eq!(kinds(&told), expected);
        let whole = json!({"truncated": false});
        assert_eq!(
            told[0],
            json!({
                "id": 1, "previousEventId": 0, "type": "ExecutionStarted",
                "executionStartedEventDetails": {
                    "input": r#"{"id": 1.5e3}"#, "inputDetails": whole, "roleArn": "role",
                },
            })
        );
        let data = |event: usize, details: &str, field: &str| -> Value {
            serde_json::from_str(told[event][details][field].as_str().unwrap()).unwrap()
        };
        let before = json!({"order": 1500.0, "start": {"id": 1500.0}});
        assert_eq!(data(2, "stateExitedEventDetails", "output"), before);
        assert_eq!(data(3, "stateEnteredEventDetails", "input"), before);
        assert_eq!(
            told[4]["taskScheduledEventDetails"],
            json!({
                "resourceType": "lambda", "resource": "invoke", "region": "us-east-1",
                "parameters": r#"{"FunctionName":"reserve","Payload":{"attempt":0}}"#,
            })
        );
        assert_eq!(
            told[6]["taskFailedEventDetails"],
            json!({
                "resourceType": "lambda", "resource": "invoke",
                "error": "Busy", "cause": r#"{"errorType":"Busy"}"#,
            })
        );
        assert_eq!(
            data(9, "taskSucceededEventDetails", "output"),
            json!({"ExecutedVersion": "$LATEST", "Payload": {"place": 7}, "StatusCode": 200})
        );
        let mut after = before;
        after["result"] = json!({"is": {"place": 7}});
        assert_eq!(data(10, "stateExitedEventDetails", "output"), after);
        assert_eq!(data(14, "stateExitedEventDetails", "output"), after);
        assert_eq!(told[16]["taskScheduledEventDetails"]["timeoutInSeconds"], 5);
        assert_eq!(
            told[18]["taskTimedOutEventDetails"]["error"],
            "States.Timeout"
        );
        after["error"] = json!({"Error": "States.Timeout", "Cause": ""});
        assert_eq!(data(20, "stateEnteredEventDetails", "input"), after);
        after["result"] = json!({"is": "not JSON"});
        assert_eq!(data(25, "stateEnteredEventDetails", "input"), after);
        let end = told.last().unwrap();
        assert_eq!(
            end["executionSucceededEventDetails"],
            json!({"output": r#""States.Timeout""#, "outputDetails": whole})
        );
    });
}

#[test]
fn a_history_comes_in_pages() {
    World::new().run(async |states| {
        start(states);
        end(states).await;
        let told = story(states);
        let mut pages = vec![];
        let mut request = of_order();
        request["maxResults"] = 10.into();
        request["reverseOrder"] = true.into();
        request["includeExecutionData"] = false.into();
        loop {
            let page = states.call("GetExecutionHistory", &request).unwrap();
            pages.extend(page["events"].as_array().unwrap().clone());
            let Some(next) = page.get("nextToken") else {
                break;
            };
            request["nextToken"] = next.clone();
        }
        pages.reverse();
        assert_eq!(kinds(&pages), kinds(&told));
        assert_eq!(
            pages[3]["stateEnteredEventDetails"],
            json!({"name": "Reserve"})
        );
        request["nextToken"] = "no number".into();
        let error = states.call("GetExecutionHistory", &request).unwrap_err();
        assert_eq!(error.code, "InvalidToken");
    });
}

#[test]
fn a_stopped_execution_can_be_redriven_where_it_was() {
    let mut world = World::new();
    world.run(async |states| {
        start(states);
        sleep(Duration::from_millis(50)).await;
        let mut stop = of_order();
        stop["error"] = "Enough".into();
        let stopped = states.call("StopExecution", &stop).unwrap();
        let told = describe(states);
        assert_eq!(
            (&told["status"], &told["error"]),
            (&json!("ABORTED"), &json!("Enough"))
        );
        assert_eq!(told["stopDate"], stopped["stopDate"]);
        assert_eq!(told["redriveStatus"], "REDRIVABLE");
        assert_eq!(told.get("cause"), None);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(entries(states), 2, "the late answer is dropped");
        let again = states.call("StopExecution", &stop).unwrap();
        assert_eq!(again, stopped);
    });
    let before = world.functions.calls().len();
    world.run(async |states| {
        let mut redrive = of_order();
        redrive["clientToken"] = "once".into();
        let redriven = states.call("RedriveExecution", &redrive).unwrap();
        assert_eq!(states.call("RedriveExecution", &redrive), Ok(redriven));
        let error = states.call("RedriveExecution", &of_order()).unwrap_err();
        assert_eq!(error.code, "ExecutionNotRedrivable");
        assert_eq!(error.message, "Execution is RUNNING and cannot be redriven");
        sleep(Duration::from_millis(20)).await;
    });
    world.run(async |states| {
        end(states).await;
        let told = describe(states);
        assert_eq!(
            (&told["status"], &told["redriveCount"]),
            (&json!("SUCCEEDED"), &json!(1))
        );
        let events = events(states);
        assert_eq!(
            kinds(&events)[3..11],
            [
                "TaskStateEntered",
                "TaskScheduled",
                "TaskStarted",
                "ExecutionAborted",
                "ExecutionRedriven",
                "TaskScheduled",
                "TaskStarted",
                "TaskFailed",
            ]
        );
        assert_eq!(
            events[7]["executionRedrivenEventDetails"],
            json!({"redriveCount": 1})
        );
        let left = events
            .iter()
            .find(|event| event["type"] == "TaskStateExited");
        assert!(left.unwrap()["stateExitedEventDetails"]["output"].is_string());
    });
    // The call in flight at the kill is made a second time.
    assert_eq!(world.functions.calls().len(), before + 5);
    world.now += SignedDuration::from_hours(91 * 24);
    world.run(async |states| {
        let error = states.call("DescribeExecution", &of_order()).unwrap_err();
        assert_eq!(error.code, "ExecutionDoesNotExist");
    });
}

#[test]
fn failures_of_functions_end_executions() {
    World::new().run(async |states| {
        for (function, error) in [
            ("broken", "Broken"),
            ("missing", "Lambda.ResourceNotFoundException"),
        ] {
            states
                .ensure_machine(function, &calls(function), "role")
                .unwrap();
            let request = json!({"stateMachineArn": machine_arn(function)});
            let started = states.call("StartExecution", &request).unwrap();
            let request = json!({"executionArn": started["executionArn"]});
            sleep(Duration::from_secs(1)).await;
            let told = states.call("DescribeExecution", &request).unwrap();
            assert_eq!(
                (&told["status"], &told["error"]),
                (&json!("FAILED"), &json!(error))
            );
            let told = states.call("GetExecutionHistory", &request).unwrap();
            let last = told["events"].as_array().unwrap().last().unwrap();
            assert_eq!(last["executionFailedEventDetails"]["error"], error);
        }
    });
}

#[test]
fn starts_are_idempotent_while_the_execution_runs() {
    World::new().run(async |states| {
        start(states);
        let code = |request: Value| states.call("StartExecution", &request).unwrap_err().code;
        let arn = machine_arn("orders");
        let mut same = json!({"stateMachineArn": arn, "name": "o-1", "input": "{\"id\":1500.0}"});
        let first = describe(states)["startDate"].clone();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(states.call("StartExecution", &same).unwrap()["startDate"], first);
        same["input"] = "{}".into();
        assert_eq!(code(same), "ExecutionAlreadyExists");
        end(states).await;
        let same = json!({"stateMachineArn": arn, "name": "o-1", "input": "{\"id\":1500.0}"});
        assert_eq!(code(same), "ExecutionAlreadyExists");
        for (more, expected) in [
            (json!({"name": "a b"}), "InvalidName"),
            (json!({"input": "{"}), "InvalidExecutionInput"),
            (json!({"input": format!("\"{}\"", "a".repeat(262_143))}), "InvalidExecutionInput"),
            (json!({"stateMachineArn": machine_arn("none")}), "StateMachineDoesNotExist"),
            (json!({"stateMachineArn": "orders"}), "InvalidArn"),
            (json!({"inputs": "{}"}), "ValidationException"),
        ] {
            let mut request = json!({"stateMachineArn": arn});
            let more = more.as_object().unwrap().clone();
            request.as_object_mut().unwrap().extend(more);
            assert_eq!(code(request), expected);
        }
        let limit = json!({
            "stateMachineArn": arn, "name": "limit", "input": format!("\"{}\"", "a".repeat(262_142)),
        });
        assert!(states.call("StartExecution", &limit).is_ok());
        for (operation, code) in [
            ("StartSyncExecution", "StateMachineTypeNotSupported"),
            ("SendTaskSuccess", "UnknownOperationException"),
        ] {
            assert_eq!(states.call(operation, &json!({})).unwrap_err().code, code);
        }
    });
}

#[test]
fn lists_have_pages_with_the_newest_first() {
    World::new().run(async |states| {
        let arn = states.ensure_machine("quick", &ended(), "role").unwrap();
        for name in ["a", "b", "c"] {
            let request = json!({"stateMachineArn": arn, "name": name});
            states.call("StartExecution", &request).unwrap();
        }
        let list = |more: Value| {
            let mut request = json!({"stateMachineArn": arn});
            let more = more.as_object().unwrap().clone();
            request.as_object_mut().unwrap().extend(more);
            let answer = states.call("ListExecutions", &request).unwrap();
            let names: String = answer["executions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned())
                .collect();
            (names, answer["nextToken"].clone())
        };
        let (first, next) = list(json!({"maxResults": 2, "statusFilter": "SUCCEEDED"}));
        assert_eq!(first, "cb");
        assert_eq!(
            list(json!({"maxResults": 2, "nextToken": next})),
            ("a".into(), Value::Null)
        );
        assert_eq!(list(json!({"statusFilter": "RUNNING"})).0, "");
        assert_eq!(list(json!({"redriveFilter": "REDRIVEN"})).0, "");
        assert_eq!(list(json!({"redriveFilter": "NOT_REDRIVEN"})).0, "cba");
        for (more, code) in [
            (json!({"statusFilter": "DONE"}), "ValidationException"),
            (json!({"maxResults": 1001}), "ValidationException"),
            (json!({"nextToken": "x"}), "InvalidToken"),
            (json!({"mapRunArn": "x"}), "ValidationException"),
        ] {
            let mut request = json!({"stateMachineArn": arn});
            let more = more.as_object().unwrap().clone();
            request.as_object_mut().unwrap().extend(more);
            let error = states.call("ListExecutions", &request).unwrap_err();
            assert_eq!(error.code, code);
        }
        let page = states
            .call("ListStateMachines", &json!({"maxResults": 1}))
            .unwrap();
        assert_eq!(page["stateMachines"][0]["name"], "orders");
        let rest = json!({"nextToken": page["nextToken"]});
        let rest = states.call("ListStateMachines", &rest).unwrap();
        assert_eq!(rest["stateMachines"][0]["stateMachineArn"], arn);
        assert_eq!(rest.get("nextToken"), None);
    });
}

#[test]
fn machines_keep_updates_over_deployments_of_the_same_template() {
    let mut world = World::new();
    let arn = machine_arn("made");
    let definition = |states: &States| {
        let request = json!({"stateMachineArn": machine_arn("made")});
        let told = states.call("DescribeStateMachine", &request).unwrap();
        told["definition"].as_str().unwrap().to_owned()
    };
    world.run(async |states| {
        let create = json!({"name": "made", "definition": ended(), "roleArn": "role"});
        let created = states.call("CreateStateMachine", &create).unwrap();
        assert_eq!(created["stateMachineArn"], arn);
        assert_eq!(states.call("CreateStateMachine", &create), Ok(created));
        let mut other = create.clone();
        other["definition"] = calls("f").into();
        let error = states.call("CreateStateMachine", &other).unwrap_err();
        assert_eq!(error.code, "StateMachineAlreadyExists");
        other["type"] = "EXPRESS".into();
        let error = states.call("CreateStateMachine", &other).unwrap_err();
        assert_eq!(error.code, "StateMachineTypeNotSupported");

        states
            .ensure_machine("made", &calls("deployed"), "role")
            .unwrap();
        assert_eq!(definition(states), calls("deployed"));
        let start = json!({"stateMachineArn": arn, "name": "x"});
        states.call("StartExecution", &start).unwrap();
        let update = json!({"stateMachineArn": arn, "definition": ended()});
        states.call("UpdateStateMachine", &update).unwrap();
        let nothing = json!({"stateMachineArn": arn});
        let error = states.call("UpdateStateMachine", &nothing).unwrap_err();
        assert_eq!(error.code, "MissingRequiredParameter");
        let wrong = calls("f").replace("\"Do\":", "\"Else\":");
        let update = json!({"stateMachineArn": arn, "definition": wrong});
        let error = states.call("UpdateStateMachine", &update).unwrap_err();
        assert_eq!(error.code, "InvalidDefinition");
        assert!(error.message.contains("StartAt"), "{}", error.message);
    });
    world.run(async |states| {
        states
            .ensure_machine("made", &calls("deployed"), "role")
            .unwrap();
        assert_eq!(
            definition(states),
            ended(),
            "the same deployment changes nothing"
        );
        let execution = json!({"executionArn": execution_arn("made", "x")});
        let told = states
            .call("DescribeStateMachineForExecution", &execution)
            .unwrap();
        assert_eq!(
            told["definition"],
            calls("deployed"),
            "the execution keeps its revision"
        );
        states
            .ensure_machine("made", &calls("later"), "role")
            .unwrap();
        assert_eq!(definition(states), calls("later"));

        let request = json!({"stateMachineArn": arn});
        states.call("DeleteStateMachine", &request).unwrap();
        states.call("DeleteStateMachine", &request).unwrap();
        let error = states.call("DescribeStateMachine", &request).unwrap_err();
        assert_eq!(error.code, "StateMachineDoesNotExist");
        let error = states.call("DescribeExecution", &execution).unwrap_err();
        assert_eq!(error.code, "ExecutionDoesNotExist");
    });
}

#[test]
fn thousands_of_executions_wait_at_once() {
    let machine = json!({"StartAt": "Rest", "States": {
        "Rest": {"Type": "Wait", "Seconds": 60, "End": true},
    }});
    let mut world = World::new();
    let running = |states: &States| states.0.store.read(|c| super::rows::running(c, None));
    world.run(async |states| {
        let arn = states
            .ensure_machine("many", &machine.to_string(), "role")
            .unwrap();
        for _ in 0..2000 {
            states
                .call("StartExecution", &json!({"stateMachineArn": arn}))
                .unwrap();
        }
    });
    world.run(async |states| {
        assert_eq!(running(states).unwrap().len(), 2000);
        sleep(Duration::from_secs(61)).await;
        assert_eq!(running(states).unwrap(), [0; 0]);
    });
}
