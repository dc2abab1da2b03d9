//! Shards within AWS's quotas.

use super::*;
use crate::throttling::Work;

const REFUSED: &str = "ProvisionedThroughputExceededException";

/// A request with this many records of a size, for two shards in turn: `in_first` in the first one for each in the
/// second.
fn records(count: usize, in_first: usize, size: usize) -> Value {
    let data = base64(&"x".repeat(size));
    let records = (0..count).map(|n| {
        let second = n % (in_first + 1) == in_first;
        let hash = if second { u128::MAX } else { 0 };
        json!({ "PartitionKey": n.to_string(), "ExplicitHashKey": hash.to_string(), "Data": data })
    });
    json!({ "StreamName": "s", "Records": records.collect::<Vec<_>>() })
}

/// Puts 1,500 records a second for some seconds, and returns how many were acknowledged, by shard.
fn put_1500_a_second(rig: &Rig, seconds: usize) -> [usize; 2] {
    let mut acknowledged = [0, 0];
    for _ in 0..seconds {
        for _ in 0..10 {
            let answer = rig.ok("PutRecords", records(150, 4, 10));
            let all = answer["Records"].as_array().unwrap();
            let refused = all.iter().filter(|record| record["ErrorCode"] == REFUSED);
            assert_eq!(answer["FailedRecordCount"], refused.count());
            for record in all {
                match record["ShardId"].as_str() {
                    Some(id) => acknowledged[usize::from(id == shard(1))] += 1,
                    None => assert_eq!(
                        record["ErrorMessage"],
                        "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."
                    ),
                }
            }
            rig.pass(100);
        }
    }
    acknowledged
}

#[test]
fn a_shard_takes_a_thousand_records_a_second_and_stores_what_it_acknowledged() {
    let (rig, throttling) = Rig::with_quotas();
    rig.stream(2);
    let acknowledged = put_1500_a_second(&rig, 3);
    // 1,200 a second are offered to the first shard, and 300 to the second.
    assert_eq!(acknowledged, [3_000, 900]);
    rig.pass(1_000);
    assert_eq!(rig.read_from_start(&shard(0)).len(), 3_000);
    assert_eq!(rig.read_from_start(&shard(1)).len(), 900);
    let [throttled] = throttling.snapshot().try_into().unwrap();
    assert_eq!(
        throttled.resource,
        "arn:aws:kinesis:us-east-1:000000000000:stream/s/shardId-000000000000"
    );
    assert_eq!((throttled.work, throttled.count), (Work::Writes, 600));
}

#[test]
fn a_shard_takes_a_megabyte_a_second() {
    let (rig, _) = Rig::with_quotas();
    rig.stream(1);
    let data = base64(&"x".repeat(600_000));
    let put = json!({ "StreamName": "s", "PartitionKey": "k", "Data": data });
    rig.ok("PutRecord", put.clone());
    assert_eq!(rig.refused("PutRecord", put.clone()).code, REFUSED);
    rig.put("k", "a small one still fits");
    rig.pass(1_000);
    rig.ok("PutRecord", put);
    assert_eq!(rig.read_from_start(&shard(0)).len(), 3);
}

#[test]
fn standard_consumers_share_five_reads_a_second_and_fan_out_does_not() {
    let (rig, throttling) = Rig::with_quotas();
    rig.stream(1);
    rig.put("k", "data");
    let iterator = rig.iterator(&shard(0), &json!({}));
    let id = shard(0).as_str().into();
    for _ in 0..3 {
        for _ in 0..3 {
            assert_eq!(rig.read(&iterator), ["data"]);
        }
        let poll = || rig.kinesis.poll_after("s", &id, None, 10, 1_000);
        assert_eq!([poll().unwrap().len(), poll().unwrap().len()], [1, 1]);
        let error = rig.refused("GetRecords", json!({ "ShardIterator": iterator }));
        assert_eq!(error.code, REFUSED);
        assert_eq!(
            error.message,
            "Rate exceeded for Shard - 000000000000/s/shardId-000000000000"
        );
        assert_eq!(poll().unwrap_err(), error);
        let pushed = rig.kinesis.read_after("s", &id, None, 10, 1_000);
        assert_eq!(pushed.unwrap().len(), 1);
        rig.pass(1_000);
    }
    let [throttled] = throttling.snapshot().try_into().unwrap();
    assert_eq!((throttled.work, throttled.count), (Work::Reads, 6));
}

#[test]
fn after_ten_megabytes_reads_are_refused_for_up_to_five_seconds() {
    let (rig, _) = Rig::with_quotas();
    rig.stream(1);
    let data = base64(&"x".repeat((1 << 20) - "k".len()));
    for _ in 0..11 {
        rig.ok(
            "PutRecord",
            json!({ "StreamName": "s", "PartitionKey": "k", "Data": data }),
        );
        rig.pass(1_000);
    }
    let iterator = rig.iterator(&shard(0), &json!({}));
    assert_eq!(rig.read(&iterator).len(), 10, "10 MiB at most");
    for _ in 0..4 {
        rig.pass(1_000);
        assert_eq!(
            rig.refused("GetRecords", json!({ "ShardIterator": iterator }))
                .code,
            REFUSED
        );
    }
    rig.pass(1_000);
    assert_eq!(rig.read(&iterator).len(), 10);
}
