//! Putting and getting records.

use super::*;

#[test]
fn records_come_back_in_order_with_their_numbers_and_times() {
    let rig = Rig::new();
    rig.stream(1);
    let first = rig.put("k", "a");
    rig.pass(7);
    let second = rig.put("k", "b");
    assert!(first < second);
    let iterator = rig.iterator(&shard(0), &json!({}));
    let answer = rig.ok(
        "GetRecords",
        json!({ "ShardIterator": iterator, "Limit": 1 }),
    );
    assert_eq!(
        answer["Records"],
        json!([{
            "SequenceNumber": first,
            "ApproximateArrivalTimestamp": 1_700_000_000.0,
            "Data": base64("a"),
            "PartitionKey": "k",
        }])
    );
    assert_eq!(answer["MillisBehindLatest"], 7);
    let next = text(&answer["NextShardIterator"]);
    let answer = rig.ok("GetRecords", json!({ "ShardIterator": next }));
    assert_eq!(data_of(&answer), ["b"]);
    assert_eq!(answer["MillisBehindLatest"], 0);
    let next = text(&answer["NextShardIterator"]);
    assert!(rig.read(&next).is_empty());
    rig.put("k", "c");
    assert_eq!(rig.read(&next), ["c"]);
}

#[test]
fn each_iterator_type_begins_where_it_says() {
    let rig = Rig::new();
    rig.stream(1);
    rig.put("k", "a");
    rig.pass(1500);
    let second = rig.put("k", "b");
    rig.pass(1500);
    rig.put("k", "c");
    let at = |kind: &str| json!({ "ShardIteratorType": kind, "StartingSequenceNumber": second });
    let from = |more| rig.read(&rig.iterator(&shard(0), &more));
    assert_eq!(from(json!({})), ["a", "b", "c"]);
    assert_eq!(from(at("AT_SEQUENCE_NUMBER")), ["b", "c"]);
    assert_eq!(from(at("AFTER_SEQUENCE_NUMBER")), ["c"]);
    let latest = rig.iterator(&shard(0), &json!({ "ShardIteratorType": "LATEST" }));
    assert!(rig.read(&latest).is_empty());
    rig.put("k", "d");
    assert_eq!(rig.read(&latest), ["d"]);
    let at_time =
        |seconds: f64| json!({ "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": seconds });
    assert_eq!(from(at_time(1_700_000_001.499)), ["b", "c", "d"]);
    assert_eq!(from(at_time(1_700_000_001.5)), ["b", "c", "d"]);
    assert_eq!(from(at_time(1_700_000_001.501)), ["c", "d"]);
}

