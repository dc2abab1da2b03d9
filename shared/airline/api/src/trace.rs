//! W3C Trace Context.

use lambda_http::Request;

use crate::Header;

/// The bit of the flags that version 00 knows.
const SAMPLED: u8 = 1;

/// The caller's trace, if it is the only one, in the form of version 00. A later version is read by that form, as the specification
/// asks: it may go on after another dash, and of its flags only "sampled" is known. What is no trace is left out, not refused: it is not
/// part of what is asked.
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
