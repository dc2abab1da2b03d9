//! Documents on the web, by the HTTP client and the TLS that the AWS SDK uses.

use std::{sync::OnceLock, time::Duration};

use alpes_ports::Documents;
use async_trait::async_trait;
use aws_smithy_http_client::{
    Connector, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Limited};

/// The most bytes of a document. The key sets of the largest issuers have about 10 KB.
const MOST: usize = 256 * 1024;
/// The longest time from the connection to the last byte.
const WITHIN: Duration = Duration::from_secs(2);

/// Reads documents over HTTPS, or over HTTP where a URL says so.
pub struct HttpsDocuments {
    within: Duration,
    /// The client is built for the first document, since it parses the root certificates.
    client: OnceLock<Connector>,
}

impl HttpsDocuments {
    /// A reader without connections.
    #[must_use]
    pub fn new() -> Self {
        Self {
            within: WITHIN,
            client: OnceLock::new(),
        }
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(url).map_err(|error| error.to_string())?;
        request.headers_mut().insert("accept", "application/json");
        let client = self.client.get_or_init(client);
        let answer = client.call(request).await;
        let answer = answer.map_err(|error| format!("no answer: {error}"))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(format!("the status is {status}"));
        }
        let body = Limited::new(answer.into_body(), MOST).collect().await;
        let body = body.map_err(|error| format!("the body was not read: {error}"))?;
        Ok(body.to_bytes().to_vec())
    }
}

impl Default for HttpsDocuments {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Documents for HttpsDocuments {
    async fn read(&self, url: &str) -> Result<Vec<u8>, String> {
        match tokio::time::timeout(self.within, self.fetch(url)).await {
            Ok(read) => read,
            Err(_) => Err(format!("no answer within {:?}", self.within)),
        }
    }
}

fn client() -> Connector {
    let mut client = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    client.set_proxy_config(Some(ProxyConfig::from_env()));
    client.build()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use super::*;

    /// What is read from a server that answers so, and then closes the connection.
    fn read(answer: String) -> Result<Vec<u8>, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let silent = answer.is_empty();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /keys HTTP/1.1\r\n"));
            // A reader that has seen enough closes the connection.
            let _ = stream.write_all(answer.as_bytes());
            if silent {
                let _ = stream.read(&mut request);
            }
        });
        let documents = HttpsDocuments {
            within: if silent {
                Duration::from_millis(50)
            } else {
                Duration::from_mins(1)
            },
            ..HttpsDocuments::new()
        };
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let read = runtime.block_on(documents.read(&url));
        drop((runtime, documents));
        server.join().unwrap();
        read
    }

    fn answer(status: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    #[test]
    fn a_document_is_read_whole() {
        let body = "k".repeat(MOST);
        assert_eq!(read(answer("200 OK", &body)), Ok(body.into_bytes()));
    }

    #[test]
    fn other_statuses_larger_documents_and_silence_are_errors() {
        for (answered, told) in [
            (answer("404 Not Found", "{}"), "status is 404"),
            (
                "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n"
                    .into(),
                "status is 302",
            ),
            (answer("200 OK", &"k".repeat(MOST + 1)), "length limit"),
            (String::new(), "no answer within"),
        ] {
            let error = read(answered).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
