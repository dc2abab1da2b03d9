//! Reads the caller's trace (W3C Trace Context).

use lambda_http::Request;

use crate::Header;

/// The flag bit "sampled", the only flag that version 00 defines.
const SAMPLED: u8 = 1;

/// The caller's trace, if the request has exactly one `traceparent` of the form of version 00. As the specification
/// asks, a `traceparent` of a later version is read in the same form: its text may continue after another dash, and
/// only its flag "sampled" counts. An invalid trace is ignored, and the request is not refused for it.
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
    let mut parts = text.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (parent, flags) = (parts.next()?, parts.next()?);
    let one = hex(version, 2) && id(trace, 32) && id(parent, 16) && hex(flags, 2);
    if !one || version == "ff" {
        return None;
    }
    if version == "00" {
        return parts.next().is_none().then(|| text.to_owned());
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & SAMPLED;
    Some(format!("00-{trace}-{parent}-{sampled:02x}"))
}
