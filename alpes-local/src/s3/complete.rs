//! Makes an object of the parts of an upload.

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::Transaction;

use super::{
    checksum::{Algorithm, COMPOSITE, Checksum, FULL_OBJECT},
    conditions::check_write,
    errors::{invalid_request, malformed_xml},
    payload::bad_checksum,
    table::{self, Object},
    target::Target,
    uploads::{self, Part, Upload},
    xml::Element,
};
use crate::{error::AwsError, http::Request, names::now_millis};

/// The least size in bytes of each part but the last.
const LEAST: u64 = 5 * 1_024 * 1_024;

/// A part that a client names.
struct Named {
    number: u32,
    /// Without the quotes.
    etag: String,
    checksums: Vec<Checksum>,
}

/// Makes the object, and deletes the upload with the parts that the client does not name.
pub(super) fn complete(
    transaction: &Transaction<'_>,
    request: &Request,
    at: &Target,
    id: &str,
) -> Result<Object, AwsError> {
    let upload = uploads::existing(transaction, at, id)?;
    let named = named_parts(&request.body, id)?;
    check_kind(request, &upload)?;
    check_write(transaction, request, &at.bucket, &at.key)?;
    check_conflict(transaction, request, at, &upload)?;
    let parts = checked_parts(transaction, &upload, &named)?;
    let size = parts.iter().map(|part| part.size).sum();
    check_size(request, size)?;
    let content = joined(transaction, &upload, &parts)?;
    let object = Object {
        content,
        size,
        etag: etag(&parts),
        modified: now_millis(),
        checksum: Some(checksum(
            transaction,
            request,
            &upload,
            &parts,
            (content, size),
        )?),
        class: upload.class,
        headers: upload.headers,
    };
    table::save(transaction, &at.bucket, &at.key, &object)?;
    Ok(object)
}

fn named_parts(body: &[u8], upload: &str) -> Result<Vec<Named>, AwsError> {
    let document = Element::parse(body, "CompleteMultipartUpload")?;
    let named = document.all("Part").map(named_part);
    let named: Vec<Named> = named.collect::<Result<_, _>>()?;
    if named.is_empty() {
        return Err(invalid_request("You must specify at least one part"));
    }
    if named.is_sorted_by(|one, next| one.number < next.number) {
        return Ok(named);
    }
    Err(AwsError::client(
        "InvalidPartOrder",
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    )
    .with("UploadId", upload))
}

fn named_part(part: &Element) -> Result<Named, AwsError> {
    let number = part.text_of("PartNumber");
    let number = number.and_then(|number| number.trim().parse().ok());
    let etag = part.text_of("ETag").ok_or_else(malformed_xml)?;
    let checksums = Algorithm::ALL.into_iter().filter_map(|algorithm| {
        let value = part.text_of(&algorithm.element())?.to_owned();
        Some(Checksum { algorithm, value })
    });
    Ok(Named {
        number: number.ok_or_else(malformed_xml)?,
        etag: etag.trim().trim_matches('"').to_owned(),
        checksums: checksums.collect(),
    })
}

fn check_kind(request: &Request, upload: &Upload) -> Result<(), AwsError> {
    let kind = upload.checksum.map_or("null", |(_, kind)| kind);
    let asked = request.header("x-amz-checksum-type");
    if asked.is_none_or(|asked| asked == kind) {
        return Ok(());
    }
    Err(invalid_request(format!(
        "The upload was created using the {kind} checksum mode. The complete request must use the same checksum mode."
    )))
}

/// An object that was written after the upload began is not the one that the client's condition means.
fn check_conflict(
    transaction: &Transaction<'_>,
    request: &Request,
    at: &Target,
    upload: &Upload,
) -> Result<(), AwsError> {
    let existing = table::find(transaction, &at.bucket, &at.key)?;
    let is_newer = existing.is_some_and(|object| object.modified > upload.created);
    if request.header("if-match").is_none() || !is_newer {
        return Ok(());
    }
    Err(AwsError::of(
        409,
        "ConditionalRequestConflict",
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    )
    .with("Condition", "If-Match")
    .with("Key", at.key.clone()))
}

