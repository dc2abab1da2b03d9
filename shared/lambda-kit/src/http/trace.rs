//! W3C Trace Context.

use lambda_http::Request;

use super::Header;

/// The caller's trace, if it is one (version 00), and the only one. Another is left out, not refused: it is not part of what is asked.
#[must_use]
pub fn traceparent(request: &Request) -> Option<String> {
    let Header::Text(text) = Header::of(request, "traceparent") else {
        return None;
    };
    let hex = |part: &str, length| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let id = |part: &str, length| hex(part, length) && part.bytes().any(|byte| byte != b'0');
    let parts: Vec<_> = text.split('-').collect();
    match parts.as_slice() {
        ["00", trace, parent, flags] if id(trace, 32) && id(parent, 16) && hex(flags, 2) => {
            Some(text.to_owned())
        }
        _ => None,
    }
}
