//! FIFO topics, as clients see them.

use super::*;
use crate::sqs::Message;

impl Topics {
    /// With the FIFO topic `news.fifo` and the FIFO queue `all.fifo`.
    fn with_fifo(attributes: &[(&str, &str)]) -> Self {
        let topics = Self::new();
        let attributes = [&[("FifoTopic", "true")], attributes].concat();
        topics
            .sns
            .ensure_topic("news.fifo", &texts(&attributes))
            .unwrap();
        let fifo = texts(&[("FifoQueue", "true")]);
        topics.sns.sqs.ensure("all.fifo", &fifo).unwrap();
        topics
    }

    fn subscribe_to_fifo(
        &self,
        protocol: &str,
        endpoint: &str,
        attributes: &[(&str, &str)],
    ) -> Result<String, AwsError> {
        let topic = arn("sns", "news.fifo");
        self.sns
            .ensure_subscription(&topic, protocol, endpoint, &texts(attributes))
    }

    fn publish_in_order(&self, fields: &[(&str, &str)]) -> Result<String, AwsError> {
        let topic = arn("sns", "news.fifo");
        let topic = [("TopicArn", topic.as_str())];
        self.call("Publish", &[&topic, fields].concat())
    }

    async fn received(&self, queue: &str) -> Vec<Message> {
        let queue = arn("sqs", queue);
        let received = self.sns.sqs.receive(&queue, 10, std::time::Duration::ZERO);
        received.await.unwrap()
    }
}

fn texts(pairs: &[(&str, &str)]) -> fields::Texts {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The text of the first element of this name.
fn text_of<'a>(answer: &'a str, name: &str) -> &'a str {
    let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap();
    rest.split('<').next().unwrap()
}

fn message<'a>(group: &'a str, id: &'a str, text: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("Message", text),
        ("MessageGroupId", group),
        ("MessageDeduplicationId", id),
    ]
}

#[test]
fn a_fifo_topic_keeps_its_type_and_shows_its_attributes() {
    let topics = Topics::with_fifo(&[]);
    let create = |name: &str, attributes: &[(&str, &str)]| {
        let attributes: Vec<(String, &str)> = (1..)
            .zip(attributes)
            .flat_map(|(place, (name, value))| {
                let field = |part| format!("Attributes.entry.{place}.{part}");
                [(field("key"), *name), (field("value"), *value)]
            })
            .collect();
        let attributes = attributes
            .iter()
            .map(|(name, value)| (name.as_str(), *value));
        let fields: Vec<_> = [("Name", name)].into_iter().chain(attributes).collect();
        topics.call("CreateTopic", &fields)
    };
    let fifo = ("FifoTopic", "true");
    let by_content = |value| ("ContentBasedDeduplication", value);
    create("news.fifo", &[fifo, by_content("false")]).unwrap();
    create("plain", &[("FifoTopic", "false")]).unwrap();
    create("plain", &[]).unwrap();
    for (name, attributes, text) in [
        (
            "news.fifo",
            &[fifo, by_content("true")][..],
            "different attributes",
        ),
        ("other", &[fifo], "must end with .fifo"),
        ("other.fifo", &[], "Topic Name"),
        ("other", &[by_content("true")], "FIFO topics"),
        ("other.fifo", &[fifo, by_content("yes")], "true or false"),
        (
            "other.fifo",
            &[fifo, ("FifoThroughputScope", "Group")],
            "MessageGroup",
        ),
    ] {
        let refused = create(name, attributes).unwrap_err();
        assert!(refused.message.contains(text), "{name}: {refused}");
    }
    let set = |name: &str, attribute: &str| {
        let topic = arn("sns", name);
        let fields = [
            ("TopicArn", topic.as_str()),
            ("AttributeName", attribute),
            ("AttributeValue", "true"),
        ];
        topics.call("SetTopicAttributes", &fields)
    };
    set("news.fifo", "ContentBasedDeduplication").unwrap();
    assert!(set("plain", "ContentBasedDeduplication").is_err());
    assert!(set("plain", "FifoTopic").is_err());

    let topics = topics.reopened();
    let topic = arn("sns", "news.fifo");
    let known = topics.call("GetTopicAttributes", &[("TopicArn", &topic)]);
    let known = known.unwrap();
    for (name, value) in [
        ("FifoTopic", "true"),
        ("ContentBasedDeduplication", "true"),
        ("FifoThroughputScope", "Topic"),
    ] {
        let entry = format!("<key>{name}</key><value>{value}</value>");
        assert!(known.contains(&entry), "{known}");
    }
}

