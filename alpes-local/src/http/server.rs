//! The server: one task a connection, HTTP/1.1.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::{Request, Response, answer};

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
pub async fn listen(port: u16) -> std::io::Result<TcpListener> {
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
        async move { Ok::<_, Infallible>(handle(request, peer, &*handler).await) }
    });
    // An error here is a client that went away.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(connection), service)
        .await;
}

async fn handle(
    request: http::Request<Incoming>,
    peer: SocketAddr,
    handler: &dyn Handler,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return answer(400, "text/plain", "the request's body ended early");
    };
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
        peer,
    };
    handler.handle(request).await
}
