//! Functions in real processes: the example `probe` is their program.

#![cfg(test)]

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use alpes_local::{
    error::AwsError,
    http::Request,
    invoke::{Destinations, Failure, Invoked, Invoker},
    lambda::{Code, FunctionSpec, Lambda, LambdaEvent, Pace, SandboxState},
    logs::Logs,
    store::Store,
};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

/// A runtime with a data folder, and a folder of code with the probe.
struct World {
    root: PathBuf,
    logs: Arc<Logs>,
    lambda: Arc<Lambda>,
}

impl World {
    fn new() -> Self {
        let root = std::env::temp_dir().join(format!("alpes-lambda-{}", Uuid::new_v4()));
        let code = root.join("code");
        std::fs::create_dir_all(&code).unwrap();
        std::fs::copy(probe(), code.join("bootstrap")).unwrap();
        Self::open(root)
    }

    fn open(root: PathBuf) -> Self {
        let pace = Pace {
            retry: Duration::from_millis(20),
            throttled: Duration::from_millis(20),
            init: Duration::from_secs(1),
            ..Pace::default()
        };
        Self::with_pace(root, pace)
    }

    fn with_pace(root: PathBuf, pace: Pace) -> Self {
        let store = Arc::new(Store::open(&root.join("data")).unwrap());
        let logs = Logs::new(store.clone()).unwrap();
        let endpoint = "http://127.0.0.1:4566".to_owned();
        let lambda = Lambda::with_pace(store, logs.clone(), endpoint, pace).unwrap();
        Self { root, logs, lambda }
    }

    /// Ends the runtime and begins it anew with the same data.
    fn again(self) -> Self {
        Self::open(self.close())
    }

    fn close(self) -> PathBuf {
        let Self { root, logs, lambda } = self;
        drop((logs, lambda));
        root
    }

    fn spec(&self, name: &str) -> FunctionSpec {
        let mut spec = FunctionSpec::new(name, Code::Folder(self.root.join("code")));
        let file = self.file().to_str().unwrap().to_owned();
        spec.environment.insert("PROBE_FILE".into(), file);
        spec
    }

    async fn put(&self, name: &str) {
        self.lambda.put(self.spec(name)).await.unwrap();
    }

    async fn order(&self, name: &str, order: Value) -> Invoked {
        self.lambda.invoke(name, event(order)).await.unwrap()
    }

    fn file(&self) -> PathBuf {
        self.root.join("probe.jsonl")
    }

    /// What the probe has noted, one value an invocation.
    fn noted(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn log(&self, name: &str) -> Vec<String> {
        let request = json!({ "logGroupName": format!("/aws/lambda/{name}") });
        let answer = self.logs.call("FilterLogEvents", &request).unwrap();
        let events = answer["events"].as_array().unwrap().iter();
        events
            .map(|event| event["message"].as_str().unwrap().to_owned())
            .collect()
    }

    fn end(self) {
        let _ = std::fs::remove_dir_all(self.close());
    }
}

/// The probe's program, which cargo builds with all targets of the tests, and not with a single test.
fn probe() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let program = folder.join("examples/probe");
    if !program.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        let built = cargo
            .args(["build", "-p", "alpes-local", "--example", "probe"])
            .status();
        assert!(built.unwrap().success());
    }
    program
}

fn event(order: Value) -> Bytes {
    let event = serde_json::Map::from_iter([("probe".to_owned(), order)]);
    Value::from(event).to_string().into()
}

fn document(invoked: &Invoked) -> Value {
    serde_json::from_slice(&invoked.payload).unwrap()
}

