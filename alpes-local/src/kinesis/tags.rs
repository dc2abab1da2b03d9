//! The tags of streams and consumers.

use rusqlite::{Connection, Transaction, params};
use serde_json::{Value, json};

use super::{
    Kinesis, consumers,
    errors::{invalid_argument, no_stream, not_found},
    fields::{ARN, Fields, TAG_KEY, TAG_VALUE},
    find_stream,
    stream::{Stream, stream_arn},
    streams::named_stream,
};
use crate::{error::AwsError, names::ACCOUNT};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS kinesis_tags (
    resource TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (resource, key)
) WITHOUT ROWID;
";

/// The most tags of a resource.
const LIMIT: usize = 50;

impl Kinesis {
    pub(super) fn add_tags_to_stream(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamName", "StreamARN", "Tags"])?;
        let resource = self.existing_stream(fields)?;
        self.add_tags(fields, &resource)
    }

    pub(super) fn tag_resource(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["ResourceARN", "Tags"])?;
        let resource = self.existing_resource(fields)?;
        self.add_tags(fields, &resource)
    }

    fn add_tags(&self, fields: &Fields<'_>, resource: &str) -> Result<Value, AwsError> {
        fields.required("Tags", fields.has("Tags").then_some(()))?;
        let tags = read(fields)?;
        self.store
            .write(|transaction| add(transaction, resource, &tags))?;
        Ok(json!({}))
    }

    pub(super) fn remove_tags_from_stream(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamName", "StreamARN", "TagKeys"])?;
        let resource = self.existing_stream(fields)?;
        self.remove_tags(fields, &resource)
    }

    pub(super) fn untag_resource(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["ResourceARN", "TagKeys"])?;
        let resource = self.existing_resource(fields)?;
        self.remove_tags(fields, &resource)
    }

    fn remove_tags(&self, fields: &Fields<'_>, resource: &str) -> Result<Value, AwsError> {
        let keys = fields.required_texts("TagKeys", 1..=LIMIT, &TAG_KEY)?;
        self.store.write(|transaction| {
            for key in keys {
                transaction.execute(
                    "DELETE FROM kinesis_tags WHERE resource = ?1 AND key = ?2",
                    params![resource, key],
                )?;
            }
            Ok::<_, AwsError>(())
        })?;
        Ok(json!({}))
    }

    pub(super) fn list_tags_for_stream(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamName", "StreamARN", "ExclusiveStartTagKey", "Limit"])?;
        let resource = self.existing_stream(fields)?;
        let after = fields
            .text("ExclusiveStartTagKey", &TAG_KEY)?
            .unwrap_or_default();
        let limit = fields.number("Limit", 1..=50)?.unwrap_or(50);
        let mut tags = self.store.read(|connection| all(connection, &resource))?;
        tags.retain(|(key, _)| key.as_str() > after);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = tags.len() > limit;
        tags.truncate(limit);
        Ok(json!({ "Tags": describe(tags), "HasMoreTags": more }))
    }

    pub(super) fn list_tags_for_resource(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["ResourceARN"])?;
        let resource = self.existing_resource(fields)?;
        let tags = self.store.read(|connection| all(connection, &resource))?;
        Ok(json!({ "Tags": describe(tags) }))
    }

    /// The ARN of the stream that a request names.
    fn existing_stream(&self, fields: &Fields<'_>) -> Result<String, AwsError> {
        let name = named_stream(fields)?;
        find_stream(&self.streams(), name).map(Stream::arn)
    }

    /// The request's `ResourceARN`, if there is a stream or a consumer with this ARN.
    fn existing_resource(&self, fields: &Fields<'_>) -> Result<String, AwsError> {
        let resource = fields.required_text("ResourceARN", &ARN)?;
        let named = resource.strip_prefix(&stream_arn(""));
        let named = named.ok_or_else(|| no_stream(resource))?;
        let (name, of_consumer) = match named.split_once('/') {
            Some((name, _)) => (name, true),
            None => (named, false),
        };
        let streams = self.streams();
        let stream = find_stream(&streams, name)?;
        let exists = |connection: &Connection| consumers::exists(connection, stream, resource);
        if of_consumer && !self.store.read(exists)? {
            return Err(not_found(format!(
                "Consumer {resource}, account {ACCOUNT} not found."
            )));
        }
        Ok(resource.to_owned())
    }
}

/// The `Tags` of a request, checked by AWS's rules.
pub(super) fn read<'a>(fields: &Fields<'a>) -> Result<Vec<(&'a str, &'a str)>, AwsError> {
    let tags = fields.texts_by_name("Tags", (&TAG_KEY, &TAG_VALUE))?;
    let mut texts = tags.iter().flat_map(|(key, value)| [*key, *value]);
    match texts.find(|text| !text.chars().all(is_allowed)) {
        Some(text) => Err(invalid_argument(format!(
            "Some tags contain invalid characters: {text:?}. Valid characters: Unicode letters, digits, white space, _ \
             . / = + - @ :."
        ))),
        None => Ok(tags),
    }
}

fn is_allowed(letter: char) -> bool {
    letter.is_alphanumeric() || letter.is_whitespace() || "_./=+-@:".contains(letter)
}

/// Adds tags to a resource, in place of those with the same keys.
pub(super) fn add(
    transaction: &Transaction<'_>,
    resource: &str,
    tags: &[(&str, &str)],
) -> Result<(), AwsError> {
    for (key, value) in tags {
        transaction.execute(
            "INSERT OR REPLACE INTO kinesis_tags (resource, key, value) VALUES (?1, ?2, ?3)",
            params![resource, key, value],
        )?;
    }
    if all(transaction, resource)?.len() > LIMIT {
        return Err(invalid_argument(format!(
            "Failed to add tags to {resource} under account {ACCOUNT} because a given stream cannot have more than \
             {LIMIT} tags associated with it."
        )));
    }
    Ok(())
}

/// Deletes the tags of a resource.
pub(super) fn forget(transaction: &Transaction<'_>, resource: &str) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM kinesis_tags WHERE resource = ?1", [resource])?;
    Ok(())
}

/// Deletes the tags of a stream and of its consumers, whose ARNs begin with the stream's ARN and a slash.
pub(super) fn forget_stream(
    transaction: &Transaction<'_>,
    stream_arn: &str,
) -> rusqlite::Result<()> {
    forget(transaction, stream_arn)?;
    transaction.execute(
        "DELETE FROM kinesis_tags WHERE resource >= ?1 || '/' AND resource < ?1 || '0'",
        [stream_arn],
    )?;
    Ok(())
}

fn all(connection: &Connection, resource: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection
        .prepare_cached("SELECT key, value FROM kinesis_tags WHERE resource = ?1 ORDER BY key")?;
    let tags = statement.query_map([resource], |row| Ok((row.get(0)?, row.get(1)?)))?;
    tags.collect()
}

fn describe(tags: Vec<(String, String)>) -> Vec<Value> {
    let tags = tags.into_iter();
    tags.map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect()
}
