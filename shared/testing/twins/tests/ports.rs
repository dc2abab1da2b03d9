//! The in-memory twins pass the suite that the AWS adapters must pass.

use std::sync::mpsc;

use alpes_ports::{CallError, FunctionName, TableName};
use futures::executor::block_on;
use twins::suite;

#[test]
fn tables_in_memory() {
    block_on(suite::tables(
        &twins::MemoryTables::new(),
        TableName("views"),
        "run",
    ));
}

#[test]
fn objects_in_memory() {
    block_on(suite::objects(&twins::MemoryObjects::new(), "run"));
}

#[test]
fn log_in_memory() {
    let (world, _) = twins::world(1);
    let log = twins::MemoryLog::new(3, world.clock);
    block_on(suite::log(&log, &log, "run"));
}

#[test]
fn a_topic_in_memory() {
    let topic = twins::MemoryTopic::new();
    let published = block_on(suite::topic(&topic, "run"));
    assert_eq!(topic.published(), published);
}

#[test]
fn functions_in_memory() {
    let functions = twins::MemoryFunctions::new();
    let (ran, runs) = mpsc::channel();
    let greeter = FunctionName("greeter");
    functions.deploy(greeter, move |payload| {
        let ran = ran.clone();
        async move {
            ran.send(payload.clone()).unwrap();
            if payload == b"{}" {
                return Ok(b"\"hello\"".to_vec());
            }
            Err(CallError::Failed {
                error_type: "NoGreeting".into(),
                message: "nobody to greet".into(),
            })
        }
    });
    block_on(suite::functions(
        &functions,
        greeter,
        b"{}",
        (b"[]", "NoGreeting"),
    ));
    assert_eq!(
        runs.try_iter().collect::<Vec<_>>(),
        [b"{}", b"[]"],
        "started work waits"
    );
    for started in functions.take_started() {
        block_on(started);
    }
    assert_eq!(runs.try_iter().collect::<Vec<_>>(), [b"{}", b"[]"]);
    assert!(functions.take_started().is_empty());
}
