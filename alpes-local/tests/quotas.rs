//! The runtime with `--quotas aws`, as clients meet it over HTTP.

#![cfg(test)]

#[path = "rules/wire.rs"]
mod wire;

use std::{path::PathBuf, sync::Arc, time::Instant};

use alpes_local::{options::Options, runtime::Runtime};
use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::wire::{Answer, send};

const TEMPLATE: &str = "
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      AttributeDefinitions:
        - { AttributeName: id, AttributeType: S }
        - { AttributeName: status, AttributeType: S }
      GlobalSecondaryIndexes:
        - IndexName: by-status
          KeySchema: [{ AttributeName: status, KeyType: HASH }]
          Projection: { ProjectionType: ALL }
  Log:
    Type: AWS::Kinesis::Stream
    Properties: { Name: log, ShardCount: 1 }
  Never:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: never
      CodeUri: never.zip
      Handler: bootstrap
      Runtime: provided.al2023
      ReservedConcurrentExecutions: 0
";

struct Server {
    runtime: Arc<Runtime>,
    host: String,
    folder: PathBuf,
}

impl Server {
    async fn start(quotas: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("alpes-quotas-{}", Uuid::new_v4()));
        let code = folder.join("never");
        std::fs::create_dir_all(&code).unwrap();
        std::fs::write(code.join("bootstrap"), "is never started").unwrap();
        let template = folder.join("template.yaml");
        std::fs::write(&template, TEMPLATE).unwrap();
        let words = ["up", "--port", "0", "--quotas", quotas, "--template"].map(str::to_owned);
        let paths = [template, "--artifacts".into(), folder.clone()];
        let paths = paths.map(|path| path.to_str().unwrap().to_owned());
        let options = Options::parse(&[words.as_slice(), &paths].concat()).unwrap();
        let runtime = Runtime::start(options).await.unwrap();
        let host = runtime.endpoint().replace("http://", "");
        Self {
            runtime,
            host,
            folder,
        }
    }

    async fn ask(&self, target: &str, body: &Value) -> Answer {
        let headers = [("x-amz-target", target)];
        let service = if target.starts_with("Kinesis") {
            "kinesis"
        } else {
            "dynamodb"
        };
        send(
            &self.host,
            service,
            Method::POST,
            "/",
            &headers,
            body.to_string(),
        )
        .await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = send(
            &self.host,
            "execute-api",
            Method::GET,
            path,
            &[],
            String::new(),
        )
        .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Puts an item of 400 write units, and returns the code of the refusal.
    async fn put(&self, id: &str, status: &str) -> Option<String> {
        let text = "x".repeat(400 * 1_024 - 100);
        let item = json!({"id": {"S": id}, "status": {"S": status}, "text": {"S": text}});
        let put = json!({"TableName": "orders", "Item": item});
        let answer = self.ask("DynamoDB_20120810.PutItem", &put).await;
        (answer.status != 200).then(|| answer.json()["__type"].as_str().unwrap().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.stop();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_throttled_is_refused_and_counted() {
    let server = Server::start("aws").await;
    let (began, mut stored, mut refused) = (Instant::now(), 0, 0);
    for number in 0..20 {
        match server.put(&number.to_string(), "open").await {
            None => stored += 1,
            Some(code) => {
                assert_eq!(code, "com.amazon.coral.availability#ThrottlingException");
                refused += 1;
            }
        }
    }
    // A thousand units in each second of the clock that has begun meanwhile, and the debt of the last item.
    let seconds = began.elapsed().as_secs() + 2;
    assert!(
        400 * stored <= 1_000 * seconds + 400,
        "{stored} items in {seconds} s"
    );
    assert!(stored >= 3 && refused > 0, "{stored}, {refused}");
    // Another partition of the index is free.
    assert_eq!(server.put("calm", "closed").await, None);

    // The second record does not fit into a shard's second, nor does the third one.
    let record = json!({"PartitionKey": "key", "Data": "AAAA".repeat(200_000)});
    let puts = json!({"StreamName": "log", "Records": [record, record, record]});
    let answer = server
        .ask("Kinesis_20131202.PutRecords", &puts)
        .await
        .json();
    let failed = answer["FailedRecordCount"].as_u64().unwrap();
    assert!(failed > 0, "{answer}");
    let path = "/2015-03-31/functions/never/invocations";
    let invoked = send(
        &server.host,
        "lambda",
        Method::POST,
        path,
        &[],
        "{}".to_owned(),
    )
    .await;
    assert_eq!(invoked.status, 429, "{}", invoked.text());

    let counts = server.get("/_alpes/quotas").await;
    let counts: Vec<_> = counts.as_array().unwrap().iter().collect();
    let seen = counts
        .iter()
        .map(|count| (&count["resource"], &count["work"], &count["count"]));
    let arn = |rest: &str| format!("arn:aws:{rest}").replace("ACCOUNT", "us-east-1:000000000000");
    let expected = [
        (
            arn("dynamodb:ACCOUNT:table/orders/index/by-status"),
            "writes",
            refused,
        ),
        (
            arn("kinesis:ACCOUNT:stream/log/shardId-000000000000"),
            "writes",
            failed,
        ),
        (arn("lambda:ACCOUNT:function:never"), "invocations", 1),
    ]
    .map(|(resource, work, count)| (json!(resource), json!(work), json!(count)));
    let expected: Vec<_> = expected.iter().map(|(a, b, c)| (a, b, c)).collect();
    assert_eq!(seen.collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_nothing_is_throttled() {
    let server = Server::start("none").await;
    for number in 0..20 {
        assert_eq!(server.put(&number.to_string(), "open").await, None);
    }
    assert_eq!(server.get("/_alpes/quotas").await, Value::Null);
}
