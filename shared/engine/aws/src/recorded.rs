//! For tests: an HTTP service that returns one recorded answer of AWS, and an HTTP client without a network.

use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use sha2::{Digest, Sha256};

use crate::rest;

/// The status, headers and body of a recorded answer.
#[derive(Clone, Copy, Debug)]
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

/// An HTTP client that keeps each request and gives recorded answers in their order. After the last answer, it gives
/// none and waits for ever.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    answers: Arc<Mutex<VecDeque<Recorded>>>,
    requests: Arc<Mutex<Vec<Sent>>>,
}

impl Exchange {
    pub(crate) fn new(answers: &[Recorded]) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            requests: Arc::default(),
        }
    }

    /// A configuration for AWS itself, with this client.
    pub(crate) fn config(&self) -> aws_types::sdk_config::Builder {
        let connector = SharedHttpConnector::new(self.clone());
        let credentials = Credentials::new("AKID", SECRET, Some("token".to_owned()), None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| connector.clone()))
    }

    pub(crate) fn requests(&self) -> Vec<Sent> {
        self.requests.lock().unwrap().clone()
    }

    /// The only request that was sent.
    pub(crate) fn request(&self) -> Sent {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }
}

impl HttpConnector for Exchange {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap().push(Sent::from(&request));
        let Some(answer) = self.answers.lock().unwrap().pop_front() else {
            return HttpConnectorFuture::new(pending());
        };
        let status = answer.status.try_into().unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
        for (name, value) in answer.headers {
            response.headers_mut().append(*name, *value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

const SECRET: &str = "secret";

/// A request that a client has sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl From<&HttpRequest> for Sent {
    fn from(request: &HttpRequest) -> Self {
        let headers = request.headers().iter();
        Self {
            method: request.method().to_owned(),
            url: request.uri().to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: request.body().bytes().unwrap().to_vec(),
        }
    }
}

impl Sent {
    /// The method and the URL.
    pub(crate) fn line(&self) -> (&str, &str) {
        (&self.method, &self.url)
    }

    /// The names of the headers that the signature covers, and the scope of the signature without its date. The
    /// signature is checked by the rules of AWS's page "Create a signed AWS API request".
    pub(crate) fn signed(&self) -> (String, String) {
        let authorization = &self.headers["authorization"];
        let part = |name: &str| {
            let (_, value) = authorization.split_once(&format!("{name}=")).unwrap();
            value.split(',').next().unwrap().to_owned()
        };
        let (names, credential) = (part("SignedHeaders"), part("Credential"));
        let [key, date, region, service, end] = *credential.split('/').collect::<Vec<_>>() else {
            unreachable!("{credential}")
        };
        assert_eq!((key, end), ("AKID", "aws4_request"));

        let (_, url) = self.url.split_once("://").unwrap();
        let (host, uri) = url.split_once('/').unwrap();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        // S3 signs the path as it is sent. The other services sign the path encoded once more.
        let path = match service {
            "s3" => path.to_owned(),
            _ => rest::path(path),
        };
        let mut query: Vec<_> = query.split('&').collect();
        query.sort_unstable();
        let headers = names.split(';').map(|name| match name {
            "host" => format!("host:{host}\n"),
            name => format!("{name}:{}\n", self.headers[name]),
        });
        let headers: String = headers.collect();
        let (query, body) = (query.join("&"), hex(&Sha256::digest(&self.body)));
        let request = format!(
            "{}\n/{path}\n{query}\n{headers}\n{names}\n{body}",
            self.method
        );
        let scope = format!("{date}/{region}/{service}/{end}");
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            self.headers["x-amz-date"],
            hex(&Sha256::digest(&request))
        );
        let key = format!("AWS4{SECRET}").into_bytes();
        let key = [date, region, service, end]
            .iter()
            .fold(key, |key, part| hmac(&key, part));
        assert_eq!(part("Signature"), hex(&hmac(&key, &text)), "{request}");
        (names, format!("{region}/{service}"))
    }
}

/// HMAC with SHA-256, for keys of at most 64 bytes.
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let padded = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(pad, key)| *pad ^= key);
        block
    };
    let inner = Sha256::new_with_prefix(padded(0x36)).chain_update(text);
    let outer = Sha256::new_with_prefix(padded(0x5c)).chain_update(inner.finalize());
    outer.finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

/// The result of `work`, which must come within 20 seconds.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let limited = async { tokio::time::timeout(Duration::from_secs(20), work).await };
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(limited).unwrap()
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
