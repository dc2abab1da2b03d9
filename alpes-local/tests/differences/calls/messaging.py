"""SNS and SQS."""

from calls.call import Call

QUEUE = {"QueueUrl": "$queue"}
NO_QUEUE = {"QueueUrl": "$no_queue"}
TOPIC = {"TopicArn": "$topic"}
NO_TOPIC = {"TopicArn": "${topic}-none"}


def entry(name: str, message: str = "hello") -> dict[str, str]:
    return {"Id": name, "Message": message}


MESSAGING = [
    Call(
        "sqs",
        "create_queue",
        "of a queue",
        {"QueueName": "${run}-queue"},
        keep={"queue": "QueueUrl"},
    ),
    Call("sqs", "create_queue", "again", {"QueueName": "${run}-queue"}),
    Call(
        "sqs",
        "create_queue",
        "again with other attributes",
        {
            "QueueName": "${run}-queue",
            "Attributes": {"VisibilityTimeout": "99"},
        },
    ),
    Call("sqs", "create_queue", "with a bad name", {"QueueName": "a b"}),
    Call(
        "sqs",
        "create_queue",
        "of another queue",
        {"QueueName": "${run}-none"},
        keep={"no_queue": "QueueUrl"},
    ),
    Call("sqs", "delete_queue", "of a queue", NO_QUEUE),
    Call(
        "sqs",
        "get_queue_attributes",
        "of the ARN",
        QUEUE | {"AttributeNames": ["QueueArn"]},
        keep={"queue_arn": "Attributes.QueueArn"},
    ),
    Call("sqs", "get_queue_attributes", "of all", QUEUE | {"AttributeNames": ["All"]}),
    Call(
        "sqs",
        "get_queue_attributes",
        "of an unknown attribute",
        QUEUE | {"AttributeNames": ["Colour"]},
    ),
    Call(
        "sqs",
        "get_queue_attributes",
        "of a missing queue",
        NO_QUEUE | {"AttributeNames": ["QueueArn"]},
    ),
    Call(
        "sqs",
        "set_queue_attributes",
        "of the visibility",
        QUEUE | {"Attributes": {"VisibilityTimeout": "20"}},
    ),
    Call(
        "sqs",
        "set_queue_attributes",
        "of a bad value",
        QUEUE | {"Attributes": {"VisibilityTimeout": "-1"}},
    ),
    Call(
        "sqs",
        "set_queue_attributes",
        "of a missing queue",
        NO_QUEUE | {"Attributes": {"VisibilityTimeout": "20"}},
    ),
    Call(
        "sns",
        "create_topic",
        "of a topic",
        {"Name": "${run}-topic"},
        keep={"topic": "TopicArn"},
    ),
    Call("sns", "create_topic", "with a bad name", {"Name": "a b"}),
    Call(
        "sns",
        "subscribe",
        "of the queue",
        TOPIC
        | {
            "Protocol": "sqs",
            "Endpoint": "$queue_arn",
            "ReturnSubscriptionArn": True,
            "Attributes": {
                "RawMessageDelivery": "true",
                "FilterPolicy": '{"kind": ["wanted"]}',
            },
        },
        keep={"subscription": "SubscriptionArn"},
    ),
    Call(
        "sns",
        "subscribe",
        "to a missing topic",
        NO_TOPIC | {"Protocol": "sqs", "Endpoint": "$queue_arn"},
    ),
    Call(
        "sns",
        "subscribe",
        "by a bad protocol",
        TOPIC | {"Protocol": "pigeon", "Endpoint": "$queue_arn"},
    ),
    Call(
        "sns",
        "subscribe",
        "with a bad filter",
        TOPIC
        | {
            "Protocol": "sqs",
            "Endpoint": "$queue_arn",
            "Attributes": {"FilterPolicy": "{"},
        },
    ),
    Call(
        "sns",
        "publish_batch",
        "of two messages",
        TOPIC
        | {
            "PublishBatchRequestEntries": [
                entry("1", "wanted") | {"MessageAttributes": {"kind": {"DataType": "String", "StringValue": "wanted"}}},
                entry("2", "unwanted")
                | {"MessageAttributes": {"kind": {"DataType": "String", "StringValue": "other"}}},
            ]
        },
    ),
    Call(
        "sns",
        "publish_batch",
        "with an empty message",
        TOPIC | {"PublishBatchRequestEntries": [entry("1", "")]},
    ),
    Call(
        "sns",
        "publish_batch",
        "of 11 messages",
        TOPIC | {"PublishBatchRequestEntries": [entry(str(n)) for n in range(11)]},
    ),
    Call(
        "sns",
        "publish_batch",
        "with one id twice",
        TOPIC | {"PublishBatchRequestEntries": [entry("1"), entry("1")]},
    ),
    Call(
        "sns",
        "publish_batch",
        "of no messages",
        TOPIC | {"PublishBatchRequestEntries": []},
    ),
    Call(
        "sns",
        "publish_batch",
        "to a missing topic",
        NO_TOPIC | {"PublishBatchRequestEntries": [entry("1")]},
    ),
    Call(
        "sqs",
        "receive_message",
        "of the wanted message",
        QUEUE
        | {
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
            "WaitTimeSeconds": 1,
        },
        keep={"handle": "Messages[0].ReceiptHandle"},
        until="Messages",
    ),
    Call("sqs", "receive_message", "of no further message", QUEUE),
    Call("sqs", "receive_message", "of 11 messages", QUEUE | {"MaxNumberOfMessages": 11}),
    Call("sqs", "receive_message", "from a missing queue", NO_QUEUE),
    Call("sqs", "delete_message", "of the message", QUEUE | {"ReceiptHandle": "$handle"}),
    Call("sqs", "delete_message", "with a bad handle", QUEUE | {"ReceiptHandle": "x"}),
    Call("sns", "unsubscribe", "of the queue", {"SubscriptionArn": "$subscription"}),
    Call("sns", "unsubscribe", "of a bad ARN", {"SubscriptionArn": "x"}),
    Call("sns", "delete_topic", "of a topic", TOPIC),
    Call("sns", "delete_topic", "of a missing topic", NO_TOPIC),
    Call("sns", "delete_topic", "of a bad ARN", {"TopicArn": "x"}),
    Call("sqs", "delete_queue", "that is used no longer", QUEUE),
    Call("sqs", "delete_queue", "of a missing queue", NO_QUEUE),
]
