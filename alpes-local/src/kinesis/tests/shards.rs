//! Splitting, merging and listing shards.

use super::*;

fn middle(range: &Value) -> String {
    let bound = |name: &str| range[name].as_str().unwrap().parse::<u128>().unwrap();
    let (first, last) = (bound("StartingHashKey"), bound("EndingHashKey"));
    (first + (last - first) / 2).to_string()
}

/// Splits the shard at this place in the list in the middle.
fn split(rig: &Rig, index: usize) {
    let shards = rig.ok("ListShards", json!({ "StreamName": "s" }));
    let shard = &shards["Shards"][index];
    rig.ok(
        "SplitShard",
        json!({
            "StreamName": "s",
            "ShardToSplit": shard["ShardId"],
            "NewStartingHashKey": middle(&shard["HashKeyRange"]),
        }),
    );
}

fn merge(left: u32, right: u32) -> Value {
    json!({ "StreamName": "s", "ShardToMerge": shard(left), "AdjacentShardToMerge": shard(right) })
}

#[test]
fn a_closed_shard_ends_and_names_its_children() {
    let rig = Rig::new();
    rig.stream(1);
    rig.put("k", "before");
    let iterator = rig.iterator(&shard(0), &json!({}));
    split(&rig, 0);
    rig.put("k", "after");
    let answer = rig.ok("GetRecords", json!({ "ShardIterator": iterator }));
    assert_eq!(data_of(&answer), ["before"]);
    assert_eq!(answer["NextShardIterator"], Value::Null);
    let children = answer["ChildShards"].as_array().unwrap();
    assert_eq!(children.len(), 2);
    assert_eq!(children[0]["ShardId"], shard(1));
    assert_eq!(children[0]["ParentShards"], json!([shard(0)]));
    let (one, two) = (
        rig.read_from_start(&shard(1)),
        rig.read_from_start(&shard(2)),
    );
    assert_eq!([one, two].concat(), ["after"]);

    let error = rig.refused("MergeShards", merge(2, 1));
    assert_eq!(
        error.message,
        "Shards shardId-000000000002 and shardId-000000000001 in stream s under account 000000000000 are not an \
         adjacent pair of shards eligible for merging"
    );
    rig.ok("MergeShards", merge(1, 2));
    let shards = rig.ok("DescribeStream", json!({ "StreamName": "s" }));
    let shards = &shards["StreamDescription"]["Shards"];
    assert_eq!(shards[3]["ParentShardId"], shard(1));
    assert_eq!(shards[3]["AdjacentParentShardId"], shard(2));
    assert_eq!(shards[3]["HashKeyRange"], shards[0]["HashKeyRange"]);
    let range = |number: usize| &shards[number]["SequenceNumberRange"];
    assert!(text(&range(2)["EndingSequenceNumber"]) < text(&range(3)["StartingSequenceNumber"]));
    assert_eq!(range(3)["EndingSequenceNumber"], Value::Null);
    let error = rig.refused("MergeShards", merge(1, 2));
    assert!(
        error.message.contains("has already been merged or split"),
        "{error}"
    );
}

#[test]
fn a_split_point_must_be_inside_the_shard() {
    let rig = Rig::new();
    rig.stream(1);
    let split = |shard: &str, at: &str| json!({ "StreamName": "s", "ShardToSplit": shard, "NewStartingHashKey": at });
    for at in ["0", "1", &u128::MAX.to_string()] {
        let error = rig.refused("SplitShard", split("shard-0", at));
        assert_eq!(error.code, "InvalidArgumentException");
        assert!(
            error.message.contains("is not both greater than one plus"),
            "{error}"
        );
    }
    let error = rig.refused("SplitShard", split("shard-9", "5"));
    assert_eq!(
        error.message,
        "Could not find shard shardId-000000000009 in stream s under account 000000000000."
    );
    rig.ok("SplitShard", split("shard-0", "2"));
}

