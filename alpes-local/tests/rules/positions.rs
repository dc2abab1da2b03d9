//! Starting positions, and deliveries that come again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use source_mapping::Rule::*;

use crate::{
    scenario::Scenario,
    scene::{Scene, orders},
};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(&[StartTrimHorizon], trim_horizon),
        Scenario::new(&[StartLatest], latest),
        Scenario::new(&[StartAtTimestamp], at_timestamp),
        Scenario::new(&[StartEventually], eventually),
        Scenario::new(&[StartChild], child),
        Scenario::new(&[AtLeastOnce, LateOutcome], again),
    ]
}

async fn trim_horizon(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::ok()]).await;
    scene
        .map(&stream, &json!({"StartingPosition": "TRIM_HORIZON"}))
        .await;
    scene.all_delivered(&puts).await;
    "a record from before the mapping came".to_owned()
}

async fn latest(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let before = scene.put(&stream, &[orders::ok()]).await;
    scene
        .map(&stream, &json!({"StartingPosition": "LATEST"}))
        .await;
    let after = scene.put(&stream, &[orders::ok()]).await;
    scene.all_delivered(&after).await;
    assert!(scene.deliveries(&before).is_empty());
    "only the record after the creation came".to_owned()
}

async fn at_timestamp(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let before = scene.put(&stream, &[orders::ok()]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let after = scene.put(&stream, &[orders::ok()]).await;
    let settings = json!({
        "StartingPosition": "AT_TIMESTAMP",
        "StartingPositionTimestamp": now.as_secs_f64(),
    });
    scene.map(&stream, &settings).await;
    scene.all_delivered(&after).await;
    assert!(scene.deliveries(&before).is_empty());
    "of two records only the one after the time came".to_owned()
}

async fn eventually(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let settings = json!({"StartingPosition": "LATEST", "Enabled": false});
    let uuid = scene.map(&stream, &settings).await;
    let before = scene.put(&stream, &[orders::ok()]).await;
    scene.update(&uuid, &json!({"Enabled": true})).await;
    let after = scene.put(&stream, &[orders::ok()]).await;
    scene.all_delivered(&after).await;
    assert!(scene.deliveries(&before).is_empty());
    "with LATEST a record between creation and beginning was missed".to_owned()
}

async fn child(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    scene
        .map(&stream, &json!({"StartingPosition": "LATEST"}))
        .await;
    crate::shards::split(&scene, &stream).await;
    let puts = scene.put(&stream, &[orders::ok()]).await;
    scene.all_delivered(&puts).await;
    "with LATEST the first record of a child came".to_owned()
}

async fn again(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::sleep(1_500)]).await;
    let uuid = scene.map(&stream, &json!({})).await;
    let first = scene.delivered(&puts, 1).await;
    scene.update(&uuid, &json!({"BatchSize": 50})).await;
    let both = scene.delivered(&puts, 2).await;
    let gap = both[1].since(first[0].at);
    assert!(gap < Duration::from_millis(1_500), "{gap:?}");
    scene.quiet().await;
    scene.quiet().await;
    assert_eq!(scene.deliveries(&puts).len(), 2);
    "after an update, the record in flight came a second time while its first invocation ran, and no third time".to_owned()
}
