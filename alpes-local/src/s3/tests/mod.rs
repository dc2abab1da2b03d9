//! Buckets and objects, as clients see them.

mod bodies;
mod objects;
mod uploads;

use std::{net::SocketAddr, path::PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use uuid::Uuid;

use super::*;

/// Buckets in a folder of their own.
struct Buckets {
    s3: S3,
    folder: Folder,
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An answer with its whole body.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The text of the first element of this name.
    fn element(&self, name: &str) -> &str {
        let (_, rest) = self
            .text()
            .split_once(&format!("<{name}>"))
            .unwrap_or(("", "<"));
        rest.split('<').next().unwrap()
    }

    /// The texts of all elements of this name.
    fn elements(&self, name: &str) -> Vec<&str> {
        let begin = format!("<{name}>");
        let parts = self.text().split(&begin).skip(1);
        parts.map(|part| part.split('<').next().unwrap()).collect()
    }
}

fn open(folder: &std::path::Path) -> S3 {
    S3::new(Arc::new(Store::open(folder).unwrap())).unwrap()
}

impl Buckets {
    /// With the bucket `shop`.
    fn new() -> Self {
        let folder = Folder(std::env::temp_dir().join(format!("alpes-s3-{}", Uuid::new_v4())));
        let s3 = open(&folder.0);
        s3.ensure_bucket("shop").unwrap();
        Self { s3, folder }
    }

    fn reopened(self) -> Self {
        let Self { s3, folder } = self;
        drop(s3);
        let s3 = open(&folder.0);
        Self { s3, folder }
    }

    fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let request = request(method, target, headers, body.into());
        let (head, body) = self.s3.serve(&request).into_parts();
        let body = futures(body.collect()).unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    fn get(&self, target: &str) -> Answer {
        self.send(Method::GET, target, &[], "")
    }

    fn put(&self, target: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        self.send(Method::PUT, target, headers, body)
    }

    /// The status and the code of a request that is refused.
    fn refused(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let answer = self.send(method, target, headers, body.to_owned());
        (answer.status, answer.element("Code").to_owned())
    }
}

/// The result of a future that never waits.
fn futures<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn request(method: Method, target: &str, headers: &[(&str, &str)], body: Bytes) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = headers.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.collect(),
        body,
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
    }
}
