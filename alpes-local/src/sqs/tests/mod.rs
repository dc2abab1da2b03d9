//! Queues, as clients see them.

mod fifo;

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::names::{arn, now_millis};

/// Queues in a folder of their own.
struct Queues {
    sqs: Sqs,
    folder: Folder,
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Queues {
    fn new() -> Self {
        let folder = Folder(std::env::temp_dir().join(format!("alpes-sqs-{}", Uuid::new_v4())));
        Self {
            sqs: open(&folder.0),
            folder,
        }
    }

    fn reopened(self) -> Self {
        let Self { sqs, folder } = self;
        drop(sqs);
        Self {
            sqs: open(&folder.0),
            folder,
        }
    }

    async fn call(
        &self,
        operation: &str,
        queue: &str,
        mut input: Value,
    ) -> Result<Value, AwsError> {
        input["QueueUrl"] = self.sqs.url(queue).into();
        self.sqs.call(operation, input).await
    }

    async fn create(&self, queue: &str, attributes: Value) -> Result<Value, AwsError> {
        let input = json!({ "QueueName": queue, "Attributes": attributes });
        self.sqs.call("CreateQueue", input).await
    }

    async fn refused(&self, operation: &str, input: Value) -> String {
        self.call(operation, "orders", input)
            .await
            .unwrap_err()
            .code
    }

    async fn receive(&self, queue: &str) -> Vec<Value> {
        let input = json!({
            "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
        });
        let answer = self.call("ReceiveMessage", queue, input).await.unwrap();
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }
}

fn open(folder: &std::path::Path) -> Sqs {
    let store = Arc::new(Store::open(folder).unwrap());
    Sqs::new(store, "http://127.0.0.1:4566").unwrap()
}

#[tokio::test]
async fn a_queue_is_made_once_and_keeps_its_attributes() {
    let queues = Queues::new();
    let made = queues
        .create("orders", json!({ "VisibilityTimeout": "60" }))
        .await
        .unwrap();
    let url = "http://127.0.0.1:4566/000000000000/orders";
    assert_eq!(made, json!({ "QueueUrl": url }));
    assert_eq!(queues.create("orders", json!({})).await.unwrap(), made);
    let other = queues
        .create("orders", json!({ "VisibilityTimeout": "61" }))
        .await;
    assert_eq!(other.unwrap_err().code, "QueueNameExists");

    let set = json!({ "Attributes": { "DelaySeconds": "5" } });
    queues
        .call("SetQueueAttributes", "orders", set)
        .await
        .unwrap();
    let queues = queues.reopened();
    let wanted = json!({ "AttributeNames": ["DelaySeconds", "VisibilityTimeout", "QueueArn"] });
    let known = queues
        .call("GetQueueAttributes", "orders", wanted)
        .await
        .unwrap();
    let expected = json!({
        "DelaySeconds": "5", "VisibilityTimeout": "60", "QueueArn": arn("sqs", "orders"),
    });
    assert_eq!(known["Attributes"], expected);
    let list = queues
        .sqs
        .call("ListQueues", json!({ "QueueNamePrefix": "ord" }))
        .await;
    assert_eq!(list.unwrap(), json!({ "QueueUrls": [url] }));

    queues
        .call("DeleteQueue", "orders", json!({}))
        .await
        .unwrap();
    assert_eq!(
        queues.refused("DeleteQueue", json!({})).await,
        "QueueDoesNotExist"
    );
}

#[tokio::test]
async fn queues_that_cannot_be_are_refused() {
    let queues = Queues::new();
    for (name, attributes, code) in [
        ("a b", json!({}), "InvalidParameterValueException"),
        ("orders.fifo", json!({}), "InvalidParameterValueException"),
        ("orders", json!({ "Colour": "red" }), "InvalidAttributeName"),
        (
            "orders",
            json!({ "DelaySeconds": "901" }),
            "InvalidAttributeValue",
        ),
        (
            "orders",
            json!({ "RedrivePolicy": "{}" }),
            "InvalidParameterValueException",
        ),
    ] {
        assert_eq!(
            queues.create(name, attributes).await.unwrap_err().code,
            code,
            "{name}"
        );
    }
    let input = json!({ "QueueName": "orders", "Color": "red" });
    let unknown = queues.sqs.call("CreateQueue", input).await.unwrap_err();
    assert!(unknown.message.contains("`Color`"), "{unknown}");
    let missing = queues.sqs.call("CreateQueue", json!({})).await.unwrap_err();
    assert_eq!(missing.code, "MissingRequiredParameterException");
}

#[tokio::test]
async fn a_message_is_hidden_until_it_is_deleted_and_no_restart_shows_it() {
    let queues = Queues::new();
    queues.create("orders", json!({})).await.unwrap();
    let send = json!({
        "MessageBody": "one order",
        "MessageAttributes": {
            "colour": { "DataType": "String", "StringValue": "red" },
            "picture": { "DataType": "Binary", "BinaryValue": "AQID" },
        },
    });
    let accepted = queues.call("SendMessage", "orders", send).await.unwrap();
    let queues = queues.reopened();
    let received = queues.receive("orders").await;
    assert_eq!(received.len(), 1);
    let message = &received[0];
    assert_eq!(message["MessageId"], accepted["MessageId"]);
    assert_eq!(message["Body"], "one order");
    assert_eq!(message["MD5OfBody"], accepted["MD5OfMessageBody"]);
    assert_eq!(
        message["MD5OfMessageAttributes"],
        accepted["MD5OfMessageAttributes"]
    );
    assert_eq!(
        message["MessageAttributes"]["picture"]["BinaryValue"],
        "AQID"
    );
    assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "1");

