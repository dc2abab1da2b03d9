//! Calls of functions through the front, to services with a store of their own.

use std::{net::SocketAddr, path::PathBuf};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;
use crate::{
    dynamodb::DynamoDb,
    http::{Request, Response, json_answer, json_error},
    kinesis::{Kinesis, Mode},
};

const FUNCTION: &str = "ASIA.role.sell";
const TABLE: &str = "things";

/// A folder of a test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("alpes-chaos-{}", uuid::Uuid::new_v4());
        Self(std::env::temp_dir().join(name))
    }

    fn chaos(&self, seed: u64) -> Arc<Chaos> {
        Chaos::new(seed, &self.0).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// DynamoDB and Kinesis, which answer every request honestly.
struct Honest {
    store: Arc<Store>,
    dynamodb: Arc<DynamoDb>,
    kinesis: Arc<Kinesis>,
}

impl Honest {
    fn new(folder: &Folder) -> Arc<Self> {
        let store = Arc::new(Store::open(&folder.0).unwrap());
        let honest = Self {
            dynamodb: DynamoDb::new(store.clone()).unwrap(),
            kinesis: Kinesis::new(store.clone()).unwrap(),
            store,
        };
        honest.table(TABLE);
        let kinesis = &honest.kinesis;
        kinesis.ensure("s", 1, Mode::Provisioned, 24, &[]).unwrap();
        Arc::new(honest)
    }

    fn table(&self, name: &str) {
        let input = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        });
        self.call("CreateTable", &input);
    }

    fn call(&self, operation: &str, input: &Value) -> Value {
        let answer = self.dynamodb.call(operation, input.to_string().as_bytes());
        serde_json::from_str(&answer.unwrap()).unwrap()
    }

    fn has(&self, id: &str) -> bool {
        let input = json!({"TableName": TABLE, "Key": {"id": {"S": id}}});
        self.call("GetItem", &input).get("Item").is_some()
    }
}

#[async_trait]
impl Handler for Honest {
    async fn handle(&self, request: Request) -> Response {
        let target = request.header("x-amz-target").unwrap();
        let (service, operation) = target.split_once('.').unwrap();
        if service.starts_with("DynamoDB") {
            return self.dynamodb.respond(operation, &request.body);
        }
        let input = serde_json::from_slice(&request.body).unwrap();
        match self.kinesis.call(operation, input) {
            Ok(answer) => json_answer(200, "1.1", &answer),
            Err(error) => json_error("1.1", &error),
        }
    }
}

fn request(key: &str, target: &str, input: &Value) -> Request {
    let service = if target.starts_with("Kinesis") {
        "kinesis"
    } else {
        "dynamodb"
    };
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request, Signature=0"
    );
    let headers = [("authorization", signed.as_str()), ("x-amz-target", target)];
    Request {
        method: http::Method::POST,
        path: "/".to_owned(),
        query: String::new(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect(),
        body: Bytes::from(input.to_string()),
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
    }
}

fn dynamodb(operation: &str, input: &Value) -> Request {
    request(FUNCTION, &format!("DynamoDB_20120810.{operation}"), input)
}

fn put(id: &str) -> Value {
    json!({"TableName": TABLE, "Item": {"id": {"S": id}}})
}

async fn body(response: Response) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap_or_default()
}

#[test]
fn a_seed_fixes_the_decisions_of_each_place_whatever_other_places_ask() {
    let folder = Folder::new();
    let kinds = [Kind::LostReply, Kind::Throttle, Kind::PartialBatch];
    let decisions = |seed, disturbed: bool| -> Vec<Option<Kind>> {
        let chaos = folder.chaos(seed);
        let ask = |_| {
            if disturbed {
                chaos.strikes(Kind::InvokedTwice, "g", "");
                chaos.one_of(&kinds, "other");
            }
            chaos.one_of(&kinds, "place")
        };
        (0..1_000).map(ask).collect()
    };
    assert_eq!(decisions(1, false), decisions(1, true));
    assert_ne!(decisions(1, false), decisions(2, false));
}

#[test]
fn a_place_meets_trouble_at_its_rate_and_at_most_twice_in_a_row() {
    let folder = Folder::new();
    let chaos = folder.chaos(1);
    let kinds = [Kind::StaleRead, Kind::StaleRead];
    let met: Vec<_> = (0..100_000)
        .map(|_| chaos.one_of(&kinds, "place").is_some())
        .collect();
    let longest = met.split(|met| !met).map(<[bool]>::len).max();
    assert_eq!(longest, Some(2));
    let calls: Vec<_> = (0..100_000)
        .map(|_| chaos.plans(Kind::Throttle, "p"))
        .collect();
    let throttled = calls.iter().filter(|throttled| **throttled).count();
    assert!((2_500..3_500).contains(&throttled), "{throttled}");
}

