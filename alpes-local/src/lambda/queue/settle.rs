//! The consequences of an attempt at an asynchronous invocation.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use uuid::Uuid;

use super::entries::Entry;
use crate::{
    error::AwsError,
    invoke::{Document, Invoked},
    lambda::{pace::Pace, reference::LATEST, spec::FunctionSpec},
    names::function_arn,
    sqs::{MessageAttribute, MessageAttributes, carried},
    time::{at_millis, iso_millis},
};

/// The consequence of an attempt.
#[derive(Debug, PartialEq)]
pub(super) enum Settlement {
    /// The entry is tried again at this time, in milliseconds since 1970, with these counts.
    Again {
        due: u64,
        failures: u32,
        throttles: u32,
    },
    /// The entry is settled, and these records go to their destinations.
    Done(Vec<Record>),
}

/// A record for a destination.
#[derive(Debug, PartialEq)]
pub(super) struct Record {
    /// The destination's ARN.
    pub(super) destination: String,
    pub(super) document: Document,
}

/// Why an entry is settled.
#[derive(Clone, Copy)]
enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
    ZeroReservedConcurrency,
}

/// An attempt at an entry.
pub(super) struct Attempt<'a> {
    pub(super) entry: &'a Entry,
    pub(super) spec: &'a FunctionSpec,
    pub(super) pace: &'a Pace,
    /// The time in milliseconds since 1970.
    pub(super) now: u64,
}

