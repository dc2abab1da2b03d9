//! The server: one task a connection, HTTP/1.1.

use std::{io, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::{Request, Response, answer};

/// The most bytes of a request's body. AWS's limits for each service are lower, except for S3's.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// Answers requests.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Answers a request.
    async fn handle(&self, request: Request) -> Response;
}

/// Listens on 127.0.0.1, and on no other address. Port 0 takes a free port.
///
/// # Errors
///
/// If the port is taken.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await
}

/// Serves connections until the task that runs this is dropped.
pub async fn serve(listener: TcpListener, handler: Arc<dyn Handler>) {
    loop {
        match listener.accept().await {
            Ok((connection, peer)) => {
                tokio::spawn(serve_connection(connection, peer, handler.clone()));
            }
            // For example, too many open files: existing connections go on, and new ones wait.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

async fn serve_connection(connection: TcpStream, peer: SocketAddr, handler: Arc<dyn Handler>) {
    // Answers are written whole, so that Nagle's algorithm would only delay them.
    let _ = connection.set_nodelay(true);
    let service = service_fn(|request| {
        let handler = handler.clone();
        async move { closed(handle(request, peer, &*handler).await) }
    });
    // An error here is a client that went away.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(connection), service)
        .await;
}

/// The mark of an answer that closes the connection instead.
#[derive(Clone, Copy)]
struct Unanswered;

/// An answer that is not sent: the connection is closed instead.
pub(crate) fn unanswered() -> Response {
    let mut response = answer(500, "text/plain", "");
    response.extensions_mut().insert(Unanswered);
    response
}

/// An error for an answer that is not to be sent. The connection ends with an error.
fn closed(response: Response) -> io::Result<Response> {
    if response.extensions().get::<Unanswered>().is_some() {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    Ok(response)
}

async fn handle(
    request: http::Request<Incoming>,
    peer: SocketAddr,
    handler: &dyn Handler,
) -> Response {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => body,
        Err(error) if error.is::<LengthLimitError>() => {
            let text = format!("the body has more than {MOST_BYTES} bytes");
            return answer(413, "text/plain", text);
        }
        Err(_) => return answer(400, "text/plain", "the request's body ended early"),
    };
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
        peer,
    };
    if !request.is_for_this_machine() {
        let host = request.header("host").unwrap_or_default();
        let text = format!("{host} is no name of this machine, to which alone this port answers");
        return answer(403, "text/plain", text);
    }
    handler.handle(request).await
}
