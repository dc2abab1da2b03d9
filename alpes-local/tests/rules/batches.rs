//! Batches and lanes.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use source_mapping::Rule::*;

use crate::{
    harness::{Delivery, now},
    scenario::Scenario,
    scene::{Scene, orders, sizes},
};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(&[AtOnce, FanOut], at_once),
        Scenario::new(&[BatchSize], batch_size),
        Scenario::new(&[BatchingWindow, BatchingWindowBegins], window),
        Scenario::new(&[BatchFull], full),
        Scenario::new(&[PayloadLimit], payload),
        Scenario::new(&[OneShardABatch], one_shard),
        Scenario::new(&[LanesConcurrent, LanePerKey], lanes),
        Scenario::new(&[OneBatchALane], one_batch),
        Scenario::new(&[LaneBlocked], blocked),
        Scenario::new(&[PollOnceASecond], polls),
    ]
}

async fn at_once(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    scene.map(&stream, &json!({})).await;
    let one = scene.put(&stream, &[orders::ok()]).await;
    scene.delivered(&one, 1).await;
    let three = scene
        .put(&stream, &[orders::ok(), orders::ok(), orders::ok()])
        .await;
    let batches = scene.all_delivered(&three).await;
    assert_eq!(sizes(&batches), [3]);
    "one record came alone, and then three of one call together".to_owned()
}

async fn batch_size(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &vec![orders::ok(); 5]).await;
    scene.map(&stream, &json!({"BatchSize": 2})).await;
    let batches = scene.all_delivered(&puts).await;
    assert_eq!(sizes(&batches), [2, 2, 1]);
    "five records came as batches of 2, 2 and 1".to_owned()
}

async fn window(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let first = scene.put(&stream, &[orders::ok()]).await;
    let began = now();
    scene
        .map(&stream, &json!({"MaximumBatchingWindowInSeconds": 2}))
        .await;
    let first = scene.delivered(&first, 1).await;
    let waited = first[0].since(began);
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    let second = scene.put(&stream, &[orders::ok()]).await;
    let second = scene.delivered(&second, 1).await;
    let again = second[0].since(first[0].at);
    assert!(again >= Duration::from_secs(1), "{again:?}");
    format!("with a window of 2 s a record came after {waited:?}, and the next one {again:?} later")
}

async fn full(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::ok(), orders::ok()]).await;
    let settings = json!({"MaximumBatchingWindowInSeconds": 300, "BatchSize": 2});
    scene.map(&stream, &settings).await;
    assert_eq!(sizes(&scene.delivered(&puts, 1).await), [2]);
    "a full batch did not wait for its window of 300 s".to_owned()
}

async fn payload(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let mut puts = vec![];
    for _ in 0..7 {
        let data = json!({"pad": "x".repeat(1_000_000)}).to_string();
        puts.extend(scene.put(&stream, &[data]).await);
    }
    scene.map(&stream, &json!({})).await;
    let batches = scene.all_delivered(&puts).await;
    assert_eq!(sizes(&batches), [4, 3]);
    "seven records of 1 MB came as batches of 4 and 3, below 6 MB in base64".to_owned()
}

async fn one_shard(scene: Scene) -> String {
    let stream = scene.stream(2).await;
    let keys: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    let records: Vec<_> = keys
        .iter()
        .map(|key| (key.as_str(), None, orders::ok()))
        .collect();
    let puts = scene.put_all(&stream, &records).await;
    scene.map(&stream, &json!({})).await;
    let batches = scene.all_delivered(&puts).await;
    let shards: Vec<BTreeSet<_>> = batches
        .iter()
        .map(|batch| {
            let of_batch = puts
                .iter()
                .filter(|put| batch.sequences.contains(&put.sequence));
            of_batch.map(|put| put.shard.as_str()).collect()
        })
        .collect();
    assert!(shards.iter().all(|shards| shards.len() == 1), "{shards:?}");
    assert!(shards.iter().flatten().collect::<BTreeSet<_>>().len() == 2);
    format!(
        "20 records of two shards came in {} batches, each of one shard",
        batches.len()
    )
}

async fn lanes(scene: Scene) -> String {
    const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let stream = scene.stream(1).await;
    let records: Vec<_> = KEYS
        .iter()
        .map(|key| (*key, None, orders::sleep(400)))
        .collect();
    let first = scene.put_all(&stream, &records).await;
    let second = scene.put_all(&stream, &records).await;
    scene
        .map(
            &stream,
            &json!({"ParallelizationFactor": 4, "BatchSize": 1}),
        )
        .await;
    let puts = [first.clone(), second.clone()].concat();
    let all = scene.all_delivered(&puts).await;
    let sleep = Duration::from_millis(300);
    let overlap = all
        .windows(2)
        .filter(|pair| pair[1].since(pair[0].at) < sleep)
        .count();
    assert!(overlap > 0, "no two batches at once");
    for (first, second) in first.iter().zip(&second) {
        let pair = [first.clone(), second.clone()];
        let of_key = scene.deliveries(&pair);
        assert_eq!(of_key[0].sequences.concat(), first.sequence);
        assert!(
            of_key[1].since(of_key[0].at) >= sleep,
            "two batches of a key at once"
        );
    }
    format!("{overlap} of 16 batches began while another one ran, and none of the same key")
}

/// The time between two batches.
fn gap(batches: &[Delivery]) -> Duration {
    batches[1].since(batches[0].at)
}

async fn one_batch(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let records = [("a", None, orders::sleep(600)), ("b", None, orders::ok())];
    let puts = scene.put_all(&stream, &records).await;
    scene.map(&stream, &json!({"BatchSize": 1})).await;
    let gap = gap(&scene.delivered(&puts, 2).await);
    assert!(gap >= Duration::from_millis(400), "{gap:?}");
    format!("the batch after one of 600 ms came {gap:?} later")
}

async fn blocked(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    let puts = scene.put(&stream, &[orders::fail(), orders::ok()]).await;
    scene.map(&stream, &json!({"BatchSize": 1})).await;
    scene.delivered(&puts[..1], 3).await;
    assert!(scene.deliveries(&puts[1..]).is_empty());
    "while the first record failed three times, the second one did not come".to_owned()
}

async fn polls(scene: Scene) -> String {
    let stream = scene.stream(1).await;
    scene
        .map(&stream, &json!({"EventSourceArn": stream.arn}))
        .await;
    let mut puts = vec![];
    for _ in 0..30 {
        puts.extend(scene.put(&stream, &[orders::ok()]).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let batches = scene.all_delivered(&puts).await.len();
    assert!((2..=10).contains(&batches), "{batches}");
    format!("30 records in 3 s came in {batches} batches")
}
