//! SNS and SQS. A batch needs the action of a single message.

use super::{Need, body::Body};
use crate::{
    http::Form,
    names::{arn, last_part},
};

/// The needs of an action of SNS.
pub(super) fn of_topic(action: &str, form: &Form) -> Vec<Need> {
    let named = ["TopicArn", "TargetArn", "ResourceArn"];
    let named = named.into_iter().find_map(|member| form.get(member));
    let made = form.get("Name").map(|name| arn("sns", name));
    // The ARN of a subscription is that of its topic, and an id.
    let subscription = form.get("SubscriptionArn");
    let topic = subscription.and_then(|arn| arn.rsplit_once(':'));
    let resource = match (named, made, topic) {
        (Some(arn), ..) => arn.to_owned(),
        (_, Some(arn), _) => arn,
        (.., Some((topic, _))) => topic.to_owned(),
        _ => "*".to_owned(),
    };
    let action = if action == "PublishBatch" {
        "Publish"
    } else {
        action
    };
    vec![Need::new("sns", action, resource)]
}

/// The needs of an operation of SQS.
pub(super) fn of_queue(operation: &str, body: &Body) -> Vec<Need> {
    let queue = body.text("QueueUrl").map(last_part);
    let queue = queue.or(body.text("QueueName"));
    let resource = queue.map_or("*".to_owned(), |name| arn("sqs", name));
    let action = operation.strip_suffix("Batch").unwrap_or(operation);
    vec![Need::new("sqs", action, resource)]
}
