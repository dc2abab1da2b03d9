//! For tests: an HTTP service that returns one recorded answer of AWS.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;

/// The status, headers and body of a recorded answer.
pub(crate) struct Recorded {
    pub(crate) status: u16,
    /// The names and values of the headers.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) body: &'static str,
}

impl Recorded {
    pub(crate) const fn of(status: u16, body: &'static str) -> Self {
        Self {
            status,
            headers: &[],
            body,
        }
    }

    /// The result of `ask` when the service returns this answer.
    pub(crate) fn answers<T>(&self, ask: impl AsyncFnOnce(SdkConfig) -> T) -> T {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let headers = self.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let headers = headers.concat();
        let answer = format!(
            "HTTP/1.1 {} Recorded\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{}",
            self.status,
            self.body.len(),
            self.body
        );
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut part) = (vec![], [0; 4096]);
            while !is_whole(&request) {
                let length = stream.read(&mut part).unwrap();
                assert!(length > 0, "the request ends early");
                request.extend_from_slice(&part[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let credentials = Credentials::new("key", "secret", None, None, "test");
        let told = run(ask(config(&format!("http://{address}"), Some(credentials))));
        server.join().unwrap();
        told
    }
}

/// The result of `ask` without credentials.
pub(crate) fn without_credentials<T>(ask: impl AsyncFnOnce(SdkConfig) -> T) -> T {
    run(ask(config("http://127.0.0.1:9", None)))
}

fn config(endpoint: &str, credentials: Option<Credentials>) -> SdkConfig {
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .http_client(Builder::new().build_http())
        .retry_config(RetryConfig::disabled());
    config.set_credentials_provider(credentials.map(SharedCredentialsProvider::new));
    config.build()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}

/// True once the head of a request has arrived, and its body with as many bytes as `content-length` says.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim().parse::<usize>().ok()?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    body.len() >= length.unwrap_or(0)
}
