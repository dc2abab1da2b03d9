//! The life of a mapping.

use serde_json::json;
use source_mapping::Rule::*;

use crate::{
    scenario::Scenario,
    scene::{Scene, orders, sizes},
};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(&[SettingsLimits], limits),
        Scenario::new(&[Disabled], disabled),
        Scenario::new(&[Updated], updated),
        Scenario::new(&[Deleted], deleted),
    ]
}

async fn limits(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let filters: Vec<_> = (0..6).map(|_| json!({"Pattern": "{}"})).collect();
    let refused = [
        json!({"BatchSize": 0}),
        json!({"BatchSize": 10_001}),
        json!({"MaximumBatchingWindowInSeconds": 301}),
        json!({"ParallelizationFactor": 11}),
        json!({"MaximumRetryAttempts": 10_001}),
        json!({"MaximumRecordAgeInSeconds": 59}),
        json!({"MaximumRecordAgeInSeconds": 604_801}),
        json!({"FilterCriteria": {"Filters": filters}}),
    ];
    for settings in &refused {
        let (status, error) = scene.try_map(&stream, settings).await;
        assert_eq!(status, 400, "{settings}: {error}");
    }
    format!(
        "{} settings out of their limits were refused",
        refused.len()
    )
}

async fn disabled(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let uuid = scene.map(&stream, &json!({})).await;
    let first = scene.put(&stream, &[orders::ok()]).await;
    scene.all_delivered(&first).await;
    scene.quiet().await;
    scene.update(&uuid, &json!({"Enabled": false})).await;
    let second = scene.put(&stream, &[orders::ok()]).await;
    scene.quiet().await;
    assert!(scene.deliveries(&second).is_empty());
    scene.update(&uuid, &json!({"Enabled": true})).await;
    scene.all_delivered(&second).await;
    assert_eq!(scene.deliveries(&first).len(), 1);
    "while disabled nothing came, and then the next record and none twice".to_owned()
}

async fn updated(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let uuid = scene.map(&stream, &json!({})).await;
    let before = scene.put(&stream, &vec![orders::ok(); 3]).await;
    assert_eq!(sizes(&scene.all_delivered(&before).await), [3]);
    scene.quiet().await;
    scene.update(&uuid, &json!({"BatchSize": 1})).await;
    let after = scene.put(&stream, &vec![orders::ok(); 3]).await;
    assert_eq!(sizes(&scene.all_delivered(&after).await), [1, 1, 1]);
    "three records came together, and after an update to BatchSize 1 three came alone".to_owned()
}

async fn deleted(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let uuid = scene.map(&stream, &json!({})).await;
    let before = scene.put(&stream, &[orders::ok()]).await;
    scene.all_delivered(&before).await;
    scene.delete(&uuid).await;
    let after = scene.put(&stream, &[orders::ok()]).await;
    scene.quiet().await;
    assert!(scene.deliveries(&after).is_empty());
    "after the deletion nothing came".to_owned()
}
