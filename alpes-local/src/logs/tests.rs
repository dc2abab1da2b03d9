//! The API of the log groups, and what is there again after the store is opened anew.

use std::path::Path;

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::names::now_millis;

fn open(folder: &Path) -> Arc<Logs> {
    Logs::new(Arc::new(Store::open(folder).unwrap())).unwrap()
}

/// A folder of its own, removed with its value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("alpes-logs-{}", Uuid::new_v4())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn messages(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().unwrap();
    let messages = events
        .iter()
        .map(|event| event["message"].as_str().unwrap());
    messages.collect()
}

#[test]
fn events_are_found_in_order_of_time_page_by_page() {
    let folder = Folder::new();
    let logs = open(&folder.0);
    for (stream, millis, message) in [
        ("a", 30, "c\n"),
        ("b", 10, "a\n"),
        ("a", 20, "b\n"),
        ("b", 20, "b2\n"),
    ] {
        logs.append("/aws/lambda/f", stream, millis, message)
            .unwrap();
    }
    let mut request = json!({ "logGroupName": "/aws/lambda/f", "limit": 3 });
    let page = logs.call("FilterLogEvents", &request).unwrap();
    assert_eq!(messages(&page), ["a\n", "b\n", "b2\n"]);
    request["nextToken"] = page["nextToken"].clone();
    let page = logs.call("FilterLogEvents", &request).unwrap();
    assert_eq!(messages(&page), ["c\n"]);
    assert_eq!(page.get("nextToken"), None);

    let request = json!({
        "logGroupIdentifier": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*",
        "logStreamNames": ["a"], "startTime": 20, "endTime": 30, "filterPattern": "\"b\""
    });
    assert_eq!(
        messages(&logs.call("FilterLogEvents", &request).unwrap()),
        ["b\n"]
    );
    let request = json!({ "logGroupName": "/aws/lambda/f", "startFromHead": false, "limit": 2 });
    assert_eq!(
        messages(&logs.call("FilterLogEvents", &request).unwrap()),
        ["c\n", "b2\n"]
    );
}

#[test]
fn a_reader_follows_a_stream_with_its_tokens() {
    let folder = Folder::new();
    let logs = open(&folder.0);
    for millis in 1..=3 {
        logs.append("g", "s", millis, &millis.to_string()).unwrap();
    }
    let mut request = json!({ "logGroupName": "g", "logStreamName": "s", "limit": 2 });
    let page = logs.call("GetLogEvents", &request).unwrap();
    assert_eq!(
        messages(&page),
        ["2", "3"],
        "the latest events, in order of time"
    );
    let forward = page["nextForwardToken"].clone();
    request["nextToken"] = page["nextBackwardToken"].clone();
    assert_eq!(
        messages(&logs.call("GetLogEvents", &request).unwrap()),
        ["1"]
    );
    request["nextToken"] = forward.clone();
    let page = logs.call("GetLogEvents", &request).unwrap();
    assert!(messages(&page).is_empty());
    assert_eq!(
        page["nextForwardToken"], forward,
        "the token of the end leads to itself"
    );
    logs.append("g", "s", 4, "4").unwrap();
    assert_eq!(
        messages(&logs.call("GetLogEvents", &request).unwrap()),
        ["4"]
    );
}

