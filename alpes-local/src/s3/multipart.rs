//! The operations on multipart uploads.

use rusqlite::Transaction;
use uuid::Uuid;

use super::{
    S3,
    answers::{OWNER, document, element, empty, iso_date, set},
    checksum::{Algorithm, COMPOSITE, FULL_OBJECT},
    complete::complete,
    errors::{invalid_argument, invalid_request},
    metadata::{STANDARD, class, headers},
    payload::Payload,
    table,
    target::Target,
    uploads::{self, Part, Upload},
};
use crate::{
    error::AwsError,
    http::{Request, Response},
    names::now_millis,
};

/// S3's limit on the number of a part, and on the parts of one answer.
const MOST_PARTS: u32 = 10_000;
const PAGE: usize = 1_000;

impl S3 {
    pub(super) fn create_multipart_upload(
        &self,
        request: &Request,
        at: &Target,
    ) -> Result<Response, AwsError> {
        let upload = Upload {
            id: Uuid::new_v4().simple().to_string(),
            created: now_millis(),
            class: class(request)?.unwrap_or_else(|| STANDARD.to_owned()),
            headers: headers(request)?,
            checksum: checksum_of_upload(request)?,
        };
        self.store.write(|transaction| {
            table::bucket(transaction, &at.bucket)?;
            uploads::insert(transaction, at, &upload)
        })?;
        let mut response = document("InitiateMultipartUploadResult", &identity(at, &upload));
        set(&mut response, "x-amz-server-side-encryption", "AES256");
        if let Some((algorithm, kind)) = upload.checksum {
            set(&mut response, "x-amz-checksum-algorithm", algorithm.name());
            set(&mut response, "x-amz-checksum-type", kind);
        }
        Ok(response)
    }

    pub(super) fn upload_part(&self, request: &Request, at: &Target) -> Result<Response, AwsError> {
        let id = request.parameter("uploadId").unwrap_or_default();
        let number = part_number(request)?;
        let payload = Payload::of(request)?;
        self.store.write(|transaction| {
            let upload = uploads::existing(transaction, at, &id)?;
            check_algorithm(&upload, &payload)?;
            let part = Part {
                number,
                content: table::write_content(transaction, &payload.bytes)?,
                size: u64::try_from(payload.bytes.len()).unwrap_or(u64::MAX),
                etag: payload.md5.clone(),
                modified: now_millis(),
                checksum: payload.checksum.clone(),
            };
            uploads::save_part(transaction, &id, &part)
        })?;
        let mut response = empty(200);
        set(&mut response, "etag", &format!("\"{}\"", payload.md5));
        set(&mut response, "x-amz-server-side-encryption", "AES256");
        if let Some(checksum) = &payload.checksum {
            set(&mut response, &checksum.algorithm.header(), &checksum.value);
        }
        Ok(response)
    }

    pub(super) fn complete_multipart_upload(
        &self,
        request: &Request,
        at: &Target,
    ) -> Result<Response, AwsError> {
        let id = request.parameter("uploadId").unwrap_or_default();
        let object = self
            .store
            .write(|transaction| complete(transaction, request, at, &id))?;
        let host = request.header("host").unwrap_or_default();
        let location = format!("http://{host}/{}/{}", at.bucket, at.key);
        let mut content = element("Location", &location);
        content.push_str(&element("Bucket", &at.bucket));
        content.push_str(&element("Key", &at.key));
        content.push_str(&element("ETag", &format!("\"{}\"", object.etag)));
        if let Some(checksum) = &object.checksum {
            content.push_str(&element(&checksum.algorithm.element(), &checksum.value));
            content.push_str(&element("ChecksumType", checksum.kind()));
        }
        let mut response = document("CompleteMultipartUploadResult", &content);
        set(&mut response, "x-amz-server-side-encryption", "AES256");
        Ok(response)
    }

    pub(super) fn abort_multipart_upload(
        &self,
        request: &Request,
        at: &Target,
    ) -> Result<Response, AwsError> {
        let id = request.parameter("uploadId").unwrap_or_default();
        self.store.write(|transaction| {
            uploads::existing(transaction, at, &id)?;
            abort(transaction, &id)
        })?;
        Ok(empty(204))
    }

