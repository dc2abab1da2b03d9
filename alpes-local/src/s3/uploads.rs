//! The tables of multipart uploads.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{
    checksum::{Algorithm, COMPOSITE, Checksum, FULL_OBJECT},
    errors::no_upload,
    table::{self, Headers},
    target::Target,
};
use crate::error::AwsError;

/// A multipart upload.
pub(super) struct Upload {
    pub id: String,
    /// In milliseconds.
    pub created: u64,
    pub class: String,
    pub headers: Headers,
    /// The algorithm of the parts' checksums, and the kind of the whole's: [`COMPOSITE`] or [`FULL_OBJECT`].
    pub checksum: Option<(Algorithm, &'static str)>,
}

/// A part of an upload.
#[derive(Clone)]
pub(super) struct Part {
    pub number: u32,
    pub content: i64,
    pub size: u64,
    /// Without the quotes.
    pub etag: String,
    /// In milliseconds.
    pub modified: u64,
    pub checksum: Option<Checksum>,
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    at: &Target,
    upload: &Upload,
) -> Result<(), AwsError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO s3_uploads (id, bucket, key, created, class, headers, algorithm, kind)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        upload.id,
        at.bucket,
        at.key,
        upload.created,
        upload.class,
        table::headers_text(&upload.headers)?,
        upload.checksum.map(|(algorithm, _)| algorithm.name()),
        upload.checksum.map(|(_, kind)| kind),
    ])?;
    Ok(())
}

/// An upload that must exist, for this object.
pub(super) fn existing(connection: &Connection, at: &Target, id: &str) -> Result<Upload, AwsError> {
    table::bucket(connection, &at.bucket)?;
    let mut statement = connection.prepare_cached(
        "SELECT created, class, headers, algorithm, kind FROM s3_uploads WHERE id = ? AND bucket = ? AND key = ?",
    )?;
    let found = statement.query_row([id, &at.bucket, &at.key], |row| upload(row, id));
    found.optional()?.ok_or_else(|| no_upload(id))
}

fn upload(row: &Row<'_>, id: &str) -> rusqlite::Result<Upload> {
    let algorithm: Option<String> = row.get(3)?;
    let kind: Option<String> = row.get(4)?;
    let algorithm = algorithm.and_then(|name| Algorithm::named(&name).ok());
    let kind = kind.map(|kind| {
        if kind == COMPOSITE {
            COMPOSITE
        } else {
            FULL_OBJECT
        }
    });
    Ok(Upload {
        id: id.to_owned(),
        created: row.get(0)?,
        class: row.get(1)?,
        headers: table::headers(row, 2)?,
        checksum: algorithm.zip(kind),
    })
}

/// The ids of the uploads to a bucket.
pub(super) fn ids(connection: &Connection, bucket: &str) -> Result<Vec<String>, AwsError> {
    let mut statement = connection.prepare_cached("SELECT id FROM s3_uploads WHERE bucket = ?")?;
    let rows = statement.query_map([bucket], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stores a part. A part of this number that is there already is replaced with its bytes.
pub(super) fn save_part(
    transaction: &Transaction<'_>,
    upload: &str,
    part: &Part,
) -> Result<(), AwsError> {
    let before = find_part(transaction, upload, part.number)?;
    if let Some(before) = before {
        table::delete_content(transaction, before.content)?;
    }
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO s3_parts (upload, number, content, size, etag, modified, algorithm, checksum)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let checksum = part.checksum.as_ref();
    statement.execute(params![
        upload,
        part.number,
        part.content,
        part.size,
        part.etag,
        part.modified,
        checksum.map(|checksum| checksum.algorithm.name()),
        checksum.map(|checksum| &checksum.value),
    ])?;
    Ok(())
}

pub(super) fn find_part(
    connection: &Connection,
    upload: &str,
    number: u32,
) -> Result<Option<Part>, AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, content, size, etag, modified, algorithm, checksum FROM s3_parts
         WHERE upload = ? AND number = ?",
    )?;
    let found = statement.query_row(params![upload, number], part);
    Ok(found.optional()?)
}

/// The parts of an upload whose numbers are greater than `after`, in order.
pub(super) fn parts(
    connection: &Connection,
    upload: &str,
    after: u32,
) -> Result<Vec<Part>, AwsError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, content, size, etag, modified, algorithm, checksum FROM s3_parts
         WHERE upload = ? AND number > ? ORDER BY number",
    )?;
    let rows = statement.query_map(params![upload, after], part)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn part(row: &Row<'_>) -> rusqlite::Result<Part> {
    Ok(Part {
        number: row.get(0)?,
        content: row.get(1)?,
        size: row.get(2)?,
        etag: row.get(3)?,
        modified: row.get(4)?,
        checksum: table::checksum(row, 5)?,
    })
}

/// Deletes an upload. The bytes of its parts stay.
pub(super) fn delete(transaction: &Transaction<'_>, upload: &str) -> Result<(), AwsError> {
    transaction.execute("DELETE FROM s3_uploads WHERE id = ?", [upload])?;
    transaction.execute("DELETE FROM s3_parts WHERE upload = ?", [upload])?;
    Ok(())
}
