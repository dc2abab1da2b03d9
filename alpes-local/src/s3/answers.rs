//! The parts that answers of S3 have in common.

use http::{HeaderName, HeaderValue};
use jiff::fmt::rfc2822::DateTimePrinter;
use uuid::Uuid;

use super::errors::HOST_ID;
pub(super) use crate::http::xml_element as element;
use crate::{
    http::{Response, answer},
    time::{at_millis, iso_millis},
};

pub(super) const XML: &str = "application/xml";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// The id of the owner of all buckets, as S3 writes it: 64 digits.
pub(super) const OWNER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An answer with a document of S3. `content` is the XML inside of the root.
pub(super) fn document(root: &str, content: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\">{content}</{root}>"
    );
    answer(200, XML, body)
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Response {
    let mut response = answer(status, XML, "");
    response.headers_mut().remove(http::header::CONTENT_TYPE);
    response
}

/// Sets a header. A value that HTTP cannot carry is left out.
pub(super) fn set(response: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (
        HeaderName::try_from(name),
        HeaderValue::from_bytes(value.as_bytes()),
    ) {
        response.headers_mut().insert(name, value);
    }
}

/// The answer with the ids that each answer of S3 has.
pub(super) fn identified(mut response: Response) -> Response {
    set(&mut response, "x-amz-request-id", &request_id());
    set(&mut response, "x-amz-id-2", HOST_ID);
    response
}

pub(super) fn request_id() -> String {
    let id = Uuid::new_v4().simple().to_string().to_uppercase();
    id.chars().take(16).collect()
}

/// A time as HTTP's headers have it: `Sat, 28 Nov 2026 20:00:00 GMT`.
pub(super) fn http_date(millis: u64) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at_millis(millis))
        .unwrap_or_default()
}

/// A time as S3's documents have it, in whole seconds: `2026-11-28T20:00:00.000Z`.
pub(super) fn iso_date(millis: u64) -> String {
    iso_millis(millis - millis % 1_000)
}