    pub(super) fn list_parts(&self, request: &Request, at: &Target) -> Result<Response, AwsError> {
        let id = request.parameter("uploadId").unwrap_or_default();
        let after = number(request, "part-number-marker")?.unwrap_or_default();
        let most = number(request, "max-parts")?;
        let most = most.map_or(PAGE, |most| usize::try_from(most).unwrap_or(PAGE).min(PAGE));
        let (upload, mut parts) = self.store.read(|connection| {
            let upload = uploads::existing(connection, at, &id)?;
            let parts = uploads::parts(connection, &id, after)?;
            Ok::<_, AwsError>((upload, parts))
        })?;
        let truncated = parts.len() > most;
        parts.truncate(most);
        let mut content = identity(at, &upload);
        let owner = element("ID", OWNER);
        content.extend([
            "<Initiator>",
            &owner,
            "</Initiator><Owner>",
            &owner,
            "</Owner>",
        ]);
        content.push_str(&element("StorageClass", &upload.class));
        if let Some((algorithm, kind)) = upload.checksum {
            content.push_str(&element("ChecksumAlgorithm", algorithm.name()));
            content.push_str(&element("ChecksumType", kind));
        }
        content.push_str(&element("PartNumberMarker", &after.to_string()));
        let last = parts.last().map_or(after, |part| part.number);
        content.push_str(&element("NextPartNumberMarker", &last.to_string()));
        content.push_str(&element("MaxParts", &most.to_string()));
        content.push_str(&element("IsTruncated", &truncated.to_string()));
        content.extend(parts.iter().map(described));
        Ok(document("ListPartsResult", &content))
    }
}

/// Aborts all uploads to a bucket.
pub(super) fn abort_all(transaction: &Transaction<'_>, bucket: &str) -> Result<(), AwsError> {
    let ids = uploads::ids(transaction, bucket)?;
    ids.iter().try_for_each(|id| abort(transaction, id))
}

fn abort(transaction: &Transaction<'_>, id: &str) -> Result<(), AwsError> {
    for part in uploads::parts(transaction, id, 0)? {
        table::delete_content(transaction, part.content)?;
    }
    uploads::delete(transaction, id)
}

/// The elements that say which upload an answer is about.
fn identity(at: &Target, upload: &Upload) -> String {
    [
        element("Bucket", &at.bucket),
        element("Key", &at.key),
        element("UploadId", &upload.id),
    ]
    .concat()
}

fn described(part: &Part) -> String {
    let mut described = element("PartNumber", &part.number.to_string());
    described.push_str(&element("LastModified", &iso_date(part.modified)));
    described.push_str(&element("ETag", &format!("\"{}\"", part.etag)));
    described.push_str(&element("Size", &part.size.to_string()));
    if let Some(checksum) = &part.checksum {
        described.push_str(&element(&checksum.algorithm.element(), &checksum.value));
    }
    format!("<Part>{described}</Part>")
}

/// The checksum that a client wants for an upload. If it does not say which kind, S3 takes the checksum of the parts'
/// checksums for all algorithms but one.
fn checksum_of_upload(request: &Request) -> Result<Option<(Algorithm, &'static str)>, AwsError> {
    let kind = request.header("x-amz-checksum-type");
    let Some(name) = request.header("x-amz-checksum-algorithm") else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let algorithm = Algorithm::named(name)?;
    let default = if algorithm == Algorithm::Crc64Nvme {
        FULL_OBJECT
    } else {
        COMPOSITE
    };
    let kind = match kind {
        None => default,
        Some(COMPOSITE) if algorithm != Algorithm::Crc64Nvme => COMPOSITE,
        Some(FULL_OBJECT) if algorithm.is_crc() => FULL_OBJECT,
        Some(kind @ (COMPOSITE | FULL_OBJECT)) => {
            return Err(invalid_request(format!(
                "The {kind} checksum type cannot be used with the {} checksum algorithm.",
                name.to_lowercase()
            )));
        }
        Some(_) => {
            return Err(invalid_request(
                "Value for x-amz-checksum-type header is invalid.",
            ));
        }
    };
    Ok(Some((algorithm, kind)))
}

/// The parts of an upload with a checksum have checksums of the same algorithm.
fn check_algorithm(upload: &Upload, payload: &Payload) -> Result<(), AwsError> {
    let Some((expected, _)) = upload.checksum else {
        return Ok(());
    };
    let actual = payload.checksum.as_ref().map(|checksum| checksum.algorithm);
    if actual == Some(expected) {
        return Ok(());
    }
    let name = |algorithm: Algorithm| algorithm.name().to_lowercase();
    let actual = actual.map_or_else(|| "null".to_owned(), name);
    Err(invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {actual}",
        name(expected)
    )))
}

fn part_number(request: &Request) -> Result<u32, AwsError> {
    let text = request.parameter("partNumber").unwrap_or_default();
    let number = text.parse().ok();
    number
        .filter(|number| (1..=MOST_PARTS).contains(number))
        .ok_or_else(|| {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            invalid_argument(message, "partNumber", &text)
        })
}

fn number(request: &Request, name: &str) -> Result<Option<u32>, AwsError> {
    let Some(text) = request.parameter(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        let message = format!("Argument {name} must be an integer between 0 and 2147483647");
        invalid_argument(&message, name, &text)
    })
}