#[test]
fn wrong_iterators_are_refused_in_aws_words() {
    let rig = Rig::new();
    rig.stream(2);
    let sequence = rig.put("k", "a");
    let number = |id: &str| u32::from(id.ends_with('1'));
    let placed = rig.ok(
        "PutRecord",
        json!({ "StreamName": "s", "PartitionKey": "k", "Data": "" }),
    );
    let own = number(placed["ShardId"].as_str().unwrap());
    let other = shard(1 - own);
    let refusal = |more: Value| {
        let mut input = json!({ "StreamName": "s", "ShardId": other, "ShardIteratorType": "AT_SEQUENCE_NUMBER" });
        let members = input.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let error = rig.refused("GetShardIterator", input);
        format!("{}: {}", error.code, error.message)
    };
    assert_eq!(
        refusal(json!({ "StartingSequenceNumber": sequence })),
        format!(
            "InvalidArgumentException: Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a \
             shard with {other}",
            shard(own)
        )
    );
    assert!(refusal(json!({ "StartingSequenceNumber": "5" })).ends_with(" is invalid."));
    assert!(
        refusal(json!({})).ends_with("specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber.")
    );
    assert!(
        refusal(json!({ "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_800_000_000 }))
            .contains("cannot be greater than the currentTimestampInMillis")
    );
    assert_eq!(
        refusal(json!({ "ShardId": "shardId-7" })),
        "ResourceNotFoundException: Shard shardId-000000000007 in stream s under account 000000000000 does not exist"
    );
    let iterator = rig.iterator(&other, &json!({}));
    rig.pass(300_001);
    let error = rig.refused("GetRecords", json!({ "ShardIterator": iterator }));
    assert_eq!(error.code, "ExpiredIteratorException");
    let error = rig.refused("GetRecords", json!({ "ShardIterator": "garbage" }));
    assert_eq!(error.code, "InvalidArgumentException");
    let iterator = rig.iterator(&other, &json!({}));
    rig.ok("DeleteStream", json!({ "StreamName": "s" }));
    rig.stream(2);
    let error = rig.refused("GetRecords", json!({ "ShardIterator": iterator }));
    assert_eq!(error.code, "ResourceNotFoundException");
}

#[test]
fn put_records_takes_all_or_none() {
    let rig = Rig::new();
    rig.stream(2);
    let record = |key: &str, more: Value| {
        let mut record = json!({ "PartitionKey": key, "Data": base64(key) });
        let members = record.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        record
    };
    let last_hash = u128::MAX.to_string();
    let answer = rig.ok(
        "PutRecords",
        json!({ "StreamName": "s", "Records": [
            record("a", json!({ "ExplicitHashKey": "0" })),
            record("b", json!({ "ExplicitHashKey": last_hash })),
        ] }),
    );
    assert_eq!(answer["FailedRecordCount"], 0);
    assert_eq!(answer["Records"][0]["ShardId"], shard(0));
    assert_eq!(answer["Records"][1]["ShardId"], shard(1));
    assert!(
        text(&answer["Records"][0]["SequenceNumber"])
            < text(&answer["Records"][1]["SequenceNumber"])
    );
    let too_great = format!("{}0", u128::MAX / 5);
    let error = rig.refused(
        "PutRecords",
        json!({ "StreamName": "s", "Records": [
            record("c", json!({})),
            record("d", json!({ "ExplicitHashKey": too_great })),
        ] }),
    );
    assert!(
        error.message.starts_with("Invalid ExplicitHashKey."),
        "{error}"
    );
    let error = rig.refused(
        "PutRecords",
        json!({ "StreamName": "s", "Records": [record("", json!({}))] }),
    );
    assert!(
        error.message.contains("'records.1.member.partitionKey'"),
        "{error}"
    );
    let error = rig.refused("PutRecords", json!({ "StreamName": "s", "Records": [] }));
    assert_eq!(error.code, "ValidationException");
    assert_eq!(rig.read_from_start(&shard(0)), ["a"]);
    assert_eq!(rig.read_from_start(&shard(1)), ["b"]);
}

#[test]
fn records_have_limits() {
    let rig = Rig::new();
    rig.stream(1);
    let megabyte = "x".repeat(1 << 20);
    let number = rig.put("k", &megabyte);
    let too_long = base64(&format!("{megabyte}x"));
    let error = rig.refused(
        "PutRecord",
        json!({ "StreamName": "s", "PartitionKey": "k", "Data": too_long }),
    );
    assert_eq!(
        error.message,
        "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1048577 cap=1048577]' at 'data' failed \
         to satisfy constraint: Member must have length less than or equal to 1048576"
    );
    let key = "é".repeat(256);
    rig.put(&key, "");
    let error = rig.refused(
        "PutRecord",
        json!({ "StreamName": "s", "PartitionKey": format!("{key}é"), "Data": "" }),
    );
    assert!(
        error.message.contains("less than or equal to 256"),
        "{error}"
    );
    let ordered = |number: &str| {
        json!({
            "StreamName": "s",
            "PartitionKey": "k",
            "Data": "",
            "SequenceNumberForOrdering": number,
        })
    };
    rig.ok("PutRecord", ordered(&number));
    let error = rig.refused("PutRecord", ordered("7"));
    assert!(
        error
            .message
            .starts_with("ExclusiveMinimumSequenceNumber 7 "),
        "{error}"
    );
}

#[test]
fn an_answer_has_at_most_ten_mebibytes() {
    let rig = Rig::new();
    rig.stream(1);
    let megabyte = "x".repeat(1 << 20);
    for _ in 0..11 {
        rig.put("k", &megabyte);
    }
    let iterator = rig.iterator(&shard(0), &json!({}));
    let answer = rig.ok("GetRecords", json!({ "ShardIterator": iterator }));
    assert_eq!(data_of(&answer).len(), 9, "the keys count too");
    let next = text(&answer["NextShardIterator"]);
    assert_eq!(rig.read(&next).len(), 2);
}

#[test]
fn old_records_are_passed_over_and_then_deleted() {
    let rig = Rig::new();
    rig.stream(1);
    rig.put("k", "old");
    rig.pass(23 * HOUR);
    rig.put("k", "new");
    rig.pass(HOUR);
    assert_eq!(rig.read_from_start(&shard(0)), ["old", "new"]);
    rig.pass(1);
    assert_eq!(rig.read_from_start(&shard(0)), ["new"]);
    let hours = |hours: u32| json!({ "StreamName": "s", "RetentionPeriodHours": hours });
    rig.ok("IncreaseStreamRetentionPeriod", hours(48));
    assert_eq!(
        rig.read_from_start(&shard(0)),
        ["new"],
        "an increase revives nothing"
    );
    assert_eq!(rig.kinesis.describe("s").unwrap().shards[0].records, 1);
    rig.pass(25 * HOUR);
    assert_eq!(rig.read_from_start(&shard(0)), ["new"]);
    rig.ok("DecreaseStreamRetentionPeriod", hours(24));
    assert!(rig.read_from_start(&shard(0)).is_empty());
    for (operation, wanted, message) in [
        (
            "IncreaseStreamRetentionPeriod",
            23,
            "Minimum allowed retention period is 24 hours.",
        ),
        (
            "IncreaseStreamRetentionPeriod",
            8761,
            "Maximum allowed retention period is 8760 hours.",
        ),
        (
            "DecreaseStreamRetentionPeriod",
            25,
            "Requested retention period (25 hours) for stream s can not be longer",
        ),
    ] {
        let error = rig.refused(operation, hours(wanted));
        assert!(error.message.starts_with(message), "{error}");
    }
}
