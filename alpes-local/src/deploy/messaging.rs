//! SNS topics with their subscriptions, and SQS queues.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use template::{Properties, Resource, TemplateError};

use super::{
    draft::{Draft, Source},
    permissions,
};

/// An SNS topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The attributes of `CreateTopic`, for example `DisplayName` or `FifoTopic`.
    pub attributes: BTreeMap<String, String>,
}

/// A subscription to a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// The ARN of the topic.
    pub topic_arn: String,
    /// `sqs` or `lambda`.
    pub protocol: String,
    /// The ARN of the queue or the function.
    pub endpoint: String,
    /// The attributes in SNS's form, for example `FilterPolicy` with a text in JSON.
    pub attributes: BTreeMap<String, String>,
}

/// An SQS queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The attributes of `CreateQueue`, for example `VisibilityTimeout`, or `RedrivePolicy` with a text in JSON.
    pub attributes: BTreeMap<String, String>,
}

pub(super) fn topic(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    resource.read(|set| {
        let without_meaning = [
            "DataProtectionPolicy",
            "DeliveryStatusLogging",
            "KmsMasterKeyId",
        ];
        draft.skip(set, &without_meaning);
        draft.skip(set, &["SignatureVersion", "Tags", "TracingConfig"]);
        let mut attributes = attributes(set, &["DisplayName", "FifoThroughputScope"], &[])?;
        attributes.extend(fifo(set, "FifoTopic", "TopicName")?);
        let topic = Topic {
            name: resource.name.clone(),
            arn: resource.arn.clone().unwrap_or_default(),
            attributes,
        };
        let subscriptions = set.each("Subscription", |inline| {
            Ok(Subscription {
                topic_arn: topic.arn.clone(),
                protocol: protocol(inline)?,
                endpoint: inline.required("Endpoint")?,
                attributes: BTreeMap::new(),
            })
        })?;
        draft.plan.topics.push(topic);
        draft.plan.subscriptions.extend(subscriptions);
        Ok(())
    })
}

pub(super) fn subscription(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let subscription = resource.read(|set| {
        Ok(Subscription {
            topic_arn: topic_arn(set, "TopicArn", draft)?,
            protocol: protocol(set)?,
            endpoint: set.required("Endpoint")?,
            attributes: subscription_attributes(set)?,
        })
    })?;
    draft.plan.subscriptions.push(subscription);
    Ok(())
}

/// The subscription of a SAM function's event of type `SNS`.
pub(super) fn of_event(
    set: &Properties<'_>,
    function_arn: &str,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    set.refuse_true("SqsSubscription", "subscribe a queue of the template")?;
    let subscription = Subscription {
        topic_arn: topic_arn(set, "Topic", draft)?,
        protocol: "lambda".to_owned(),
        endpoint: function_arn.to_owned(),
        attributes: subscription_attributes(set)?,
    };
    let topic = &subscription.topic_arn;
    permissions::to_service(draft, function_arn, "sns.amazonaws.com", topic);
    draft.plan.subscriptions.push(subscription);
    Ok(())
}

/// The ARN in a property, which must be that of a topic of the plan.
fn topic_arn(set: &Properties<'_>, property: &str, draft: &Draft) -> Result<String, TemplateError> {
    let arn = set.required(property)?;
    if draft.plan.topics.iter().any(|topic| topic.arn == arn) {
        return Ok(arn);
    }
    let name = format!("topic {arn}");
    Err(TemplateError::dangling(set.place(property), name))
}

fn protocol(set: &Properties<'_>) -> Result<String, TemplateError> {
    let protocol = set.required("Protocol")?;
    if ["sqs", "lambda"].contains(&protocol.as_str()) {
        return Ok(protocol);
    }
    Err(set.unsupported("Protocol", "this runtime delivers by sqs and lambda"))
}

fn subscription_attributes(
    set: &Properties<'_>,
) -> Result<BTreeMap<String, String>, TemplateError> {
    attributes(
        set,
        &["FilterPolicyScope", "RawMessageDelivery"],
        &["FilterPolicy", "RedrivePolicy"],
    )
}

pub(super) fn queue(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let queue = resource.read(|set| {
        let without_meaning = ["KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId"];
        draft.skip(set, &without_meaning);
        draft.skip(set, &["SqsManagedSseEnabled", "Tags"]);
        let numbers = [
            "DelaySeconds",
            "MaximumMessageSize",
            "MessageRetentionPeriod",
            "ReceiveMessageWaitTimeSeconds",
            "VisibilityTimeout",
        ];
        for number in numbers {
            set.number::<u32>(number)?;
        }
        let texts = ["DeduplicationScope", "FifoThroughputLimit"];
        let documents = ["RedrivePolicy", "RedriveAllowPolicy"];
        let mut attributes = attributes(set, &[&numbers[..], &texts].concat(), &documents)?;
        attributes.extend(fifo(set, "FifoQueue", "QueueName")?);
        Ok(Queue {
            name: resource.name.clone(),
            arn: resource.arn.clone().unwrap_or_default(),
            attributes,
        })
    })?;
    draft.plan.queues.push(queue);
    Ok(())
}

/// The truth values of a queue or topic. `switch` makes it a FIFO one, for which its name must end in `.fifo`. AWS
/// generates names with this end too, and the runtime does not.
fn fifo(
    set: &Properties<'_>,
    switch: &str,
    name: &str,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let is_fifo = set.truth(switch)?.unwrap_or(false);
    let has_end = set
        .text(name)?
        .is_some_and(|name| name.strip_suffix(".fifo").is_some());
    if is_fifo && !has_end {
        return Err(set.must(
            name,
            &format!("a name that ends in .fifo, since {switch} is true"),
        ));
    }
    if has_end && !is_fifo {
        return Err(set.must(
            name,
            &format!("a name that does not end in .fifo, unless {switch} is true"),
        ));
    }
    let by_content = "ContentBasedDeduplication";
    // For a standard queue or topic, AWS's APIs refuse even the value false.
    let by_content = [(
        by_content,
        set.truth(by_content)?.filter(|value| is_fifo || *value),
    )];
    let switches = [(switch, is_fifo.then_some(true))]
        .into_iter()
        .chain(by_content);
    let given = switches.filter_map(|(name, value)| Some((name.to_owned(), value?.to_string())));
    Ok(given.collect())
}

/// Attributes in the form of the services' APIs, where every value is a text, and a document is a text in JSON.
fn attributes(
    set: &Properties<'_>,
    plain: &[&str],
    documents: &[&str],
) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut attributes = BTreeMap::new();
    for name in plain {
        let value = set.text(name)?;
        attributes.extend(value.map(|value| ((*name).to_owned(), value)));
    }
    for name in documents {
        let document = set.get(name, "a mapping, or its text in JSON", document_text)?;
        attributes.extend(document.map(|document| ((*name).to_owned(), document)));
    }
    Ok(attributes)
}

fn document_text(value: &Value) -> Option<String> {
    match value {
        Value::Object(_) => Some(value.to_string()),
        Value::String(text) => {
            let parsed: Value = serde_json::from_str(text).ok()?;
            parsed.is_object().then(|| text.clone())
        }
        _ => None,
    }
}
