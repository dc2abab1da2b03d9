//! The operations on objects.

use bytes::Bytes;

use rusqlite::Transaction;

use super::{
    S3,
    answers::{document, element, empty, http_date, iso_date, set},
    checksum::{Algorithm, Checksum, FULL_OBJECT},
    conditions::{Failed, OF_COPIES, OF_READS, check_read, check_write, range},
    errors::{invalid_argument, invalid_request, malformed_xml},
    metadata::{STANDARD, class, headers},
    payload::Payload,
    table::{self, Headers, Object},
    target::{Target, check_key},
    xml::Element,
};
use crate::{
    error::AwsError,
    http::{Request, Response, answer},
    names::now_millis,
};

/// The most objects that one request deletes.
const MOST_DELETED: usize = 1_000;
/// Parameters of a read that replace headers of the answer.
pub(super) const OVERRIDES: [&str; 6] = [
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

impl S3 {
    pub(super) fn put_object(&self, request: &Request, at: &Target) -> Result<Response, AwsError> {
        let payload = Payload::of(request)?;
        let (headers, class) = (headers(request)?, class(request)?);
        let object = self.store.write(|transaction| {
            table::bucket(transaction, &at.bucket)?;
            check_write(transaction, request, &at.bucket, &at.key)?;
            store(transaction, at, &payload, headers, class)
        })?;
        let mut response = empty(200);
        describe_write(&mut response, &object);
        Ok(response)
    }

    pub(super) fn get_object(&self, request: &Request, at: &Target) -> Result<Response, AwsError> {
        let (object, wanted, bytes) = self.store.read(|connection| {
            let object = table::existing(connection, &at.bucket, &at.key)?;
            if check_read(request, &object, &OF_READS).is_err() {
                return Ok((object, None, Bytes::new()));
            }
            let wanted = wanted_range(request, &object)?;
            let whole = (0, object.size);
            let bytes = table::read_content(connection, object.content, wanted.unwrap_or(whole))?;
            Ok::<_, AwsError>((object, wanted, bytes))
        })?;
        described(request, &object, wanted, bytes)
    }

    pub(super) fn head_object(&self, request: &Request, at: &Target) -> Result<Response, AwsError> {
        let object = self
            .store
            .read(|connection| table::existing(connection, &at.bucket, &at.key))?;
        let wanted = wanted_range(request, &object)?;
        described(request, &object, wanted, Bytes::new())
    }

    pub(super) fn delete_object(
        &self,
        request: &Request,
        at: &Target,
    ) -> Result<Response, AwsError> {
        self.store.write(|transaction| {
            table::bucket(transaction, &at.bucket)?;
            check_write(transaction, request, &at.bucket, &at.key)?;
            table::delete(transaction, &at.bucket, &at.key)
        })?;
        Ok(empty(204))
    }

    pub(super) fn delete_objects(
        &self,
        request: &Request,
        bucket: &str,
    ) -> Result<Response, AwsError> {
        let payload = Payload::of(request)?;
        if payload.checksum.is_none() && request.header("content-md5").is_none() {
            return Err(invalid_request(
                "Missing required header for this request: Content-MD5",
            ));
        }
        let (keys, quiet) = keys_to_delete(&payload.bytes)?;
        self.store.write(|transaction| {
            table::bucket(transaction, bucket)?;
            keys.iter()
                .try_for_each(|key| table::delete(transaction, bucket, key))
        })?;
        let keys = keys.iter().filter(|_| !quiet);
        let deleted: String = keys
            .flat_map(|key| {
                [
                    "<Deleted>".to_owned(),
                    element("Key", key),
                    "</Deleted>".to_owned(),
                ]
            })
            .collect();
        Ok(document("DeleteResult", &deleted))
    }

    pub(super) fn copy_object(&self, request: &Request, at: &Target) -> Result<Response, AwsError> {
        let source = Target::of_copy(request.header("x-amz-copy-source").unwrap_or_default())?;
        let algorithm = request.header("x-amz-checksum-algorithm");
        let algorithm = algorithm.map(Algorithm::named).transpose()?;
        let class = class(request)?;
        let replaced = replaced_headers(request)?;
        if source == *at && replaced.is_none() && class.is_none() {
            return Err(invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let object = self.store.write(|transaction| {
            table::bucket(transaction, &at.bucket)?;
            let original = table::existing(transaction, &source.bucket, &source.key)?;
            check_read(request, &original, &OF_COPIES).map_err(|failed| failed.error())?;
            check_write(transaction, request, &at.bucket, &at.key)?;
            let payload = copied(transaction, &original, algorithm)?;
            let headers = replaced.unwrap_or(original.headers);
            store(transaction, at, &payload, headers, class)
        })?;
        let mut content = element("ETag", &format!("\"{}\"", object.etag));
        content.push_str(&element("LastModified", &iso_date(object.modified)));
        if let Some(checksum) = &object.checksum {
            content.push_str(&element(&checksum.algorithm.element(), &checksum.value));
            content.push_str(&element("ChecksumType", checksum.kind()));
        }
        Ok(document("CopyObjectResult", &content))
    }

    /// Makes or replaces an object, and returns its entity tag with the quotes.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, `KeyTooLongError`.
    pub fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<String, AwsError> {
        let at = Target {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        };
        check_key(key)?;
        let payload = Payload::trusted(bytes);
        let headers = super::metadata::of_type(content_type);
        let object = self.store.write(|transaction| {
            table::bucket(transaction, bucket)?;
            store(transaction, &at, &payload, headers, None)
        })?;
        Ok(format!("\"{}\"", object.etag))
    }

    /// The bytes of an object.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, `NoSuchKey`.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Bytes, AwsError> {
        self.store.read(|connection| {
            let object = table::existing(connection, bucket, key)?;
            table::read_content(connection, object.content, (0, object.size))
        })
    }
}

/// Stores an object with its bytes.
fn store(
    transaction: &Transaction<'_>,
    at: &Target,
    payload: &Payload,
    headers: Headers,
    class: Option<String>,
) -> Result<Object, AwsError> {
    let object = Object {
        content: table::write_content(transaction, &payload.bytes)?,
        size: u64::try_from(payload.bytes.len()).unwrap_or(u64::MAX),
        etag: payload.md5.clone(),
        modified: now_millis(),
        class: class.unwrap_or_else(|| STANDARD.to_owned()),
        headers,
        checksum: Some(payload.checksum_or_default()),
    };
    table::save(transaction, &at.bucket, &at.key, &object)?;
    Ok(object)
}

/// The bytes of an object that is copied. A checksum of parts is not one of the copy, which has no parts.
fn copied(
    transaction: &Transaction<'_>,
    original: &Object,
    algorithm: Option<Algorithm>,
) -> Result<Payload, AwsError> {
    let bytes = table::read_content(transaction, original.content, (0, original.size))?;
    let kept = original.checksum.as_ref();
    let kept = kept.filter(|checksum| checksum.kind() == FULL_OBJECT);
    let algorithm = algorithm.or(kept.map(|checksum| checksum.algorithm));
    let checksum = algorithm.map(|algorithm| Checksum {
        algorithm,
        value: algorithm.of(&bytes),
    });
    Ok(Payload {
        checksum,
        ..Payload::trusted(bytes)
    })
}

/// The headers of a copy; `None` if it has those of its source.
fn replaced_headers(request: &Request) -> Result<Option<Headers>, AwsError> {
    match request.header("x-amz-metadata-directive") {
        None | Some("COPY") => Ok(None),
        Some("REPLACE") => headers(request).map(Some),
        Some(other) => Err(invalid_argument(
            "Unknown metadata directive.",
            "x-amz-metadata-directive",
            other,
        )),
    }
}

/// The keys of a request to delete objects, and whether the answer leaves out those that were deleted.
fn keys_to_delete(body: &[u8]) -> Result<(Vec<String>, bool), AwsError> {
    let delete = Element::parse(body, "Delete")?;
    let quiet = delete.text_of("Quiet") == Some("true");
    let keys = delete.all("Object").map(key_to_delete);
    let keys: Vec<String> = keys.collect::<Result<_, _>>()?;
    if keys.is_empty() || keys.len() > MOST_DELETED {
        return Err(malformed_xml());
    }
    Ok((keys, quiet))
}

fn key_to_delete(object: &Element) -> Result<String, AwsError> {
    if let Some(name) = object.other_than(&["Key", "VersionId"]) {
        return Err(AwsError::of(
            501,
            "NotImplemented",
            format!("The local runtime does not implement the condition {name} of DeleteObjects."),
        ));
    }
    check_version(object.text_of("VersionId"))?;
    let key = object.text_of("Key").filter(|key| !key.is_empty());
    key.map(str::to_owned).ok_or_else(malformed_xml)
}

/// Buckets have no versions, so every object has the version `null`.
pub(super) fn check_version(version: Option<&str>) -> Result<(), AwsError> {
    match version {
        None | Some("null") => Ok(()),
        Some(other) => Err(invalid_argument(
            "Invalid version id specified",
            "versionId",
            other,
        )),
    }
}

fn wanted_range(request: &Request, object: &Object) -> Result<Option<(u64, u64)>, AwsError> {
    match request.header("range") {
        Some(header) => range(header, object.size),
        None => Ok(None),
    }
}

/// The answer to a read, with or without the bytes.
fn described(
    request: &Request,
    object: &Object,
    wanted: Option<(u64, u64)>,
    bytes: Bytes,
) -> Result<Response, AwsError> {
    match check_read(request, object, &OF_READS) {
        Err(Failed::NotModified(_)) => {
            let mut response = empty(304);
            describe_identity(&mut response, object);
            return Ok(response);
        }
        Err(failed) => return Err(failed.error()),
        Ok(()) => {}
    }
    let status = if wanted.is_some() { 206 } else { 200 };
    let (begin, end) = wanted.unwrap_or((0, object.size));
    let mut response = answer(status, "", bytes);
    describe_identity(&mut response, object);
    for (name, value) in &object.headers {
        set(&mut response, name, value);
    }
    for name in OVERRIDES {
        if let Some(value) = request.parameter(name) {
            set(&mut response, name.trim_start_matches("response-"), &value);
        }
    }
    set(&mut response, "accept-ranges", "bytes");
    set(&mut response, "content-length", &(end - begin).to_string());
    set(&mut response, "x-amz-server-side-encryption", "AES256");
    if object.class != STANDARD {
        set(&mut response, "x-amz-storage-class", &object.class);
    }
    if wanted.is_some() {
        let shown = format!("bytes {begin}-{}/{}", end - 1, object.size);
        set(&mut response, "content-range", &shown);
    } else if request.header("x-amz-checksum-mode") == Some("ENABLED") {
        describe_checksum(&mut response, object);
    }
    Ok(response)
}

fn describe_identity(response: &mut Response, object: &Object) {
    set(response, "etag", &format!("\"{}\"", object.etag));
    set(response, "last-modified", &http_date(object.modified));
}

pub(super) fn describe_checksum(response: &mut Response, object: &Object) {
    if let Some(checksum) = &object.checksum {
        set(response, &checksum.algorithm.header(), &checksum.value);
        set(response, "x-amz-checksum-type", checksum.kind());
    }
}

fn describe_write(response: &mut Response, object: &Object) {
    set(response, "etag", &format!("\"{}\"", object.etag));
    set(response, "x-amz-server-side-encryption", "AES256");
    describe_checksum(response, object);
}