    let queues = queues.reopened();
    assert!(queues.receive("orders").await.is_empty());
    let show = json!({ "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0 });
    queues
        .call("ChangeMessageVisibility", "orders", show.clone())
        .await
        .unwrap();
    assert_eq!(
        queues.refused("ChangeMessageVisibility", show).await,
        "MessageNotInflight"
    );
    let again = queues.receive("orders").await;
    assert_eq!(again[0]["Attributes"]["ApproximateReceiveCount"], "2");

    // The receipt of the first receive deletes nothing any more.
    for receipt in [&message["ReceiptHandle"], &again[0]["ReceiptHandle"]] {
        let counts = json!({ "AttributeNames": ["ApproximateNumberOfMessagesNotVisible"] });
        let counts = queues
            .call("GetQueueAttributes", "orders", counts)
            .await
            .unwrap();
        assert_eq!(
            counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"],
            "1"
        );
        let delete = json!({ "ReceiptHandle": receipt });
        queues
            .call("DeleteMessage", "orders", delete)
            .await
            .unwrap();
    }
    let all = json!({ "AttributeNames": ["All"] });
    let counts = queues
        .call("GetQueueAttributes", "orders", all)
        .await
        .unwrap();
    assert_eq!(
        counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"],
        "0"
    );
    let wrong = json!({ "ReceiptHandle": "nonsense" });
    assert_eq!(
        queues.refused("DeleteMessage", wrong).await,
        "ReceiptHandleIsInvalid"
    );
}

/// The expected value was computed by hand from AWS's description.
#[test]
fn the_checksum_of_attributes_is_that_of_aws() {
    let attribute = MessageAttribute {
        data_type: "Number".to_owned(),
        string_value: Some("1493147359900".to_owned()),
        ..MessageAttribute::default()
    };
    let checksum = attributes::checksum(&[("timestamp".to_owned(), attribute)].into());
    assert_eq!(checksum.unwrap(), "235c5c510d26fb653d073faed50ae77c");
}

#[tokio::test]
async fn messages_that_cannot_be_are_refused() {
    let queues = Queues::new();
    queues
        .create("orders", json!({ "MaximumMessageSize": "1024" }))
        .await
        .unwrap();
    let with = |name: &str, value: Value| json!({ "MessageBody": "x", name: value });
    let attribute = |value: Value| with("MessageAttributes", json!({ "name": value }));
    for (input, code) in [
        (json!({}), "MissingRequiredParameterException"),
        (json!({ "MessageBody": "\u{1}" }), "InvalidMessageContents"),
        (
            json!({ "MessageBody": "x".repeat(1025) }),
            "InvalidParameterValueException",
        ),
        (
            with("DelaySeconds", json!(901)),
            "InvalidParameterValueException",
        ),
        (
            with("MessageDeduplicationId", json!("x")),
            "InvalidParameterValueException",
        ),
        (with("Colour", json!("red")), "SerializationException"),
        (
            attribute(json!({ "DataType": "Text", "StringValue": "x" })),
            "InvalidParameterValueException",
        ),
        (
            attribute(json!({ "DataType": "Number", "StringValue": "x" })),
            "InvalidParameterValueException",
        ),
        (
            attribute(json!({ "DataType": "Binary", "StringValue": "x" })),
            "InvalidParameterValueException",
        ),
    ] {
        assert_eq!(
            queues.refused("SendMessage", input.clone()).await,
            code,
            "{input}"
        );
    }
    assert_eq!(
        queues
            .refused("ReceiveMessage", json!({ "MaxNumberOfMessages": 11 }))
            .await,
        "InvalidParameterValueException"
    );
    assert!(queues.receive("orders").await.is_empty());
}

#[tokio::test]
async fn each_entry_of_a_batch_stands_for_itself() {
    let queues = Queues::new();
    queues.create("orders", json!({})).await.unwrap();
    let entries = json!({ "Entries": [
        { "Id": "good", "MessageBody": "x" },
        { "Id": "bad", "MessageBody": "\u{ffff}" },
    ] });
    let answer = queues
        .call("SendMessageBatch", "orders", entries)
        .await
        .unwrap();
    assert_eq!(answer["Successful"][0]["Id"], "good");
    assert_eq!(answer["Failed"][0]["Id"], "bad");
    assert_eq!(answer["Failed"][0]["Code"], "InvalidMessageContents");

    let receipt = queues.receive("orders").await[0]["ReceiptHandle"].clone();
    let entries = json!({ "Entries": [
        { "Id": "good", "ReceiptHandle": receipt, "VisibilityTimeout": 5 },
        { "Id": "bad", "ReceiptHandle": receipt, "VisibilityTimeout": 50_000 },
    ] });
    let answer = queues
        .call("ChangeMessageVisibilityBatch", "orders", entries)
        .await
        .unwrap();
    assert_eq!(answer["Successful"], json!([{ "Id": "good" }]));
    assert_eq!(answer["Failed"][0]["Code"], "InvalidParameterValue");
    let entries = json!({ "Entries": [{ "Id": "good", "ReceiptHandle": receipt }] });
    let answer = queues
        .call("DeleteMessageBatch", "orders", entries)
        .await
        .unwrap();
    assert_eq!(
        answer,
        json!({ "Successful": [{ "Id": "good" }], "Failed": [] })
    );

    let entry = |id: &str, size: usize| json!({ "Id": id, "MessageBody": "x".repeat(size) });
    for (entries, code) in [
        (json!([]), "EmptyBatchRequest"),
        (
            json!([entry("a", 1), entry("a", 1)]),
            "BatchEntryIdsNotDistinct",
        ),
        (json!([entry("a.b", 1)]), "InvalidBatchEntryId"),
        (
            json!(vec![entry("a", 1); 11]),
            "TooManyEntriesInBatchRequest",
        ),
        (
            json!([entry("a", 600_000), entry("b", 600_000)]),
            "BatchRequestTooLong",
        ),
    ] {
        let input = json!({ "Entries": entries });
        assert_eq!(queues.refused("SendMessageBatch", input).await, code);
    }
}

#[tokio::test]
async fn a_message_that_was_received_too_often_goes_to_the_dead_letter_queue() {
    let queues = Queues::new();
    queues.create("dead", json!({})).await.unwrap();
    let policy = |target: &str| {
        json!({
            "RedrivePolicy": json!({ "deadLetterTargetArn": arn("sqs", target), "maxReceiveCount": 2 }).to_string(),
            "VisibilityTimeout": "0",
        })
    };
    let missing = queues
        .create("orders", policy("missing"))
        .await
        .unwrap_err();
    assert!(
        missing
            .message
            .contains("Dead letter target does not exist")
    );
    queues.create("orders", policy("dead")).await.unwrap();
    let id = queues
        .sqs
        .send(&arn("sqs", "orders"), "poison", &[].into())
        .unwrap();
    for _ in 0..2 {
        assert_eq!(queues.receive("orders").await.len(), 1);
    }
    let queues = queues.reopened();
    assert!(queues.receive("orders").await.is_empty());
    let dead = queues.receive("dead").await;
    assert_eq!(dead[0]["MessageId"], Value::from(id));
    assert_eq!(
        dead[0]["Attributes"]["DeadLetterQueueSourceArn"],
        arn("sqs", "orders")
    );
}

#[tokio::test]
async fn a_receiver_that_waits_is_woken_by_an_arrival() {
    let queues = Queues::new();
    queues.sqs.ensure("orders", &[].into()).unwrap();
    let queue = arn("sqs", "orders");
    let hour = Duration::from_hours(1);
    let (received, sent) = tokio::join!(queues.sqs.receive(&queue, 10, hour), async {
        tokio::task::yield_now().await;
        queues.sqs.send(&queue, "x", &[].into())
    });
    let received = received.unwrap();
    assert_eq!(received[0].id, sent.unwrap());

    let receipts = [received[0].receipt.clone()];
    queues.sqs.change_visibility(&queue, &receipts, 0).unwrap();
    let again = queues
        .sqs
        .receive(&queue, 10, Duration::ZERO)
        .await
        .unwrap();
    queues
        .sqs
        .delete(&queue, &[again[0].receipt.clone()])
        .unwrap();
    assert!(
        queues
            .sqs
            .receive(&queue, 10, Duration::ZERO)
            .await
            .unwrap()
            .is_empty()
    );
    let gone = queues
        .sqs
        .receive(&arn("sqs", "gone"), 1, hour)
        .await
        .unwrap_err();
    assert_eq!(gone.code, "QueueDoesNotExist");
}

#[tokio::test]
async fn delays_and_retention_go_by_the_time_of_sending() {
    let queues = Queues::new();
    queues
        .create("orders", json!({ "MessageRetentionPeriod": "60" }))
        .await
        .unwrap();
    let send = json!({ "MessageBody": "later", "DelaySeconds": 900 });
    queues.call("SendMessage", "orders", send).await.unwrap();
    queues
        .sqs
        .send(&arn("sqs", "orders"), "old", &[].into())
        .unwrap();
    let all = json!({ "AttributeNames": ["All"] });
    let counts = queues
        .call("GetQueueAttributes", "orders", all)
        .await
        .unwrap();
    assert_eq!(
        counts["Attributes"]["ApproximateNumberOfMessagesDelayed"],
        "1"
    );
    assert_eq!(counts["Attributes"]["ApproximateNumberOfMessages"], "1");

    let long_ago = now_millis() - 61_000;
    queues
        .sqs
        .store
        .write(|transaction| {
            transaction.execute(
                "UPDATE sqs_messages SET sent = ? WHERE body = 'old'",
                [long_ago],
            )
        })
        .unwrap();
    assert!(queues.receive("orders").await.is_empty());
    queues
        .call("PurgeQueue", "orders", json!({}))
        .await
        .unwrap();
    let all = json!({ "AttributeNames": ["All"] });
    let counts = queues
        .call("GetQueueAttributes", "orders", all)
        .await
        .unwrap();
    assert_eq!(
        counts["Attributes"]["ApproximateNumberOfMessagesDelayed"],
        "0"
    );
}

#[tokio::test]
async fn a_sweep_deletes_what_nobody_receives() {
    let queues = Queues::new();
    for (queue, retention) in [("short", "60"), ("long", "120")] {
        let attributes = json!({ "MessageRetentionPeriod": retention });
        queues.create(queue, attributes).await.unwrap();
        queues
            .sqs
            .send(&arn("sqs", queue), "old", &[].into())
            .unwrap();
    }
    let store = &queues.sqs.store;
    let long_ago = now_millis() - 61_000;
    let age = "UPDATE sqs_messages SET sent = ?";
    store
        .write(|transaction| transaction.execute(age, [long_ago]))
        .unwrap();
    queues
        .sqs
        .send(&arn("sqs", "short"), "new", &[].into())
        .unwrap();
    queues.sqs.sweep().unwrap();
    let left = store.read(|connection| {
        let left =
            "SELECT group_concat(queue || ' ' || body, ', ' ORDER BY number) FROM sqs_messages";
        connection.query_row(left, [], |row| row.get::<_, String>(0))
    });
    assert_eq!(left.unwrap(), "long old, short new");
}

#[test]
fn errors_carry_the_code_of_the_query_protocol() {
    let answer = error_answer(&no_queue());
    let code = answer.headers()["x-amzn-query-error"].to_str().unwrap();
    assert_eq!(code, "AWS.SimpleQueueService.NonExistentQueue;Sender");
}
