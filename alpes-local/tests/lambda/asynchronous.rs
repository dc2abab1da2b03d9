//! Asynchronous invocations.

use std::sync::{Arc, Mutex};

use alpes_local::{
    error::AwsError,
    invoke::{Destinations, Document, Invoker},
};
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::support::{World, event, until};

/// A destination that remembers what it got.
#[derive(Default)]
struct Remembered(Mutex<Vec<(String, Value)>>);

#[async_trait]
impl Destinations for Remembered {
    async fn deliver(&self, arn: &str, document: Document) -> Result<(), AwsError> {
        let body = serde_json::from_str(&document.body).unwrap();
        let record = (arn.to_owned(), body);
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
