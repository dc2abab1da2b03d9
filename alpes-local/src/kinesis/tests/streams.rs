//! Streams, their consumers and their tags.

use super::*;

const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";

#[test]
fn a_stream_is_described_until_it_is_deleted() {
    let rig = Rig::new();
    rig.stream(3);
    let error = rig.refused(
        "CreateStream",
        json!({ "StreamName": "s", "ShardCount": 1 }),
    );
    assert_eq!(error.code, "ResourceInUseException");
    assert_eq!(
        error.message,
        "Stream s under account 000000000000 already exists."
    );
    rig.ok(
        "StartStreamEncryption",
        json!({ "StreamARN": ARN, "EncryptionType": "KMS", "KeyId": "alias/k" }),
    );
    let summary = rig.ok("DescribeStreamSummary", json!({ "StreamARN": ARN }));
    assert_eq!(
        summary["StreamDescriptionSummary"],
        json!({
            "StreamName": "s",
            "StreamARN": ARN,
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": { "StreamMode": "PROVISIONED" },
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": 1_700_000_000.0,
            "EnhancedMonitoring": [{ "ShardLevelMetrics": [] }],
            "EncryptionType": "KMS",
            "KeyId": "alias/k",
            "OpenShardCount": 3,
            "ConsumerCount": 0,
            "MaxRecordSizeInKiB": 1024,
        })
    );
    let input = json!({ "StreamName": "s", "PartitionKey": "k", "Data": "" });
    assert_eq!(rig.ok("PutRecord", input)["EncryptionType"], "KMS");
    rig.ok("DeleteStream", json!({ "StreamName": "s" }));
    let error = rig.refused("DescribeStream", json!({ "StreamName": "s" }));
    assert_eq!(error.code, "ResourceNotFoundException");
    assert_eq!(
        error.message,
        "Stream s under account 000000000000 not found."
    );
    assert_eq!(rig.ok("DescribeLimits", json!({}))["OpenShardCount"], 0);
}

#[test]
fn what_is_not_supported_is_refused() {
    let rig = Rig::new();
    for (operation, input, code, part) in [
        (
            "SubscribeToShard",
            json!({}),
            "UnknownOperationException",
            "SubscribeToShard",
        ),
        (
            "PutChannel",
            json!({}),
            "UnknownOperationException",
            "PutChannel",
        ),
        (
            "CreateStream",
            json!({ "StreamName": "s", "WarmThroughputMiBps": 5 }),
            "ValidationException",
            "WarmThroughput",
        ),
        (
            "CreateStream",
            json!({ "StreamName": "s", "MaxRecordSizeInKiB": 2048 }),
            "ValidationException",
            "1024",
        ),
        (
            "CreateStream",
            json!({ "StreamName": "a/b" }),
            "ValidationException",
            "'streamName'",
        ),
        (
            "CreateStream",
            json!({ "StreamName": "s", "ShardCount": 20_001 }),
            "LimitExceededException",
            "20000",
        ),
        (
            "DescribeStream",
            json!({}),
            "InvalidArgumentException",
            "StreamName or StreamARN",
        ),
        (
            "DescribeStream",
            json!({ "StreamARN": "s" }),
            "ValidationException",
            "'streamARN'",
        ),
        (
            "DescribeStream",
            json!({ "StreamName": 5 }),
            "SerializationException",
            "streamName",
        ),
        (
            "DescribeStream",
            json!([]),
            "SerializationException",
            "structure",
        ),
    ] {
        let error = rig.refused(operation, input);
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(part), "{error}");
    }
}

#[test]
fn streams_are_listed_by_page_and_without_shards_they_are_on_demand() {
    let rig = Rig::new();
    for name in ["c", "a", "b"] {
        rig.ok("CreateStream", json!({ "StreamName": name }));
    }
    let first = rig.ok("ListStreams", json!({ "Limit": 2 }));
    assert_eq!(first["StreamNames"], json!(["a", "b"]));
    assert_eq!(first["HasMoreStreams"], true);
    assert_eq!(
        first["StreamSummaries"][0]["StreamModeDetails"]["StreamMode"],
        "ON_DEMAND"
    );
    let second = rig.ok("ListStreams", json!({ "NextToken": first["NextToken"] }));
    assert_eq!(second["StreamNames"], json!(["c"]));
    let after = rig.ok("ListStreams", json!({ "ExclusiveStartStreamName": "b" }));
    assert_eq!(after["StreamNames"], json!(["c"]));
    assert_eq!(after["HasMoreStreams"], false);
    let summary = rig.ok("DescribeStreamSummary", json!({ "StreamName": "a" }));
    assert_eq!(summary["StreamDescriptionSummary"]["OpenShardCount"], 4);
}

