//! The conditions and ranges that requests may have.

use jiff::fmt::rfc2822::DateTimeParser;
use rusqlite::Connection;

use super::{
    errors::{header_not_implemented, precondition_failed},
    table::{self, Object},
};
use crate::{error::AwsError, http::Request, names::now_millis};

/// The names of the headers that have the conditions of a read.
pub(super) struct Names {
    matching: &'static str,
    different: &'static str,
    modified: &'static str,
    unmodified: &'static str,
}

/// The conditions of reads of an object.
pub(super) const OF_READS: Names = Names {
    matching: "if-match",
    different: "if-none-match",
    modified: "if-modified-since",
    unmodified: "if-unmodified-since",
};

/// The conditions of copies on their source.
pub(super) const OF_COPIES: Names = Names {
    matching: "x-amz-copy-source-if-match",
    different: "x-amz-copy-source-if-none-match",
    modified: "x-amz-copy-source-if-modified-since",
    unmodified: "x-amz-copy-source-if-unmodified-since",
};

/// How a condition of a read failed.
#[derive(Debug, PartialEq)]
pub(super) enum Failed {
    /// The object is not the one that the client means.
    Precondition(&'static str),
    /// The client has the object already.
    NotModified(&'static str),
}

impl Failed {
    /// The error of a copy, or of a read of an object that has changed.
    pub fn error(&self) -> AwsError {
        match self {
            Self::Precondition(name) | Self::NotModified(name) => precondition_failed(name),
        }
    }
}

/// Checks the conditions of a read. A condition on the entity tag is stronger than its twin on the time.
pub(super) fn check_read(request: &Request, object: &Object, names: &Names) -> Result<(), Failed> {
    let modified = object.modified / 1_000;
    match request.header(names.matching) {
        Some(tags) if !matches_tag(tags, &object.etag) => {
            return Err(Failed::Precondition(names.matching));
        }
        None if seconds(request, names.unmodified).is_some_and(|time| modified > time) => {
            return Err(Failed::Precondition(names.unmodified));
        }
        _ => {}
    }
    match request.header(names.different) {
        Some(tags) if matches_tag(tags, &object.etag) => Err(Failed::NotModified(names.different)),
        None if not_modified_since(request, names.modified, modified) => {
            Err(Failed::NotModified(names.modified))
        }
        _ => Ok(()),
    }
}

/// S3 ignores times in the future.
fn not_modified_since(request: &Request, name: &str, modified: u64) -> bool {
    let time = seconds(request, name);
    time.is_some_and(|time| modified <= time && time <= now_millis() / 1_000)
}

/// A time in a header, in seconds since 1970.
fn seconds(request: &Request, name: &str) -> Option<u64> {
    let parsed = DateTimeParser::new().parse_timestamp(request.header(name)?);
    u64::try_from(parsed.ok()?.as_second()).ok()
}

fn matches_tag(tags: &str, etag: &str) -> bool {
    tags.split(',').any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.trim_matches('"') == etag
    })
}

/// Checks the conditions of a write against the object that is there now, in the transaction of the write.
pub(super) fn check_write(
    connection: &Connection,
    request: &Request,
    bucket: &str,
    key: &str,
) -> Result<(), AwsError> {
    let (if_match, if_none_match) = (request.header("if-match"), request.header("if-none-match"));
    if if_match.is_some() && if_none_match.is_some() {
        return Err(header_not_implemented("If-Match,If-None-Match"));
    }
    if let Some(tag) = if_none_match {
        if tag != "*" {
            return Err(header_not_implemented("If-None-Match"));
        }
        if table::find(connection, bucket, key)?.is_some() {
            return Err(precondition_failed("If-None-Match"));
        }
    }
    if let Some(tag) = if_match {
        let object = table::existing(connection, bucket, key)?;
        if !matches_tag(tag, &object.etag) {
            return Err(precondition_failed("If-Match"));
        }
    }
    Ok(())
}

/// The bytes that a header `Range` asks for, from the first to before the last; `None` if it is not one range of bytes,
/// which S3 ignores.
pub(super) fn range(header: &str, size: u64) -> Result<Option<(u64, u64)>, AwsError> {
    let Some((first, last)) = header
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let (begin, end) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(size)),
        (Ok(first), Err(_)) if last.trim().is_empty() => (first, size),
        (Err(_), Ok(count)) if first.trim().is_empty() => (size.saturating_sub(count), size),
        _ => return Ok(None),
    };
    if begin < end {
        return Ok(Some((begin, end)));
    }
    Err(AwsError::of(
        416,
        "InvalidRange",
        "The requested range is not satisfiable",
    )
    .with("RangeRequested", header)
    .with("ActualObjectSize", size.to_string()))
}
