//! Processes: how invocations share them, and how they end.

use std::{path::Path, process::Command, time::Duration};

use alpes_local::{
    http::Request,
    invoke::Invoker,
    lambda::{LambdaEvent, Pace, SandboxState},
};
use bytes::Bytes;
use serde_json::json;

use crate::support::{World, document, event, is_running, until};

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
    // The answer comes a moment before the sandbox takes the next invocation.
    until("the sandbox is idle", || {
        world.lambda.sandboxes()[0].state == SandboxState::Idle
    })
    .await;
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
async fn an_alias_runs_its_version_in_the_same_sandboxes() {
    let world = World::new();
    world.put("f").await;
    world.order("f", json!({})).await;
    let mut spec = world.spec("f");
    spec.aliases.insert("live".into(), "1".into());
    world.lambda.put(spec).await.unwrap();
    let invoked = world.order("f:live", json!({})).await;
    assert_eq!(
        (invoked.failure, invoked.executed_version.as_str()),
        (None, "1")
    );
    let noted = world.noted();
    assert_eq!(noted[0]["pid"], noted[1]["pid"]);
    assert_eq!(
        noted[1]["functionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:f:live"
    );
    let start = format!("START RequestId: {} Version: 1\n", invoked.request_id);
    assert!(world.log("f").contains(&start));
    let missing = world.lambda.invoke("f:other", Bytes::new()).await;
    assert_eq!(missing.unwrap_err().code, "ResourceNotFoundException");
    world.lambda.enqueue("f:live", Bytes::new()).await.unwrap();
    until("it was invoked", || world.noted().len() == 3).await;
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
    until("all sandboxes have been killed", || {
        let sandboxes = world.lambda.sandboxes();
        let killed = sandboxes
            .iter()
            .filter(|sandbox| world.lambda.kill(sandbox.pid));
        killed.count() == 0
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
    until("it runs", || world.noted().len() == 22).await;
    let running = world.noted().last().unwrap()["pid"].as_u64().unwrap();
    assert!(world.lambda.kill(u32::try_from(running).unwrap()));
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
    let response = world.lambda.serve(request).await;
    assert_eq!(response.status(), 204);
    assert!(!response.headers().contains_key("x-amz-executed-version"));
    world.end();
}
