//! HTTP: requests and answers as services see them, and the server.

mod guard;
mod server;
mod wire;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::{Channel, Either, Full};

pub(crate) use server::unanswered;
pub use server::{Handler, listen, serve};
pub use wire::{
    Form, json_answer, json_error, query_answer, query_error, xml_answer, xml_element, xml_text,
};

/// A request with its whole body.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as it was sent, with its percent-encoding.
    pub path: String,
    /// The query as it was sent, without `?`; empty if there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The address of the caller.
    pub peer: std::net::SocketAddr,
}

impl Request {
    /// A header's value, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The percent-decoded value of the query's first parameter of this name; an empty text for a parameter without
    /// value.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = Form::pairs(&self.query);
        pairs
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }
}

/// The body of an answer: bytes, or a stream of them.
pub type Body = Either<Full<Bytes>, Channel<Bytes>>;

/// An answer.
pub type Response = http::Response<Body>;

/// An answer with a body of bytes.
#[must_use]
pub fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response {
    let mut response = http::Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = content_type.parse() {
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, value);
    }
    response
}
