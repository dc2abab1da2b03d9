//! How invocations fail.

use std::time::Duration;

use alpes_local::{
    invoke::{Failure, Invoker, ending},
    lambda::{Code, Pace, SandboxInfo},
};
use bytes::Bytes;
use serde_json::json;

use crate::support::{World, document, event, is_running, until};

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_the_document_and_the_log_of_aws() {
    let world = World::new();
    world.put("f").await;
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

    let mut spec = world.spec("late");
    spec.timeout = 1;
    world.lambda.put(spec).await.unwrap();
    let order = json!({ "ms": 60_000, "spawn": true });
    let late = world.order("late", order).await;
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
    let child = late
        .log_tail
        .lines()
        .find_map(|line| line.strip_prefix("child "));
    let child = child.unwrap().parse().unwrap();
    until("the child has ended", || !is_running(child)).await;
    // An order that came before the sandbox of the last one was free again may have started another one of `f`.
    let is_late = |one: &SandboxInfo| one.function == "late";
    until("the sandbox has ended", || {
        !world.lambda.sandboxes().iter().any(is_late)
    })
    .await;
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_initialisation_is_tried_again_within_the_invocation() {
    let pace = Pace {
        init: Duration::from_secs(1),
        ..Pace::default()
    };
    let world = World::with_pace(World::new().close(), pace);
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
async fn an_accepted_answer_counts_although_the_process_ends() {
    let world = World::new();
    world.put("f").await;
    let answered = world
        .order("f", json!({ "do": "answer", "with": "last", "leave": 1 }))
        .await;
    assert_eq!(
        (answered.failure, document(&answered)),
        (None, json!("last"))
    );
    let failed = world
        .order("f", json!({ "do": "fail", "type": "Mine", "leave": 1 }))
        .await;
    assert_eq!(document(&failed)["errorType"], "Mine");
    until("the sandboxes have ended", || {
        world.lambda.sandboxes().is_empty()
    })
    .await;
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_the_shutdown_kills_has_no_outcome() {
    let world = World::new();
    world.put("f").await;
    let lambda = world.lambda.clone();
    let slow =
        tokio::spawn(async move { lambda.invoke("f", event(json!({ "ms": 60_000 }))).await });
    until("it runs", || world.noted().len() == 1).await;
    world.lambda.shutdown();
    assert_eq!(slow.await.unwrap(), Err(ending()));
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
