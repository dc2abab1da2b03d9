//! The operations on topics.

use rusqlite::{Connection, Transaction};

use super::{
    Sns,
    answers::{invalid, list, map},
    fields::{Texts, attributes, members, required, required_arn, tags},
    fifo,
    table::{self, Topic},
};
use crate::{
    error::AwsError,
    http::{Form, xml_element},
    names::{ACCOUNT, arn, last_part},
    sqs::is_fifo,
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
        let topic = Topic {
            tags: tags(form),
            ..Topic::new(name, attributes(form))?
        };
        self.store
            .write(|transaction| match table::topic(transaction, name)? {
                Some(known) => same(&known, &topic),
                None => table::save_topic(transaction, &topic),
            })?;
        Ok(xml_element("TopicArn", &arn("sns", name)))
    }

    /// Deletes a topic. A topic that does not exist is no error.
    pub(super) fn delete_topic(&self, form: &Form) -> Result<(), AwsError> {
        let topic_arn = required_arn(form, "TopicArn")?;
        self.store.write(|transaction| {
            fifo::ACCEPTED.forget(transaction, last_part(topic_arn))?;
            table::delete_topic(transaction, last_part(topic_arn))
        })
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
            .map(|name| xml_element("TopicArn", &arn("sns", name)));
        let mut answer = list("Topics", arns);
        if let Some(last) = names.last().filter(|_| more) {
            answer.push_str(&xml_element("NextToken", last));
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
        let topic_arn = required(form, "TopicArn")?;
        fifo::check_change(name)?;
        check_attribute(name, value, is_fifo(topic_arn))?;
        self.change_topic(topic_arn, |topic| {
            topic.attributes.insert(name.to_owned(), value.to_owned());
        })
    }

    pub(super) fn list_tags(&self, form: &Form) -> Result<String, AwsError> {
        let topic_arn = required(form, "ResourceArn")?;
        let topic = self
            .store
            .read(|connection| table::existing_topic(connection, topic_arn))?;
        let tags = topic.tags.iter().map(|(key, value)| {
            format!("{}{}", xml_element("Key", key), xml_element("Value", value))
        });
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
        let mut topic = Topic::new(name, attributes.clone())?;
        self.store.write(|transaction| {
            let known = table::topic(transaction, name)?;
            topic.tags = known.map(|known| known.tags).unwrap_or_default();
            table::save_topic(transaction, &topic)
        })?;
        Ok(arn("sns", name))
    }
}

impl Topic {
    /// A topic without tags, after a check of its name and attributes.
    fn new(name: &str, attributes: Texts) -> Result<Self, AwsError> {
        let attributes = fifo::without_false_switch(attributes);
        let of_fifo_topic = fifo::is_set(&attributes);
        check_name(name, of_fifo_topic)?;
        for (attribute, value) in &attributes {
            check_attribute(attribute, value, of_fifo_topic)?;
        }
        Ok(Self {
            name: name.to_owned(),
            attributes,
            tags: Texts::new(),
        })
    }
}

fn check_name(name: &str, of_fifo_topic: bool) -> Result<(), AwsError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let valid = !stem.is_empty() && name.len() <= 256 && stem.bytes().all(allowed);
    if valid && is_fifo(name) == of_fifo_topic {
        return Ok(());
    }
    Err(invalid(if of_fifo_topic {
        "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, \
         numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
    } else {
        "Topic Name"
    }))
}

fn check_attribute(name: &str, value: &str, of_fifo_topic: bool) -> Result<(), AwsError> {
    let checked = fifo::check_attribute(name, value, of_fifo_topic).unwrap_or(match name {
        "SignatureVersion" if !matches!(value, "1" | "2") => {
            Err("Invalid value for SignatureVersion")
        }
        _ if KEPT.contains(&name) => Ok(()),
        _ => Err("the local runtime does not know this attribute"),
    });
    checked.map_err(|reason| invalid(&format!("AttributeName {name} Reason: {reason}")))
}

/// An existing topic is made again only with the attributes and tags that it has.
fn same(known: &Topic, topic: &Topic) -> Result<(), AwsError> {
    let attributes = known.shown_attributes();
    let mut wanted = topic.attributes.iter();
    if !wanted.all(|(name, value)| attributes.get(name) == Some(value)) {
        return Err(invalid(
            "Attributes Reason: Topic already exists with different attributes",
        ));
    }
    if !topic.tags.is_empty() && topic.tags != known.tags {
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
    described.extend(topic.shown_attributes());
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