#[test]
fn everything_is_there_again_and_a_torn_line_is_not() {
    let folder = Folder::new();
    let request = json!({ "logGroupName": "g" });
    let before = {
        let logs = open(&folder.0);
        logs.call("CreateLogGroup", &request).unwrap();
        let stream = json!({ "logGroupName": "g", "logStreamName": "empty" });
        logs.call("CreateLogStream", &stream).unwrap();
        let policy = json!({ "logGroupName": "g", "retentionInDays": 7 });
        logs.call("PutRetentionPolicy", &policy).unwrap();
        logs.append("g", "s", 5, "one\ntwo").unwrap();
        logs.call("FilterLogEvents", &request).unwrap()
    };
    let path = folder.0.join("logs/g.log");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("2026-01-01T00:00:00.000Z\t+0\ts\ttorn");
    std::fs::write(&path, text).unwrap();

    let logs = open(&folder.0);
    assert_eq!(logs.call("FilterLogEvents", &request).unwrap(), before);
    logs.append("g", "s", 6, "next").unwrap();
    assert_eq!(
        messages(&logs.call("FilterLogEvents", &request).unwrap()),
        ["one\ntwo", "next"]
    );
    let groups = logs.call("DescribeLogGroups", &json!({})).unwrap();
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 7);
    let streams = logs.call("DescribeLogStreams", &request).unwrap();
    assert_eq!(streams["logStreams"][0]["logStreamName"], "empty");
    assert_eq!(streams["logStreams"][1]["lastEventTimestamp"], 6);

    logs.call("DeleteLogGroup", &request).unwrap();
    let error = logs.call("FilterLogEvents", &request).unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
    logs.call("CreateLogGroup", &request).unwrap();
    assert!(messages(&logs.call("FilterLogEvents", &request).unwrap()).is_empty());
}

#[test]
fn put_log_events_follows_the_rules_of_a_batch() {
    let folder = Folder::new();
    let logs = open(&folder.0);
    let now = now_millis();
    let put = |events: Value| {
        let request = json!({ "logGroupName": "g", "logStreamName": "s", "logEvents": events });
        logs.call("PutLogEvents", &request)
    };
    let one = json!([{ "timestamp": now, "message": "m" }]);
    assert_eq!(
        put(one.clone()).unwrap_err().code,
        "ResourceNotFoundException"
    );
    logs.append("g", "s", now, "first").unwrap();
    assert_eq!(put(one).unwrap().get("rejectedLogEventsInfo"), None);
    let latest = put(json!([{ "timestamp": u64::MAX, "message": "m" }])).unwrap();
    assert_eq!(
        latest["rejectedLogEventsInfo"]["tooNewLogEventStartIndex"],
        0
    );
    let unordered =
        json!([{ "timestamp": now, "message": "m" }, { "timestamp": 1, "message": "m" }]);
    assert_eq!(
        put(unordered).unwrap_err().code,
        "InvalidParameterException"
    );
    let future = json!([{ "timestamp": now, "message": "m" }, { "timestamp": now + 3 * 3_600_000, "message": "m" }]);
    let answer = put(future).unwrap();
    assert_eq!(
        answer["rejectedLogEventsInfo"]["tooNewLogEventStartIndex"],
        1
    );
    let unknown = json!({ "logGroupName": "g", "logStreamName": "s", "color": 1 });
    let error = logs.call("GetLogEvents", &unknown).unwrap_err();
    assert!(error.message.contains("color"), "{error}");
}

#[test]
fn groups_are_described_page_by_page() {
    let folder = Folder::new();
    let logs = open(&folder.0);
    for name in ["b", "a/2", "a/1"] {
        logs.call("CreateLogGroup", &json!({ "logGroupName": name }))
            .unwrap();
    }
    let page = logs
        .call(
            "DescribeLogGroups",
            &json!({ "logGroupNamePrefix": "a", "limit": 1 }),
        )
        .unwrap();
    assert_eq!(page["logGroups"][0]["logGroupName"], "a/1");
    let request = json!({ "logGroupNamePrefix": "a", "limit": 1, "nextToken": page["nextToken"] });
    let page = logs.call("DescribeLogGroups", &request).unwrap();
    assert_eq!(page["logGroups"][0]["logGroupName"], "a/2");
    assert_eq!(page.get("nextToken"), None);
    let twice = logs
        .call("CreateLogGroup", &json!({ "logGroupName": "b" }))
        .unwrap_err();
    assert_eq!(twice.code, "ResourceAlreadyExistsException");
    let bad = logs
        .call("CreateLogGroup", &json!({ "logGroupName": "a b" }))
        .unwrap_err();
    assert_eq!(bad.code, "InvalidParameterException");
}