impl Attempt<'_> {
    /// Whether the event is too old for an attempt.
    pub(super) fn is_too_late(&self) -> bool {
        self.is_too_old_at(self.now)
    }

    /// The settlement of an event that is too old for an attempt.
    pub(super) fn too_late(&self) -> Settlement {
        self.done(Condition::EventAgeExceeded, self.entry.failures + 1, None)
    }

    /// The consequence of the result of the attempt.
    pub(super) fn settle(&self, result: &Result<Invoked, AwsError>) -> Settlement {
        match result {
            Ok(invoked) if invoked.failure.is_none() => {
                self.done(Condition::Success, self.entry.failures + 1, Some(invoked))
            }
            Ok(invoked) => self.failed(invoked),
            Err(error) if error.status == 404 => Settlement::Done(vec![]),
            Err(_) => self.throttled(),
        }
    }

    fn failed(&self, invoked: &Invoked) -> Settlement {
        let failures = self.entry.failures + 1;
        if failures > self.spec.asynchronous.max_retries {
            return self.done(Condition::RetriesExhausted, failures, Some(invoked));
        }
        let due = self.after(self.pace.retry.saturating_mul(failures));
        if self.is_too_old_at(due) {
            return self.done(Condition::EventAgeExceeded, failures, Some(invoked));
        }
        Settlement::Again {
            due,
            failures,
            throttles: 0,
        }
    }

    /// The attempt was throttled, or Lambda itself failed.
    fn throttled(&self) -> Settlement {
        let failures = self.entry.failures;
        if self.spec.reserved_concurrency == Some(0) {
            return self.done(Condition::ZeroReservedConcurrency, failures, None);
        }
        let doubled = 1_u32.checked_shl(self.entry.throttles).unwrap_or(u32::MAX);
        let wait = self.pace.throttled.saturating_mul(doubled);
        let due = self.after(wait.min(self.pace.longest_throttled));
        if self.is_too_old_at(due) {
            return self.done(Condition::EventAgeExceeded, failures + 1, None);
        }
        Settlement::Again {
            due,
            failures,
            throttles: self.entry.throttles.saturating_add(1),
        }
    }

    fn after(&self, wait: Duration) -> u64 {
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.now.saturating_add(wait)
    }

    fn is_too_old_at(&self, time: u64) -> bool {
        let longest = u64::from(self.spec.asynchronous.max_age_seconds) * 1_000;
        time.saturating_sub(self.entry.queued) > longest
    }

    fn done(&self, condition: Condition, count: u32, invoked: Option<&Invoked>) -> Settlement {
        let asynchronous = &self.spec.asynchronous;
        let (destination, dead_letter) = match condition {
            Condition::Success => (&asynchronous.on_success, &None),
            _ => (&asynchronous.on_failure, &asynchronous.dead_letter),
        };
        let record = destination.iter().map(|destination| Record {
            destination: destination.clone(),
            document: Document {
                body: self.record(condition, count, invoked).to_string(),
                object_key: object_key(&self.entry.function, self.now),
                attributes: MessageAttributes::new(),
            },
        });
        let event = dead_letter.iter().map(|queue| Record {
            destination: queue.clone(),
            document: Document {
                body: String::from_utf8_lossy(&self.entry.payload).into_owned(),
                object_key: object_key(&self.entry.function, self.now),
                attributes: self.dead_letter_attributes(invoked),
            },
        });
        Settlement::Done(record.chain(event).collect())
    }

    /// The attributes that Lambda gives to an event which it sends to a dead-letter queue.
    fn dead_letter_attributes(&self, invoked: Option<&Invoked>) -> MessageAttributes {
        let (code, message) = match invoked {
            Some(invoked) => ("200", error_message(&invoked.payload)),
            None => ("429", "Rate Exceeded.".to_owned()),
        };
        [
            ("RequestID", MessageAttribute::text(&self.entry.request_id)),
            ("ErrorCode", MessageAttribute::number(code)),
            ("ErrorMessage", MessageAttribute::text(message)),
        ]
        .map(|(name, attribute)| (name.to_owned(), attribute))
        .into()
    }

    /// The function's ARN as the caller named it, or with the version that ran.
    fn qualified_arn(&self) -> String {
        let unqualified = function_arn(&self.entry.function);
        if self.entry.arn == unqualified {
            format!("{unqualified}:{LATEST}")
        } else {
            self.entry.arn.clone()
        }
    }

    fn record(&self, condition: Condition, count: u32, invoked: Option<&Invoked>) -> Value {
        let mut record = json!({
            "version": "1.0",
            "timestamp": iso_millis(self.now),
            "requestContext": {
                "requestId": self.entry.request_id,
                "functionArn": self.qualified_arn(),
                "condition": condition.name(),
                "approximateInvokeCount": count,
            },
            "requestPayload": parsed(&self.entry.payload),
        });
        if let (Some(invoked), Some(record)) = (invoked, record.as_object_mut()) {
            let mut context =
                json!({ "statusCode": 200, "executedVersion": invoked.executed_version });
            if let (Some(_), Some(context)) = (invoked.failure, context.as_object_mut()) {
                context.insert("functionError".to_owned(), "Unhandled".into());
            }
            record.insert("responseContext".to_owned(), context);
            record.insert("responsePayload".to_owned(), parsed(&invoked.payload));
        }
        record
    }
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

/// The key of the object that holds a record, if its destination is a bucket.
fn object_key(function: &str, now: u64) -> String {
    let time = at_millis(now).to_zoned(TimeZone::UTC);
    let time = time.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S");
    format!("aws/lambda/async/{function}/{time}-{}", Uuid::new_v4())
}

/// The message of a function's error, shortened to Lambda's limit for dead letters. Queues refuse some
/// control characters, which are left out, and empty attributes, so `Unhandled` replaces an empty message.
fn error_message(payload: &[u8]) -> String {
    const LIMIT: usize = 1024;
    let error: Value = serde_json::from_slice(payload).unwrap_or_default();
    let message = error.get("errorMessage").and_then(Value::as_str);
    let mut message: String = message
        .unwrap_or_default()
        .chars()
        .filter(|letter| carried(*letter))
        .collect();
    message.truncate(message.floor_char_boundary(LIMIT));
    if message.is_empty() {
        message.push_str("Unhandled");
    }
    message
}

