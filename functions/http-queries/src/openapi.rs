//! `GET /openapi.json`.

use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, header},
};

/// The base URL in the stored documents. It resolves to a URL with a slash at its end, to which a path cannot be joined.
const STORED: &str = "\"url\": \".\"";
/// The stage, with which the base URL of the gateway's own domain ends.
const STAGE: &str = "v1";

/// The document, with the base URL under which the client has read it.
pub(crate) fn described(document: &str, request: &Request) -> Response<Body> {
    let host = request.headers().get(header::HOST);
    let base = host.and_then(|host| base(host.to_str().ok()?));
    let document = match base {
        Some(base) => document.replacen(STORED, &format!("\"url\": \"{base}\""), 1),
        None => document.to_owned(),
    };
    let mut response = Response::new(Body::from(document));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// The base URL of a host, with the scheme of the document's URL (RFC 3986, 4.2). The gateway's own domain serves the
/// API under its stage; a domain of one's own, and the local runtime, serve it at the root.
fn base(host: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:-".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_plain) {
        return None;
    }
    Some(if host.contains(".execute-api.") {
        format!("//{host}/{STAGE}")
    } else {
        format!("//{host}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_joined_to_the_base_of_each_host() {
        for (host, expected) in [
            (
                "a1.execute-api.us-east-1.amazonaws.com",
                Some("//a1.execute-api.us-east-1.amazonaws.com/v1"),
            ),
            ("127.0.0.1:4566", Some("//127.0.0.1:4566")),
            ("vuelos.example", Some("//vuelos.example")),
            ("", None),
            ("a\"b", None),
            ("a/b", None),
        ] {
            assert_eq!(base(host).as_deref(), expected, "{host}");
        }
    }
}
