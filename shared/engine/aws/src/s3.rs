//! Objects on S3.

use alpes_ports::{KeyRange, ObjectError, Objects};
use async_trait::async_trait;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::{ErrorMetadata, metadata::ProvideErrorMetadata};
use aws_smithy_xml::decode::{Document, XmlDecodeError, try_data};

use crate::{
    error::{OF_S3, sorted},
    rest::{self, Answer, Request, Rest, Service},
};

const S3: Service = Service {
    name: "s3",
    id: "S3",
    dual_stack: Some("dualstack"),
    signs_path_as_sent: true,
    transient: &["InternalError"],
    error,
};

/// An S3 bucket.
pub struct S3Objects {
    rest: Rest,
    /// The path before each key. The path is empty if the bucket's name is in the host name.
    folder: String,
}

impl S3Objects {
    /// The bucket named `bucket`.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, bucket: &str) -> Self {
        let in_path = format!("/{}", rest::segment(bucket));
        let (url, folder) = if let Some(url) = S3.endpoint_url(config) {
            // An emulator has one address for all buckets, so the bucket's name is in the path.
            (url, in_path)
        } else if is_label(bucket) {
            (
                format!("https://{bucket}.{}", S3.host(config)),
                String::new(),
            )
        } else {
            // S3's certificate covers one label before S3's own name, so a name with dots stays in the path.
            (format!("https://{}", S3.host(config)), in_path)
        };
        Self {
            rest: Rest::new(config, &S3, &url),
            folder,
        }
    }

    /// The request about one object.
    fn about(&self, method: &'static str, key: &str) -> Result<Request, ObjectError> {
        if key.is_empty() {
            // Without a key, the request would be about the bucket.
            return Err(ObjectError::Refused("a key is empty".to_owned()));
        }
        let uri = format!("{}/{}", self.folder, rest::path(key));
        Ok(Request::new(method, uri))
    }

    async fn send(&self, request: Request) -> Result<Answer, ObjectError> {
        let sent = self.rest.send(request).await;
        sent.map_err(|error| object_error(&error))
    }
}

/// Whether a bucket's name can be a label of a host name.
fn is_label(bucket: &str) -> bool {
    let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = bucket.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.first().is_some_and(is_alphanumeric)
        && bytes.last().is_some_and(is_alphanumeric)
        && bytes
            .iter()
            .all(|byte| is_alphanumeric(byte) || *byte == b'-')
}

fn object_error(error: &rest::Error) -> ObjectError {
    sorted(error, OF_S3, ObjectError::Refused, ObjectError::Unavailable)
}

/// An error of S3 has its code and its message in the body. An answer without XML gives no code.
fn error(response: &HttpResponse) -> ErrorMetadata {
    let body = response.body().bytes().unwrap_or_default();
    described(body).unwrap_or_default()
}

fn described(body: &[u8]) -> Result<ErrorMetadata, XmlDecodeError> {
    let mut error = ErrorMetadata::builder();
    let mut document = Document::try_from(body)?;
    let mut root = document.root_element()?;
    while let Some(mut field) = root.next_tag() {
        match field.start_el().local() {
            "Code" => error = error.code(try_data(&mut field)?),
            "Message" => error = error.message(try_data(&mut field)?),
            _ => {}
        }
    }
    Ok(error.build())
}

/// The keys in the answer to a request for a list.
fn keys(body: &[u8]) -> Result<Vec<String>, XmlDecodeError> {
    // The decoder ignores XML errors and an early end. The list would then be too short.
    let mut open = 0;
    for token in Document::try_from(body)? {
        (_, open) = token?;
    }
    if open > 0 {
        return Err(XmlDecodeError::custom("the list ends early"));
    }
    let mut document = Document::try_from(body)?;
    let mut root = document.root_element()?;
    if !root.start_el().matches("ListBucketResult") {
        return Err(XmlDecodeError::custom("the answer is no list of objects"));
    }
    let mut keys = vec![];
    while let Some(mut object) = root.next_tag() {
        if !object.start_el().matches("Contents") {
            continue;
        }
        while let Some(mut field) = object.next_tag() {
            if field.start_el().matches("Key") {
                keys.push(try_data(&mut field)?.into_owned());
            }
        }
    }
    Ok(keys)
}

