//! Reads request bodies in JSON.

use std::borrow::Cow;

use alpes_messages::{Problem, Violation};
use events::kinds;
use lambda_http::{Body, Request, http::header};
use serde_json::{Map, Value};

use crate::{Header, IDENTITY};

/// Largest body, in bytes. A body whose event fits the event's own limit of 32 KB is smaller than this limit.
pub const MAX_BODY: usize = 64 * 1024;

/// Reads the body as JSON.
///
/// # Errors
///
/// A [`Problem`] if the body is too large, is compressed, is not JSON, has a field twice, or is sent without a content
/// type or with another one.
pub fn json_body(request: &Request) -> Result<Value, Problem> {
    let media = Header::of(request, header::CONTENT_TYPE.as_str());
    if !matches!(media, Header::Text(media) if is_json(media)) {
        let rule = "Debe aparecer una sola vez y ser application/json, sin charset o con utf-8";
        let errores = vec![Violation::new("Content-Type", "formato", rule)];
        return Err(Problem::of(kinds::MEDIA_TYPE).at(errores));
    }
    if !is_uncoded(request) {
        let rule = format!("Debe ser {IDENTITY}, o no estar");
        let errores = vec![Violation::new("Content-Encoding", "formato", rule)];
        return Err(Problem::of(kinds::CODING).at(errores));
    }
    let body = body(request);
    if body.len() > MAX_BODY {
        let rule = format!("El cuerpo tiene a lo sumo {MAX_BODY} bytes");
        let errores = vec![Violation::new("cuerpo", "tamano", rule)];
        return Err(Problem::of(kinds::TOO_LARGE).at(errores));
    }
    let text = std::str::from_utf8(&body)
        .map_err(|_| invalid("utf-8", "El cuerpo debe ser texto UTF-8"))?;
    // A gateway that reads bodies as text replaces bytes that are not UTF-8 by U+FFFD.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        let rule = "El cuerpo debe ser texto UTF-8, sin el carácter U+FFFD";
        return Err(invalid("utf-8", rule));
    }
    match parse::json(text) {
        Ok(read) => read.map_err(parse::invalid),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let rule = format!("El cuerpo debe ser JSON: línea {line}, columna {column}");
            Err(invalid("json", rule))
        }
    }
}

/// Reads the body as JSON. If the request has no body, the result is an object without fields.
///
/// # Errors
///
/// A [`Problem`] under the conditions of [`json_body`].
pub fn optional_json_body(request: &Request) -> Result<Value, Problem> {
    if body(request).is_empty() {
        return Ok(Map::new().into());
    }
    json_body(request)
}

fn body(request: &Request) -> Cow<'_, [u8]> {
    match request.body() {
        Body::Text(text) => Cow::Borrowed(text.as_bytes()),
        Body::Binary(bytes) => Cow::Borrowed(bytes),
        _ => Cow::Borrowed(&[]),
    }
}

fn invalid(rule: &'static str, text: impl Into<String>) -> Problem {
    Problem::of(kinds::INVALID).at(vec![Violation::new("cuerpo", rule, text)])
}

/// True if the body has no content coding. The header `Content-Encoding` is a list of codings, and empty items of the
/// list do not count (RFC 9110, 5.6.1).
fn is_uncoded(request: &Request) -> bool {
    let values = request.headers().get_all(header::CONTENT_ENCODING);
    values.iter().all(|value| {
        value.to_str().is_ok_and(|codings| {
            let mut codings = codings.split(',').map(str::trim);
            codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(IDENTITY))
        })
    })
}

/// True for the media type of JSON, whose only parameter may be the charset UTF-8. JSON has no charset (RFC 8259, 11), so
/// another charset shows that the client and this API would read the bytes differently.
fn is_json(media: &str) -> bool {
    let mut parts = media.split(';').map(str::trim);
    let is_essence = |part: &str| part.eq_ignore_ascii_case("application/json");
    let is_utf8 = |part: &str| {
        part.split_once('=').is_some_and(|(name, value)| {
            let value = value
                .strip_prefix('"')
                .map_or(Some(value), |quoted| quoted.strip_suffix('"'));
            name.eq_ignore_ascii_case("charset")
                && value.is_some_and(|value| value.eq_ignore_ascii_case("utf-8"))
        })
    };
    let (essence, charset) = (parts.next(), parts.next());
    essence.is_some_and(is_essence) && charset.is_none_or(is_utf8) && parts.next().is_none()
}