#[tokio::test]
async fn a_lost_reply_did_the_operation_and_a_refusal_did_nothing() {
    let folder = Folder::new();
    let (honest, chaos) = (Honest::new(&folder), folder.chaos(5));
    let front = Front::new(chaos.clone(), honest.clone(), None);
    let transaction = json!({"TransactItems": [{"Put": put("x")}, {"Put": put("y")}]});
    let mut cancelled = 0;
    for number in 0..500 {
        let transacted = front.handle(dynamodb("TransactWriteItems", &transaction));
        let transacted = body(transacted.await).await;
        if transacted["__type"] == "TransactionCanceledException" {
            let codes = &transacted["CancellationReasons"];
            assert_eq!(codes.as_array().unwrap().len(), 2, "{transacted}");
            cancelled += 1;
        }
        let id = format!("id{number}");
        let answer = front.handle(dynamodb("PutItem", &put(&id))).await;
        // Other refusals, for example of the validation, would show as an item that is missing after a success.
        let is_refused = answer.status() == 400;
        assert_eq!(honest.has(&id), !is_refused, "{id}: {}", answer.status());
        assert!(answer.headers().contains_key("date"));
    }
    assert!(cancelled > 0);
    let counts = chaos.counts();
    for kind in [Kind::LostReply, Kind::Throttle, Kind::Conflict] {
        assert!(counts[kind.name()] > 3, "{counts:?}");
    }
}

#[tokio::test]
async fn a_call_of_another_key_is_left_alone() {
    let folder = Folder::new();
    let (honest, chaos) = (Honest::new(&folder), folder.chaos(5));
    let front = Front::new(chaos.clone(), honest, None);
    for number in 0..500 {
        let input = put(&format!("id{number}"));
        let answer = front.handle(request("test", "DynamoDB_20120810.PutItem", &input));
        assert_eq!(answer.await.status(), 200);
    }
    assert_eq!(chaos.counts(), BTreeMap::new());
}

#[tokio::test]
async fn a_part_of_a_batch_is_done_and_the_answer_names_the_other_part() {
    let folder = Folder::new();
    let (honest, chaos) = (Honest::new(&folder), folder.chaos(5));
    let front = Front::new(chaos.clone(), honest.clone(), None);
    let mut left_out = 0;
    for number in 0..200 {
        let ids: Vec<_> = (0..5).map(|part| format!("{number}-{part}")).collect();
        let write = |id: &String| json!({"PutRequest": {"Item": {"id": {"S": id}}}});
        let writes: Vec<_> = ids.iter().map(write).collect();
        let input = json!({"RequestItems": {TABLE: writes}});
        let answer = front.handle(dynamodb("BatchWriteItem", &input)).await;
        if answer.status() != 200 {
            continue;
        }
        let answer = body(answer).await;
        let unprocessed = answer["UnprocessedItems"][TABLE].as_array();
        let unprocessed: Vec<_> = unprocessed.into_iter().flatten().collect();
        left_out += unprocessed.len();
        for id in &ids {
            let is_left = unprocessed.contains(&&write(id));
            assert_eq!(honest.has(id), !is_left, "{id}: {answer}");
        }
        let keys: Vec<_> = ids.iter().map(|id| json!({"id": {"S": id}})).collect();
        let input = json!({"RequestItems": {TABLE: {"Keys": keys}}});
        let answer = front.handle(dynamodb("BatchGetItem", &input)).await;
        if answer.status() == 200 {
            let answer = body(answer).await;
            let found = answer["Responses"][TABLE].as_array().unwrap().len();
            let left = answer["UnprocessedKeys"][TABLE]["Keys"].as_array();
            let left = left.map_or(0, Vec::len);
            let present = ids.iter().filter(|id| honest.has(id)).count();
            assert!(found <= present && present <= found + left, "{answer}");
        }
    }
    assert!(left_out > 10, "{left_out}");
}

#[tokio::test]
async fn a_record_that_failed_is_not_in_the_stream_and_the_others_are() {
    let folder = Folder::new();
    let (honest, chaos) = (Honest::new(&folder), folder.chaos(5));
    let front = Front::new(chaos, honest.clone(), None);
    let (mut written, mut failures) = (vec![], 0);
    for number in 0..150 {
        let datas: Vec<_> = (0..4)
            .map(|part| BASE64_STANDARD.encode(format!("{number}-{part}")))
            .collect();
        let records: Vec<_> = datas
            .iter()
            .map(|data| json!({"PartitionKey": "k", "Data": data}))
            .collect();
        let input = json!({"StreamName": "s", "Records": records});
        let put = request(FUNCTION, "Kinesis_20131202.PutRecords", &input);
        let answer = front.handle(put).await;
        if answer.status() != 200 {
            // A reply that was lost wrote them all, and a throttle none.
            if answer.status() == 500 {
                written.extend(datas);
            }
            continue;
        }
        let answer = body(answer).await;
        let results = answer["Records"].as_array().unwrap();
        assert_eq!(results.len(), 4);
        for (data, result) in datas.into_iter().zip(results) {
            if result.get("ErrorCode").is_some() {
                failures += 1;
            } else {
                assert!(result["SequenceNumber"].is_string());
                written.push(data);
            }
        }
    }
    let shard = honest.kinesis.topology("s").unwrap()[0].id.clone();
    let records = honest
        .kinesis
        .read_after("s", &shard, None, 10_000, 1 << 20);
    let stored = records.unwrap();
    let stored: Vec<_> = stored
        .iter()
        .map(|record| BASE64_STANDARD.encode(&record.data))
        .collect();
    assert_eq!(stored, written);
    assert!(failures > 10, "{failures}");
}