/// Waits until a condition holds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "waited in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_running(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_is_answered_logged_and_its_sandbox_is_used_again() {
    let world = World::new();
    world.put("f").await;
    let mut feed = world.lambda.subscribe();
    let first = world.order("f", json!({ "print": "hello" })).await;
    assert_eq!(
        (first.failure, first.executed_version.as_str()),
        (None, "$LATEST")
    );
    assert_eq!(document(&first), json!({ "probe": { "print": "hello" } }));
    let second = world.order("f", json!({ "print": "again" })).await;
    let log = world.log("f");
    let id = &first.request_id;
    assert_eq!(log[0], format!("START RequestId: {id} Version: $LATEST\n"));
    assert_eq!(log[1], "hello\n");
    assert_eq!(log[2], format!("END RequestId: {id}\n"));
    assert!(
        log[3].starts_with(&format!("REPORT RequestId: {id}\tDuration: ")),
        "{}",
        log[3]
    );
    assert!(
        log[3].contains("\tInit Duration: "),
        "the first invocation reports the initialisation"
    );
    assert!(!log[7].contains("\tInit Duration: "));
    assert_eq!(second.log_tail, log[4..].concat());
    let sandboxes = world.lambda.sandboxes();
    assert_eq!((sandboxes.len(), sandboxes[0].invocations), (1, 2));
    assert!(sandboxes[0].memory_bytes > 0);
    let colds = std::iter::from_fn(|| feed.try_recv().ok()).filter_map(|event| match event {
        LambdaEvent::InvocationEnded { cold, .. } => Some(cold),
        _ => None,
    });
    assert_eq!(colds.collect::<Vec<_>>(), [true, false]);
    until("the sandbox is idle", || {
        world.lambda.sandboxes()[0].state == SandboxState::Idle
    })
    .await;
    let status = format!("/proc/{}/status", sandboxes[0].pid);
    until("its process is stopped", || {
        std::fs::read_to_string(&status)
            .unwrap()
            .contains("State:\tT")
    })
    .await;
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_that_of_aws() {
    let world = World::new();
    world.put("f").await;
    let environment = document(&world.order("f", json!({ "do": "environment" })).await);
    let environment = environment.as_object().unwrap();
    let names: Vec<_> = environment.keys().map(String::as_str).collect();
    let expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "LD_LIBRARY_PATH",
        "PATH",
        "PROBE_FILE",
        "TZ",
        "_HANDLER",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        environment["AWS_LAMBDA_LOG_STREAM_NAME"],
        world.lambda.sandboxes()[0].log_stream
    );
    let root = environment["LAMBDA_TASK_ROOT"].as_str().unwrap();
    assert!(Path::new(root).join("bootstrap").is_file());
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_the_document_and_the_log_of_aws() {
    let world = World::new();
    let mut spec = world.spec("f");
    spec.timeout = 1;
    world.lambda.put(spec).await.unwrap();

    let failed = world
        .order("f", json!({ "do": "fail", "type": "Mine" }))
        .await;
    assert_eq!(failed.failure, Some(Failure::Error));
    assert_eq!(
        document(&failed),
        json!({ "errorType": "Mine", "errorMessage": "as ordered" })
    );
    assert_eq!(
        world.lambda.sandboxes().len(),
        1,
        "the process goes on after an error that it returned"
    );

    let large = world
        .order("f", json!({ "do": "answer", "bytes": 6_291_556 }))
        .await;
    assert_eq!(
        document(&large)["errorType"],
        "Function.ResponseSizeTooLarge"
    );

    let exited = world
        .order(
            "f",
            json!({ "do": "exit", "code": 3, "print": "last words" }),
        )
        .await;
    assert_eq!(exited.failure, Some(Failure::Exited));
    let message = format!(
        "RequestId: {} Error: Runtime exited with error: exit status 3",
        exited.request_id
    );
    assert_eq!(
        document(&exited),
        json!({ "errorType": "Runtime.ExitError", "errorMessage": message })
    );
    assert!(
        exited.log_tail.contains("last words\n"),
        "{}",
        exited.log_tail
    );
    assert!(
        exited
            .log_tail
            .ends_with("\tStatus: error\tError Type: Runtime.ExitError\n")
    );

    let late = world
        .order("f", json!({ "ms": 60_000, "spawn": true }))
        .await;
    assert_eq!(late.failure, Some(Failure::TimedOut));
    let message = format!(
        "RequestId: {} Error: Task timed out after 1.00 seconds",
        late.request_id
    );
    assert_eq!(
        document(&late),
        json!({ "errorType": "Sandbox.Timedout", "errorMessage": message })
    );
    assert!(
        late.log_tail.contains("\tDuration: 1000.00 ms\t"),
        "{}",
        late.log_tail
    );
    assert!(
        late.log_tail.ends_with("\tStatus: timeout\n"),
        "{}",
        late.log_tail
    );
    until("the sandbox has ended", || {
        world.lambda.sandboxes().is_empty()
    })
    .await;
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_initialisation_is_tried_again_within_the_invocation() {
    let world = World::new();
    let cases = [
        (
            json!({ "do": "fail", "type": "Init.Failed" }),
            "Init.Failed",
            "error\tError Type: Init.Failed",
        ),
        (
            json!({ "do": "exit", "code": 1 }),
            "Runtime.ExitError",
            "error\tError Type: Runtime.ExitError",
        ),
        (json!({ "ms": 60_000 }), "Sandbox.Timedout", "timeout"),
    ];
    for (index, (init, error_type, status)) in cases.into_iter().enumerate() {
        let name = format!("f{index}");
        let mut spec = world.spec(&name);
        spec.timeout = 1;
        spec.environment
            .insert("PROBE_INIT".into(), init.to_string());
        world.lambda.put(spec).await.unwrap();
        let failed = world.order(&name, json!({})).await;
        assert_eq!(document(&failed)["errorType"], error_type);
        let log = world.log(&name);
        for (line, phase) in [(&log[0], "init"), (&log[1], "invoke")] {
            assert!(
                line.ends_with(&format!("\tPhase: {phase}\tStatus: {status}\n")),
                "{line}"
            );
        }
        assert!(log[2].starts_with("START "));
    }
    let mut spec = world.spec("broken");
    let folder = world.root.join("broken");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("bootstrap"), "not a program").unwrap();
    spec.code = Code::Folder(folder);
    world.lambda.put(spec).await.unwrap();
    let broken = world.order("broken", json!({})).await;
    assert_eq!(document(&broken)["errorType"], "Runtime.InvalidEntrypoint");
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_invocations_all_run_and_killed_processes_fail_only_theirs() {
    let world = World::new();
    world.put("f").await;
    let invocations: Vec<_> = (0..20)
        .map(|number| {
            let lambda = world.lambda.clone();
            let order = event(json!({ "do": "answer", "with": number, "ms": 5 }));
            tokio::spawn(async move { lambda.invoke("f", order).await.unwrap() })
        })
        .collect();
    for (number, invocation) in invocations.into_iter().enumerate() {
        assert_eq!(document(&invocation.await.unwrap()), json!(number));
    }
    let idle = || {
        world
            .lambda
            .sandboxes()
            .iter()
            .all(|sandbox| sandbox.state == SandboxState::Idle)
    };
    until("all sandboxes are idle", idle).await;
    for sandbox in world.lambda.sandboxes() {
        assert!(world.lambda.kill(sandbox.pid));
    }
    until("the sandboxes have ended", || {
        world.lambda.sandboxes().is_empty()
    })
    .await;
    assert_eq!(
        world.order("f", json!({})).await.failure,
        None,
        "an idle process that dies fails no invocation"
    );
    assert!(!world.lambda.kill(1));

    let lambda = world.lambda.clone();
    let killed =
        tokio::spawn(async move { lambda.invoke("f", event(json!({ "ms": 60_000 }))).await });
    let running = |sandbox: &alpes_local::lambda::SandboxInfo| {
        matches!(sandbox.state, SandboxState::Running { .. })
    };
    until("it runs", || world.lambda.sandboxes().iter().any(running)).await;
    let sandboxes = world.lambda.sandboxes();
    assert!(
        world
            .lambda
            .kill(sandboxes.into_iter().find(running).unwrap().pid)
    );
    let killed = killed.await.unwrap().unwrap();
    assert!(
        document(&killed)["errorMessage"]
            .as_str()
            .unwrap()
            .ends_with("signal: killed")
    );
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_code_takes_over_without_losing_an_invocation() {
    let world = World::new();
    world.put("f").await;
    world.order("f", json!({})).await;
    let lambda = world.lambda.clone();
    let slow = tokio::spawn(async move {
        lambda
            .invoke("f", event(json!({ "ms": 300 })))
            .await
            .unwrap()
    });
    until("it runs", || world.noted().len() == 2).await;
    std::fs::write(world.root.join("code/new"), "file").unwrap();
    world.put("f").await;
    world.order("f", json!({})).await;
    assert_eq!(slow.await.unwrap().failure, None);
    let pids: Vec<_> = world
        .noted()
        .iter()
        .map(|noted| noted["pid"].clone())
        .collect();
    assert_eq!(pids[0], pids[1]);
    assert_ne!(pids[1], pids[2]);
    until("the old sandbox has ended", || {
        world.lambda.sandboxes().len() == 1
    })
    .await;
    world.put("f").await;
    world.order("f", json!({})).await;
    assert_eq!(
        world.noted()[3]["pid"],
        pids[2],
        "nothing has changed, so the sandbox is used again"
    );

    let world = world.again();
    until("the processes have ended", || {
        !is_running(pids[2].as_u64().unwrap())
    })
    .await;
    assert_eq!(world.lambda.functions().len(), 1);
    assert_eq!(
        world.order("f", json!({})).await.failure,
        None,
        "the function is there again"
    );
    world.lambda.remove("f").unwrap();
    assert_eq!(
        world
            .lambda
            .invoke("f", Bytes::new())
            .await
            .unwrap_err()
            .status,
        404
    );
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_sandboxes_end_and_those_of_a_killed_runtime_too() {
    let root = World::new().close();
    let pace = Pace {
        idle: Duration::ZERO,
        ..Pace::default()
    };
    let world = World::with_pace(root, pace);
    world.put("f").await;
    for _ in 0..10 {
        assert_eq!(world.order("f", json!({})).await.failure, None);
    }
    until("the sandbox has ended", || {
        world.lambda.sandboxes().is_empty()
    })
    .await;

    let root = world.close();
    let functions = root.join("data/functions").canonicalize().unwrap();
    let mut orphan = Command::new("sleep");
    orphan
        .arg("600")
        .env("LAMBDA_TASK_ROOT", functions.join("f/0123"));
    let mut orphan = orphan.spawn().unwrap();
    let world = World::open(root);
    assert_eq!(orphan.wait().unwrap().code(), None, "a signal has ended it");
    world.end();
}

/// A destination that remembers what it got.
#[derive(Default)]
struct Remembered(Mutex<Vec<(String, Value)>>);

#[async_trait]
impl Destinations for Remembered {
    async fn deliver(&self, arn: &str, body: String, _object_key: &str) -> Result<(), AwsError> {
        let record = (arn.to_owned(), serde_json::from_str(&body).unwrap());
        self.0.lock().unwrap().push(record);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asynchronous_invocations_are_retried_recorded_and_survive() {
    let world = World::new();
    let mut spec = world.spec("f");
    spec.asynchronous.on_failure = Some("arn:aws:sqs:us-east-1:000000000000:failures".into());
    spec.asynchronous.on_success = Some("arn:aws:sqs:us-east-1:000000000000:successes".into());
    spec.reserved_concurrency = Some(1);
    world.lambda.put(spec).await.unwrap();
    let id = world
        .lambda
        .enqueue("f", event(json!({ "do": "fail" })))
        .await
        .unwrap();
    until("it was tried three times", || world.noted().len() == 3).await;
    assert!(
        world
            .noted()
            .iter()
            .all(|noted| noted["requestId"] == id.as_str()),
        "with the same id"
    );

    // The record waits for its destination, and a slow invocation for its end, when the runtime ends.
    let slow = world
        .lambda
        .enqueue("f", event(json!({ "ms": 200 })))
        .await
        .unwrap();
    until("it runs", || world.noted().len() == 4).await;
    let world = world.again();
    let remembered = Arc::new(Remembered::default());
    world.lambda.set_destinations(remembered.clone());
    until("both are recorded", || {
        remembered.0.lock().unwrap().len() == 2
    })
    .await;
    let records = remembered.0.lock().unwrap().clone();
    for (arn, record) in records {
        let (condition, request) = if arn.ends_with("failures") {
            ("RetriesExhausted", &id)
        } else {
            ("Success", &slow)
        };
        let context = &record["requestContext"];
        assert_eq!(
            (&context["condition"], &context["requestId"]),
            (&json!(condition), &json!(request))
        );
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_errors_of_the_caller() {
    let world = World::new();
    let mut spec = world.spec("f");
    spec.reserved_concurrency = Some(0);
    world.lambda.put(spec).await.unwrap();
    let throttled = world.lambda.invoke("f", Bytes::new()).await.unwrap_err();
    assert_eq!(
        (throttled.status, throttled.code.as_str()),
        (429, "TooManyRequestsException")
    );
    let large = format!("\"{}\"", "x".repeat(1_048_575));
    let large = world.lambda.enqueue("f", large.into()).await.unwrap_err();
    assert_eq!(
        (large.status, large.code.as_str()),
        (413, "RequestEntityTooLargeException")
    );
    let missing = world.lambda.enqueue("g", Bytes::new()).await.unwrap_err();
    assert_eq!(missing.code, "ResourceNotFoundException");
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn invoke_over_http_has_its_headers() {
    let world = World::new();
    world.put("f").await;
    let mut request = Request {
        method: http::Method::POST,
        path: "/2015-03-31/functions/f/invocations".into(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        body: event(json!({ "do": "fail" })),
        peer: ([127, 0, 0, 1], 1).into(),
    };
    request
        .headers
        .insert("x-amz-log-type", "Tail".parse().unwrap());
    let response = world.lambda.serve(request.clone()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(response.headers()["x-amz-executed-version"], "$LATEST");
    assert!(response.headers().contains_key("x-amz-log-result"));
    request
        .headers
        .insert("x-amz-invocation-type", "Event".parse().unwrap());
    assert_eq!(world.lambda.serve(request.clone()).await.status(), 202);
    request
        .headers
        .insert("x-amz-invocation-type", "DryRun".parse().unwrap());
    assert_eq!(world.lambda.serve(request).await.status(), 204);
    world.end();
}