#[async_trait]
impl Objects for S3Objects {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        // S3 compares the body with the hash that the signature covers. Only a bucket with Object Lock demands another
        // checksum.
        let mut put = self.about("PUT", key)?;
        put.body = Some(data.to_vec());
        self.send(put).await.map(drop)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        match self.rest.send(self.about("GET", key)?).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(object_error(&error)),
        }
    }

    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError> {
        let KeyRange { prefix, limit, .. } = range;
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let after = range.after.map(rest::segment);
        let after = after.map_or(String::new(), |after| format!("&start-after={after}"));
        let uri = format!(
            "{}/?list-type=2&max-keys={limit}&prefix={}{after}",
            self.folder,
            rest::segment(prefix)
        );
        let answer = self.send(Request::new("GET", uri)).await?;
        keys(&answer.body).map_err(|error| ObjectError::Unavailable(error.to_string()))
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.send(self.about("DELETE", key)?).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
        time::Duration,
    };

    use aws_config::{
        SdkConfig, retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    };
    use aws_smithy_http_client::Builder;

    use super::*;
    use crate::recorded::{Exchange, Recorded, run};

    const DONE: Recorded = Recorded::of(200, "");
    const SLOW_DOWN: Recorded = Recorded::of(
        503,
        "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
    );

    /// The result of `ask` for the bucket `archive` of AWS.
    fn ask<T>(exchange: &Exchange, ask: impl AsyncFnOnce(&S3Objects) -> T) -> T {
        ask_by(&exchange.config().build(), "archive", ask)
    }

    fn ask_by<T>(config: &SdkConfig, bucket: &str, ask: impl AsyncFnOnce(&S3Objects) -> T) -> T {
        let objects = S3Objects::new(config, bucket);
        run(ask(&objects))
    }

    fn get(exchange: &Exchange) -> Result<Option<Vec<u8>>, ObjectError> {
        ask(exchange, async |objects| objects.get("key").await)
    }

    #[test]
    fn each_request_as_it_is_sent() {
        let signed =
            "host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-user-agent".to_owned();
        let scope = "us-east-1/s3".to_owned();

        let exchange = Exchange::new(&[DONE]);
        ask(&exchange, async |objects| {
            objects.put("a/b c", b"data").await
        })
        .unwrap();
        let sent = exchange.request();
        let url = "https://archive.s3.us-east-1.amazonaws.com/a/b%20c";
        assert_eq!(sent.line(), ("PUT", url));
        assert_eq!(sent.body, b"data");
        assert_eq!(sent.headers["content-length"], "4");
        assert_eq!(sent.headers["content-type"], "application/octet-stream");
        let with_body = format!("content-length;content-type;{signed}");
        assert_eq!(sent.signed(), (with_body, scope.clone()));

        let exchange = Exchange::new(&[Recorded::of(200, "data")]);
        let got = ask(&exchange, async |objects| objects.get("a/b c").await);
        assert_eq!(got, Ok(Some(b"data".to_vec())));
        let sent = exchange.request();
        assert_eq!(sent.line(), ("GET", url));
        assert_eq!(sent.signed(), (signed.clone(), scope.clone()));
        assert_eq!(sent.headers["amz-sdk-request"], "attempt=1; max=3");
        assert!(sent.headers.contains_key("amz-sdk-invocation-id"));
        assert!(sent.headers["user-agent"].contains("api/s3/"));

        let exchange = Exchange::new(&[Recorded::of(204, "")]);
        ask(&exchange, async |objects| objects.delete("a/b c").await).unwrap();
        let sent = exchange.request();
        assert_eq!(sent.line(), ("DELETE", url));
        assert_eq!(sent.signed(), (signed.clone(), scope.clone()));

        let exchange = Exchange::new(&[Recorded::of(200, "<ListBucketResult/>")]);
        let range = KeyRange {
            prefix: "a/b ",
            after: Some("a/b &c"),
            limit: 7,
        };
        let list = ask(&exchange, async |objects| objects.list(range).await);
        assert_eq!(list, Ok(vec![]));
        let sent = exchange.request();
        let url = "https://archive.s3.us-east-1.amazonaws.com/?list-type=2&max-keys=7&prefix=a%2Fb%20&start-after=a%2Fb%20%26c";
        assert_eq!(sent.line(), ("GET", url));
        assert_eq!(sent.signed(), (signed, scope));
    }

    #[test]
    fn keys_are_encoded_once_and_signed_as_they_are_sent() {
        for (key, path) in [
            ("a-b_c.~1/2", "a-b_c.~1/2"),
            ("a b+c=d%25", "a%20b%2Bc%3Dd%2525"),
            ("q?x#y&z", "q%3Fx%23y%26z"),
            ("ñ/日/😀", "%C3%B1/%E6%97%A5/%F0%9F%98%80"),
            ("a//b/../c/", "a//b/../c/"),
        ] {
            let exchange = Exchange::new(&[DONE]);
            ask(&exchange, async |objects| objects.get(key).await).unwrap();
            let sent = exchange.request();
            let url = format!("https://archive.s3.us-east-1.amazonaws.com/{path}");
            assert_eq!(sent.url, url);
            sent.signed();
        }
    }

    #[test]
    fn a_bucket_is_in_the_host_name_where_it_can_be() {
        let exchange = Exchange::new(&[DONE; 6]);
        let aws = exchange.config().build();
        let emulator = exchange.config().endpoint_url("http://127.0.0.1:4566/");
        let (emulator, dual_stack) = (emulator.build(), exchange.config().use_dual_stack(true));
        let dual_stack = dual_stack.build();
        for (config, bucket, url) in [
            (&aws, "a-1", "https://a-1.s3.us-east-1.amazonaws.com/k"),
            (
                &aws,
                "with.dots",
                "https://s3.us-east-1.amazonaws.com/with.dots/k",
            ),
            (&aws, "Upper", "https://s3.us-east-1.amazonaws.com/Upper/k"),
            (&aws, "end-", "https://s3.us-east-1.amazonaws.com/end-/k"),
            (
                &dual_stack,
                "a-1",
                "https://a-1.s3.dualstack.us-east-1.amazonaws.com/k",
            ),
            (&emulator, "a-1", "http://127.0.0.1:4566/a-1/k"),
        ] {
            ask_by(config, bucket, async |objects| objects.get("k").await).unwrap();
            let requests = exchange.requests();
            let sent = requests.last().unwrap();
            assert_eq!(sent.url, url);
            sent.signed();
        }
    }

    #[test]
    fn an_object_that_does_not_exist_is_none_and_a_bucket_that_does_not_exist_is_an_error() {
        let body = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>key</Key></Error>";
        assert_eq!(get(&Exchange::new(&[Recorded::of(404, body)])), Ok(None));
        let body = "<Error><Code>NoSuchBucket</Code><Message>No &amp; never</Message></Error>";
        let got = get(&Exchange::new(&[Recorded::of(404, body)]));
        let Err(ObjectError::Refused(text)) = got else {
            unreachable!("{got:?}")
        };
        assert!(text.contains("NoSuchBucket"), "{text}");
        assert!(text.contains("No & never"), "{text}");
    }

    #[test]
    fn refusals_and_passing_errors() {
        let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        let got = get(&Exchange::new(&[Recorded::of(403, denied)]));
        assert!(matches!(got, Err(ObjectError::Refused(_))), "{got:?}");
        let expired = "<Error><Code>ExpiredToken</Code><Message>Expired</Message></Error>";
        for answer in [
            Recorded::of(400, expired),
            Recorded::of(404, ""),
            Recorded::of(403, "<html>no XML"),
            Recorded::of(301, "no XML"),
        ] {
            let exchange = Exchange::new(&[answer]);
            let got = get(&exchange);
            let Err(ObjectError::Unavailable(text)) = got else {
                unreachable!("{got:?}")
            };
            assert!(text.contains(&answer.status.to_string()), "{text}");
            exchange.request();
        }
    }

    /// The result of `get` with these answers and short pauses between attempts, and the number of attempts.
    fn retried(answers: &[Recorded]) -> (Result<Option<Vec<u8>>, ObjectError>, usize) {
        let exchange = Exchange::new(answers);
        let pause = Duration::from_millis(1);
        let retries = RetryConfig::standard().with_initial_backoff(pause);
        let config = exchange.config().retry_config(retries).build();
        let got = ask_by(&config, "archive", async |objects| objects.get("key").await);
        let requests = exchange.requests();
        for (attempt, sent) in (1..).zip(&requests) {
            assert_eq!(
                sent.headers["amz-sdk-request"],
                format!("attempt={attempt}; max=3")
            );
            sent.signed();
        }
        (got, requests.len())
    }

    #[test]
    fn throttles_outages_and_bodies_that_end_early_are_retried() {
        let whole = Recorded::of(200, "whole");
        let got = Ok(Some(b"whole".to_vec()));
        let cut_off = Recorded {
            headers: &[("content-length", "10")],
            ..whole
        };
        let internal =
            "<Error><Code>InternalError</Code><Message>Please try again.</Message></Error>";
        for answer in [
            SLOW_DOWN,
            Recorded::of(400, internal),
            Recorded::of(500, ""),
            Recorded::of(502, "<html>"),
            Recorded::of(504, ""),
            Recorded::of(400, "<Error><Code>RequestTimeout</Code></Error>"),
            cut_off,
        ] {
            assert_eq!(retried(&[answer, whole]), (got.clone(), 2), "{answer:?}");
        }
        for answer in [SLOW_DOWN, cut_off] {
            let (got, attempts) = retried(&[answer; 4]);
            assert!(matches!(got, Err(ObjectError::Unavailable(_))), "{got:?}");
            assert_eq!(attempts, 3);
        }
        let (got, attempts) = retried(&[Recorded::of(501, "")]);
        assert!(matches!(got, Err(ObjectError::Unavailable(_))), "{got:?}");
        assert_eq!(attempts, 1);
    }

    #[test]
    fn a_body_that_stalls_is_given_up() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
            stream.write_all(begun).unwrap();
            // The client closes the connection.
            stream.read_to_end(&mut vec![]).unwrap();
        });
        let patience = StalledStreamProtectionConfig::enabled();
        let patience = patience.grace_period(Duration::from_millis(1));
        let config = Exchange::new(&[]).config();
        let config = config
            .endpoint_url(format!("http://{address}"))
            .http_client(Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(patience.build());
        let got = ask_by(&config.build(), "archive", async |objects| {
            objects.get("key").await
        });
        let Err(ObjectError::Unavailable(text)) = got else {
            unreachable!("{got:?}")
        };
        assert!(text.contains("throughput"), "{text}");
        server.join().unwrap();
    }

    #[test]
    fn a_list_has_its_keys_as_they_were_written() {
        let body = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>archive</Name><Prefix>a</Prefix><KeyCount>4</KeyCount><MaxKeys>4</MaxKeys><IsTruncated>false</IsTruncated>
  <Contents><Key>a&amp;b&lt;c&gt;&quot;d&quot;&apos;e&#39;</Key><Size>1</Size></Contents>
  <Contents><ETag>&quot;e&quot;</ETag><Key>a b</Key><Owner><ID>id</ID></Owner></Contents>
  <Contents><Key>a%20+b</Key></Contents>
  <Contents><Key>ñandú/日本/&#x1F600;</Key></Contents>
  <CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>
</ListBucketResult>"#;
        let exchange = Exchange::new(&[Recorded::of(200, body)]);
        let range = KeyRange::new("a", 4);
        let list = ask(&exchange, async |objects| objects.list(range).await);
        let keys = [r#"a&b<c>"d"'e'"#, "a b", "a%20+b", "ñandú/日本/😀"];
        assert_eq!(list.unwrap(), keys);
    }

    #[test]
    fn a_list_that_is_not_whole_is_an_error() {
        for body in [
            "",
            "<Error><Code>InternalError</Code></Error>",
            "<ListBucketResult><Contents><Key>a</Key></Contents><Cont",
            "<ListBucketResult><Contents><Key>a</Key></Contents>",
            "<ListBucketResult><Contents><Key>a&nbsp;b</Key></Contents></ListBucketResult>",
        ] {
            let exchange = Exchange::new(&[Recorded::of(200, body)]);
            let range = KeyRange::new("", 9);
            let list = ask(&exchange, async |objects| objects.list(range).await);
            assert!(
                matches!(list, Err(ObjectError::Unavailable(_))),
                "{body}: {list:?}"
            );
        }
    }

    #[test]
    fn an_empty_key_is_refused_before_it_is_sent() {
        let exchange = Exchange::new(&[]);
        ask(&exchange, async |objects| {
            for refused in [
                objects.put("", b"data").await,
                objects.get("").await.map(drop),
                objects.delete("").await,
            ] {
                assert!(
                    matches!(refused, Err(ObjectError::Refused(_))),
                    "{refused:?}"
                );
            }
        });
        assert!(exchange.requests().is_empty());
    }

    #[test]
    fn nothing_is_sent_without_a_region_or_without_credentials() {
        let exchange = Exchange::new(&[]);
        let (mut no_region, mut no_credentials) = (exchange.config(), exchange.config());
        no_region.set_region(None);
        no_credentials.set_credentials_provider(None);
        for config in [no_region, no_credentials] {
            let config = config.retry_config(RetryConfig::disabled()).build();
            let got = ask_by(&config, "archive", async |objects| objects.get("key").await);
            assert!(matches!(got, Err(ObjectError::Unavailable(_))), "{got:?}");
        }
        assert!(exchange.requests().is_empty());
    }
}
