//! A client for the `CloudWatch` Logs API of a local runtime or LocalStack, over HTTP. The AWS CLI is not used, because
//! it is a Python program that takes a second of processor time for each call. Requests are not signed, because a
//! runtime that speaks plain HTTP checks no signatures.

use std::collections::{BTreeMap, BTreeSet};

use command_line::visible;
use serde_json::{Value, json};

use crate::{
    failure::{Explain, Result, fail},
    http::send,
    runtime_env::Target,
};

/// The most events in one answer. For further events, the answer has a token.
const PAGE: usize = 10_000;

/// A log event.
pub struct Event {
    pub id: String,
    /// The event's time, in milliseconds of Unix time.
    pub timestamp: i64,
    pub message: String,
}

impl Event {
    fn of(value: &Value) -> Option<Self> {
        let timestamp = value.get("timestamp")?.as_i64()?;
        let message = value.get("message")?.as_str()?.to_owned();
        let id = value.get("eventId").and_then(Value::as_str);
        Some(Self {
            id: id.map_or_else(|| format!("{timestamp} {message}"), str::to_owned),
            timestamp,
            message,
        })
    }
}

/// `CloudWatch` Logs of a runtime.
pub struct Service {
    pub url: String,
    authorization: String,
}

impl Service {
    pub fn of(target: &Target) -> Result<Self> {
        let (key, region) = (target.get("AWS_ACCESS_KEY_ID")?, target.get("AWS_REGION")?);
        // The runtime reads the account and the region from this header.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/logs/aws4_request, SignedHeaders=host, Signature=none"
        );
        Ok(Self {
            url: target.get("AWS_ENDPOINT_URL")?.to_owned(),
            authorization,
        })
    }

    /// The creation time of each of these log groups that exists.
    pub fn groups(&self, names: &BTreeSet<&str>) -> Result<BTreeMap<String, i64>> {
        let mut made = BTreeMap::new();
        let prefix = common(names);
        let mut token = None;
        loop {
            let mut question = json!({ "logGroupNamePrefix": prefix });
            if let Some(token) = &token {
                put(&mut question, "nextToken", Value::clone(token));
            }
            let answer = self.ask("DescribeLogGroups", &question)?;
            let answer = answer.unwrap_or_default();
            for group in items(&answer, "logGroups") {
                let name = group.get("logGroupName").and_then(Value::as_str);
                let time = group.get("creationTime").and_then(Value::as_i64);
                if let Some((name, time)) = name.zip(time)
                    && names.contains(name)
                {
                    made.insert(name.to_owned(), time);
                }
            }
            match next(&answer) {
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                _ => return Ok(made),
            }
        }
    }

    /// The events of a group between two times, both included, oldest first. With `about`, only events that contain
    /// this text.
    pub fn events(
        &self,
        group: &str,
        start: i64,
        end: i64,
        about: Option<&str>,
    ) -> Result<Vec<Event>> {
        let mut events: Vec<Event> = vec![];
        let mut known = BTreeSet::new();
        let mut token = None;
        loop {
            let mut question =
                json!({ "logGroupName": group, "startTime": start.max(0), "limit": PAGE });
            if end != i64::MAX {
                put(&mut question, "endTime", end.into());
            }
            if let Some(about) = about {
                // A term in quotes is matched literally.
                put(
                    &mut question,
                    "filterPattern",
                    format!("\"{about}\"").into(),
                );
            }
            if let Some(token) = &token {
                put(&mut question, "nextToken", Value::clone(token));
            }
            let Some(answer) = self.ask("FilterLogEvents", &question)? else {
                return Ok(events);
            };
            for event in items(&answer, "events").filter_map(Event::of) {
                let is_wanted = about.is_none_or(|about| event.message.contains(about));
                if is_wanted && known.insert(event.id.clone()) {
                    events.push(event);
                }
            }
            match next(&answer) {
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                _ => return Ok(events),
            }
        }
    }

    /// The service's answer; `None` if the log group does not exist.
    fn ask(&self, action: &str, question: &Value) -> Result<Option<Value>> {
        let target = format!("Logs_20140328.{action}");
        let headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("X-Amz-Target", &*target),
            ("Authorization", &*self.authorization),
        ];
        let url = &self.url;
        let answer = send("POST", &format!("{url}/"), &headers, &question.to_string())
            .explain(format!("The logs at {url} cannot be read"))?;
        let said = || format!("{action} at {url} answered {}", answer.status);
        match answer.status {
            200 => serde_json::from_str(&answer.body)
                .map(Some)
                .explain(format!("{} with no JSON", said())),
            _ if answer.body.contains("ResourceNotFound") => Ok(None),
            _ => fail(format!("{}: {}", said(), visible(answer.body.trim()))),
        }
    }
}

/// The longest common prefix of all names.
fn common(names: &BTreeSet<&str>) -> String {
    // The names are sorted, so the common prefix of the first and the last is common to all.
    let ends = names.first().zip(names.last());
    let pairs = ends.map(|(first, last)| first.chars().zip(last.chars()));
    let same = pairs
        .into_iter()
        .flatten()
        .take_while(|(one, other)| one == other);
    same.map(|(letter, _)| letter).collect()
}

fn items<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let items = answer.get(name).and_then(Value::as_array);
    items.into_iter().flatten()
}

fn next(answer: &Value) -> Option<Value> {
    let token = answer.get("nextToken").cloned();
    token.filter(|token| !token.is_null())
}

fn put(question: &mut Value, name: &str, value: Value) {
    if let Some(fields) = question.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_names_begin_with_is_asked_for() {
        let common = |names: &[&str]| common(&names.iter().copied().collect());
        assert_eq!(common(&["/a/http-q", "/a/archiver", "/a/timers"]), "/a/");
        assert_eq!(common(&["/a/timers"]), "/a/timers");
        assert_eq!(common(&[]), "");
    }
}
