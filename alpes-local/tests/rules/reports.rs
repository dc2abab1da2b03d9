//! `ReportBatchItemFailures`.

use serde_json::{Value, json};
use source_mapping::Rule::*;

use crate::{
    failures::on_failure,
    scenario::Scenario,
    scene::{Scene, orders, sizes},
};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            &[
                ReportLowest,
                ReportFirstRecord,
                ReportCounts,
                BisectAtCheckpoint,
                DestinationMetadata,
            ],
            partial,
        ),
        Scenario::new(&[ReportOff], off),
        Scenario::new(&[ReportException], exception),
        Scenario::new(
            &[
                ReportEmptyList,
                ReportNullList,
                ReportEmptyResponse,
                ReportNullResponse,
                ReportListMisnamed,
            ],
            successes,
        ),
        Scenario::new(
            &[
                ReportMalformed,
                ReportEmptyIdentifier,
                ReportNullIdentifier,
                ReportBadKey,
                ReportUnknownIdentifier,
            ],
            failures,
        ),
    ]
}

const TYPES: [&str; 1] = ["ReportBatchItemFailures"];

async fn partial(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let (arn, url) = scene.queue().await;
    let data = [
        orders::ok(),
        orders::ok(),
        orders::report(),
        orders::report(),
    ];
    let puts = scene.put(&stream, &data).await;
    let settings = json!({
        "FunctionResponseTypes": TYPES,
        "BisectBatchOnFunctionError": true,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": on_failure(&arn),
    });
    scene.map(&stream, &settings).await;
    let report = scene.reports(&url, 1).await.remove(0);
    let batches = scene.deliveries(&puts);
    assert_eq!(sizes(&batches), [4, 2, 2]);
    assert_eq!(batches[1].sequences[0], puts[2].sequence);
    let info = &report["KinesisBatchInfo"];
    assert_eq!(info["startSequenceNumber"], puts[2].sequence.as_str());
    assert_eq!(info["endSequenceNumber"], puts[3].sequence.as_str());
    assert_eq!(
        (&info["batchSize"], &info["shardId"]),
        (&json!(2), &json!(puts[2].shard))
    );
    assert_eq!(info["streamArn"], stream.arn.as_str());
    assert_eq!(report["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(report["responseContext"]["functionError"], Value::Null);
    assert!(report.get("payload").is_none());
    "of 4 records the last two were named: these two came twice more with one retry, and were reported with a count of 2"
        .to_owned()
}

async fn off(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::report()]).await;
    scene.map(&stream, &json!({})).await;
    scene.all_delivered(&puts).await;
    scene.quiet().await;
    assert_eq!(scene.deliveries(&puts).len(), 1);
    "without the setting a record that was named came once".to_owned()
}

async fn exception(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let data = [orders::ok(), orders::report(), orders::fail()];
    let puts = scene.put(&stream, &data).await;
    scene
        .map(&stream, &json!({"FunctionResponseTypes": TYPES}))
        .await;
    let batches = scene.delivered(&puts, 2).await;
    assert_eq!(sizes(&batches[..2]), [3, 3]);
    "a function that failed was not done with any record".to_owned()
}

/// Lets the function give each answer to a record of its own, without retries. Returns the number of records that were
/// reported, when the record after them is reported too.
async fn answered(scene: &Scene, answers: &[Value]) -> usize {
    let stream = scene.stream(1).await;
    let (arn, url) = scene.queue().await;
    let mut data: Vec<_> = answers.iter().map(orders::answer).collect();
    data.push(orders::fail());
    let puts = scene.put(&stream, &data).await;
    let settings = json!({
        "BatchSize": 1,
        "FunctionResponseTypes": TYPES,
        "MaximumRetryAttempts": 0,
        "DestinationConfig": on_failure(&arn),
    });
    scene.map(&stream, &settings).await;
    let last = puts.last().unwrap().sequence.as_str();
    let mut reported = 0;
    loop {
        for report in scene.reports(&url, 1).await {
            if report["KinesisBatchInfo"]["startSequenceNumber"] == last {
                assert_eq!(scene.deliveries(&puts).len(), puts.len());
                return reported;
            }
            reported += 1;
        }
    }
}

async fn successes(scene: Scene) -> String {
    let answers = [
        json!({"batchItemFailures": []}),
        json!({"batchItemFailures": null}),
        json!({}),
        json!(""),
        json!(null),
        json!({"batchItemFailure": [{"itemIdentifier": "1"}]}),
    ];
    assert_eq!(answered(&scene, &answers).await, 0);
    "an empty list, a null list, {}, an empty text, null and a misspelt list were success"
        .to_owned()
}

async fn failures(scene: Scene) -> String {
    let named = |failure: Value| json!({"batchItemFailures": [failure]});
    let answers = [
        json!(5),
        json!({"batchItemFailures": "all"}),
        named(json!({"itemIdentifier": ""})),
        named(json!({"itemIdentifier": null})),
        named(json!({"item": "1"})),
        named(json!({"itemIdentifier": "1"})),
    ];
    assert_eq!(answered(&scene, &answers).await, answers.len());
    "a number, a list that is a text, and an identifier that is empty, null, misspelt or unknown were failure".to_owned()
}