#[test]
fn consumers_are_registered_once_and_keep_their_stream() {
    let rig = Rig::new();
    rig.stream(1);
    let register =
        |name: &str| json!({ "StreamARN": ARN, "ConsumerName": name, "Tags": { "of": name } });
    let consumer = rig.ok("RegisterStreamConsumer", register("one"));
    let arn = text(&consumer["Consumer"]["ConsumerARN"]);
    assert_eq!(consumer["Consumer"]["ConsumerStatus"], "CREATING");
    assert_eq!(arn, format!("{ARN}/consumer/one:1700000000"));
    let error = rig.refused("RegisterStreamConsumer", register("one"));
    assert_eq!(error.code, "ResourceInUseException");
    rig.ok("RegisterStreamConsumer", register("two"));
    let described = rig.ok("DescribeStreamConsumer", json!({ "ConsumerARN": arn }));
    assert_eq!(described["ConsumerDescription"]["StreamARN"], ARN);
    assert_eq!(described["ConsumerDescription"]["ConsumerStatus"], "ACTIVE");
    let page = rig.ok(
        "ListStreamConsumers",
        json!({ "StreamARN": ARN, "MaxResults": 1 }),
    );
    assert_eq!(page["Consumers"][0]["ConsumerName"], "one");
    let page = rig.ok(
        "ListStreamConsumers",
        json!({ "StreamARN": ARN, "NextToken": page["NextToken"] }),
    );
    assert_eq!(page["Consumers"][0]["ConsumerName"], "two");
    let tags = rig.ok("ListTagsForResource", json!({ "ResourceARN": arn }));
    assert_eq!(tags["Tags"], json!([{ "Key": "of", "Value": "one" }]));
    rig.pass(1000);
    rig.ok(
        "DeregisterStreamConsumer",
        json!({ "StreamARN": ARN, "ConsumerName": "one" }),
    );
    rig.ok("RegisterStreamConsumer", register("one"));
    let error = rig.refused("DeregisterStreamConsumer", json!({ "ConsumerARN": arn }));
    assert_eq!(
        error.code, "ResourceNotFoundException",
        "an ARN is that of one registration"
    );
    let error = rig.refused("DeleteStream", json!({ "StreamName": "s" }));
    assert_eq!(error.code, "ResourceInUseException");
    rig.ok(
        "DeleteStream",
        json!({ "StreamName": "s", "EnforceConsumerDeletion": true }),
    );
    rig.stream(1);
    let page = rig.ok("ListStreamConsumers", json!({ "StreamARN": ARN }));
    assert_eq!(page["Consumers"], json!([]));
}

#[test]
fn tags_are_added_replaced_and_removed() {
    let rig = Rig::new();
    rig.ok(
        "CreateStream",
        json!({ "StreamName": "s", "Tags": { "a": "1" } }),
    );
    let add = |tags: Value| json!({ "StreamName": "s", "Tags": tags });
    rig.ok("AddTagsToStream", add(json!({ "a": "2", "b": "" })));
    rig.ok(
        "TagResource",
        json!({ "ResourceARN": ARN, "Tags": { "c": "3" } }),
    );
    rig.ok(
        "RemoveTagsFromStream",
        json!({ "StreamName": "s", "TagKeys": ["b", "z"] }),
    );
    let tags = rig.ok(
        "ListTagsForStream",
        json!({ "StreamName": "s", "Limit": 1 }),
    );
    assert_eq!(tags["Tags"], json!([{ "Key": "a", "Value": "2" }]));
    assert_eq!(tags["HasMoreTags"], true);
    let tags = rig.ok(
        "ListTagsForStream",
        json!({ "StreamName": "s", "ExclusiveStartTagKey": "a" }),
    );
    assert_eq!(tags["Tags"], json!([{ "Key": "c", "Value": "3" }]));
    let error = rig.refused("AddTagsToStream", add(json!({ "a%": "" })));
    assert!(
        error
            .message
            .starts_with("Some tags contain invalid characters"),
        "{error}"
    );
    let many = (0..49).map(|number| (format!("t{number}"), Value::from("")));
    let error = rig.refused("AddTagsToStream", add(Value::Object(many.collect())));
    assert!(error.message.contains("more than 50 tags"), "{error}");
    rig.ok("DeleteStream", json!({ "StreamName": "s" }));
    rig.stream(1);
    let tags = rig.ok("ListTagsForStream", json!({ "StreamName": "s" }));
    assert_eq!(tags["Tags"], json!([]));
}
