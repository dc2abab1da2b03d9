//! Consumers with enhanced fan-out.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Kinesis,
    errors::{in_use, invalid_argument, limit_exceeded, not_found},
    fields::{ARN, Fields, NAME, TOKEN},
    find_stream,
    number::Number,
    stream::{Stream, stream_arn},
    streams::stream_by_arn,
    tags, token,
};
use crate::{
    error::AwsError,
    input::{put, seconds},
    names::ACCOUNT,
    time::at_millis,
};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS kinesis_consumers (
    stream INTEGER NOT NULL,
    name TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (stream, name)
) WITHOUT ROWID;
";

/// The most consumers of a stream.
const LIMIT: usize = 20;
const MOST_LISTED: u32 = 100;
/// The status that AWS answers to a registration. The consumer can read at once all the same.
const CREATING: &str = "CREATING";
const ACTIVE: &str = "ACTIVE";

struct Consumer {
    name: String,
    created: Number,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct NextConsumers {
    stream_of_consumers: String,
    after_consumer: String,
    issued: u64,
}

impl Kinesis {
    pub(super) fn register_consumer(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamARN", "ConsumerName", "Tags"])?;
        let stream = stream_by_arn(fields)?;
        let name = fields.required_text("ConsumerName", &NAME)?;
        let tags = tags::read(fields)?;
        let streams = self.streams();
        let stream = find_stream(&streams, stream)?;
        let consumer = self.store.write(|transaction| {
            let consumer = self.register(transaction, stream, name)?;
            tags::add(transaction, &consumer.arn(&stream.name), &tags)?;
            Ok::<_, AwsError>(consumer)
        })?;
        Ok(json!({ "Consumer": consumer.describe(&stream.name, CREATING) }))
    }

    fn register(
        &self,
        transaction: &Transaction<'_>,
        stream: &Stream,
        name: &str,
    ) -> Result<Consumer, AwsError> {
        let known = names(transaction, stream.id)?;
        if known.iter().any(|known| known == name) {
            let arn = stream.arn();
            return Err(in_use(format!(
                "Consumer {name} under stream {arn} already exists for account {ACCOUNT}."
            )));
        }
        if known.len() >= LIMIT {
            return Err(limit_exceeded(format!(
                "Stream {} under account {ACCOUNT} has {LIMIT} consumers, which is the limit.",
                stream.name
            )));
        }
        let consumer = Consumer {
            name: name.to_owned(),
            created: self.numbers.next(self.now()),
        };
        transaction.execute(
            "INSERT INTO kinesis_consumers (stream, name, created) VALUES (?1, ?2, ?3)",
            params![stream.id, consumer.name, consumer.created],
        )?;
        Ok(consumer)
    }

    /// Registers those of the consumers that the stream does not have.
    pub(super) fn ensure_consumers(&self, stream: &str, wanted: &[String]) -> Result<(), AwsError> {
        let streams = self.streams();
        let stream = find_stream(&streams, stream)?;
        self.store.write(|transaction| {
            let known = names(transaction, stream.id)?;
            for name in wanted.iter().filter(|name| !known.contains(name)) {
                self.register(transaction, stream, name)?;
            }
            Ok(())
        })
    }

    pub(super) fn deregister_consumer(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        let (stream, name) = named_consumer(fields)?;
        let streams = self.streams();
        let id = find_stream(&streams, &stream)?.id;
        self.store.write(|transaction| {
            let consumer = find(transaction, id, &name)?;
            check_arn(fields, &consumer, &stream)?;
            tags::forget(transaction, &consumer.arn(&stream))?;
            transaction.execute(
                "DELETE FROM kinesis_consumers WHERE stream = ?1 AND name = ?2",
                params![id, name],
            )?;
            Ok::<_, AwsError>(())
        })?;
        Ok(json!({}))
    }

    pub(super) fn describe_consumer(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        let (stream, name) = named_consumer(fields)?;
        let streams = self.streams();
        let id = find_stream(&streams, &stream)?.id;
        let consumer = self.store.read(|connection| find(connection, id, &name))?;
        check_arn(fields, &consumer, &stream)?;
        let mut description = consumer.describe(&stream, ACTIVE);
        put(&mut description, "StreamARN", stream_arn(&stream));
        Ok(json!({ "ConsumerDescription": description }))
    }

    pub(super) fn list_consumers(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&[
            "StreamARN",
            "NextToken",
            "MaxResults",
            "StreamCreationTimestamp",
        ])?;
        let name = stream_by_arn(fields)?;
        self.check_created(fields, name)?;
        let limit = fields
            .number("MaxResults", 1..=10_000)?
            .unwrap_or(MOST_LISTED)
            .min(MOST_LISTED);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let after = match fields.text("NextToken", &TOKEN)? {
            Some(token) => self.consumer_in(token, name)?,
            None => String::new(),
        };
        let streams = self.streams();
        let id = find_stream(&streams, name)?.id;
        let mut consumers = self.store.read(|connection| all(connection, id))?;
        consumers.retain(|consumer| consumer.name > after);
        let more = consumers.len() > limit;
        consumers.truncate(limit);
        let described: Vec<_> = consumers
            .iter()
            .map(|consumer| consumer.describe(name, ACTIVE))
            .collect();
        let mut answer = json!({ "Consumers": described });
        if let Some(last) = consumers.last().filter(|_| more) {
            let next = NextConsumers {
                stream_of_consumers: name.to_owned(),
                after_consumer: last.name.clone(),
                issued: self.now(),
            };
            put(&mut answer, "NextToken", token::seal(&next)?);
        }
        Ok(answer)
    }

