//! The event of a batch of messages, and the function's answer to it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::sources::Message;
use crate::{input::lower_first, names};

/// The text of a message in an event, as Lambda writes it.
pub(super) fn record(queue: &str, message: &Message) -> String {
    let attributes = message.message_attributes.iter();
    let attributes: Map<_, _> = attributes
        .map(|(name, attribute)| (name.clone(), attribute_of(attribute)))
        .collect();
    let mut record = json!({
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": message.attributes,
        "messageAttributes": attributes,
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": names::REGION,
    });
    if let (Some(md5), Some(record)) = (&message.md5_of_message_attributes, record.as_object_mut())
    {
        record.insert("md5OfMessageAttributes".to_owned(), md5.clone().into());
    }
    record.to_string()
}

/// An attribute as SQS answers it, in the form of events: names in lower case, and the two lists that are always empty.
fn attribute_of(attribute: &Value) -> Value {
    let mut written = Map::new();
    for (name, value) in attribute.as_object().into_iter().flatten() {
        written.insert(lower_first(name), value.clone());
    }
    written.insert("stringListValues".to_owned(), json!([]));
    written.insert("binaryListValues".to_owned(), json!([]));
    written.into()
}

/// An event with these records.
pub(super) fn event<'a>(records: impl Iterator<Item = &'a str>) -> String {
    let records: Vec<_> = records.collect();
    format!("{{\"Records\":[{}]}}", records.join(","))
}

/// The messages that a function with `ReportBatchItemFailures` named as failed; `None` if its answer is a complete
/// failure: it is no JSON, or names something that is not a message of the batch.
pub(super) fn failed<'a>(answer: &[u8], batch: &BTreeSet<&'a str>) -> Option<BTreeSet<&'a str>> {
    if answer.trim_ascii().is_empty() {
        return Some(BTreeSet::new());
    }
    let answer: Value = serde_json::from_slice(answer).ok()?;
    match answer.get("batchItemFailures") {
        None | Some(Value::Null) => Some(BTreeSet::new()),
        Some(Value::Array(failures)) => failures
            .iter()
            .map(|failure| {
                let id = failure.get("itemIdentifier")?.as_str()?;
                batch.get(id).copied()
            })
            .collect(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_as_lambda_does() {
        let attribute = json!({"DataType": "String", "StringValue": "x"});
        let message = Message {
            id: "m".to_owned(),
            receipt: "r".to_owned(),
            body: "b".to_owned(),
            md5_of_body: "5".to_owned(),
            attributes: Map::from_iter([("SenderId".to_owned(), json!("me"))]),
            message_attributes: Map::from_iter([("kind".to_owned(), attribute)]),
            md5_of_message_attributes: Some("6".to_owned()),
        };
        let event = event([record("arn", &message).as_str()].into_iter());
        let event: Value = serde_json::from_str(&event).unwrap();
        let kind = json!({
            "dataType": "String", "stringValue": "x", "stringListValues": [], "binaryListValues": []
        });
        let expected = json!({
            "messageId": "m", "receiptHandle": "r", "body": "b", "md5OfBody": "5",
            "attributes": {"SenderId": "me"}, "messageAttributes": {"kind": kind},
            "md5OfMessageAttributes": "6", "eventSource": "aws:sqs", "eventSourceARN": "arn",
            "awsRegion": "us-east-1"
        });
        assert_eq!(event["Records"], json!([expected]));
    }

    #[test]
    fn answers_name_failed_messages() {
        let batch = BTreeSet::from(["a", "b"]);
        let named = |answer: &str| failed(answer.as_bytes(), &batch);
        for success in [
            "",
            "{}",
            "null",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
        ] {
            assert_eq!(named(success), Some(BTreeSet::new()), "{success}");
        }
        let b = r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#;
        assert_eq!(named(b), Some(BTreeSet::from(["b"])));
        let failures = [
            r#"{"itemIdentifier":"c"}"#,
            r#"{"itemIdentifier":""}"#,
            r#"{"id":"a"}"#,
            "null",
        ];
        for failure in failures {
            assert_eq!(
                named(&format!(r#"{{"batchItemFailures":[{failure}]}}"#)),
                None,
                "{failure}"
            );
        }
        assert_eq!(named("no json"), None);
        assert_eq!(named(r#"{"batchItemFailures":{}}"#), None);
    }
}
