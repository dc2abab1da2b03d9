//! SNS: topics, whose messages go to queues and functions.

mod answers;
mod calls;
mod condition;
mod delivery;
mod fields;
mod fifo;
mod filter;
mod message;
mod publishing;
mod subscriptions;
mod table;
#[cfg(test)]
mod tests;
mod topics;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::{
    chaos::Chaos,
    error::AwsError,
    http::{Form, query_answer},
    iam::Iam,
    invoke::Invoker,
    sqs::Sqs,
    store::Store,
};

pub use answers::NAMESPACE;

/// The topics, of both types: standard and FIFO. Messages are not signed.
pub struct Sns {
    store: Arc<Store>,
    iam: Arc<Iam>,
    sqs: Arc<Sqs>,
    invoker: Arc<dyn Invoker>,
    chaos: Option<Arc<Chaos>>,
    /// Wakes the task that calls functions.
    waiting: Notify,
}

impl Sns {
    /// The topics in this store. The queues must be in the same store, so that a publish and its messages are one
    /// transaction. `iam` says whether the policies of queues and functions let topics in. A task must run [`Sns::run`], which delivers to functions.
    ///
    /// # Errors
    ///
    /// If the tables cannot be made.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        sqs: Arc<Sqs>,
        invoker: Arc<dyn Invoker>,
    ) -> Result<Self, AwsError> {
        Self::with_chaos(store, iam, sqs, invoker, None)
    }

    /// As [`Sns::new`], with chaos if there is any: a queue now and then gets a message of a standard topic twice.
    ///
    /// # Errors
    ///
    /// As for [`Sns::new`].
    pub fn with_chaos(
        store: Arc<Store>,
        iam: Arc<Iam>,
        sqs: Arc<Sqs>,
        invoker: Arc<dyn Invoker>,
        chaos: Option<Arc<Chaos>>,
    ) -> Result<Self, AwsError> {
        store.schema(table::SCHEMA)?;
        store.schema(&fifo::ACCEPTED.schema())?;
        Ok(Self {
            store,
            iam,
            sqs,
            invoker,
            chaos,
            waiting: Notify::new(),
        })
    }

    /// Answers an action of the query protocol with the whole XML document.
    ///
    /// # Errors
    ///
    /// As the action; for [`crate::http::query_error`] with [`NAMESPACE`].
    pub fn call(&self, action: &str, form: &Form) -> Result<String, AwsError> {
        fields::check(form, known_fields(action)?)?;
        let result = match action {
            "CreateTopic" => Some(self.create_topic(form)?),
            "ListTopics" => Some(self.list_topics(form)?),
            "GetTopicAttributes" => Some(self.get_topic_attributes(form)?),
            "Subscribe" => Some(self.subscribe(form)?),
            "ListSubscriptions" => Some(self.list_subscriptions(form)?),
            "ListSubscriptionsByTopic" => Some(self.list_subscriptions_by_topic(form)?),
            "GetSubscriptionAttributes" => Some(self.get_subscription_attributes(form)?),
            "Publish" => Some(self.publish_form(form)?),
            "PublishBatch" => Some(self.publish_batch(form)?),
            "ListTagsForResource" => Some(self.list_tags(form)?),
            _ => {
                self.change(action, form)?;
                TAGGING.contains(&action).then(String::new)
            }
        };
        Ok(query_answer(NAMESPACE, action, result.as_deref()))
    }

    /// The actions without a result.
    fn change(&self, action: &str, form: &Form) -> Result<(), AwsError> {
        match action {
            "DeleteTopic" => self.delete_topic(form),
            "SetTopicAttributes" => self.set_topic_attributes(form),
            "Unsubscribe" => self.unsubscribe(form),
            "SetSubscriptionAttributes" => self.set_subscription_attributes(form),
            "TagResource" => self.tag(form),
            "UntagResource" => self.untag(form),
            _ => Err(unknown(action)),
        }
    }
}

/// The actions whose result is empty, but there.
const TAGGING: [&str; 2] = ["TagResource", "UntagResource"];

/// The fields of an action's form. A name that ends with a dot stands for all names that begin so.
fn known_fields(action: &str) -> Result<&'static [&'static str], AwsError> {
    Ok(match action {
        "CreateTopic" => &["Name", "Attributes.", "Tags."],
        "DeleteTopic" | "GetTopicAttributes" => &["TopicArn"],
        "ListTopics" | "ListSubscriptions" => &["NextToken"],
        "SetTopicAttributes" => &["TopicArn", "AttributeName", "AttributeValue"],
        // The whole ARN is returned in any case, since subscriptions need no confirmation.
        "Subscribe" => &[
            "TopicArn",
            "Protocol",
            "Endpoint",
            "Attributes.",
            "ReturnSubscriptionArn",
        ],
        "Unsubscribe" | "GetSubscriptionAttributes" => &["SubscriptionArn"],
        "ListSubscriptionsByTopic" => &["TopicArn", "NextToken"],
        "SetSubscriptionAttributes" => &["SubscriptionArn", "AttributeName", "AttributeValue"],
        "Publish" => &[
            "TopicArn",
            "TargetArn",
            "PhoneNumber",
            "Message",
            "Subject",
            "MessageStructure",
            "MessageAttributes.",
            "MessageDeduplicationId",
            "MessageGroupId",
        ],
        "PublishBatch" => &["TopicArn", "PublishBatchRequestEntries."],
        "ListTagsForResource" => &["ResourceArn"],
        "TagResource" => &["ResourceArn", "Tags."],
        "UntagResource" => &["ResourceArn", "TagKeys."],
        _ => return Err(unknown(action)),
    })
}

fn unknown(action: &str) -> AwsError {
    AwsError::client(
        "InvalidAction",
        format!("The local runtime has no SNS action {action}."),
    )
}
