//! FIFO queues, as clients see them.

use super::*;

const SHORT: &str = "InvalidParameterValueException";

impl Queues {
    /// With the FIFO queue `jobs.fifo`.
    async fn with_fifo(attributes: Value) -> Self {
        let queues = Self::new();
        queues.create_fifo("jobs.fifo", attributes).await.unwrap();
        queues
    }

    async fn create_fifo(&self, queue: &str, mut attributes: Value) -> Result<Value, AwsError> {
        attributes["FifoQueue"] = "true".into();
        self.create(queue, attributes).await
    }

    /// Sends a message to `jobs.fifo`, with its body as its deduplication id.
    async fn put(&self, group: &str, body: &str) -> Value {
        let input = json!({
            "MessageBody": body,
            "MessageGroupId": group,
            "MessageDeduplicationId": body,
        });
        self.call("SendMessage", "jobs.fifo", input).await.unwrap()
    }

    /// The messages of `jobs.fifo` that can be received, which are hidden after that.
    async fn jobs(&self) -> Vec<Value> {
        self.receive("jobs.fifo").await
    }

    async fn delete_job(&self, job: &Value) -> Result<Value, AwsError> {
        let input = json!({ "ReceiptHandle": job["ReceiptHandle"] });
        self.call("DeleteMessage", "jobs.fifo", input).await
    }

    async fn show(&self, job: &Value) {
        let input = json!({ "ReceiptHandle": job["ReceiptHandle"], "VisibilityTimeout": 0 });
        let shown = self
            .call("ChangeMessageVisibility", "jobs.fifo", input)
            .await;
        shown.unwrap();
    }

    fn change(&self, statement: &str) {
        let changed = self
            .sqs
            .store
            .write(|transaction| transaction.execute(statement, []));
        assert!(changed.unwrap() > 0);
    }
}

fn bodies(messages: &[Value]) -> Vec<&str> {
    let bodies = messages
        .iter()
        .map(|message| message["Body"].as_str().unwrap());
    bodies.collect()
}

#[tokio::test]
async fn a_fifo_queue_keeps_its_type_and_shows_its_attributes() {
    let queues = Queues::with_fifo(json!({ "ContentBasedDeduplication": "true" })).await;
    let same = json!({ "ContentBasedDeduplication": "true", "DeduplicationScope": "queue" });
    queues.create_fifo("jobs.fifo", same).await.unwrap();
    let queues = queues.reopened();
    let names = json!({ "AttributeNames": [
        "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit",
    ] });
    let known = queues
        .call("GetQueueAttributes", "jobs.fifo", names.clone())
        .await
        .unwrap();
    let expected = json!({
        "FifoQueue": "true", "ContentBasedDeduplication": "true",
        "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue",
    });
    assert_eq!(known["Attributes"], expected);
    queues.create("plain", json!({})).await.unwrap();
    let known = queues.call("GetQueueAttributes", "plain", names).await;
    assert_eq!(known.unwrap(), json!({}));

    for (queue, value) in [("jobs.fifo", "false"), ("jobs.fifo", ""), ("plain", "true")] {
        let set = json!({ "Attributes": { "FifoQueue": value } });
        let refused = queues.call("SetQueueAttributes", queue, set).await;
        assert_eq!(refused.unwrap_err().code, "InvalidAttributeValue");
    }
    let redrive = |target: &str| {
        let target = arn("sqs", target);
        let policy = json!({ "deadLetterTargetArn": target, "maxReceiveCount": 1 });
        json!({ "RedrivePolicy": policy.to_string() })
    };
    let limit = json!({ "FifoThroughputLimit": "perMessageGroupId" });
    for (name, attributes, code) in [
        ("other", json!({}), SHORT),
        (".fifo", json!({}), SHORT),
        (&format!("{}.fifo", "x".repeat(76)), json!({}), SHORT),
        ("other.fifo", limit, "InvalidAttributeValue"),
        (
            "other.fifo",
            json!({ "DeduplicationScope": "group" }),
            "InvalidAttributeValue",
        ),
        ("other.fifo", redrive("plain"), SHORT),
    ] {
        let refused = queues.create_fifo(name, attributes).await;
        assert_eq!(refused.unwrap_err().code, code, "{name}");
    }
    for attributes in [
        json!({ "FifoQueue": "false" }),
        json!({ "ContentBasedDeduplication": "true" }),
        json!({ "DeduplicationScope": "queue" }),
    ] {
        let refused = queues.create("other", attributes).await;
        assert_eq!(refused.unwrap_err().code, "InvalidAttributeName");
    }
    let refused = queues.create("other", redrive("jobs.fifo")).await;
    assert_eq!(refused.unwrap_err().code, SHORT);
}