/// The stored parts that the client names.
fn checked_parts(
    transaction: &Transaction<'_>,
    upload: &Upload,
    named: &[Named],
) -> Result<Vec<Part>, AwsError> {
    let mut parts = Vec::new();
    for (index, named_part) in named.iter().enumerate() {
        let part = uploads::find_part(transaction, &upload.id, named_part.number)?;
        let part = part
            .filter(|part| part.etag == named_part.etag)
            .filter(|part| matches_checksums(part, named_part))
            .ok_or_else(|| invalid_part(upload, named_part))?;
        check_part(upload, named_part, &part, index + 1 == named.len())?;
        parts.push(part);
    }
    Ok(parts)
}

/// True if the client names no checksum but the one with which it uploaded the part.
fn matches_checksums(part: &Part, named: &Named) -> bool {
    let mut checksums = named.checksums.iter();
    checksums.all(|checksum| part.checksum.as_ref() == Some(checksum))
}

fn check_part(upload: &Upload, named: &Named, part: &Part, is_last: bool) -> Result<(), AwsError> {
    if let Some((algorithm, COMPOSITE)) = upload.checksum
        && named.checksums.is_empty()
    {
        return Err(invalid_request(format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. \
             It was missing for part {} in the request.",
            algorithm.name().to_lowercase(),
            named.number
        )));
    }
    if is_last || part.size >= LEAST {
        return Ok(());
    }
    Err(AwsError::client(
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
    )
    .with("ETag", part.etag.clone())
    .with("PartNumber", part.number.to_string())
    .with("MinSizeAllowed", LEAST.to_string())
    .with("ProposedSize", part.size.to_string()))
}

fn invalid_part(upload: &Upload, named: &Named) -> AwsError {
    AwsError::client(
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified \
         entity tag may not match the part's entity tag.",
    )
    .with("UploadId", upload.id.clone())
    .with("PartNumber", named.number.to_string())
    .with("ETag", named.etag.clone())
}

fn check_size(request: &Request, size: u64) -> Result<(), AwsError> {
    let claimed = request.header("x-amz-mp-object-size");
    match claimed {
        Some(claimed) if claimed.parse() != Ok(size) => Err(invalid_request(format!(
            "The provided 'x-amz-mp-object-size' header value {claimed} does not match what was computed: {size}"
        ))),
        _ => Ok(()),
    }
}

/// Joins the parts' bytes, and deletes the upload and all other parts.
fn joined(transaction: &Transaction<'_>, upload: &Upload, parts: &[Part]) -> Result<i64, AwsError> {
    for stored in uploads::parts(transaction, &upload.id, 0)? {
        if !parts.iter().any(|part| part.number == stored.number) {
            table::delete_content(transaction, stored.content)?;
        }
    }
    uploads::delete(transaction, &upload.id)?;
    let mut parts = parts.iter();
    let first = parts.next().ok_or_else(malformed_xml)?;
    let mut size = first.size;
    for part in parts {
        table::append_content(transaction, first.content, size, part.content)?;
        size += part.size;
    }
    Ok(first.content)
}

/// The entity tag of an object of parts: the MD5 of the parts' MD5s, and the number of parts.
fn etag(parts: &[Part]) -> String {
    let mut digest = md5::Context::new();
    for part in parts {
        digest.consume(decoded_hexadecimal(&part.etag));
    }
    format!("{:x}-{}", digest.compute(), parts.len())
}

fn decoded_hexadecimal(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let pairs = pairs.filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs
        .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
        .collect()
}

/// The checksum of the whole, which must be the one that the client expects.
fn checksum(
    transaction: &Transaction<'_>,
    request: &Request,
    upload: &Upload,
    parts: &[Part],
    (content, size): (i64, u64),
) -> Result<Checksum, AwsError> {
    let default = (Algorithm::DEFAULT, FULL_OBJECT);
    let (algorithm, kind) = upload.checksum.unwrap_or(default);
    let mut hasher = algorithm.hasher();
    let value = if kind == COMPOSITE {
        for checksum in parts.iter().filter_map(|part| part.checksum.as_ref()) {
            hasher.update(&BASE64_STANDARD.decode(&checksum.value).unwrap_or_default());
        }
        format!("{}-{}", hasher.finish(), parts.len())
    } else {
        table::each_piece(transaction, content, (0, size), |piece| {
            hasher.update(piece);
        })?;
        hasher.finish()
    };
    let expected = request.header(&algorithm.header());
    let plain = value.split('-').next();
    if expected.is_none_or(|expected| expected == value || Some(expected) == plain) {
        return Ok(Checksum { algorithm, value });
    }
    Err(bad_checksum(algorithm))
}
