//! The operations on queues.

use rusqlite::{Connection, Transaction};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Sqs,
    errors::{invalid_parameter, unknown_attribute},
    fifo, names, read,
    settings::{Attributes, Settings, changed, shown},
    table::{self, Queue},
};
use crate::{
    error::AwsError,
    names::{arn, now_millis},
    waiting::aside,
};

/// The most queues of one answer to `ListQueues`.
const PAGE: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    queue_name: String,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default, rename = "tags")]
    tags: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Named {
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct At {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    #[serde(default)]
    queue_name_prefix: String,
    #[serde(default)]
    next_token: String,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SetAttributes {
    queue_url: String,
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    queue_url: String,
    tags: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Untag {
    queue_url: String,
    tag_keys: Vec<String>,
}

impl Sqs {
    pub(super) fn create_queue(&self, input: Value) -> Result<Value, AwsError> {
        let create: Create = read(input)?;
        let (name, now) = (create.queue_name, now_millis());
        names::check(&name, fifo::is_set(&create.attributes))?;
        self.store.write(|transaction| {
            if let Some(queue) = table::find(transaction, &name)? {
                return same(&queue, &create.attributes);
            }
            let queue = Queue {
                tags: create.tags,
                ..Queue::new(&name, &create.attributes, now)?
            };
            check_redrive(transaction, &queue)?;
            table::save(transaction, &queue)
        })?;
        Ok(json!({ "QueueUrl": self.url(&name) }))
    }

    /// Makes a queue if it is missing, and gives it these attributes and no others. Returns its URL. A queue's
    /// dead-letter queue must exist before it.
    ///
    /// # Errors
    ///
    /// If the name or an attribute is not valid.
    pub fn ensure(&self, name: &str, attributes: &Attributes) -> Result<String, AwsError> {
        names::check(name, fifo::is_set(attributes))?;
        let mut queue = Queue::new(name, attributes, now_millis())?;
        self.store.write(|transaction| {
            if let Some(known) = table::find(transaction, name)? {
                queue.tags = known.tags;
                delay_again(transaction, &known.settings, &queue)?;
            }
            check_redrive(transaction, &queue)?;
            table::save(transaction, &queue)
        })?;
        // A shorter delay may have shown messages.
        self.arrivals.arrived(name);
        Ok(self.url(name))
    }

    pub(super) fn get_queue_url(&self, input: Value) -> Result<Value, AwsError> {
        let named: Named = read(input)?;
        if named
            .owner
            .is_some_and(|owner| owner != crate::names::ACCOUNT)
        {
            return Err(super::errors::no_queue());
        }
        let queue = self
            .store
            .read(|connection| table::existing(connection, &named.queue_name))?;
        Ok(json!({ "QueueUrl": self.url(&queue.name) }))
    }

    pub(super) fn list_queues(&self, input: Value) -> Result<Value, AwsError> {
        let list: List = read(input)?;
        let most = list.max_results.unwrap_or(PAGE);
        if !(1..=PAGE).contains(&most) {
            return Err(invalid_parameter(
                "MaxResults",
                &most.to_string(),
                "MaxResults must be an integer between 1 and 1000.",
            ));
        }
        let mut found = self.store.read(|connection| {
            table::names(connection, &list.queue_name_prefix, &list.next_token)
        })?;
        let more = found.len() > most;
        found.truncate(most);
        let mut answer = Map::new();
        if !found.is_empty() {
            let urls: Vec<String> = found.iter().map(|name| self.url(name)).collect();
            answer.insert("QueueUrls".to_owned(), urls.into());
        }
        // AWS gives a token only to callers who asked for pages.
        if let Some(last) = found.pop().filter(|_| more && list.max_results.is_some()) {
            answer.insert("NextToken".to_owned(), last.into());
        }
        Ok(answer.into())
    }

    pub(super) fn delete_queue(&self, input: Value) -> Result<Value, AwsError> {
        let at: At = read(input)?;
        let name = names::queue_at(&at.queue_url)?;
        aside(|| {
            self.store.write(|transaction| {
                table::existing(transaction, name)?;
                fifo::ACCEPTED.forget(transaction, name)?;
                table::delete_queue(transaction, name)
            })
        })?;
        // Receivers that wait learn that the queue is gone.
        self.arrivals.arrived(name);
        Ok(json!({}))
    }

    pub(super) fn purge_queue(&self, input: Value) -> Result<Value, AwsError> {
        let at: At = read(input)?;
        let name = names::queue_at(&at.queue_url)?;
        aside(|| {
            self.store.write(|transaction| {
                table::existing(transaction, name)?;
                fifo::ACCEPTED.forget(transaction, name)?;
                table::delete_all(transaction, name)
            })
        })?;
        Ok(json!({}))
    }

    pub(super) fn get_queue_attributes(&self, input: Value) -> Result<Value, AwsError> {
        let get: GetAttributes = read(input)?;
        let name = names::queue_at(&get.queue_url)?;
        let attributes = self.store.read(|connection| {
            let queue = table::existing(connection, name)?;
            described(connection, &queue)
        })?;
        let chosen = chosen(attributes, &get.attribute_names)?;
        if chosen.is_empty() {
            return Ok(json!({}));
        }
        Ok(json!({ "Attributes": chosen }))
    }

    pub(super) fn set_queue_attributes(&self, input: Value) -> Result<Value, AwsError> {
        let set: SetAttributes = read(input)?;
        let answer = self.change(&set.queue_url, |transaction, queue| {
            fifo::check_same_type(&queue.attributes, &set.attributes)?;
            queue.attributes = changed(&queue.attributes, &set.attributes)?;
            let before = std::mem::replace(&mut queue.settings, Settings::of(&queue.attributes)?);
            queue.modified = now_millis();
            delay_again(transaction, &before, queue)?;
            check_redrive(transaction, queue)
        })?;
        // A shorter delay may have shown messages.
        self.arrivals.arrived(names::queue_at(&set.queue_url)?);
        Ok(answer)
    }

    pub(super) fn tag_queue(&self, input: Value) -> Result<Value, AwsError> {
        let tag: Tag = read(input)?;
        self.change(&tag.queue_url, |_, queue| {
            queue.tags.extend(tag.tags);
            Ok(())
        })
    }

    pub(super) fn untag_queue(&self, input: Value) -> Result<Value, AwsError> {
        let untag: Untag = read(input)?;
        self.change(&untag.queue_url, |_, queue| {
            queue.tags.retain(|key, _| !untag.tag_keys.contains(key));
            Ok(())
        })
    }

    pub(super) fn list_queue_tags(&self, input: Value) -> Result<Value, AwsError> {
        let at: At = read(input)?;
        let name = names::queue_at(&at.queue_url)?;
        let queue = self
            .store
            .read(|connection| table::existing(connection, name))?;
        Ok(json!({ "Tags": queue.tags }))
    }

    fn change(
        &self,
        url: &str,
        change: impl FnOnce(&Transaction<'_>, &mut Queue) -> Result<(), AwsError>,
    ) -> Result<Value, AwsError> {
        let name = names::queue_at(url)?;
        self.store.write(|transaction| {
            let mut queue = table::existing(transaction, name)?;
            change(transaction, &mut queue)?;
            table::save(transaction, &queue)
        })?;
        Ok(json!({}))
    }
}

impl Queue {
    fn new(name: &str, attributes: &Attributes, now: u64) -> Result<Self, AwsError> {
        let attributes = changed(&Attributes::new(), attributes)?;
        Ok(Self {
            name: name.to_owned(),
            settings: Settings::of(&attributes)?,
            attributes,
            tags: Attributes::new(),
            created: now,
            modified: now,
        })
    }
}

/// An existing queue is made again only with the attributes that it has. Attributes that are not given may be any.
fn same(queue: &Queue, attributes: &Attributes) -> Result<(), AwsError> {
    let known = shown(&queue.attributes);
    for (name, value) in attributes {
        if known.get(name) != Some(value) {
            return Err(AwsError::client(
                "QueueNameExists",
                format!(
                    "A queue already exists with the same name and a different value for attribute {name}"
                ),
            ));
        }
    }
    Ok(())
}

/// A new delay of a FIFO queue holds for the messages that it has, unlike that of a standard queue.
fn delay_again(
    transaction: &Transaction<'_>,
    before: &Settings,
    queue: &Queue,
) -> Result<(), AwsError> {
    let delay = queue.settings.delay;
    if queue.settings.fifo.is_none() || delay == before.delay {
        return Ok(());
    }
    table::set_delay(transaction, &queue.name, delay)
}

/// A dead-letter queue must exist before its queue names it, and be of the same type.
fn check_redrive(connection: &Connection, queue: &Queue) -> Result<(), AwsError> {
    let Some(redrive) = &queue.settings.redrive else {
        return Ok(());
    };
    let target = names::queue_of(&redrive.target_arn).unwrap_or_default();
    if target == queue.name || table::find(connection, target)?.is_none() {
        return Err(invalid_parameter(
            "RedrivePolicy",
            &redrive.target_arn,
            "Dead letter target does not exist.",
        ));
    }
    if names::is_fifo(target) != queue.settings.fifo.is_some() {
        return Err(invalid_parameter(
            "RedrivePolicy",
            &redrive.target_arn,
            "Dead-letter queue must be same type of queue as the source.",
        ));
    }
    Ok(())
}

/// All attributes of a queue.
fn described(connection: &Connection, queue: &Queue) -> Result<Attributes, AwsError> {
    let now = now_millis();
    let oldest = now.saturating_sub(queue.settings.retention);
    let counts = table::counts(connection, &queue.name, now, oldest)?;
    let mut described = shown(&queue.attributes);
    let more = [
        ("QueueArn", arn("sqs", &queue.name)),
        ("CreatedTimestamp", (queue.created / 1_000).to_string()),
        (
            "LastModifiedTimestamp",
            (queue.modified / 1_000).to_string(),
        ),
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        (
            "ApproximateNumberOfMessagesDelayed",
            counts.delayed.to_string(),
        ),
        (
            "ApproximateNumberOfMessagesNotVisible",
            counts.in_flight.to_string(),
        ),
    ];
    described.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Ok(described)
}

/// Attributes that a queue may have without a default.
const OPTIONAL: [&str; 4] = [
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedrivePolicy",
];

fn chosen(attributes: Attributes, wanted: &[String]) -> Result<Attributes, AwsError> {
    if wanted.iter().any(|name| name == "All") {
        return Ok(attributes);
    }
    let mut chosen = Attributes::new();
    for name in wanted {
        match attributes.get(name) {
            Some(value) => {
                chosen.insert(name.clone(), value.clone());
            }
            None if OPTIONAL.contains(&name.as_str())
                || fifo::ATTRIBUTES.contains(&name.as_str()) => {}
            None => return Err(unknown_attribute(name)),
        }
    }
    Ok(chosen)
}