#[test]
fn update_shard_count_keeps_within_half_and_double() {
    let rig = Rig::new();
    rig.stream(2);
    let to = |count: u32| json!({ "StreamName": "s", "TargetShardCount": count, "ScalingType": "UNIFORM_SCALING" });
    let answer = rig.ok("UpdateShardCount", to(4));
    assert_eq!(
        (&answer["CurrentShardCount"], &answer["TargetShardCount"]),
        (&json!(2), &json!(4))
    );
    let open = rig.shard_ids(&json!({ "ShardFilter": { "Type": "AT_LATEST" } }));
    assert_eq!(open, [shard(2), shard(3), shard(4), shard(5)]);
    for (count, message) in [(9, "scale up over double"), (1, "scale down below half")] {
        let error = rig.refused("UpdateShardCount", to(count));
        assert_eq!(error.code, "LimitExceededException");
        assert!(error.message.contains(message), "{error}");
    }
    rig.ok(
        "UpdateStreamMode",
        json!({
            "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s",
            "StreamModeDetails": { "StreamMode": "ON_DEMAND" },
        }),
    );
    let error = rig.refused("UpdateShardCount", to(8));
    assert_eq!(
        error.message,
        "Request is invalid. Stream s under account 000000000000 is in On-Demand mode."
    );
}

#[test]
fn shards_are_listed_by_filter_and_page() {
    let rig = Rig::new();
    rig.stream(2);
    rig.pass(10_000);
    split(&rig, 0);
    rig.pass(10_000);
    let filtered = |filter: Value| rig.shard_ids(&json!({ "ShardFilter": filter }));
    let numbers = |numbers: &[u32]| {
        numbers
            .iter()
            .map(|number| shard(*number))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        filtered(json!({ "Type": "FROM_TRIM_HORIZON" })),
        numbers(&[0, 1, 2, 3])
    );
    assert_eq!(
        filtered(json!({ "Type": "AT_TRIM_HORIZON" })),
        numbers(&[0, 1])
    );
    assert_eq!(
        filtered(json!({ "Type": "AT_LATEST" })),
        numbers(&[1, 2, 3])
    );
    assert_eq!(
        filtered(json!({ "Type": "AFTER_SHARD_ID", "ShardId": shard(1) })),
        numbers(&[2, 3])
    );
    let at =
        |kind: &str, seconds: u64| json!({ "Type": kind, "Timestamp": 1_700_000_000 + seconds });
    assert_eq!(filtered(at("AT_TIMESTAMP", 9)), numbers(&[0, 1]));
    assert_eq!(filtered(at("AT_TIMESTAMP", 11)), numbers(&[1, 2, 3]));
    assert_eq!(filtered(at("FROM_TIMESTAMP", 11)), numbers(&[1, 2, 3]));
    assert_eq!(filtered(at("FROM_TIMESTAMP", 9)), numbers(&[0, 1, 2, 3]));

    let first = rig.ok("ListShards", json!({ "StreamName": "s", "MaxResults": 3 }));
    assert_eq!(first["Shards"].as_array().unwrap().len(), 3);
    let token = &first["NextToken"];
    let error = rig.refused(
        "ListShards",
        json!({ "StreamName": "s", "NextToken": token }),
    );
    assert_eq!(
        error.message,
        "NextToken and StreamName cannot be provided together."
    );
    let second = rig.ok("ListShards", json!({ "NextToken": token }));
    assert_eq!(second["Shards"][0]["ShardId"], shard(3));
    assert_eq!(second["NextToken"], Value::Null);
    rig.pass(300_001);
    let error = rig.refused("ListShards", json!({ "NextToken": token }));
    assert_eq!(error.code, "ExpiredNextTokenException");
    let error = rig.refused("ListShards", json!({}));
    assert_eq!(
        error.message,
        "Either NextToken or StreamName should be provided."
    );
    let described = rig.ok(
        "DescribeStream",
        json!({ "StreamName": "s", "Limit": 2, "ExclusiveStartShardId": shard(0) }),
    );
    assert_eq!(
        described["StreamDescription"]["Shards"][0]["ShardId"],
        shard(1)
    );
    assert_eq!(described["StreamDescription"]["HasMoreShards"], true);
}

#[test]
fn closed_shards_expire_with_their_records() {
    let rig = Rig::new();
    rig.stream(1);
    rig.put("k", "old");
    split(&rig, 0);
    rig.pass(24 * HOUR + 1);
    assert_eq!(rig.shard_ids(&json!({})), [shard(1), shard(2)]);
    let error = rig.refused(
        "GetShardIterator",
        json!({ "StreamName": "s", "ShardId": shard(0), "ShardIteratorType": "TRIM_HORIZON" }),
    );
    assert_eq!(error.code, "ResourceNotFoundException");
    rig.put("k", "new");
    split(&rig, 0);
    assert_eq!(
        rig.shard_ids(&json!({})),
        [1, 2, 3, 4].map(shard),
        "no number is used twice"
    );
}