/// The sequence numbers and arrival times in an answer of `GetRecords`.
fn arrivals(answer: &Value) -> Vec<(&str, Duration)> {
    let records = answer["Records"].as_array().unwrap().iter();
    let arrivals = records.map(|record| {
        let seconds = record["ApproximateArrivalTimestamp"].as_f64().unwrap();
        let sequence = record["SequenceNumber"].as_str().unwrap();
        (sequence, Duration::from_secs_f64(seconds))
    });
    arrivals.collect()
}

#[tokio::test]
async fn a_record_has_one_arrival_time_whoever_reads_it() {
    let folder = Folder::new();
    let (honest, chaos) = (Honest::new(&folder), folder.chaos(5));
    let front = Front::new(chaos.clone(), honest.clone(), None);
    for _ in 0..10 {
        let put = json!({"StreamName": "s", "PartitionKey": "k", "Data": "YQ=="});
        honest.kinesis.call("PutRecord", put).unwrap();
    }
    let shard = honest.kinesis.topology("s").unwrap()[0].id.to_string();
    let from = json!({"StreamName": "s", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let from = honest.kinesis.call("GetShardIterator", from).unwrap();
    let read = json!({"ShardIterator": from["ShardIterator"]});
    let stored = honest.kinesis.call("GetRecords", read.clone()).unwrap();
    let stored = arrivals(&stored);
    for key in [FUNCTION, "test"] {
        let answer = front.handle(request(key, "Kinesis_20131202.GetRecords", &read));
        let answer = body(answer.await).await;
        let seen = arrivals(&answer);
        assert_ne!(seen, stored, "{key}");
        for ((sequence, seen), (_, stored)) in seen.iter().zip(&stored) {
            // The mappings ask in milliseconds.
            let millis = u64::try_from(stored.as_millis()).unwrap();
            let of_mappings = Duration::from_millis(chaos.arrival(sequence, millis));
            let apart = seen.abs_diff(of_mappings);
            assert!(apart < Duration::from_millis(2), "{key}: {seen:?}");
        }
    }
}

#[test]
fn a_late_replica_shows_an_earlier_state_and_then_catches_up() {
    let folder = Folder::new();
    let honest = Honest::new(&folder);
    honest.call("PutItem", &put("early"));
    let replica = Replica::new(&honest.store).unwrap().unwrap();
    honest.call("PutItem", &put("late"));
    honest.table("new");
    let get = |table: &str, id: &str| {
        let input = json!({"TableName": table, "Key": {"id": {"S": id}}}).to_string();
        let answer = replica.respond("GetItem", input.as_bytes())?;
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let answer = runtime.unwrap().block_on(body(answer));
        Some(answer.get("Item").is_some())
    };
    assert_eq!(get(TABLE, "early"), Some(true));
    assert_eq!(get(TABLE, "late"), Some(false));
    assert_eq!(get("new", "late"), None, "the table was made later");
    replica.renew().unwrap();
    assert_eq!(get(TABLE, "late"), Some(true));
    assert_eq!(get("new", "late"), Some(false));
    assert!(replica.age() < Duration::from_mins(1));
}

#[tokio::test]
async fn some_reads_of_functions_are_late_and_consistent_ones_never() {
    let folder = Folder::new();
    let (honest, chaos) = (Honest::new(&folder), folder.chaos(5));
    let replica = Replica::new(&honest.store).unwrap();
    let front = Front::new(chaos.clone(), honest.clone(), replica);
    honest.call("PutItem", &put("late"));
    let mut seen = BTreeMap::new();
    for number in 0..400 {
        let consistent = number % 2 == 0;
        let key = json!({"id": {"S": "late"}});
        let input = json!({"TableName": TABLE, "Key": key, "ConsistentRead": consistent});
        let answer = front.handle(dynamodb("GetItem", &input)).await;
        if answer.status() == 200 {
            let found = body(answer).await.get("Item").is_some();
            *seen.entry((consistent, found)).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.get(&(true, false)), None);
    assert!(
        seen[&(false, false)] > 20 && seen[&(false, true)] > 20,
        "{seen:?}"
    );
    let stale = seen[&(false, false)];
    assert_eq!(chaos.counts()["stale-read"], stale);
}

#[test]
fn only_reads_without_consistency_may_be_stale() {
    let may = |operation, input: Value| Replica::may_read(operation, input.to_string().as_bytes());
    assert!(may("GetItem", json!({"TableName": TABLE})));
    assert!(may(
        "Query",
        json!({"TableName": TABLE, "IndexName": "i", "ConsistentRead": false})
    ));
    assert!(!may("GetItem", json!({"ConsistentRead": true})));
    assert!(!may(
        "BatchGetItem",
        json!({"RequestItems": {"a": {}, "b": {"ConsistentRead": true}}})
    ));
    assert!(!may("TransactGetItems", json!({})));
    assert!(!may("PutItem", json!({})));
}