#[tokio::test]
async fn messages_without_valid_ids_are_refused() {
    let queues = Queues::with_fifo(json!({})).await;
    let long = "x".repeat(129);
    for (input, code) in [
        (
            json!({ "MessageBody": "x", "MessageDeduplicationId": "1" }),
            "MissingRequiredParameterException",
        ),
        (json!({ "MessageBody": "x", "MessageGroupId": "a" }), SHORT),
        (
            json!({ "MessageBody": "x", "MessageGroupId": "a b", "MessageDeduplicationId": "1" }),
            SHORT,
        ),
        (
            json!({ "MessageBody": "x", "MessageGroupId": "a", "MessageDeduplicationId": long }),
            SHORT,
        ),
        (
            json!({
                "MessageBody": "x", "MessageGroupId": "a", "MessageDeduplicationId": "1", "DelaySeconds": 1,
            }),
            SHORT,
        ),
    ] {
        let refused = queues.call("SendMessage", "jobs.fifo", input.clone()).await;
        assert_eq!(refused.unwrap_err().code, code, "{input}");
    }
    // A batch with a message that has no ids fails as a whole.
    let entries = json!({ "Entries": [
        { "Id": "1", "MessageBody": "x", "MessageGroupId": "a", "MessageDeduplicationId": "1" },
        { "Id": "2", "MessageBody": "x", "MessageDeduplicationId": "2" },
    ] });
    let refused = queues.call("SendMessageBatch", "jobs.fifo", entries).await;
    assert_eq!(
        refused.unwrap_err().code,
        "MissingRequiredParameterException"
    );
    let again = json!({ "ReceiveRequestAttemptId": "1" });
    let refused = queues.call("ReceiveMessage", "jobs.fifo", again).await;
    assert_eq!(refused.unwrap_err().code, "UnsupportedOperation");
    assert!(
        queues
            .sqs
            .send(&arn("sqs", "jobs.fifo"), "x", &[].into())
            .is_err()
    );
    assert!(queues.jobs().await.is_empty());
}

#[tokio::test]
async fn a_duplicate_gets_the_answer_of_the_first_message_for_five_minutes() {
    let queues = Queues::with_fifo(json!({})).await;
    let first = queues.put("a", "one").await;
    let queues = queues.reopened();
    // By default, messages of other groups are duplicates too, also after the first one was deleted.
    assert_eq!(queues.put("b", "one").await, first);
    let received = queues.jobs().await;
    assert_eq!(bodies(&received), ["one"]);
    let attributes = &received[0]["Attributes"];
    assert_eq!(attributes["SequenceNumber"], first["SequenceNumber"]);
    assert_eq!(attributes["MessageDeduplicationId"], "one");
    assert_eq!(attributes["MessageGroupId"], "a");
    queues.delete_job(&received[0]).await.unwrap();
    assert_eq!(queues.put("a", "one").await, first);
    assert!(queues.jobs().await.is_empty());

    queues.change("UPDATE sqs_duplicates SET accepted = accepted - 300000");
    let second = queues.put("a", "one").await;
    assert!(second["SequenceNumber"].as_str() > first["SequenceNumber"].as_str());
    assert_ne!(second["MessageId"], first["MessageId"]);
    queues
        .call("PurgeQueue", "jobs.fifo", json!({}))
        .await
        .unwrap();
    queues.put("a", "one").await;
    assert_eq!(bodies(&queues.jobs().await), ["one"]);
}

#[tokio::test]
async fn duplicates_are_known_by_content_and_by_group_if_the_queue_says_so() {
    let queues = Queues::with_fifo(json!({
        "ContentBasedDeduplication": "true", "DeduplicationScope": "messageGroup",
    }))
    .await;
    let send = |group: &str| {
        let input = json!({ "MessageBody": "one", "MessageGroupId": group });
        queues.call("SendMessage", "jobs.fifo", input)
    };
    let (a, again, b) = (
        send("a").await.unwrap(),
        send("a").await.unwrap(),
        send("b").await.unwrap(),
    );
    assert_eq!(a, again);
    assert_ne!(a["MessageId"], b["MessageId"]);
    let received = queues.jobs().await;
    assert_eq!(bodies(&received), ["one", "one"]);
    let hash = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    assert_eq!(received[0]["Attributes"]["MessageDeduplicationId"], hash);
}

