//! The operations that make, describe and fill log groups.

use rusqlite::params;
use serde_json::{Value, json};

use super::{
    Logs,
    group::{Group, Stream, path},
    group_arn, invalid, known_stream, no_group,
    requests::{
        CreateGroup, DescribeGroups, DescribeStreams, GroupRequest, InputEvent, PutEvents,
        Retention, StreamOrder, StreamRequest, read,
    },
    search,
};
use crate::{
    error::AwsError,
    names::now_millis,
    store::{as_i64, as_u64},
};

/// A page of `Describe…` has at most this many entries.
const DESCRIBED: usize = 50;
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// The days that a retention may have.
const RETENTIONS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// Answers an operation.
pub(super) fn call(logs: &Logs, operation: &str, input: &Value) -> Result<Value, AwsError> {
    match operation {
        "CreateLogGroup" => create_group(logs, &read(input)?),
        "CreateLogStream" => create_stream(logs, &read(input)?),
        "DeleteLogGroup" => delete_group(logs, &read(input)?),
        "DescribeLogGroups" => describe_groups(logs, &read(input)?),
        "DescribeLogStreams" => describe_streams(logs, &read(input)?),
        "PutRetentionPolicy" => put_retention(logs, &read(input)?),
        "PutLogEvents" => put_events(logs, &read(input)?),
        "GetLogEvents" => search::get_events(logs, &read(input)?),
        "FilterLogEvents" => search::filter_events(logs, &read(input)?),
        other => Err(AwsError::client(
            "UnknownOperationException",
            format!("{other} of CloudWatch Logs is not supported by this runtime"),
        )),
    }
}

fn create_group(logs: &Logs, request: &CreateGroup) -> Result<Value, AwsError> {
    if request.log_group_class.as_deref().unwrap_or("STANDARD") != "STANDARD" {
        return Err(invalid("logGroupClass: this runtime has STANDARD only"));
    }
    if !Group::create(&logs.store, &request.log_group_name)? {
        return Err(exists("The specified log group already exists"));
    }
    Ok(json!({}))
}

fn create_stream(logs: &Logs, request: &StreamRequest) -> Result<Value, AwsError> {
    let stream = &request.log_stream_name;
    let made = logs.with(&request.log_group_name, |group| {
        group.add_stream(&logs.store, stream)
    });
    if !made? {
        return Err(exists("The specified log stream already exists"));
    }
    Ok(json!({}))
}

fn delete_group(logs: &Logs, request: &GroupRequest) -> Result<Value, AwsError> {
    if !logs.forget(&request.log_group_name)? {
        return Err(no_group());
    }
    Ok(json!({}))
}

fn put_retention(logs: &Logs, request: &Retention) -> Result<Value, AwsError> {
    let days = request.retention_in_days;
    if !RETENTIONS.contains(&days) {
        return Err(invalid(format!(
            "retentionInDays: {days} is not one of AWS's values"
        )));
    }
    let changed = logs.store.write(|transaction| {
        let sql = "UPDATE logs_groups SET retention = ?2 WHERE name = ?1";
        transaction.execute(sql, params![request.log_group_name, days])
    });
    if changed.map_err(AwsError::from)? == 0 {
        return Err(no_group());
    }
    Ok(json!({}))
}

/// A group, as it is stored.
struct Described {
    name: String,
    created: u64,
    retention: Option<u32>,
}

fn describe_groups(logs: &Logs, request: &DescribeGroups) -> Result<Value, AwsError> {
    let prefix = request.log_group_name_prefix.as_deref();
    let part = request.log_group_name_pattern.as_deref();
    if prefix.is_some() && part.is_some() {
        return Err(invalid(
            "logGroupNamePrefix and logGroupNamePattern exclude each other",
        ));
    }
    let limit = limit(request.limit, DESCRIBED)?;
    let mut groups = stored_groups(logs)?;
    groups.retain(|group| {
        group.name.starts_with(prefix.unwrap_or_default())
            && group.name.contains(part.unwrap_or_default())
            && request
                .next_token
                .as_ref()
                .is_none_or(|token| group.name > *token)
    });
    let token = page_token(&mut groups, limit, |group| group.name.clone());
    let groups: Vec<_> = groups.iter().map(|group| described(logs, group)).collect();
    Ok(with_token(json!({ "logGroups": groups }), token))
}

