//! Failures, retries, splitting, and destinations.

use std::time::Duration;

use serde_json::{Value, json};
use source_mapping::Rule::*;

use crate::{
    scenario::Scenario,
    scene::{Scene, orders, sizes},
};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            &[FunctionError, RetryWholeBatch, RetryForever, BackOff],
            forever,
        ),
        Scenario::new(&[TimeoutIsError], dies),
        Scenario::new(&[WholeBatchDone], done),
        Scenario::new(
            &[RetryAttempts, DiscardContinues, DestinationNone],
            attempts,
        ),
        Scenario::new(&[ThrottleNoAttempt], throttled),
        Scenario::new(&[RecordAge, DestinationCondition], aged),
        Scenario::new(&[BisectHalves, BisectFree, BisectSingle], bisected),
        Scenario::new(&[BisectRegardless], bisected_with_reports),
        Scenario::new(&[DestinationPayload], payload),
    ]
}

/// The setting of an on-failure destination.
pub fn on_failure(arn: &str) -> Value {
    json!({"OnFailure": {"Destination": arn}})
}

async fn forever(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::ok(), orders::fail()]).await;
    scene.map(&stream, &json!({})).await;
    let batches = scene.delivered(&puts, 4).await;
    assert_eq!(sizes(&batches[..4]), [2; 4]);
    let gaps: Vec<_> = batches
        .windows(2)
        .map(|pair| pair[1].since(pair[0].at))
        .collect();
    assert!(
        gaps.iter().all(|gap| *gap >= Duration::from_millis(200)),
        "{gaps:?}"
    );
    format!("a batch of two with one bad record came four times whole, with pauses of {gaps:?}")
}

async fn dies(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let (arn, url) = scene.queue().await;
    // The first process ends, the second one runs out of its 3 seconds.
    let puts = scene
        .put(&stream, &[orders::exit(), orders::sleep(10_000)])
        .await;
    let settings = json!({
        "BatchSize": 1, "MaximumRetryAttempts": 0, "DestinationConfig": on_failure(&arn)
    });
    scene.map(&stream, &settings).await;
    let reports = scene.reports(&url, 2).await;
    for report in &reports {
        assert_eq!(report["responseContext"]["functionError"], "Unhandled");
    }
    assert_eq!(scene.deliveries(&puts).len(), 2);
    "a process that ended and one that ran out of time were reported as Unhandled".to_owned()
}

async fn done(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::ok(), orders::ok()]).await;
    scene.map(&stream, &json!({})).await;
    scene.all_delivered(&puts).await;
    scene.quiet().await;
    assert_eq!(sizes(&scene.deliveries(&puts)), [2]);
    "a batch that succeeded came once".to_owned()
}

async fn attempts(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::fail(), orders::ok()]).await;
    scene
        .map(&stream, &json!({"BatchSize": 1, "MaximumRetryAttempts": 2}))
        .await;
    scene.all_delivered(&puts).await;
    scene.quiet().await;
    let failed = scene.deliveries(&puts[..1]).len();
    assert_eq!((failed, scene.deliveries(&puts[1..]).len()), (3, 1));
    "with two retries a bad record came three times, and then the next one, without a trace of the first".to_owned()
}

async fn throttled(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::ok()]).await;
    scene.limit(Some(0)).await;
    let settings = json!({"FunctionName": "probe-limited", "MaximumRetryAttempts": 0});
    scene.map(&stream, &settings).await;
    scene.quiet().await;
    scene.quiet().await;
    assert!(scene.deliveries(&puts).is_empty());
    scene.limit(None).await;
    scene.all_delivered(&puts).await;
    "without retries, a record that was throttled for 2 s came when the limit was gone".to_owned()
}

async fn aged(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let (arn, url) = scene.queue().await;
    let old = scene.put(&stream, &[orders::ok()]).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    let fresh = scene.put(&stream, &[orders::ok()]).await;
    let settings = json!({
        "MaximumRecordAgeInSeconds": 60, "DestinationConfig": on_failure(&arn)
    });
    scene.map(&stream, &settings).await;
    scene.all_delivered(&fresh).await;
    let reports = scene.reports(&url, 1).await;
    assert_eq!(
        reports[0]["requestContext"]["condition"],
        "RecordAgeExceeded"
    );
    assert_eq!(reports[0]["requestContext"]["approximateInvokeCount"], 1);
    assert!(reports[0].get("responseContext").is_none());
    assert!(scene.deliveries(&old).is_empty());
    "a record of 61 s was reported as RecordAgeExceeded and never came, and a fresh one came"
        .to_owned()
}

async fn bisected(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let data = [orders::ok(), orders::ok(), orders::fail(), orders::ok()];
    let puts = scene.put(&stream, &data).await;
    let settings = json!({"BisectBatchOnFunctionError": true, "MaximumRetryAttempts": 1});
    scene.map(&stream, &settings).await;
    let batches = scene.delivered(&puts, 6).await;
    assert_eq!(sizes(&batches), [4, 2, 2, 1, 1, 1]);
    let alone = vec![puts[2].sequence.clone()];
    assert_eq!(
        [&batches[3].sequences, &batches[4].sequences],
        [&alone, &alone]
    );
    "a batch of 4 came as parts of 2 and 2, then 1, and the bad record twice alone: its one retry was left".to_owned()
}

async fn bisected_with_reports(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::ok(), orders::fail()]).await;
    let settings = json!({
        "BisectBatchOnFunctionError": true,
        "MaximumRetryAttempts": 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    scene.map(&stream, &settings).await;
    let batches = scene.delivered(&puts, 3).await;
    assert_eq!(sizes(&batches), [2, 1, 1]);
    "with ReportBatchItemFailures a batch that failed by an error was split too".to_owned()
}

async fn payload(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let bucket = scene.bucket().await;
    let puts = scene.put(&stream, &[orders::fail()]).await;
    let arn = format!("arn:aws:s3:::{bucket}");
    let settings = json!({"MaximumRetryAttempts": 0, "DestinationConfig": on_failure(&arn)});
    let uuid = scene.map(&stream, &settings).await;
    let (key, report) = scene.object(&bucket).await;
    assert!(
        key.starts_with(&format!("aws/lambda/{uuid}/shardId-000000000000/")),
        "{key}"
    );
    let payload: Value = serde_json::from_str(report["payload"].as_str().unwrap()).unwrap();
    let sequence = &payload["Records"][0]["kinesis"]["sequenceNumber"];
    assert_eq!(sequence, puts[0].sequence.as_str());
    format!("the bucket received the event as payload, as {key}")
}