    fn consumer_in(&self, token: &str, stream: &str) -> Result<String, AwsError> {
        let next: Option<NextConsumers> = token::open(token);
        let next = next.filter(|next| next.stream_of_consumers == stream);
        let next = next.ok_or_else(|| invalid_argument("Invalid NextToken."))?;
        token::check_age(next.issued, self.now())?;
        Ok(next.after_consumer)
    }
}

impl Consumer {
    fn arn(&self, stream: &str) -> String {
        let created = self.created.millis() / 1000;
        format!("{}/consumer/{}:{created}", stream_arn(stream), self.name)
    }

    fn describe(&self, stream: &str, status: &str) -> Value {
        json!({
            "ConsumerName": self.name,
            "ConsumerARN": self.arn(stream),
            "ConsumerStatus": status,
            "ConsumerCreationTimestamp": seconds(at_millis(self.created.millis())),
        })
    }
}

/// The stream and the consumer that a request names by `ConsumerARN`, or by `StreamARN` and `ConsumerName`.
fn named_consumer(fields: &Fields<'_>) -> Result<(String, String), AwsError> {
    fields.only(&["StreamARN", "ConsumerName", "ConsumerARN"])?;
    let name = fields.text("ConsumerName", &NAME)?;
    let Some(arn) = fields.text("ConsumerARN", &ARN)? else {
        let stream = stream_by_arn(fields)?;
        return Ok((
            stream.to_owned(),
            fields.required("ConsumerName", name)?.to_owned(),
        ));
    };
    let (stream, consumer) = in_arn(arn).ok_or_else(|| no_consumer(arn))?;
    let same_stream = !fields.has("StreamARN") || stream_by_arn(fields)? == stream;
    if !same_stream || name.is_some_and(|name| name != consumer) {
        return Err(invalid_argument(
            "ConsumerARN names another consumer than StreamARN and ConsumerName.",
        ));
    }
    Ok((stream.to_owned(), consumer.to_owned()))
}

/// The names of the stream and the consumer in an ARN.
fn in_arn(arn: &str) -> Option<(&str, &str)> {
    let names = arn.strip_prefix(&stream_arn(""))?;
    let (stream, consumer) = names.split_once("/consumer/")?;
    let (consumer, _) = consumer.rsplit_once(':')?;
    Some((stream, consumer))
}

/// AWS's error if the request's ARN is that of an earlier consumer with this name.
fn check_arn(fields: &Fields<'_>, consumer: &Consumer, stream: &str) -> Result<(), AwsError> {
    match fields.text("ConsumerARN", &ARN)? {
        Some(arn) if arn != consumer.arn(stream) => Err(no_consumer(arn)),
        _ => Ok(()),
    }
}

fn no_consumer(name: &str) -> AwsError {
    not_found(format!("Consumer {name}, account {ACCOUNT} not found."))
}

/// True if this is the ARN of a registered consumer of a stream.
pub(super) fn exists(
    connection: &Connection,
    stream: &Stream,
    consumer_arn: &str,
) -> Result<bool, AwsError> {
    let known = all(connection, stream.id)?;
    Ok(known
        .iter()
        .any(|consumer| consumer.arn(&stream.name) == consumer_arn))
}

fn find(connection: &Connection, stream: Number, name: &str) -> Result<Consumer, AwsError> {
    let found = connection.query_row(
        "SELECT name, created FROM kinesis_consumers WHERE stream = ?1 AND name = ?2",
        params![stream, name],
        consumer_of,
    );
    found.optional()?.ok_or_else(|| no_consumer(name))
}

/// The names of a stream's consumers, in order.
pub(super) fn names(connection: &Connection, stream: Number) -> rusqlite::Result<Vec<String>> {
    let consumers = all(connection, stream)?;
    Ok(consumers
        .into_iter()
        .map(|consumer| consumer.name)
        .collect())
}

fn all(connection: &Connection, stream: Number) -> rusqlite::Result<Vec<Consumer>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, created FROM kinesis_consumers WHERE stream = ?1 ORDER BY name",
    )?;
    let consumers = statement.query_map([stream], consumer_of)?;
    consumers.collect()
}

fn consumer_of(row: &Row<'_>) -> rusqlite::Result<Consumer> {
    Ok(Consumer {
        name: row.get(0)?,
        created: row.get(1)?,
    })
}

/// Deletes all consumers of a stream.
pub(super) fn delete_all(transaction: &Transaction<'_>, stream: Number) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM kinesis_consumers WHERE stream = ?1", [stream])?;
    Ok(())
}