#[tokio::test]
async fn a_group_waits_while_one_of_its_messages_is_in_flight() {
    let queues = Queues::with_fifo(json!({})).await;
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1")] {
        queues.put(group, body).await;
    }
    let received = queues.jobs().await;
    assert_eq!(bodies(&received), ["a1", "a2", "b1", "c1"]);
    let [a1, a2, b1, c1] = received.as_slice() else {
        panic!("{received:?}");
    };
    for (group, body) in [("a", "a3"), ("b", "b2")] {
        queues.put(group, body).await;
    }
    let queues = queues.reopened();
    assert!(queues.jobs().await.is_empty());
    queues.delete_job(b1).await.unwrap();
    assert_eq!(bodies(&queues.jobs().await), ["b2"]);

    // The group has a message in flight, even though an earlier one is visible again.
    queues.show(a1).await;
    assert!(queues.jobs().await.is_empty());
    queues.delete_job(a2).await.unwrap();
    assert_eq!(bodies(&queues.jobs().await), ["a1", "a3"]);
    // The receipt is that of an earlier receive.
    assert_eq!(queues.delete_job(a1).await.unwrap_err().code, SHORT);
    queues.delete_job(b1).await.unwrap();
    queues.show(c1).await;
    assert_eq!(queues.delete_job(c1).await.unwrap_err().code, SHORT);
    assert_eq!(bodies(&queues.jobs().await), ["c1"]);
}

#[tokio::test]
async fn a_receive_takes_no_more_than_it_asks_for_and_never_the_same_message_twice() {
    let queues = Queues::with_fifo(json!({ "VisibilityTimeout": "0" })).await;
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2")] {
        queues.put(group, body).await;
    }
    let three = json!({ "MaxNumberOfMessages": 3 });
    let received = queues
        .call("ReceiveMessage", "jobs.fifo", three)
        .await
        .unwrap();
    let received = received["Messages"].as_array().unwrap();
    assert_eq!(bodies(received), ["a1", "a2", "b1"]);
    assert_eq!(bodies(&queues.jobs().await), ["a1", "a2", "b1", "b2"]);
}

#[tokio::test]
async fn a_receiver_that_waits_is_woken_when_its_group_is_free() {
    let queues = Queues::with_fifo(json!({})).await;
    for body in ["a1", "a2"] {
        queues.put("a", body).await;
    }
    let queue = arn("sqs", "jobs.fifo");
    let first = queues.sqs.receive(&queue, 1, Duration::ZERO).await.unwrap();
    let hour = Duration::from_hours(1);
    let (second, deleted) = tokio::join!(queues.sqs.receive(&queue, 1, hour), async {
        tokio::task::yield_now().await;
        queues.sqs.delete(&queue, &[first[0].receipt.clone()])
    });
    deleted.unwrap();
    assert_eq!(second.unwrap()[0].body, "a2");
}

#[tokio::test]
async fn a_message_that_was_received_too_often_frees_its_group() {
    let queues = Queues::new();
    queues.create_fifo("dead.fifo", json!({})).await.unwrap();
    let policy = json!({ "deadLetterTargetArn": arn("sqs", "dead.fifo"), "maxReceiveCount": 1 });
    let attributes = json!({ "RedrivePolicy": policy.to_string(), "VisibilityTimeout": "0" });
    queues.create_fifo("jobs.fifo", attributes).await.unwrap();
    queues.put("a", "a1").await;
    let received = queues.jobs().await;
    for body in ["a2", "a3"] {
        queues.put("a", body).await;
    }
    assert_eq!(bodies(&queues.jobs().await), ["a2", "a3"]);
    let queues = queues.reopened();
    assert!(queues.jobs().await.is_empty());
    let dead = queues.receive("dead.fifo").await;
    assert_eq!(bodies(&dead), ["a1", "a2", "a3"]);
    let (before, after) = (&received[0]["Attributes"], &dead[0]["Attributes"]);
    assert_eq!(after["SequenceNumber"], before["SequenceNumber"]);
    assert_eq!(after["DeadLetterQueueSourceArn"], arn("sqs", "jobs.fifo"));
}

#[tokio::test]
async fn a_new_delay_holds_for_the_messages_that_are_there() {
    let queues = Queues::with_fifo(json!({ "DelaySeconds": "900" })).await;
    let input = json!({
        "MessageBody": "x", "MessageGroupId": "a", "MessageDeduplicationId": "x", "DelaySeconds": 0,
    });
    queues
        .call("SendMessage", "jobs.fifo", input)
        .await
        .unwrap();
    assert!(queues.jobs().await.is_empty());
    let set = json!({ "Attributes": { "DelaySeconds": "0" } });
    queues
        .call("SetQueueAttributes", "jobs.fifo", set)
        .await
        .unwrap();
    assert_eq!(bodies(&queues.jobs().await), ["x"]);
}
