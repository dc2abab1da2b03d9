//! The bytes of a request, checked against everything that the client says about them.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;

use super::{
    checksum::{Algorithm, Checksum},
    chunked::{Decoded, decode, incomplete, malformed_trailer},
    errors::{header_not_implemented, invalid_request},
};
use crate::{
    digest::{hexadecimal, sha256},
    error::AwsError,
    http::Request,
};

/// S3's limit on one upload in bytes.
const LARGEST: u64 = 5 * 1_024 * 1_024 * 1_024;
const CONTENT_SHA256: &str = "x-amz-content-sha256";
const CHECKSUM: &str = "x-amz-checksum-";

/// The bytes of a request.
#[derive(Debug)]
pub(super) struct Payload {
    pub bytes: Bytes,
    /// The MD5 of the bytes in hexadecimal digits, which is the entity tag.
    pub md5: String,
    /// The client's checksum, which is right.
    pub checksum: Option<Checksum>,
}

impl Payload {
    /// Decodes and checks a request's body.
    pub fn of(request: &Request) -> Result<Self, AwsError> {
        let Decoded { bytes, trailers } = decoded(request)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
            return Err(AwsError::client(
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed size",
            ));
        }
        let md5 = md5::compute(&bytes);
        check_md5(request, &md5)?;
        check_sha256(request, &bytes)?;
        let checksum = claimed(request, &trailers)?;
        if let Some(checksum) = &checksum {
            check(checksum, &bytes)?;
        }
        Ok(Self {
            md5: format!("{md5:x}"),
            bytes,
            checksum,
        })
    }

    /// The client's checksum, or the one that S3 takes if the client has none.
    pub fn checksum_or_default(&self) -> Checksum {
        let default = || Checksum {
            algorithm: Algorithm::DEFAULT,
            value: Algorithm::DEFAULT.of(&self.bytes),
        };
        self.checksum.clone().unwrap_or_else(default)
    }

    /// Bytes that come from this runtime itself.
    pub fn trusted(bytes: Bytes) -> Self {
        Self {
            md5: format!("{:x}", md5::compute(&bytes)),
            bytes,
            checksum: None,
        }
    }
}

/// True if the body is in the encoding `aws-chunked`.
fn is_chunked(request: &Request) -> bool {
    let streaming = request
        .header(CONTENT_SHA256)
        .is_some_and(|hash| hash.starts_with("STREAMING-"));
    let encoding = request.header("content-encoding").unwrap_or_default();
    streaming || encoding.split(',').any(|part| part.trim() == "aws-chunked")
}

fn decoded(request: &Request) -> Result<Decoded, AwsError> {
    if !is_chunked(request) {
        return Ok(Decoded {
            bytes: request.body.clone(),
            trailers: Vec::new(),
        });
    }
    let decoded = decode(&request.body)?;
    let length = request.header("x-amz-decoded-content-length");
    if length.is_some_and(|length| length.parse() != Ok(decoded.bytes.len())) {
        return Err(incomplete());
    }
    let announced = request.header("x-amz-trailer").unwrap_or_default();
    let announced = announced.split(',').map(str::trim);
    for name in announced.filter(|name| !name.is_empty()) {
        let mut trailers = decoded.trailers.iter();
        if !trailers.any(|(trailer, _)| trailer.eq_ignore_ascii_case(name)) {
            return Err(malformed_trailer());
        }
    }
    Ok(decoded)
}

fn check_md5(request: &Request, md5: &md5::Digest) -> Result<(), AwsError> {
    let Some(claimed) = request.header("content-md5") else {
        return Ok(());
    };
    let bytes = BASE64_STANDARD.decode(claimed).unwrap_or_default();
    if bytes.len() != md5.len() {
        return Err(AwsError::client(
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
        )
        .with("Content-MD5", claimed));
    }
    if bytes == md5.as_slice() {
        return Ok(());
    }
    Err(AwsError::client(
        "BadDigest",
        "The Content-MD5 you specified did not match what we received.",
    )
    .with("ExpectedDigest", claimed)
    .with("CalculatedDigest", BASE64_STANDARD.encode(md5.as_slice())))
}

/// Checks the hash of the signature, if it is one: clients may also write that they did not compute it.
fn check_sha256(request: &Request, bytes: &[u8]) -> Result<(), AwsError> {
    let claimed = request.header(CONTENT_SHA256).unwrap_or_default();
    let is_hash = claimed.len() == 64 && claimed.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash {
        return Ok(());
    }
    let computed = hexadecimal(&sha256(bytes));
    if computed.eq_ignore_ascii_case(claimed) {
        return Ok(());
    }
    Err(AwsError::client(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
    .with("ClientComputedContentSHA256", claimed)
    .with("S3ComputedContentSHA256", computed))
}

/// The checksum in the headers or trailers.
fn claimed(request: &Request, trailers: &[(String, String)]) -> Result<Option<Checksum>, AwsError> {
    let unknown = trailers.iter().find(|(name, _)| {
        name.starts_with(CHECKSUM) && !Algorithm::ALL.iter().any(|known| known.header() == *name)
    });
    if let Some((name, _)) = unknown {
        return Err(header_not_implemented(name));
    }
    let claims = Algorithm::ALL.into_iter().filter_map(|algorithm| {
        let name = algorithm.header();
        let trailer = trailers.iter().find(|(trailer, _)| *trailer == name);
        let value = request
            .header(&name)
            .or_else(|| trailer.map(|(_, value)| value.as_str()))?;
        Some(Checksum {
            algorithm,
            value: value.to_owned(),
        })
    });
    let mut claims: Vec<Checksum> = claims.collect();
    if claims.len() > 1 {
        return Err(invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ));
    }
    let claim = claims.pop();
    if claim.is_none() && request.headers.contains_key("x-amz-sdk-checksum-algorithm") {
        return Err(invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers \
             were found.",
        ));
    }
    Ok(claim)
}

/// Checks a client's checksum.
fn check(checksum: &Checksum, bytes: &[u8]) -> Result<(), AwsError> {
    checksum.algorithm.check_form(&checksum.value)?;
    if checksum.algorithm.of(bytes) == checksum.value {
        return Ok(());
    }
    Err(bad_checksum(checksum.algorithm))
}

pub(super) fn bad_checksum(algorithm: Algorithm) -> AwsError {
    AwsError::client(
        "BadDigest",
        format!(
            "The {} you specified did not match the calculated checksum.",
            algorithm.name()
        ),
    )
}