#[test]
fn a_fifo_topic_delivers_to_queues_only() {
    let topics = Topics::with_fifo(&[]);
    let ordered = arn("sqs", "all.fifo");
    topics
        .subscribe_to_fifo("sqs", &arn("sqs", "all"), &[])
        .unwrap();
    let refused = topics.subscribe_to_fifo("lambda", &function(), &[]);
    assert_eq!(
        refused.unwrap_err().message,
        "Invalid parameter: Invalid protocol type: lambda"
    );
    let refused = topics
        .sns
        .ensure_subscription(&news(), "sqs", &ordered, &[].into());
    let refused = refused.unwrap_err().message;
    assert!(refused.contains("standard SNS topics"), "{refused}");
    let policy = |queue: &str| json!({ "deadLetterTargetArn": arn("sqs", queue) }).to_string();
    let refused = topics.subscribe_to_fifo("sqs", &ordered, &[("RedrivePolicy", &policy("dead"))]);
    let refused = refused.unwrap_err().message;
    assert!(refused.contains("must use a FIFO queue"), "{refused}");
    let policy = policy("dead.fifo");
    topics
        .subscribe_to_fifo("sqs", &ordered, &[("RedrivePolicy", &policy)])
        .unwrap();
}

#[test]
fn messages_without_valid_ids_are_refused() {
    let topics = Topics::with_fifo(&[]);
    for (fields, text) in [
        (
            vec![("Message", "x"), ("MessageDeduplicationId", "1")],
            "MessageGroupId parameter is required",
        ),
        (
            vec![("Message", "x"), ("MessageGroupId", "a")],
            "ContentBasedDeduplication enabled or MessageDeduplicationId",
        ),
        (message("a b", "1", "x").to_vec(), "MessageGroupId Reason"),
        (
            message("a", "", "x").to_vec(),
            "MessageDeduplicationId Reason",
        ),
    ] {
        let refused = topics.publish_in_order(&fields).unwrap_err();
        assert_eq!(refused.code, "InvalidParameter");
        assert!(refused.message.contains(text), "{refused}");
    }
    assert!(
        topics
            .sns
            .publish(&arn("sns", "news.fifo"), "x".into(), [].into())
            .is_err()
    );
}

#[tokio::test]
async fn messages_arrive_in_order_and_once() {
    let topics = Topics::with_fifo(&[]);
    let raw = [("RawMessageDelivery", "true")];
    let (ordered, plain) = (arn("sqs", "all.fifo"), arn("sqs", "all"));
    topics.subscribe_to_fifo("sqs", &ordered, &raw).unwrap();
    topics.subscribe_to_fifo("sqs", &plain, &[]).unwrap();
    let first = topics.publish_in_order(&message("a", "1", "one")).unwrap();
    let second = topics.publish_in_order(&message("a", "2", "two")).unwrap();
    let number = |answer: &str| text_of(answer, "SequenceNumber").to_owned();
    assert!(number(&first) < number(&second));

    let topics = topics.reopened();
    let again = topics
        .publish_in_order(&message("b", "1", "other"))
        .unwrap();
    for name in ["MessageId", "SequenceNumber"] {
        assert_eq!(text_of(&again, name), text_of(&first, name));
    }
    let received = topics.received("all.fifo").await;
    let bodies: Vec<_> = received.iter().map(|message| &message.body).collect();
    assert_eq!(bodies, ["one", "two"]);
    assert_eq!(received[0].attributes["MessageGroupId"], "a");
    assert_eq!(received[0].attributes["MessageDeduplicationId"], "1");

    // A standard queue gets no group, and the envelope has the number instead of a signature.
    let received = topics.received("all").await;
    assert_eq!(received.len(), 2);
    assert!(!received[0].attributes.contains_key("MessageGroupId"));
    let envelope: Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(envelope["SequenceNumber"], number(&first));
    assert_eq!(envelope["Message"], "one");
    assert_eq!(envelope.get("Signature"), None);

    let expired = topics.sns.store.write(|transaction| {
        transaction.execute("UPDATE sns_duplicates SET accepted = accepted - 300000", [])
    });
    assert_eq!(expired.unwrap(), 2);
    topics.publish_in_order(&message("a", "1", "one")).unwrap();
    assert_eq!(topics.received("all").await.len(), 1);
}

#[tokio::test]
async fn a_topic_knows_duplicates_by_content_and_by_group() {
    let topics = Topics::with_fifo(&[
        ("ContentBasedDeduplication", "true"),
        ("FifoThroughputScope", "MessageGroup"),
    ]);
    topics
        .subscribe_to_fifo("sqs", &arn("sqs", "all"), &[("RawMessageDelivery", "true")])
        .unwrap();
    let topic = arn("sns", "news.fifo");
    let entries = [("a", "one"), ("a", "one"), ("b", "one")];
    let fields: Vec<(String, &str)> = (1..)
        .zip(entries)
        .flat_map(|(place, (group, text))| {
            let field = |name| format!("PublishBatchRequestEntries.member.{place}.{name}");
            let id = ["x", "y", "z"][place - 1];
            [
                (field("Id"), id),
                (field("Message"), text),
                (field("MessageGroupId"), group),
            ]
        })
        .collect();
    let fields = fields.iter().map(|(name, value)| (name.as_str(), *value));
    let fields: Vec<_> = fields.chain([("TopicArn", topic.as_str())]).collect();
    let answer = topics.call("PublishBatch", &fields).unwrap();
    assert_eq!(answer.matches("<SequenceNumber>").count(), 3);
    assert_eq!(topics.bodies("all").await, ["one", "one"]);
}
