//! A queue that subscribes to a topic, for one test.

use std::collections::{BTreeMap, HashMap};

use alpes_ports::Notice;
use aws_sdk_sns::Client as Sns;
use aws_sdk_sqs::{
    Client as Sqs,
    types::{Message, MessageSystemAttributeName, QueueAttributeName},
};
use e2e::{Stack, eventually, unique};
use serde_json::{Value, json};

/// A queue that receives a topic's notices. It is deleted on drop.
pub(crate) struct Listener<'a> {
    stack: &'a Stack,
    sns: Sns,
    sqs: Sqs,
    queue: String,
    subscription: String,
    may_repeat: bool,
}

impl<'a> Listener<'a> {
    /// Subscribes to the topic with this ARN, with an optional filter.
    pub(crate) fn to(stack: &'a Stack, topic: &str, filter: Option<&Value>) -> Self {
        let (sns, sqs) = clients(stack);
        let (queue, subscription) = stack.wait(subscribe(&sns, &sqs, topic, filter));
        Self {
            stack,
            sns,
            sqs,
            queue,
            subscription,
            may_repeat: stack.is_unkind() && !is_ordered(topic),
        }
    }

    /// Waits for this many different messages.
    pub(crate) fn hear(&self, count: usize) -> Vec<Notice> {
        let mut heard = vec![];
        eventually(&format!("{count} messages arrive"), || {
            heard.extend(self.stack.wait(receive(&self.sqs, &self.queue)));
            (self.counted(heard.clone()).len() >= count).then_some(())
        });
        heard
    }

    /// The notices by their attributes. On an unkind stack, a topic without an order and its queue may deliver a message
    /// twice, so that copies do not count.
    pub(crate) fn counted(&self, mut notices: Vec<Notice>) -> Vec<Notice> {
        notices.sort_by(|one, other| one.attributes.cmp(&other.attributes));
        if self.may_repeat {
            notices.dedup();
        }
        notices
    }

    /// The messages that are in the queue now.
    pub(crate) fn rest(&self) -> Vec<Notice> {
        self.stack.wait(receive(&self.sqs, &self.queue))
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.stack.wait(async {
            let unsubscribe = self.sns.unsubscribe();
            let unsubscribe = unsubscribe.subscription_arn(&self.subscription);
            let delete = self.sqs.delete_queue().queue_url(&self.queue);
            // If this fails, only an empty queue is left.
            let _ = unsubscribe.send().await;
            let _ = delete.send().await;
        });
    }
}

/// A topic that only one test uses. It is deleted on drop.
pub(crate) struct OwnTopic<'a> {
    stack: &'a Stack,
    sns: Sns,
    pub(crate) arn: String,
}

impl<'a> OwnTopic<'a> {
    pub(crate) fn new(stack: &'a Stack, ordered: bool) -> Self {
        let (sns, _) = clients(stack);
        let mut create = sns.create_topic().name(name(ordered));
        if ordered {
            create = create.attributes("FifoTopic", "true");
        }
        let created = stack.wait(create.send()).unwrap();
        Self {
            stack,
            sns,
            arn: created.topic_arn.unwrap(),
        }
    }
}

impl Drop for OwnTopic<'_> {
    fn drop(&mut self) {
        let delete = self.sns.delete_topic().topic_arn(&self.arn);
        let _ = self.stack.wait(delete.send());
    }
}

fn clients(stack: &Stack) -> (Sns, Sqs) {
    let config = stack.wait(alpes_aws::config());
    (Sns::new(&config), Sqs::new(&config))
}

fn name(ordered: bool) -> String {
    let end = if ordered { ".fifo" } else { "" };
    format!("{}{end}", unique("avisos"))
}

/// True if this is the name or the ARN of a FIFO topic.
fn is_ordered(topic: &str) -> bool {
    topic.strip_suffix(".fifo").is_some()
}

async fn subscribe(sns: &Sns, sqs: &Sqs, topic: &str, filter: Option<&Value>) -> (String, String) {
    let ordered = is_ordered(topic);
    let mut create = sqs.create_queue().queue_name(name(ordered));
    if ordered {
        create = create.attributes(QueueAttributeName::FifoQueue, "true");
    }
    let queue = create.send().await.unwrap().queue_url.unwrap();
    let arn = QueueAttributeName::QueueArn;
    let asked = sqs.get_queue_attributes().queue_url(&queue);
    let asked = asked.attribute_names(arn.clone()).send().await.unwrap();
    let arn = asked.attributes.unwrap().remove(&arn).unwrap();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": { "ArnEquals": { "aws:SourceArn": topic } },
        }],
    });
    let allow = sqs.set_queue_attributes().queue_url(&queue);
    let allow = allow.attributes(QueueAttributeName::Policy, policy.to_string());
    allow.send().await.unwrap();
    let mut subscribe = sns
        .subscribe()
        .topic_arn(topic)
        .protocol("sqs")
        .endpoint(arn)
        .return_subscription_arn(true)
        .attributes("RawMessageDelivery", "true");
    if let Some(filter) = filter {
        subscribe = subscribe.attributes("FilterPolicy", filter.to_string());
    }
    let subscribed = subscribe.send().await.unwrap();
    (queue, subscribed.subscription_arn.unwrap())
}

/// Takes messages from the queue, waiting up to a second for one.
async fn receive(sqs: &Sqs, queue: &str) -> Vec<Notice> {
    let receive = sqs.receive_message().queue_url(queue);
    let receive = receive
        .max_number_of_messages(10)
        .wait_time_seconds(1)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::All);
    let received = receive.send().await.unwrap();
    let mut heard = vec![];
    for message in received.messages.unwrap_or_default() {
        let delete = sqs.delete_message().queue_url(queue);
        let delete = delete.set_receipt_handle(message.receipt_handle.clone());
        delete.send().await.unwrap();
        heard.push(notice(message));
    }
    heard
}

/// Reads a notice from a message. Only a FIFO topic sends an id and a group.
fn notice(message: Message) -> Notice {
    let mut told: HashMap<_, _> = message.attributes.unwrap_or_default();
    let mut told = |name| told.remove(&name).unwrap_or_default();
    let attributes = message.message_attributes.unwrap_or_default().into_iter();
    let attributes: BTreeMap<_, _> = attributes
        .map(|(name, value)| (name, value.string_value.unwrap_or_default()))
        .collect();
    Notice {
        id: told(MessageSystemAttributeName::MessageDeduplicationId),
        group: told(MessageSystemAttributeName::MessageGroupId),
        attributes,
        body: message.body.unwrap_or_default(),
    }
}
