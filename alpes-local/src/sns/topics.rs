//! The operations on topics.

use rusqlite::{Connection, Transaction};

use super::{
    Sns,
    answers::{element, invalid, list, map},
    fields::{Texts, attributes, members, required, tags},
    table::{self, Topic},
};
use crate::{
    error::AwsError,
    http::Form,
    names::{ACCOUNT, arn, last_part},
};

/// The most topics or subscriptions of one answer.
pub(super) const PAGE: usize = 100;
/// Attributes that a topic keeps. Only the version of the signature has an effect.
const KEPT: [&str; 5] = [
    "DisplayName",
    "KmsMasterKeyId",
    "Policy",
    "SignatureVersion",
    "TracingConfig",
];

impl Sns {
    pub(super) fn create_topic(&self, form: &Form) -> Result<String, AwsError> {
        let name = required(form, "Name")?;
        check_name(name)?;
        let (attributes, tags) = (attributes(form), tags(form));
        for (attribute, value) in &attributes {
            check_attribute(attribute, value)?;
        }
        self.store.write(|transaction| {
            if let Some(topic) = table::topic(transaction, name)? {
                return same(&topic, &attributes, &tags);
            }
            let topic = Topic {
                name: name.to_owned(),
                attributes,
                tags,
            };
            table::save_topic(transaction, &topic)
        })?;
        Ok(element("TopicArn", &arn("sns", name)))
    }

    /// Deletes a topic. A topic that does not exist is no error.
    pub(super) fn delete_topic(&self, form: &Form) -> Result<(), AwsError> {
        let topic_arn = required(form, "TopicArn")?;
        self.store
            .write(|transaction| table::delete_topic(transaction, last_part(topic_arn)))
    }

    pub(super) fn list_topics(&self, form: &Form) -> Result<String, AwsError> {
        let after = form.get("NextToken").unwrap_or_default();
        let mut names = self
            .store
            .read(|connection| table::topics(connection, after, PAGE + 1))?;
        let more = names.len() > PAGE;
        names.truncate(PAGE);
        let arns = names
            .iter()
            .map(|name| element("TopicArn", &arn("sns", name)));
        let mut answer = list("Topics", arns);
        if let Some(last) = names.last().filter(|_| more) {
            answer.push_str(&element("NextToken", last));
        }
        Ok(answer)
    }

    pub(super) fn get_topic_attributes(&self, form: &Form) -> Result<String, AwsError> {
        let topic_arn = required(form, "TopicArn")?;
        let attributes = self.store.read(|connection| {
            let topic = table::existing_topic(connection, topic_arn)?;
            described(connection, &topic)
        })?;
        Ok(map("Attributes", &attributes))
    }

    pub(super) fn set_topic_attributes(&self, form: &Form) -> Result<(), AwsError> {
        let name = required(form, "AttributeName")?;
        let value = form.get("AttributeValue").unwrap_or_default();
        check_attribute(name, value)?;
        self.change_topic(required(form, "TopicArn")?, |topic| {
            topic.attributes.insert(name.to_owned(), value.to_owned());
        })
    }

    pub(super) fn list_tags(&self, form: &Form) -> Result<String, AwsError> {
        let topic_arn = required(form, "ResourceArn")?;
        let topic = self
            .store
            .read(|connection| table::existing_topic(connection, topic_arn))?;
        let tags = topic
            .tags
            .iter()
            .map(|(key, value)| format!("{}{}", element("Key", key), element("Value", value)));
        Ok(list("Tags", tags))
    }

    pub(super) fn tag(&self, form: &Form) -> Result<(), AwsError> {
        self.change_topic(required(form, "ResourceArn")?, |topic| {
            topic.tags.extend(tags(form));
        })
    }

    pub(super) fn untag(&self, form: &Form) -> Result<(), AwsError> {
        let keys = members(form, "TagKeys.member", "");
        let keys: Vec<&str> = keys.iter().filter_map(|key| form.get(key)).collect();
        self.change_topic(required(form, "ResourceArn")?, |topic| {
            topic.tags.retain(|key, _| !keys.contains(&key.as_str()));
        })
    }

    fn change_topic(
        &self,
        topic_arn: &str,
        change: impl FnOnce(&mut Topic),
    ) -> Result<(), AwsError> {
        self.store.write(|transaction: &Transaction<'_>| {
            let mut topic = table::existing_topic(transaction, topic_arn)?;
            change(&mut topic);
            table::save_topic(transaction, &topic)
        })
    }

    /// Makes a topic if it is missing, sets its attributes in any case, and returns its ARN.
    ///
    /// # Errors
    ///
    /// If the name or an attribute is not valid.
    pub fn ensure_topic(&self, name: &str, attributes: &Texts) -> Result<String, AwsError> {
        check_name(name)?;
        for (attribute, value) in attributes {
            check_attribute(attribute, value)?;
        }
        self.store.write(|transaction| {
            let known = table::topic(transaction, name)?;
            let topic = Topic {
                name: name.to_owned(),
                attributes: attributes.clone(),
                tags: known.map(|known| known.tags).unwrap_or_default(),
            };
            table::save_topic(transaction, &topic)
        })?;
        Ok(arn("sns", name))
    }
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=256).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    if name.strip_suffix(".fifo").is_some() {
        return Err(invalid(
            "Topic Name Reason: the local runtime has no FIFO topics",
        ));
    }
    Err(invalid("Topic Name"))
}

fn check_attribute(name: &str, value: &str) -> Result<(), AwsError> {
    let reason = match name {
        "SignatureVersion" if !matches!(value, "1" | "2") => "Invalid value for SignatureVersion",
        _ if KEPT.contains(&name) => return Ok(()),
        "FifoTopic" if value == "false" => return Ok(()),
        _ => "the local runtime does not know this attribute",
    };
    Err(invalid(&format!("AttributeName {name} Reason: {reason}")))
}

/// An existing topic is made again only with the attributes and tags that it has.
fn same(topic: &Topic, attributes: &Texts, tags: &Texts) -> Result<(), AwsError> {
    let known = |all: &Texts, some: &Texts| {
        some.iter()
            .all(|(name, value)| all.get(name) == Some(value))
    };
    if !known(&topic.attributes, attributes) {
        return Err(invalid(
            "Attributes Reason: Topic already exists with different attributes",
        ));
    }
    if !tags.is_empty() && topic.tags != *tags {
        return Err(invalid(
            "Tags Reason: Topic already exists with different tags",
        ));
    }
    Ok(())
}

fn described(connection: &Connection, topic: &Topic) -> Result<Texts, AwsError> {
    let subscriptions = table::subscriptions(connection, Some(&topic.name))?;
    let mut described: Texts = [
        ("DisplayName", String::new()),
        ("Owner", ACCOUNT.to_owned()),
        ("Policy", policy(&topic.arn())),
        ("SubscriptionsConfirmed", subscriptions.len().to_string()),
        ("SubscriptionsDeleted", "0".to_owned()),
        ("SubscriptionsPending", "0".to_owned()),
        ("TopicArn", topic.arn()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    described.extend(topic.attributes.clone());
    Ok(described)
}

/// The policy that AWS gives to a topic: its owner may do everything.
fn policy(topic_arn: &str) -> String {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ]
    .map(|action| format!("SNS:{action}"));
    serde_json::json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": actions,
            "Resource": topic_arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": ACCOUNT } },
        }],
    })
    .to_string()
}
