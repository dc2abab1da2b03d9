//! Shards that split and merge.

use serde_json::json;
use source_mapping::Rule::*;

use crate::{
    scenario::Scenario,
    scene::{Scene, Stream, orders},
};

/// The first hash key of the upper half.
const MIDDLE: &str = "170141183460469231731687303715884105728";

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(&[ParentFirst, ClosedShard], parent),
        Scenario::new(&[MergeWaits], merged),
    ]
}

/// Splits the first shard of a stream in the middle.
pub async fn split(scene: &Scene, stream: &Stream) {
    let input = json!({
        "StreamName": stream.name,
        "ShardToSplit": "shardId-000000000000",
        "NewStartingHashKey": MIDDLE,
    });
    scene.kinesis("SplitShard", input).await;
}

async fn parent(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let of_parent = scene
        .put(&stream, &[orders::sleep(300), orders::ok()])
        .await;
    split(&scene, &stream).await;
    let records = [
        ("a", Some("0"), orders::ok()),
        ("b", Some(MIDDLE), orders::ok()),
    ];
    let of_children = scene.put_all(&stream, &records).await;
    assert!(
        of_children
            .iter()
            .all(|put| put.shard != of_parent[0].shard)
    );
    scene.map(&stream, &json!({"BatchSize": 1})).await;
    let children = scene.all_delivered(&of_children).await;
    let parents = scene.deliveries(&of_parent);
    assert_eq!(parents.len(), 2);
    assert!(children.iter().all(|child| child.at >= parents[1].at));
    "the records of two children came after the two records of their closed parent".to_owned()
}

async fn merged(scene: Scene) -> String {
    let stream = scene.stream(2).await;
    let records = [
        ("a", Some("0"), orders::sleep(600)),
        ("b", Some(MIDDLE), orders::ok()),
    ];
    let of_parents = scene.put_all(&stream, &records).await;
    let input = json!({
        "StreamName": stream.name,
        "ShardToMerge": of_parents[0].shard,
        "AdjacentShardToMerge": of_parents[1].shard,
    });
    scene.kinesis("MergeShards", input).await;
    let of_child = scene.put(&stream, &[orders::ok()]).await;
    scene.map(&stream, &json!({})).await;
    let child = scene.all_delivered(&of_child).await;
    let slow = scene.deliveries(&of_parents[..1]);
    let waited = child[0].since(slow[0].at);
    assert!(waited.as_millis() >= 400, "{waited:?}");
    assert_eq!(scene.deliveries(&of_parents[1..]).len(), 1);
    format!(
        "the merged shard's record came {waited:?} after the slower parent's, whose batch took 600 ms"
    )
}