/// A payload as JSON; a text if it is none.
fn parsed(payload: &[u8]) -> Value {
    let text = || Value::from(String::from_utf8_lossy(payload).into_owned());
    serde_json::from_slice(payload).unwrap_or_else(|_| text())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{invoke::Failure, lambda::Code};

    const NOW: u64 = 1_700_000_000_000;

    fn entry(failures: u32, throttles: u32) -> Entry {
        Entry {
            request_id: "id".into(),
            function: "f".into(),
            arn: function_arn("f"),
            payload: Bytes::from_static(b"{\"a\":1}"),
            queued: NOW,
            failures,
            throttles,
        }
    }

    fn spec() -> FunctionSpec {
        let mut spec = FunctionSpec::new("f", Code::Folder("/".into()));
        spec.asynchronous.on_failure = Some("failures".into());
        spec.asynchronous.on_success = Some("successes".into());
        spec
    }

    fn invoked(failure: Option<Failure>) -> Invoked {
        Invoked {
            request_id: "id".into(),
            executed_version: LATEST.into(),
            payload: Bytes::from_static(b"{}"),
            failure,
            log_tail: String::new(),
        }
    }

    fn settle(
        entry: &Entry,
        spec: &FunctionSpec,
        result: &Result<Invoked, AwsError>,
    ) -> Settlement {
        let pace = &Pace::default();
        let now = NOW;
        let attempt = Attempt {
            entry,
            spec,
            pace,
            now,
        };
        attempt.settle(result)
    }

    /// The only record of a settlement: its destination, and the record itself.
    fn record(settlement: Settlement) -> (String, Value) {
        match settlement {
            Settlement::Done(records) => {
                let [record] = &records[..] else {
                    panic!("there should be one record: {records:?}")
                };
                let body = serde_json::from_str(&record.document.body).unwrap();
                (record.destination.clone(), body)
            }
            again @ Settlement::Again { .. } => panic!("there should be a record: {again:?}"),
        }
    }

    #[test]
    fn a_failure_is_tried_twice_again_and_then_recorded() {
        let failed = Ok(invoked(Some(Failure::Error)));
        for (failures, minutes) in [(0, 1), (1, 2)] {
            let again = settle(&entry(failures, 3), &spec(), &failed);
            let due = NOW + minutes * 60_000;
            let failures = failures + 1;
            assert_eq!(
                again,
                Settlement::Again {
                    due,
                    failures,
                    throttles: 0
                }
            );
        }
        let (destination, body) = record(settle(&entry(2, 0), &spec(), &failed));
        assert_eq!(destination, "failures");
        assert_eq!(
            body,
            json!({
                "version": "1.0",
                "timestamp": "2023-11-14T22:13:20.000Z",
                "requestContext": {
                    "requestId": "id",
                    "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
                    "condition": "RetriesExhausted",
                    "approximateInvokeCount": 3,
                },
                "requestPayload": { "a": 1 },
                "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
                "responsePayload": {},
            })
        );
    }

    #[test]
    fn a_dead_letter_says_what_failed() {
        let mut spec = spec();
        spec.asynchronous.on_failure = None;
        spec.asynchronous.dead_letter = Some("letters".into());
        let long = "é".repeat(600);
        let payload = json!({ "errorMessage": format!("\u{0}{long}") });
        let mut failed = invoked(Some(Failure::Error));
        failed.payload = Bytes::from(payload.to_string());
        let mut entry = entry(2, 0);
        let letter = |entry: &Entry, result| match settle(entry, &spec, &result) {
            Settlement::Done(records) => records.into_iter().next().unwrap(),
            again @ Settlement::Again { .. } => panic!("there should be a letter: {again:?}"),
        };
        let attributes = |code, message: &str| {
            MessageAttributes::from([
                ("RequestID".to_owned(), MessageAttribute::text("id")),
                ("ErrorCode".to_owned(), MessageAttribute::number(code)),
                ("ErrorMessage".to_owned(), MessageAttribute::text(message)),
            ])
        };

        let with_message = letter(&entry, Ok(failed));
        assert_eq!(with_message.destination, "letters");
        assert_eq!(with_message.document.body, "{\"a\":1}");
        let kilobyte = &long[..1024];
        assert_eq!(
            with_message.document.attributes,
            attributes("200", kilobyte)
        );
        let without = letter(&entry, Ok(invoked(Some(Failure::Exited))));
        assert_eq!(without.document.attributes, attributes("200", "Unhandled"));
        entry.queued = NOW - 21_600_000;
        let refused = Err(AwsError::of(429, "TooManyRequestsException", ""));
        let throttled = letter(&entry, refused);
        assert_eq!(
            throttled.document.attributes,
            attributes("429", "Rate Exceeded.")
        );
    }

    #[test]
    fn a_success_is_recorded_if_there_is_a_destination() {
        let (_, success) = record(settle(&entry(1, 0), &spec(), &Ok(invoked(None))));
        assert_eq!(success["requestContext"]["condition"], "Success");
        assert_eq!(success["requestContext"]["approximateInvokeCount"], 2);
        assert_eq!(success["responseContext"].get("functionError"), None);
        let mut plain = spec();
        plain.asynchronous.on_success = None;
        assert_eq!(
            settle(&entry(0, 0), &plain, &Ok(invoked(None))),
            Settlement::Done(vec![])
        );
    }

    #[test]
    fn a_throttled_event_waits_longer_each_time_until_it_is_too_old() {
        let refused = Err(AwsError::of(429, "TooManyRequestsException", ""));
        for (throttles, seconds) in [(0, 1), (3, 8), (40, 300)] {
            let again = settle(&entry(1, throttles), &spec(), &refused);
            let (due, failures, throttles) = (NOW + seconds * 1_000, 1, throttles + 1);
            assert_eq!(
                again,
                Settlement::Again {
                    due,
                    failures,
                    throttles
                }
            );
        }
        let mut old = entry(0, 9);
        old.queued = NOW - 21_600_000;
        let (_, old) = record(settle(&old, &spec(), &refused));
        assert_eq!(old["requestContext"]["condition"], "EventAgeExceeded");
        assert_eq!(old.get("responseContext"), None);
        let mut never = spec();
        never.reserved_concurrency = Some(0);
        let (_, never) = record(settle(&entry(0, 0), &never, &refused));
        assert_eq!(
            never["requestContext"]["condition"],
            "ZeroReservedConcurrency"
        );
        let gone = Err(AwsError::of(404, "ResourceNotFoundException", ""));
        assert_eq!(
            settle(&entry(0, 0), &spec(), &gone),
            Settlement::Done(vec![])
        );
    }

    #[test]
    fn a_discarded_event_goes_to_the_dead_letter_queue_as_it_came() {
        let mut entry = entry(2, 0);
        entry.arn = format!("{}:live", function_arn("f"));
        entry.payload = Bytes::from_static(b"{ \"b\": 1, \"a\": 1.50 }");
        let mut spec = spec();
        spec.asynchronous.dead_letter = Some("letters".into());
        let failed = Ok(invoked(Some(Failure::Error)));
        let Settlement::Done(records) = settle(&entry, &spec, &failed) else {
            panic!("it is settled")
        };
        let report: Value = serde_json::from_str(&records[0].document.body).unwrap();
        assert_eq!(
            report["requestContext"]["functionArn"], entry.arn,
            "a report names the alias"
        );
        assert_eq!(records[1].destination, "letters");
        assert_eq!(records[1].document.body, "{ \"b\": 1, \"a\": 1.50 }");
        let success = settle(&entry, &spec, &Ok(invoked(None)));
        assert_eq!(record(success).0, "successes");
    }
}
