//! The example on the local runtime: a record that is not JSON ends up alone, and in the bucket.

#![cfg(test)]

mod events;
mod local;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::local::Local;

/// The third record is no JSON.
const DATA: [&str; 4] = [r#"{"id":1}"#, r#"{"id":2}"#, "3 apples", r#"{"id":4}"#];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "retries wait, as on AWS"]
async fn the_record_that_is_not_json_is_refused_alone() {
    let local = Local::start().await;
    let mut events = local.events().await;
    let last = put(&local).await;

    let acts = events.until_checkpoint(&last).await;
    let sizes: Vec<_> = of_kind(&acts, "invoked")
        .map(|act| act["size"].clone())
        .collect();
    // The batch and its bad half are split. The bad record comes twice alone: it has one retry.
    assert_eq!(sizes, [4, 2, 2, 1, 1, 1]);
    let discarded: Vec<_> = of_kind(&acts, "discarded").collect();
    let condition = "RetryAttemptsExhausted";
    assert_eq!(
        discarded,
        [&json!({"act": "discarded", "records": 1, "condition": condition})]
    );

    let report = local.report().await;
    assert_eq!(report["requestContext"]["condition"], condition);
    let payload: Value = serde_json::from_str(report["payload"].as_str().unwrap()).unwrap();
    let records = payload["Records"].as_array().unwrap().iter();
    let data: Vec<_> = records
        .map(|record| decoded(&record["kinesis"]["data"]))
        .collect();
    assert_eq!(data, [DATA[2].as_bytes()]);

    let mappings = local.admin("mappings").await;
    let shard = &mappings[0]["shards"]["shardId-000000000000"];
    assert_eq!(
        (&shard["bisections"], &shard["discarded"], &shard["waiting"]),
        (&json!(2), &json!(1), &json!(0))
    );
    assert_eq!(shard["position"], last.as_str());
    local.end();
}

#[test]
fn the_example_has_fifty_lines_and_the_readme_quotes_it() {
    let sources = [
        include_str!("../../src/main.rs"),
        include_str!("../../template.yaml"),
    ];
    let lines: usize = sources.iter().map(|source| source.lines().count()).sum();
    assert!(lines <= 50, "{lines}");
    let readme = include_str!("../../../../alpes-local/README.md");
    for (language, source) in ["```rust\n", "```yaml\n"].into_iter().zip(sources) {
        let quoted = readme.split_once(language).unwrap().1;
        let quoted = quoted.split("```").next().unwrap();
        assert!(source.contains(quoted), "{quoted}");
    }
}

/// Puts the records, and returns the sequence number of the last one.
async fn put(local: &Local) -> String {
    let records =
        DATA.map(|data| json!({"PartitionKey": "customer", "Data": BASE64_STANDARD.encode(data)}));
    let input = json!({"StreamName": "orders", "Records": records});
    let answer = local.kinesis("PutRecords", &input).await;
    let last = &answer["Records"][DATA.len() - 1]["SequenceNumber"];
    last.as_str().unwrap().to_owned()
}

fn of_kind<'a>(acts: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    acts.iter().filter(move |act| act["act"] == kind)
}

fn decoded(data: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(data.as_str().unwrap()).unwrap()
}
