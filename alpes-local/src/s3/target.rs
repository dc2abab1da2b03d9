//! The bucket and the object that a request is about, and when a presigned request is over.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use percent_encoding::percent_decode_str;

use super::{answers::iso_date, errors::invalid_argument};
use crate::{error::AwsError, http::Request, names::now_millis};

/// S3's limit on a key in bytes.
const LONGEST_KEY: usize = 1_024;

/// The bucket and the key of a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Target {
    /// Empty if the request is about all buckets.
    pub bucket: String,
    /// Empty if the request is about a bucket.
    pub key: String,
}

impl Target {
    /// The bucket is the first part of the path, or stands before `.s3.` or `.localhost` in the host's name.
    pub fn of(request: &Request) -> Result<Self, AwsError> {
        let path = request.path.strip_prefix('/').unwrap_or(&request.path);
        let host = request.header("host").unwrap_or_default();
        let (bucket, key) = if let Some(bucket) = bucket_of(host) {
            (bucket.to_owned(), path)
        } else {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            (decoded(bucket)?, key)
        };
        let key = decoded(key)?;
        check_key(&key)?;
        Ok(Self { bucket, key })
    }

    /// The source of a copy: `/BUCKET/KEY`, percent-encoded.
    pub fn of_copy(source: &str) -> Result<Self, AwsError> {
        let invalid = || {
            invalid_argument(
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
                "x-amz-copy-source",
                source,
            )
        };
        let path = source.strip_suffix("?versionId=null").unwrap_or(source);
        if path.contains("?versionId=") {
            return Err(invalid());
        }
        let path = decoded(path.strip_prefix('/').unwrap_or(path))?;
        let (bucket, key) = path.split_once('/').ok_or_else(invalid)?;
        if bucket.is_empty() || key.is_empty() {
            return Err(invalid());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

/// The bucket that a host's name names.
fn bucket_of(host: &str) -> Option<&str> {
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if let Some(name) = host.strip_suffix(".localhost") {
        let bucket = name.strip_suffix(".s3").unwrap_or(name);
        return (bucket != "s3").then_some(bucket);
    }
    [".s3.", ".s3-"]
        .iter()
        .find_map(|mark| host.rsplit_once(mark))
        .map(|(bucket, _)| bucket)
}

fn decoded(text: &str) -> Result<String, AwsError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| {
        AwsError::client("InvalidURI", "Couldn't parse the specified URI.").with("URI", text)
    })
}

/// Checks the length of a key.
pub(super) fn check_key(key: &str) -> Result<(), AwsError> {
    if key.len() <= LONGEST_KEY {
        return Ok(());
    }
    Err(AwsError::client("KeyTooLongError", "Your key is too long")
        .with("Size", key.len().to_string())
        .with("MaxSizeAllowed", LONGEST_KEY.to_string()))
}

/// Refuses a presigned request whose time is over. Signatures are not checked: every caller has access.
pub(super) fn check_expiry(request: &Request) -> Result<(), AwsError> {
    let expires = match (
        request.parameter("X-Amz-Expires"),
        request.parameter("Expires"),
    ) {
        (Some(seconds), _) => signed_at(request)?
            .as_millisecond()
            .saturating_add(valid_seconds(&seconds)? * 1_000),
        (None, Some(time)) if request.parameter("Signature").is_some() => time
            .parse::<i64>()
            .map_err(|_| invalid_argument("Invalid date", "Expires", &time))?
            .saturating_mul(1_000),
        _ => return Ok(()),
    };
    let (expires, now) = (u64::try_from(expires).unwrap_or_default(), now_millis());
    if now <= expires {
        return Ok(());
    }
    Err(AwsError::of(403, "AccessDenied", "Request has expired")
        .with("Expires", iso_date(expires))
        .with("ServerTime", iso_date(now)))
}

fn valid_seconds(seconds: &str) -> Result<i64, AwsError> {
    let number = seconds.parse().ok();
    number
        .filter(|number| (1..=604_800).contains(number))
        .ok_or_else(|| {
            AwsError::client(
                "AuthorizationQueryParametersError",
                "X-Amz-Expires must be a number of seconds between 1 and 604800",
            )
        })
}

/// The time at which a presigned request was signed.
fn signed_at(request: &Request) -> Result<Timestamp, AwsError> {
    let date = request.parameter("X-Amz-Date").unwrap_or_default();
    let parsed = DateTime::strptime("%Y%m%dT%H%M%SZ", &date).ok();
    parsed
        .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
        .map(|date| date.timestamp())
        .ok_or_else(|| {
            AwsError::client(
                "AuthorizationQueryParametersError",
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
            )
        })
}
