//! The operations that read events.

use serde_json::{Value, json};

use super::{
    Logs,
    file::Position,
    invalid, known_stream,
    operations::{limit, with_token},
    page::{Cursor, Direction, Page, Search},
    pattern::Pattern,
    record::Record,
    requests::{FilterEvents, GetEvents},
};
use crate::error::AwsError;

/// A page has at most this many events.
const EVENTS: usize = 10_000;

/// The group that a request names by its name or ARN.
pub(super) fn group_name<'a>(
    name: Option<&'a str>,
    identifier: Option<&'a str>,
) -> Result<&'a str, AwsError> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => Ok(identifier_name(identifier)),
        _ => Err(invalid(
            "Exactly one of logGroupName and logGroupIdentifier is required",
        )),
    }
}

fn identifier_name(identifier: &str) -> &str {
    let name = identifier.split_once(":log-group:");
    let name = name.map_or(identifier, |(_, name)| name);
    name.strip_suffix(":*").unwrap_or(name)
}

pub(super) fn get_events(logs: &Logs, request: &GetEvents) -> Result<Value, AwsError> {
    let limit = limit(request.limit, EVENTS)?;
    let forward = request.start_from_head;
    let cursor = cursor(request.next_token.as_deref(), forward)?;
    let name = group_name(
        request.log_group_name.as_deref(),
        request.log_group_identifier.as_deref(),
    )?;
    let stream = &request.log_stream_name;
    let search = Search {
        earliest: request.start_time.unwrap_or(0),
        // The end is exclusive here, and inclusive in FilterLogEvents.
        latest: request
            .end_time
            .map_or(u64::MAX, |end| end.saturating_sub(1)),
        streams: &|name| name == stream,
        pattern: &Pattern::default(),
        limit,
        cursor,
    };
    let page = logs.with(name, |group| {
        known_stream(group, stream)?;
        search.run(group.events()?).map_err(AwsError::internal)
    })?;
    Ok(events_answer(page, cursor))
}

/// Both tokens of `GetLogEvents`. At the end of a stream, a token leads to itself.
fn events_answer(mut page: Page, cursor: Cursor) -> Value {
    if cursor.direction == Direction::Backward {
        page.events.reverse();
    }
    let token = |direction, after| Cursor { direction, after }.token();
    let last = page.events.last().map(|(position, _)| *position);
    let first = page.events.first().map(|(position, _)| *position);
    let events = page.events.iter().map(|(_, record)| {
        json!({
            "timestamp": record.millis,
            "message": record.message,
            "ingestionTime": record.ingested,
        })
    });
    json!({
        "events": events.collect::<Vec<_>>(),
        "nextForwardToken": token(Direction::Forward, last.or(cursor.after)),
        "nextBackwardToken": token(Direction::Backward, first.or(cursor.after)),
    })
}

pub(super) fn filter_events(logs: &Logs, request: &FilterEvents) -> Result<Value, AwsError> {
    let limit = limit(request.limit, EVENTS)?;
    let pattern = Pattern::parse(&request.filter_pattern)?;
    let forward = request.start_from_head.unwrap_or(true);
    let cursor = cursor(request.next_token.as_deref(), forward)?;
    if request.log_stream_names.is_some() && request.log_stream_name_prefix.is_some() {
        return Err(invalid(
            "logStreamNames and logStreamNamePrefix exclude each other",
        ));
    }
    let name = group_name(
        request.log_group_name.as_deref(),
        request.log_group_identifier.as_deref(),
    )?;
    let search = Search {
        earliest: request.start_time.unwrap_or(0),
        latest: request.end_time.unwrap_or(u64::MAX),
        streams: &|stream| wanted(request, stream),
        pattern: &pattern,
        limit,
        cursor,
    };
    let page = logs.with(name, |group| {
        for stream in request.log_stream_names.iter().flatten() {
            known_stream(group, stream)?;
        }
        search.run(group.events()?).map_err(AwsError::internal)
    })?;
    let direction = cursor.direction;
    let last = page.events.last().filter(|_| page.more);
    let after = last.map(|(position, _)| Some(*position));
    let token = after.map(|after| Cursor { direction, after }.token());
    let events: Vec<_> = page.events.iter().map(filtered).collect();
    let answer = json!({ "events": events, "searchedLogStreams": [] });
    Ok(with_token(answer, token))
}

fn wanted(request: &FilterEvents, stream: &str) -> bool {
    let names = request.log_stream_names.as_ref();
    let prefix = request.log_stream_name_prefix.as_deref();
    names.is_none_or(|names| names.iter().any(|name| name == stream))
        && stream.starts_with(prefix.unwrap_or_default())
}

fn filtered((position, record): &(Position, Record<'static>)) -> Value {
    json!({
        "logStreamName": record.stream,
        "timestamp": record.millis,
        "message": record.message,
        "ingestionTime": record.ingested,
        "eventId": position.id(),
    })
}

/// Where a page begins. A token has its own direction.
fn cursor(token: Option<&str>, forward: bool) -> Result<Cursor, AwsError> {
    let direction = if forward {
        Direction::Forward
    } else {
        Direction::Backward
    };
    match token {
        None => Ok(Cursor::first(direction)),
        Some(token) => Cursor::parse(token)
            .ok_or_else(|| invalid("nextToken: The specified nextToken is invalid.")),
    }
}
