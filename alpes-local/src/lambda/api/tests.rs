//! The REST API, but for invocations, which need a program.

use std::{io::Write, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use http_body_util::BodyExt;
use serde_json::json;
use uuid::Uuid;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::{lambda::Lambda, logs::Logs, store::Store};

struct Api {
    folder: PathBuf,
    lambda: Arc<Lambda>,
}

impl Api {
    fn open(folder: PathBuf) -> Self {
        let store = Arc::new(Store::open(&folder).unwrap());
        let logs = Logs::new(store.clone()).unwrap();
        let lambda = Lambda::new(store, logs, "http://127.0.0.1:1".into()).unwrap();
        Self { folder, lambda }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method,
            path: path.into(),
            query: query.into(),
            headers: http::HeaderMap::new(),
            body: if body.is_null() {
                "".into()
            } else {
                body.to_string().into()
            },
            peer: ([127, 0, 0, 1], 1).into(),
        };
        let response = self.lambda.serve(request).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

fn zip(text: &str) -> String {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    writer.start_file("bootstrap", options).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    BASE64_STANDARD.encode(writer.finish().unwrap().into_inner())
}

fn create(name: &str) -> Value {
    json!({
        "FunctionName": name, "Role": "arn:aws:iam::000000000000:role/r", "Handler": "h",
        "Runtime": "provided.al2023", "Code": { "ZipFile": zip("one") }, "Timeout": 7,
        "Environment": { "Variables": { "COLOR": "red" } },
    })
}

const F: &str = "/2015-03-31/functions/f";

#[tokio::test]
async fn a_function_is_made_changed_kept_and_deleted() {
    let api = Api::open(std::env::temp_dir().join(format!("alpes-api-{}", Uuid::new_v4())));
    let (status, made) = api
        .ask(Method::POST, "/2015-03-31/functions", create("f"))
        .await;
    assert_eq!(
        (status, &made["Timeout"], &made["MemorySize"]),
        (201, &json!(7), &json!(128)),
        "{made}"
    );
    let (status, _) = api
        .ask(Method::POST, "/2015-03-31/functions", create("f"))
        .await;
    assert_eq!(status, 409);

    let change = json!({ "MemorySize": 256, "Environment": { "Variables": { "COLOR": "blue" } } });
    let (status, changed) = api
        .ask(Method::PUT, &format!("{F}/configuration"), change)
        .await;
    assert_eq!((status, &changed["Timeout"]), (200, &json!(7)));
    let code = json!({ "ZipFile": zip("two") });
    let (_, recoded) = api.ask(Method::PUT, &format!("{F}/code"), code).await;
    assert_ne!(recoded["CodeSha256"], made["CodeSha256"]);
    assert_eq!(recoded["LastUpdateStatus"], "InProgress");
    let (_, updated) = api
        .ask(Method::GET, &format!("{F}/configuration"), Value::Null)
        .await;
    assert_eq!(updated["LastUpdateStatus"], "Successful");
    let concurrency = json!({ "ReservedConcurrentExecutions": 3 });
    let path = "/2017-10-31/functions/f/concurrency";
    assert_eq!(
        api.ask(Method::PUT, path, concurrency.clone()).await,
        (200, concurrency)
    );
    let path = "/2019-09-25/functions/f/event-invoke-config";
    assert_eq!(api.ask(Method::GET, path, Value::Null).await.0, 404);
    let invoke = json!({ "MaximumRetryAttempts": 0, "DestinationConfig": { "OnFailure": { "Destination": "arn:aws:sqs:::q" } } });
    assert_eq!(api.ask(Method::PUT, path, invoke).await.0, 200);

    let Api { folder, lambda } = api;
    drop(lambda);
    let api = Api::open(folder);
    let arn = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af?Qualifier=$LATEST";
    let (status, got) = api.ask(Method::GET, arn, Value::Null).await;
    assert_eq!(
        (status, &got["Concurrency"]["ReservedConcurrentExecutions"]),
        (200, &json!(3))
    );
    let configuration = &got["Configuration"];
    assert_eq!(configuration["Environment"]["Variables"]["COLOR"], "blue");
    assert_eq!(configuration["CodeSha256"], recoded["CodeSha256"]);
    assert_eq!(
        configuration["FunctionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"
    );
    let path = "/2019-09-25/functions/f/event-invoke-config";
    let (_, invoke) = api.ask(Method::GET, path, Value::Null).await;
    assert_eq!(
        invoke["DestinationConfig"]["OnFailure"]["Destination"],
        "arn:aws:sqs:::q"
    );

    assert_eq!(api.ask(Method::DELETE, F, Value::Null).await.0, 204);
    let (status, error) = api.ask(Method::GET, F, Value::Null).await;
    assert_eq!(
        (status, &error["__type"]),
        (404, &json!("ResourceNotFoundException"))
    );
    std::fs::remove_dir_all(&api.folder).unwrap();
}

#[tokio::test]
async fn what_is_not_supported_is_refused_by_name() {
    let api = Api::open(std::env::temp_dir().join(format!("alpes-api-{}", Uuid::new_v4())));
    api.ask(Method::POST, "/2015-03-31/functions", create("f"))
        .await;
    let code = format!("{F}/code");
    let settings = format!("{F}/configuration");
    let cases = [
        (
            Method::PUT,
            code.as_str(),
            json!({ "S3Bucket": "b", "S3Key": "k" }),
            "S3Bucket",
        ),
        (
            Method::PUT,
            &code,
            json!({ "ZipFile": zip("x"), "Publish": true }),
            "Publish",
        ),
        (
            Method::PUT,
            &settings,
            json!({ "VpcConfig": {} }),
            "VpcConfig",
        ),
        (
            Method::PUT,
            &settings,
            json!({ "Timeout": 1_000 }),
            "timeout",
        ),
        (
            Method::PUT,
            &settings,
            json!({ "RevisionId": "old" }),
            "Revision Id",
        ),
        (
            Method::POST,
            "/2015-03-31/functions/f/versions",
            Value::Null,
            "not supported",
        ),
        (
            Method::GET,
            "/2015-03-31/functions/f:live",
            Value::Null,
            "function:f:live",
        ),
        (
            Method::PUT,
            "/2017-10-31/functions/f/concurrency",
            json!({ "ReservedConcurrentExecutions": 901 }),
            "Unreserved",
        ),
    ];
    for (method, path, body, word) in cases {
        let (status, error) = api.ask(method, path, body).await;
        let message = error["message"].as_str().unwrap_or_default();
        assert!(
            (400..500).contains(&status) && message.contains(word),
            "{path}: {status} {error}"
        );
    }
    for name in ["a", "b"] {
        api.ask(Method::POST, "/2015-03-31/functions", create(name))
            .await;
    }
    let (_, page) = api
        .ask(
            Method::GET,
            "/2015-03-31/functions/?MaxItems=2",
            Value::Null,
        )
        .await;
    assert_eq!(
        (
            page["Functions"].as_array().unwrap().len(),
            &page["NextMarker"]
        ),
        (2, &json!("b"))
    );
    let (_, page) = api
        .ask(Method::GET, "/2015-03-31/functions/?Marker=b", Value::Null)
        .await;
    assert_eq!(
        (&page["Functions"][0]["FunctionName"], &page["NextMarker"]),
        (&json!("f"), &Value::Null)
    );
    std::fs::remove_dir_all(&api.folder).unwrap();
}
