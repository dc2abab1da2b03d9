//! Mounts: prefixes of paths behind which other servers answer, for example a page in development.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{
        CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
        UPGRADE,
    },
};
use http_body_util::{BodyExt, Channel, Either, Full, channel::Sender};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    error::AwsError,
    http::{Request, Response, answer},
};

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How many parts of an answer may wait for a slow client.
const PARTS_IN_FLIGHT: usize = 8;
/// Headers that are about one connection, and not about the request.
const OF_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A prefix of paths, and the server behind it.
#[derive(Clone, Debug)]
pub struct Mount {
    prefix: String,
    /// The host and port.
    authority: String,
    /// The path at the server, without a slash at the end.
    base: String,
}

impl Mount {
    /// A mount. `prefix` is a path, for example `/docs`; `target` is an `http` URL, with or without a path.
    ///
    /// # Errors
    ///
    /// `ValidationException` if the prefix does not begin with `/` or is no more than that, or if the target is no
    /// `http` URL.
    pub fn new(prefix: &str, target: &str) -> Result<Self, AwsError> {
        let prefix = prefix.trim_end_matches('/');
        let refuse = |rule: String| AwsError::client("ValidationException", rule);
        if !prefix.starts_with('/') {
            let rule = format!("the prefix {prefix:?} of a mount must be / and a name");
            return Err(refuse(rule));
        }
        let uri: Option<Uri> = target.parse().ok();
        let uri = uri.filter(|uri| uri.scheme_str() == Some("http") && uri.query().is_none());
        let authority = uri.as_ref().and_then(Uri::authority);
        let (Some(uri), Some(authority)) = (&uri, authority) else {
            let rule = format!(
                "the target {target:?} of the mount {prefix} must be an http URL without query"
            );
            return Err(refuse(rule));
        };
        Ok(Self {
            prefix: prefix.to_owned(),
            authority: authority.to_string(),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The prefix, without a slash at the end.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The URL behind the prefix.
    #[must_use]
    pub fn target(&self) -> String {
        format!("http://{}{}", self.authority, self.base)
    }

    /// Forwards a request and streams the answer. `rest` is the path after the prefix. If no server answers, the answer
    /// is 502 with an explanation.
    pub async fn forward(&self, rest: &str, request: Request) -> Response {
        match self.send(rest, request).await {
            Ok(response) => streamed(response),
            Err(cause) => {
                let (target, prefix) = (self.target(), &self.prefix);
                let text = format!(
                    "Nothing answers at {target}, where the mount {prefix} points: {cause}.\n\
                     Start the server there, or start alpes-local without this mount.\n"
                );
                answer(502, "text/plain; charset=utf-8", text)
            }
        }
    }

    async fn send(&self, rest: &str, request: Request) -> Result<http::Response<Incoming>, String> {
        let request = self.request(rest, request)?;
        let mut sender = self.connect().await?;
        let response = sender.send_request(request).await;
        response.map_err(|error| error.to_string())
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let address = match self.authority.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => self.authority.clone(),
            _ => format!("{}:80", self.authority),
        };
        let connected = timeout(CONNECT, TcpStream::connect(address)).await;
        let connected = connected.map_err(|_| "it accepts no connection".to_owned())?;
        let stream = connected.map_err(|error| error.to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        // It ends with the answer. An error of it is an error of the answer too.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// The request as the server gets it.
    fn request(&self, rest: &str, request: Request) -> Result<http::Request<Full<Bytes>>, String> {
        let path = format!("{}{rest}", self.base);
        let path = if path.is_empty() { "/" } else { &path };
        let target = if request.query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", request.query)
        };
        let headers = self.headers(&request);
        let mut forwarded = http::Request::new(Full::new(request.body));
        *forwarded.method_mut() = request.method;
        *forwarded.uri_mut() = target.parse().map_err(|error| format!("{error}"))?;
        *forwarded.headers_mut() = headers;
        Ok(forwarded)
    }

    fn headers(&self, request: &Request) -> HeaderMap {
        let mut headers = request.headers.clone();
        remove_headers_of_connection(&mut headers);
        let host = headers.insert(HOST, value(&self.authority));
        if let Some(host) = host {
            headers.insert("x-forwarded-host", host);
        }
        let peer = value(&request.peer.ip().to_string());
        headers.append("x-forwarded-for", peer);
        headers.insert("x-forwarded-prefix", value(&self.prefix));
        headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
        headers
    }
}

/// The value of a header; empty if the text cannot be one.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// Removes the headers that are about a connection, with those that `Connection` names.
fn remove_headers_of_connection(headers: &mut HeaderMap) {
    let named = headers.get_all(CONNECTION).iter();
    let named = named.filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|value| value.split(','));
    let named: Vec<HeaderName> = named.filter_map(|name| name.trim().parse().ok()).collect();
    for name in OF_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}

/// The answer of a server, whose body is passed on part by part.
fn streamed(response: http::Response<Incoming>) -> Response {
    let (mut head, body) = response.into_parts();
    remove_headers_of_connection(&mut head.headers);
    let (sender, channel) = Channel::new(PARTS_IN_FLIGHT);
    tokio::spawn(pass_on(body, sender));
    http::Response::from_parts(head, Either::Right(channel))
}

/// Passes on a body until it ends, breaks off, or the client goes away.
async fn pass_on(mut body: Incoming, mut sender: Sender<Bytes>) {
    while let Some(Ok(frame)) = body.frame().await {
        if sender.send(frame).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc};

    use async_trait::async_trait;

    use super::*;
    use crate::http::{Handler, listen, serve};

    /// Answers what it was asked.
    struct Echo;

    #[async_trait]
    impl Handler for Echo {
        async fn handle(&self, request: Request) -> Response {
            let header = |name: &str| request.header(name).unwrap_or("none").to_owned();
            let text = format!(
                "{} {}?{} {} {} {} {}",
                request.method,
                request.path,
                request.query,
                header("x-forwarded-prefix"),
                header("x-forwarded-host"),
                header("keep-alive"),
                String::from_utf8_lossy(&request.body),
            );
            answer(201, "text/plain", text)
        }
    }

    fn request() -> Request {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("here"));
        headers.insert("connection", HeaderValue::from_static("close, keep-alive"));
        headers.insert("keep-alive", HeaderValue::from_static("timeout=5"));
        Request {
            method: http::Method::PUT,
            path: "/docs/a".to_owned(),
            query: "b=c".to_owned(),
            headers,
            body: Bytes::from_static(b"body"),
            peer: SocketAddr::from(([127, 0, 0, 1], 50_000)),
        }
    }

    #[tokio::test]
    async fn requests_are_forwarded_and_answers_streamed_back() {
        let listener = listen(0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, Arc::new(Echo)));
        let mount = Mount::new("/docs", &format!("http://127.0.0.1:{port}/base/")).unwrap();
        let response = mount.forward("/a", request()).await;
        assert_eq!(response.status(), 201);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "PUT /base/a?b=c /docs here none body");
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_explained() {
        let listener = listen(0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mount = Mount::new("/docs", &format!("http://127.0.0.1:{port}")).unwrap();
        let response = mount.forward("", request()).await;
        assert_eq!(response.status(), 502);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(text.contains(&format!("http://127.0.0.1:{port}")), "{text}");
    }

    #[test]
    fn wrong_mounts_are_refused() {
        for (prefix, target) in [
            ("docs", "http://a"),
            ("/", "http://a"),
            ("/docs", "https://a"),
            ("/docs", "/a"),
            ("/docs", "http://a/?b"),
        ] {
            assert!(Mount::new(prefix, target).is_err(), "{prefix} {target}");
        }
    }
}
