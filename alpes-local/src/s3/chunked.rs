//! The encoding `aws-chunked`, in which SDKs send bodies whose checksum follows the bytes.

use bytes::{Bytes, BytesMut};

use crate::error::AwsError;

/// A decoded body.
#[derive(Debug, PartialEq)]
pub(super) struct Decoded {
    pub bytes: Bytes,
    /// The headers after the bytes, by names in lower case.
    pub trailers: Vec<(String, String)>,
}

/// Decodes a body of chunks `SIZE[;chunk-signature=…]\r\n BYTES \r\n`. The last chunk is empty and is followed by
/// the trailers. Signatures are not checked.
pub(super) fn decode(body: &Bytes) -> Result<Decoded, AwsError> {
    let mut rest = body.clone();
    let mut bytes = BytesMut::new();
    let mut first = Bytes::new();
    loop {
        let size = chunk_size(&take_line(&mut rest).ok_or_else(incomplete)?)?;
        if size == 0 {
            break;
        }
        if rest.len() < size {
            return Err(incomplete());
        }
        let chunk = rest.split_to(size);
        if !take_line(&mut rest).ok_or_else(incomplete)?.is_empty() {
            return Err(incomplete());
        }
        // Most bodies have one chunk, which needs no copy.
        if first.is_empty() && bytes.is_empty() {
            first = chunk;
        } else {
            bytes.extend_from_slice(&std::mem::take(&mut first));
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(Decoded {
        bytes: if bytes.is_empty() {
            first
        } else {
            bytes.freeze()
        },
        trailers: trailers(rest)?,
    })
}

fn trailers(mut rest: Bytes) -> Result<Vec<(String, String)>, AwsError> {
    let mut trailers = Vec::new();
    while let Some(line) = take_line(&mut rest) {
        let line = std::str::from_utf8(&line).map_err(|_| malformed_trailer())?;
        if line.is_empty() {
            continue;
        }
        let (name, value) = line.split_once(':').ok_or_else(malformed_trailer)?;
        trailers.push((name.trim().to_lowercase(), value.trim().to_owned()));
    }
    if rest.is_empty() {
        Ok(trailers)
    } else {
        Err(malformed_trailer())
    }
}

fn chunk_size(line: &[u8]) -> Result<usize, AwsError> {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let size = std::str::from_utf8(size).map_err(|_| incomplete())?;
    usize::from_str_radix(size.trim(), 16).map_err(|_| incomplete())
}

/// Takes the bytes before the next end of a line, and the end.
fn take_line(rest: &mut Bytes) -> Option<Bytes> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let mut line = rest.split_to(end + 1);
    line.truncate(end);
    if line.last() == Some(&b'\r') {
        line.truncate(end - 1);
    }
    Some(line)
}

pub(super) fn incomplete() -> AwsError {
    AwsError::client(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

pub(super) fn malformed_trailer() -> AwsError {
    AwsError::client(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
}