fn stored_groups(logs: &Logs) -> Result<Vec<Described>, AwsError> {
    let groups = logs.store.read(|connection| {
        let sql = "SELECT name, created, retention FROM logs_groups ORDER BY name";
        let mut select = connection.prepare_cached(sql)?;
        let rows = select.query_map([], |row| {
            Ok(Described {
                name: row.get(0)?,
                created: as_u64(row.get(1)?),
                retention: row.get(2)?,
            })
        })?;
        rows.collect()
    });
    groups.map_err(|error: rusqlite::Error| error.into())
}

fn described(logs: &Logs, group: &Described) -> Value {
    let file = std::fs::metadata(path(&logs.folder, &group.name));
    let arn = group_arn(&group.name);
    let mut value = json!({
        "logGroupName": group.name,
        "creationTime": group.created,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "logGroupClass": "STANDARD",
        "storedBytes": file.map_or(0, |file| file.len()),
    });
    if let (Some(days), Some(object)) = (group.retention, value.as_object_mut()) {
        object.insert("retentionInDays".to_owned(), days.into());
    }
    value
}

fn describe_streams(logs: &Logs, request: &DescribeStreams) -> Result<Value, AwsError> {
    let prefix = request.log_stream_name_prefix.as_deref();
    let by_time = request.order_by == StreamOrder::LastEventTime;
    if prefix.is_some() && by_time {
        return Err(invalid(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let limit = limit(request.limit, DESCRIBED)?;
    let name = search::group_name(
        request.log_group_name.as_deref(),
        request.log_group_identifier.as_deref(),
    )?;
    let mut streams: Vec<(String, Stream)> = logs.with(name, |group| {
        let wanted = |name: &&String| name.starts_with(prefix.unwrap_or_default());
        let streams = group.streams()?.iter().filter(|(name, _)| wanted(name));
        Ok(streams
            .map(|(name, stream)| (name.clone(), *stream))
            .collect())
    })?;
    let rank = |name: &str, stream: &Stream| stream_rank(by_time, name, stream);
    streams.sort_by_cached_key(|(name, stream)| rank(name, stream));
    if request.descending {
        streams.reverse();
    }
    if let Some(token) = &request.next_token {
        let beyond = |rank: String| {
            if request.descending {
                rank < *token
            } else {
                rank > *token
            }
        };
        streams.retain(|(name, stream)| beyond(rank(name, stream)));
    }
    let token = page_token(&mut streams, limit, |(name, stream)| rank(name, stream));
    let arn = group_arn(name);
    let streams = streams.iter();
    let streams: Vec<_> = streams
        .map(|(name, stream)| stream_value(&arn, name, stream))
        .collect();
    Ok(with_token(json!({ "logStreams": streams }), token))
}

/// A text by which streams are sorted, and which is the token of a page that ends with the stream.
fn stream_rank(by_time: bool, name: &str, stream: &Stream) -> String {
    if by_time {
        let last = stream.span.map_or(0, |span| span.last);
        format!("{last:020} {name}")
    } else {
        name.to_owned()
    }
}

fn stream_value(group_arn: &str, name: &str, stream: &Stream) -> Value {
    let mut value = json!({
        "logStreamName": name,
        "creationTime": stream.created,
        "arn": format!("{group_arn}:log-stream:{name}"),
        "storedBytes": stream.span.map_or(0, |span| span.bytes),
    });
    if let (Some(span), Some(object)) = (stream.span, value.as_object_mut()) {
        object.insert("firstEventTimestamp".to_owned(), span.first.into());
        object.insert("lastEventTimestamp".to_owned(), span.last.into());
        object.insert("lastIngestionTime".to_owned(), span.ingested.into());
    }
    value
}

fn put_events(logs: &Logs, request: &PutEvents) -> Result<Value, AwsError> {
    check_batch(&request.log_events)?;
    let now = now_millis();
    let events = &request.log_events;
    let too_old = events.partition_point(|event| event.timestamp.saturating_add(14 * DAY) < now);
    let on_time = events.partition_point(|event| event.timestamp <= now + 2 * HOUR);
    let accepted = events.get(too_old..on_time).unwrap_or_default();
    let accepted = accepted
        .iter()
        .map(|event| (event.timestamp, event.message.as_str()));
    logs.with(&request.log_group_name, |group| {
        known_stream(group, &request.log_stream_name)?;
        group.append(&request.log_stream_name, accepted)
    })?;
    Ok(put_answer(too_old, on_time, events.len()))
}

/// A batch is in order of time, spans at most a day, and has at most 10,000 events and 1 MiB with 26 bytes an event.
fn check_batch(events: &[InputEvent]) -> Result<(), AwsError> {
    let bytes: usize = events.iter().map(|event| event.message.len() + 26).sum();
    if events.is_empty() || events.len() > 10_000 || bytes > 1_048_576 {
        return Err(invalid(
            "logEvents: a batch has 1 to 10,000 events and at most 1,048,576 bytes",
        ));
    }
    if events.iter().any(|event| event.message.is_empty()) {
        return Err(invalid(
            "logEvents: a message must have at least one character",
        ));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        let message = "Log events in a single PutLogEvents request must be in chronological order.";
        return Err(invalid(message));
    }
    let times = events.first().zip(events.last());
    if times.is_some_and(|(first, last)| last.timestamp - first.timestamp > DAY) {
        let message = "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.";
        return Err(invalid(message));
    }
    Ok(())
}

fn put_answer(too_old: usize, on_time: usize, all: usize) -> Value {
    let mut rejected = serde_json::Map::new();
    if too_old > 0 {
        rejected.insert("tooOldLogEventEndIndex".to_owned(), too_old.into());
    }
    if on_time < all {
        rejected.insert("tooNewLogEventStartIndex".to_owned(), on_time.into());
    }
    let token = format!("{:056}", as_i64(now_millis()));
    let mut answer = json!({ "nextSequenceToken": token });
    if let (false, Some(object)) = (rejected.is_empty(), answer.as_object_mut()) {
        object.insert("rejectedLogEventsInfo".to_owned(), rejected.into());
    }
    answer
}

/// The limit of a page, within AWS's bounds.
pub(super) fn limit(asked: Option<usize>, most: usize) -> Result<usize, AwsError> {
    let limit = asked.unwrap_or(most);
    let rule = if limit == 0 {
        "greater than or equal to 1".to_owned()
    } else if limit > most {
        format!("less than or equal to {most}")
    } else {
        return Ok(limit);
    };
    Err(invalid(format!(
        "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value \
         {rule}"
    )))
}

/// Cuts a page, and returns the token of the next one: the rank of the last entry.
fn page_token<T>(
    entries: &mut Vec<T>,
    limit: usize,
    rank: impl Fn(&T) -> String,
) -> Option<String> {
    let more = entries.len() > limit;
    entries.truncate(limit);
    entries.last().filter(|_| more).map(rank)
}

/// Adds the token of the next page to an answer.
pub(super) fn with_token(mut answer: Value, token: Option<String>) -> Value {
    if let (Some(token), Some(object)) = (token, answer.as_object_mut()) {
        object.insert("nextToken".to_owned(), token.into());
    }
    answer
}

fn exists(message: &str) -> AwsError {
    AwsError::client("ResourceAlreadyExistsException", message)
}
