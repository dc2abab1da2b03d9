//! Receiving messages.

use std::time::Duration;

use rusqlite::{Connection, Transaction};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use super::{
    Message, Sqs,
    attributes::{checksum, selected},
    errors::{invalid_parameter, unknown_attribute, unsupported},
    fifo, groups, names, read_for_queue,
    receipt::Receipt,
    table::{self, Queue, Stored},
};
use crate::{
    error::AwsError,
    names::{ACCOUNT, arn, now_millis},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Receive {
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
    wait_time_seconds: Option<u64>,
    /// An id of FIFO queues, which AWS ignores for standard queues.
    #[serde(rename = "ReceiveRequestAttemptId")]
    attempt: Option<String>,
}

/// The parameters of a receive.
struct Wish {
    most: usize,
    /// Milliseconds for which the messages are hidden; `None` for the queue's own time.
    visibility: Option<u64>,
    /// How long to wait for the first message; `None` for the queue's own time.
    wait: Option<Duration>,
}

/// The result of a receive.
#[derive(Default)]
struct Found {
    messages: Vec<Message>,
    /// The dead-letter queue to which messages were moved.
    redriven_to: Option<String>,
}

impl Sqs {
    pub(super) async fn receive_message(&self, input: Value) -> Result<Value, AwsError> {
        let (url, receive): (_, Receive) = read_for_queue(input)?;
        let name = names::queue_at(&url)?;
        let wish = receive.wish()?;
        if names::is_fifo(name) && receive.attempt.is_some() {
            return Err(unsupported(
                "The local runtime does not repeat receives, so it refuses ReceiveRequestAttemptId.",
            ));
        }
        let system = [
            receive.attribute_names,
            receive.message_system_attribute_names,
        ]
        .concat();
        check_system_names(&system)?;
        let messages = self.received(name, &wish).await?;
        if messages.is_empty() {
            return Ok(json!({}));
        }
        let messages = messages.into_iter();
        let shown: Vec<Value> = messages
            .map(|message| shown(message, &system, &receive.message_attribute_names))
            .collect();
        Ok(json!({ "Messages": shown }))
    }

    /// Receives at most `most` messages, but at least one if there is any, and hides them for the queue's visibility
    /// time-out. Waits for the first one at most as long as `wait`; the result may be empty.
    ///
    /// # Errors
    ///
    /// `QueueDoesNotExist`.
    pub async fn receive(
        &self,
        queue_arn: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Message>, AwsError> {
        let url = self.url_of(queue_arn)?;
        let wish = Wish {
            most: most.max(1),
            visibility: None,
            wait: Some(wait),
        };
        self.received(names::queue_at(&url)?, &wish).await
    }

    async fn received(&self, name: &str, wish: &Wish) -> Result<Vec<Message>, AwsError> {
        let mut arrivals = self.arrivals.watch(name);
        let begin = Instant::now();
        loop {
            arrivals.borrow_and_update();
            let now = now_millis();
            let queue = self
                .store
                .read(|connection| table::existing(connection, name))?;
            let wait = wish
                .wait
                .unwrap_or(Duration::from_millis(queue.settings.wait));
            let messages = self.receive_now(&queue, wish, now)?;
            let deadline = begin + wait;
            if !messages.is_empty() || Instant::now() >= deadline {
                return Ok(messages);
            }
            let wake = self
                .next_visible(name, now)?
                .map_or(deadline, |next| next.min(deadline));
            tokio::select! {
                _ = arrivals.changed() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    fn receive_now(&self, queue: &Queue, wish: &Wish, now: u64) -> Result<Vec<Message>, AwsError> {
        // Most receives of an empty queue find nothing, and need no transaction that writes.
        let is_ready = self
            .store
            .read(|connection| is_ready(connection, queue, now))?;
        if !is_ready {
            return Ok(Vec::new());
        }
        let found = self
            .store
            .write(|transaction| take(transaction, queue, wish, now))?;
        if let Some(target) = found.redriven_to {
            self.arrivals.arrived(&target);
        }
        Ok(found.messages)
    }

    /// When the next message of a queue that was hidden at `now` becomes visible by itself.
    fn next_visible(&self, name: &str, now: u64) -> Result<Option<Instant>, AwsError> {
        let next = self
            .store
            .read(|connection| table::next_visible(connection, name, now))?;
        Ok(next
            .map(|next| Instant::now() + Duration::from_millis(next.saturating_sub(now_millis()))))
    }
}

impl Receive {
    fn wish(&self) -> Result<Wish, AwsError> {
        let most = self.max_number_of_messages.unwrap_or(1);
        if !(1..=10).contains(&most) {
            return Err(invalid_parameter(
                "MaxNumberOfMessages",
                &most.to_string(),
                "Must be between 1 and 10, if provided.",
            ));
        }
        let wait = within("WaitTimeSeconds", self.wait_time_seconds, 20)?;
        let visibility = within("VisibilityTimeout", self.visibility_timeout, 43_200)?;
        Ok(Wish {
            most,
            visibility: visibility.map(|seconds| seconds * 1_000),
            wait: wait.map(Duration::from_secs),
        })
    }
}

fn within(name: &str, value: Option<u64>, most: u64) -> Result<Option<u64>, AwsError> {
    match value {
        Some(number) if number > most => Err(invalid_parameter(
            name,
            &number.to_string(),
            &format!("Must be >= 0 and <= {most}, if provided."),
        )),
        other => Ok(other),
    }
}

/// True if a receiver would get a message.
fn is_ready(connection: &Connection, queue: &Queue, now: u64) -> Result<bool, AwsError> {
    match queue.settings.fifo {
        Some(_) => Ok(groups::next(connection, &queue.name, now, 0)?.is_some()),
        None => table::has_visible(connection, &queue.name, now),
    }
}

/// Takes visible messages. Messages that were received too often go to the dead-letter queue instead.
fn take(
    transaction: &Transaction<'_>,
    queue: &Queue,
    wish: &Wish,
    now: u64,
) -> Result<Found, AwsError> {
    let oldest = now.saturating_sub(queue.settings.retention);
    table::expire(transaction, &queue.name, oldest)?;
    let dead_letters = dead_letter_queue(transaction, queue)?;
    let maximum = dead_letters.as_ref().map(|(_, maximum)| *maximum);
    let (taken, dead) = chosen(transaction, queue, wish.most, maximum, now)?;
    let visible = now + wish.visibility.unwrap_or(queue.settings.visibility);
    let messages = taken.into_iter();
    let messages = messages.map(|stored| hand_out(transaction, queue, stored, now, visible));
    let messages = messages.collect::<Result<_, _>>()?;
    let target = dead_letters.filter(|_| !dead.is_empty());
    let target = target.map(|(target, _)| target);
    let source = arn("sqs", &queue.name);
    for number in dead {
        let target = target.as_deref().unwrap_or_default();
        table::redrive(transaction, number, target, &source, now)?;
    }
    Ok(Found {
        messages,
        redriven_to: target,
    })
}

/// At most `most` messages for a receiver, and the numbers of those before them that were received `maximum` times.
fn chosen(
    transaction: &Transaction<'_>,
    queue: &Queue,
    most: usize,
    maximum: Option<u64>,
    now: u64,
) -> Result<(Vec<Stored>, Vec<i64>), AwsError> {
    let (mut taken, mut dead) = (Vec::new(), Vec::new());
    let choose = |stored: Stored| {
        if maximum.is_some_and(|maximum| stored.receives >= maximum) {
            dead.push(stored.number);
        } else {
            taken.push(stored);
        }
        taken.len() < most
    };
    match queue.settings.fifo {
        Some(_) => groups::available(transaction, &queue.name, now, choose)?,
        None => table::visible(transaction, &queue.name, now, choose)?,
    }
    Ok((taken, dead))
}

/// The name of the dead-letter queue and the number of receives before a message goes there. If the queue was deleted,
/// messages stay where they are.
fn dead_letter_queue(
    transaction: &Transaction<'_>,
    queue: &Queue,
) -> Result<Option<(String, u64)>, AwsError> {
    let Some(redrive) = &queue.settings.redrive else {
        return Ok(None);
    };
    let target = names::queue_of(&redrive.target_arn).unwrap_or_default();
    let target = table::find(transaction, target)?;
    Ok(target.map(|target| (target.name, redrive.maximum)))
}

fn hand_out(
    transaction: &Transaction<'_>,
    queue: &Queue,
    stored: Stored,
    now: u64,
    visible: u64,
) -> Result<Message, AwsError> {
    let receipt = Receipt::new(&queue.name, stored.number);
    table::receive(transaction, stored.number, &receipt.token, now, visible)?;
    let first = stored.first_received.unwrap_or(now);
    let mut attributes = Map::new();
    let known = [
        ("SenderId", Some(ACCOUNT.to_owned())),
        ("SentTimestamp", Some(stored.sent.to_string())),
        (
            "ApproximateReceiveCount",
            Some((stored.receives + 1).to_string()),
        ),
        ("ApproximateFirstReceiveTimestamp", Some(first.to_string())),
        ("AWSTraceHeader", stored.trace),
        ("MessageGroupId", stored.group),
        ("MessageDeduplicationId", stored.deduplication),
        ("SequenceNumber", stored.sequence.map(fifo::sequence_number)),
        ("DeadLetterQueueSourceArn", stored.source),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), value.into());
        }
    }
    Ok(Message {
        id: stored.id,
        receipt: receipt.handle(),
        body: stored.body,
        attributes,
        message_attributes: serde_json::from_str(&stored.attributes).map_err(AwsError::internal)?,
    })
}

/// The names of the attributes that AWS gives to messages. Standard queues never have the last two.
const SYSTEM_NAMES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "AWSTraceHeader",
    "MessageGroupId",
    "DeadLetterQueueSourceArn",
    "SequenceNumber",
    "MessageDeduplicationId",
];

fn check_system_names(names: &[String]) -> Result<(), AwsError> {
    let unknown = names
        .iter()
        .find(|name| !SYSTEM_NAMES.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(unknown_attribute(name)))
}

/// A message as the receiver asked for it.
fn shown(mut message: Message, system: &[String], wanted: &[String]) -> Value {
    message.attributes.retain(|name, _| {
        system
            .iter()
            .any(|wanted| wanted == "All" || wanted == name)
    });
    let body_checksum = message.md5_of_body();
    let own = selected(message.message_attributes, wanted);
    let mut shown = Map::new();
    shown.insert("MessageId".to_owned(), message.id.into());
    shown.insert("ReceiptHandle".to_owned(), message.receipt.into());
    shown.insert("MD5OfBody".to_owned(), body_checksum.into());
    shown.insert("Body".to_owned(), message.body.into());
    if !message.attributes.is_empty() {
        shown.insert("Attributes".to_owned(), message.attributes.into());
    }
    if let Some(checksum) = checksum(&own) {
        shown.insert("MD5OfMessageAttributes".to_owned(), checksum.into());
        shown.insert("MessageAttributes".to_owned(), json!(own));
    }
    shown.into()
}
