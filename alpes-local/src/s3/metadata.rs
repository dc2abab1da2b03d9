//! The headers that an object is stored with.

use super::{
    errors::{header_not_implemented, invalid_argument},
    table::Headers,
};
use crate::{error::AwsError, http::Request, names::ACCOUNT};

/// The headers that belong to an object, without those of the user.
const KEPT: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];
/// The user's headers begin with this.
const USER: &str = "x-amz-meta-";
/// The type of an object whose writer gave none.
const TYPE: &str = "binary/octet-stream";
/// S3's limit on the user's headers of one object in bytes.
const LARGEST: usize = 2_048;

/// The storage class of an object whose writer gave none.
pub(super) const STANDARD: &str = "STANDARD";
/// Classes whose objects are read like all others.
const CLASSES: [&str; 6] = [
    STANDARD,
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "REDUCED_REDUNDANCY",
];

/// Headers `x-amz-…` that are of no importance for what the runtime does, or are treated elsewhere.
const KNOWN: [&str; 22] = [
    "x-amz-acl",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-mode",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-mp-object-size",
    "x-amz-object-ownership",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-trailer",
    "x-amz-user-agent",
];
/// Further ones that copies have.
const OF_COPIES: [&str; 7] = [
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-metadata-directive",
    "x-amz-source-expected-bucket-owner",
];
/// Headers with the values that change nothing. Other values are refused.
const SINGLE_VALUES: [(&str, &[&str]); 3] = [
    ("x-amz-acl", &["private", "bucket-owner-full-control"]),
    ("x-amz-object-ownership", &["BucketOwnerEnforced"]),
    ("x-amz-server-side-encryption", &["AES256"]),
];

/// Refuses headers that ask for what the runtime does not do, instead of ignoring them.
pub(super) fn check_headers(request: &Request, is_copy: bool) -> Result<(), AwsError> {
    for name in request.headers.keys().map(http::HeaderName::as_str) {
        let known = !name.starts_with("x-amz-")
            || name.starts_with(USER)
            || KNOWN.contains(&name)
            || is_copy && OF_COPIES.contains(&name);
        if !known {
            return Err(header_not_implemented(name));
        }
    }
    for (name, allowed) in SINGLE_VALUES {
        if request
            .header(name)
            .is_some_and(|value| !allowed.contains(&value))
        {
            return Err(header_not_implemented(name));
        }
    }
    let owners = [
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    ];
    let mut owners = owners.iter().filter_map(|name| request.header(name));
    if owners.any(|owner| owner != ACCOUNT) {
        return Err(AwsError::of(403, "AccessDenied", "Access Denied"));
    }
    Ok(())
}

/// The headers that an object is stored with.
pub(super) fn headers(request: &Request) -> Result<Headers, AwsError> {
    let mut headers = Headers::new();
    for (name, value) in &request.headers {
        let name = name.as_str();
        if KEPT.contains(&name) || name.starts_with(USER) {
            let value = std::str::from_utf8(value.as_bytes())
                .map_err(|_| invalid_argument("Header value must be text in UTF-8.", name, ""))?;
            headers.insert(name.to_owned(), value.to_owned());
        }
    }
    check_size(&headers)?;
    Ok(normalised(headers))
}

/// The headers of an object that has a content type only.
pub(super) fn of_type(content_type: &str) -> Headers {
    [("content-type".to_owned(), content_type.to_owned())].into()
}

fn check_size(headers: &Headers) -> Result<(), AwsError> {
    let sizes = headers.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix(USER)?;
        Some(name.len() + value.len())
    });
    let size: usize = sizes.sum();
    if size <= LARGEST {
        return Ok(());
    }
    Err(AwsError::client(
        "MetadataTooLarge",
        "Your metadata headers exceed the maximum allowed metadata size",
    )
    .with("Size", size.to_string())
    .with("MaxSizeAllowed", LARGEST.to_string()))
}

/// Takes the encoding of the transfer out of the object's own encodings, and gives every object a type.
fn normalised(mut headers: Headers) -> Headers {
    if let Some(encoding) = headers.remove("content-encoding") {
        let own = encoding.split(',').map(str::trim);
        let own: Vec<&str> = own.filter(|part| *part != "aws-chunked").collect();
        if !own.is_empty() {
            headers.insert("content-encoding".to_owned(), own.join(","));
        }
    }
    headers
        .entry("content-type".to_owned())
        .or_insert_with(|| TYPE.to_owned());
    headers
}

/// The storage class that a request asks for, if any.
pub(super) fn class(request: &Request) -> Result<Option<String>, AwsError> {
    let Some(class) = request.header("x-amz-storage-class") else {
        return Ok(None);
    };
    if CLASSES.contains(&class) {
        return Ok(Some(class.to_owned()));
    }
    // Objects in archives must be restored before they are read, which the runtime does not do.
    if matches!(class, "GLACIER" | "DEEP_ARCHIVE") {
        return Err(header_not_implemented("x-amz-storage-class"));
    }
    Err(AwsError::client(
        "InvalidStorageClass",
        "The storage class you specified is not valid",
    )
    .with("StorageClassRequested", class))
}
