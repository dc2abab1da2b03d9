"""Kinesis."""

from typing import Any

from calls.call import Call

STREAM = {"StreamName": "${run}-stream"}
NO_STREAM = {"StreamName": "${run}-none"}
SHARD = {"ShardId": "$shard"}


def kinesis(operation: str, about: str, parameters: dict[str, Any], **rest: Any) -> Call:
    return Call("kinesis", operation, about, parameters, **rest)


KINESIS = [
    kinesis("create_stream", "of one shard", STREAM | {"ShardCount": 1}),
    kinesis(
        "describe_stream_summary",
        "of a stream",
        STREAM,
        keep={"stream_arn": "StreamDescriptionSummary.StreamARN"},
        until="StreamDescriptionSummary.StreamStatus == 'ACTIVE'",
    ),
    kinesis("create_stream", "of a stream that exists", STREAM | {"ShardCount": 1}),
    kinesis("create_stream", "with a bad name", {"StreamName": "a b", "ShardCount": 1}),
    kinesis("create_stream", "of no shards", NO_STREAM | {"ShardCount": 0}),
    kinesis("describe_stream_summary", "of a missing stream", NO_STREAM),
    kinesis("list_shards", "of a stream", STREAM, keep={"shard": "Shards[0].ShardId"}),
    kinesis("list_shards", "of a missing stream", NO_STREAM),
    kinesis("list_shards", "with a bad token", {"NextToken": "x"}),
    kinesis("list_shards", "with a stream and a token", STREAM | {"NextToken": "x"}),
    kinesis(
        "put_record",
        "of a record",
        STREAM | {"Data": b"one", "PartitionKey": "k"},
        keep={"first": "SequenceNumber"},
    ),
    kinesis(
        "put_record",
        "after another",
        STREAM | {"Data": b"two", "PartitionKey": "k", "SequenceNumberForOrdering": "$first"},
    ),
    kinesis(
        "put_record",
        "into a missing stream",
        NO_STREAM | {"Data": b"x", "PartitionKey": "k"},
    ),
    kinesis("put_record", "with an empty key", STREAM | {"Data": b"x", "PartitionKey": ""}),
    kinesis(
        "put_record",
        "with a key of 257 characters",
        STREAM | {"Data": b"x", "PartitionKey": "k" * 257},
    ),
    kinesis(
        "put_record",
        "of more than 1 MiB",
        STREAM | {"Data": b"x" * 1_048_577, "PartitionKey": "k"},
    ),
    kinesis(
        "put_record",
        "with a bad hash key",
        STREAM | {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "9" * 40},
    ),
    kinesis(
        "get_shard_iterator",
        "at the beginning",
        STREAM | SHARD | {"ShardIteratorType": "TRIM_HORIZON"},
        keep={"iterator": "ShardIterator"},
    ),
    kinesis(
        "get_records",
        "of both records",
        {"ShardIterator": "$iterator"},
        until="length(Records) == `2`",
    ),
    kinesis(
        "get_shard_iterator",
        "after a record",
        STREAM
        | SHARD
        | {
            "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
            "StartingSequenceNumber": "$first",
        },
        keep={"iterator": "ShardIterator"},
    ),
    kinesis("get_records", "of one record", {"ShardIterator": "$iterator", "Limit": 1}),
    kinesis("get_records", "with a bad iterator", {"ShardIterator": "x"}),
    kinesis(
        "get_records",
        "with too high a limit",
        {"ShardIterator": "$iterator", "Limit": 10_001},
    ),
    kinesis(
        "get_shard_iterator",
        "at a time",
        STREAM | SHARD | {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_700_000_000},
    ),
    kinesis(
        "get_shard_iterator",
        "without a number",
        STREAM | SHARD | {"ShardIteratorType": "AT_SEQUENCE_NUMBER"},
    ),
    kinesis(
        "get_shard_iterator",
        "without a time",
        STREAM | SHARD | {"ShardIteratorType": "AT_TIMESTAMP"},
    ),
    kinesis(
        "get_shard_iterator",
        "of a bad type",
        STREAM | SHARD | {"ShardIteratorType": "BEGINNING"},
    ),
    kinesis(
        "get_shard_iterator",
        "of a missing shard",
        STREAM | {"ShardId": "shardId-000000000099", "ShardIteratorType": "LATEST"},
    ),
    kinesis(
        "increase_stream_retention_period",
        "to two days",
        STREAM | {"RetentionPeriodHours": 48},
    ),
    kinesis(
        "increase_stream_retention_period",
        "to less",
        STREAM | {"RetentionPeriodHours": 24},
    ),
    kinesis(
        "increase_stream_retention_period",
        "to too much",
        STREAM | {"RetentionPeriodHours": 8761},
    ),
    kinesis(
        "increase_stream_retention_period",
        "of a missing stream",
        NO_STREAM | {"RetentionPeriodHours": 48},
    ),
    kinesis(
        "decrease_stream_retention_period",
        "to more",
        STREAM | {"RetentionPeriodHours": 72},
    ),
    kinesis(
        "decrease_stream_retention_period",
        "to a day",
        STREAM | {"RetentionPeriodHours": 24},
    ),
    kinesis(
        "decrease_stream_retention_period",
        "to less than a day",
        STREAM | {"RetentionPeriodHours": 23},
    ),
    kinesis(
        "register_stream_consumer",
        "of a consumer",
        {"StreamARN": "$stream_arn", "ConsumerName": "reader"},
    ),
    kinesis(
        "register_stream_consumer",
        "of one that exists",
        {"StreamARN": "$stream_arn", "ConsumerName": "reader"},
    ),
    kinesis(
        "describe_stream_consumer",
        "of a consumer",
        {"StreamARN": "$stream_arn", "ConsumerName": "reader"},
        until="ConsumerDescription.ConsumerStatus == 'ACTIVE'",
    ),
    kinesis(
        "describe_stream_consumer",
        "of a missing one",
        {"StreamARN": "$stream_arn", "ConsumerName": "none"},
    ),
    kinesis("delete_stream", "with consumers", STREAM),
    kinesis(
        "deregister_stream_consumer",
        "of a consumer",
        {"StreamARN": "$stream_arn", "ConsumerName": "reader"},
    ),
    kinesis(
        "deregister_stream_consumer",
        "of a missing one",
        {"StreamARN": "$stream_arn", "ConsumerName": "none"},
    ),
    kinesis(
        "delete_stream",
        "with its consumers",
        STREAM | {"EnforceConsumerDeletion": True},
    ),
    kinesis("delete_stream", "of a missing stream", NO_STREAM),
]
