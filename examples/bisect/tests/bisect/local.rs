//! The runtime with the example's template and the compiled function.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use alpes_local::{
    http::{Handler, Request, Response},
    options::Options,
    runtime::Runtime,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use http_body_util::BodyExt;
use serde_json::Value;
use uuid::Uuid;

use crate::events::Events;

const SIGNED_FOR_S3: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

pub struct Local {
    runtime: Arc<Runtime>,
    folder: PathBuf,
}

impl Local {
    pub async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("bisect-{}", Uuid::new_v4()));
        let code = folder.join("artifacts/bisect");
        fs::create_dir_all(&code).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_bisect"), code.join("bootstrap")).unwrap();
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("template.yaml");
        let options = Options::parse(&[
            "up".into(),
            "--template".into(),
            text(&template),
            "--artifacts".into(),
            text(&folder.join("artifacts")),
            "--port".into(),
            "0".into(),
        ]);
        let runtime = Runtime::start(options.unwrap()).await.unwrap();
        Self { runtime, folder }
    }

    pub async fn kinesis(&self, operation: &str, input: &Value) -> Value {
        let target = format!("Kinesis_20131202.{operation}");
        let headers = [("x-amz-target", target.as_str())];
        let answer = self
            .send(Method::POST, "/", "", &headers, input.to_string())
            .await;
        json(answer).await
    }

    /// The answer of the admin API.
    pub async fn admin(&self, path: &str) -> Value {
        let path = format!("/_alpes/{path}");
        json(self.send(Method::GET, &path, "", &[], String::new()).await).await
    }

    pub async fn events(&self) -> Events {
        let path = "/_alpes/events";
        let answer = self.send(Method::GET, path, "", &[], String::new()).await;
        Events::new(answer.into_body())
    }

    /// The only object of the bucket `refused`, once it is there.
    pub async fn report(&self) -> Value {
        loop {
            let list = self.s3("/refused", "list-type=2").await;
            let list = String::from_utf8(bytes(list).await.to_vec()).unwrap();
            let mut keys = list.split("<Key>").skip(1);
            if let Some(key) = keys.next() {
                assert!(keys.next().is_none(), "there is more than one report");
                let key = key.split("</Key>").next().unwrap();
                return json(self.s3(&format!("/refused/{key}"), "").await).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn s3(&self, path: &str, query: &str) -> Response {
        let headers = [("authorization", SIGNED_FOR_S3)];
        self.send(Method::GET, path, query, &headers, String::new())
            .await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &str,
        headers: &[(&'static str, &str)],
        body: String,
    ) -> Response {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        let request = Request {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.iter().map(header).collect::<HeaderMap>(),
            body: body.into(),
            peer: ([127, 0, 0, 1], 1).into(),
        };
        let answer = self.runtime.handle(request).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer
    }

    /// Ends the functions' processes, and forgets everything.
    pub fn end(self) {
        self.runtime.stop();
        drop(self.runtime);
        fs::remove_dir_all(self.folder).unwrap();
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

async fn bytes(answer: Response) -> Bytes {
    answer.into_body().collect().await.unwrap().to_bytes()
}

async fn json(answer: Response) -> Value {
    serde_json::from_slice(&bytes(answer).await).unwrap()
}
