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
        let lambda = Lambda::new(store, Arc::default(), logs, "http://127.0.0.1:1".into()).unwrap();
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
    let dead_letter = json!({ "DeadLetterConfig": { "TargetArn": "arn:aws:sqs:::dead" } });
    let settings = format!("{F}/configuration");
    let (_, changed) = api.ask(Method::PUT, &settings, dead_letter.clone()).await;
    assert_eq!(changed["DeadLetterConfig"], dead_letter["DeadLetterConfig"]);
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
    assert_eq!(
        configuration["DeadLetterConfig"]["TargetArn"],
        "arn:aws:sqs:::dead"
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
async fn an_alias_leads_to_a_version_and_is_kept() {
    let api = Api::open(std::env::temp_dir().join(format!("alpes-api-{}", Uuid::new_v4())));
    let mut spec = crate::lambda::FunctionSpec::new(
        "f",
        crate::lambda::Code::ZipBytes(BASE64_STANDARD.decode(zip("one")).unwrap()),
    );
    spec.aliases.insert("live".into(), "1".into());
    api.lambda.put(spec).await.unwrap();
    let Api { folder, lambda } = api;
    drop(lambda);
    let api = Api::open(folder);
    for (name, version) in [("f:live", "1"), ("f:1", "1"), ("f:$LATEST", "$LATEST")] {
        let path = format!("/2015-03-31/functions/{name}/configuration");
        let (status, found) = api.ask(Method::GET, &path, Value::Null).await;
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
        assert_eq!(
            (status, &found["Version"], &found["FunctionArn"]),
            (200, &json!(version), &json!(arn))
        );
    }
    let (_, alias) = api
        .ask(Method::GET, &format!("{F}/aliases/live"), Value::Null)
        .await;
    assert_eq!(alias["FunctionVersion"], "1");
    let (_, aliases) = api
        .ask(Method::GET, &format!("{F}/aliases"), Value::Null)
        .await;
    assert_eq!(aliases["Aliases"], json!([alias]));
    let (_, versions) = api
        .ask(Method::GET, &format!("{F}/versions"), Value::Null)
        .await;
    assert_eq!(versions["Versions"][1]["Version"], "1");
    for (method, path, status) in [
        (Method::GET, format!("{F}/aliases/other"), 404),
        (Method::GET, format!("{F}:other"), 404),
        (Method::PUT, format!("{F}:live/configuration"), 400),
        (Method::PUT, format!("{F}:other/configuration"), 404),
    ] {
        assert_eq!(api.ask(method, &path, json!({})).await.0, status, "{path}");
    }
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
