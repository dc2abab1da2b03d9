//! Requests with several entries. Each entry succeeds or fails for itself.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{
    errors::query_code,
    names::valid,
    {read, take_text},
};
use crate::error::AwsError;

/// The most entries of one request.
const MOST: usize = 10;

/// A request with several entries.
pub(super) struct Batch<T> {
    pub queue_url: String,
    /// The entries with their ids.
    pub entries: Vec<(String, T)>,
}

impl<T: DeserializeOwned> Batch<T> {
    /// Reads a request `{"QueueUrl": …, "Entries": [{"Id": …, …}]}` and checks the ids. `kind` is the name of the
    /// entries' shape in AWS's errors.
    pub fn read(mut input: Value, kind: &str) -> Result<Self, AwsError> {
        let queue_url = take_text(&mut input, "QueueUrl")?;
        let entries: Entries = read(input)?;
        let entries = entries.entries.into_iter().map(entry);
        let entries: Vec<(String, T)> = entries.collect::<Result<_, _>>()?;
        check(&entries, kind)?;
        Ok(Self { queue_url, entries })
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Entries {
    #[serde(default)]
    entries: Vec<Value>,
}

fn entry<T: DeserializeOwned>(mut entry: Value) -> Result<(String, T), AwsError> {
    let id = take_text(&mut entry, "Id")?;
    Ok((id, read(entry)?))
}

fn check<T>(entries: &[(String, T)], kind: &str) -> Result<(), AwsError> {
    if entries.is_empty() {
        return Err(AwsError::client(
            "EmptyBatchRequest",
            format!("There should be at least one {kind} in the request."),
        ));
    }
    if entries.len() > MOST {
        return Err(AwsError::client(
            "TooManyEntriesInBatchRequest",
            format!(
                "Maximum number of entries per request are {MOST}. You have sent {}.",
                entries.len()
            ),
        ));
    }
    let mut seen = BTreeSet::new();
    entries.iter().try_for_each(|(id, _)| {
        if !valid(id) {
            return Err(AwsError::client(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most \
                 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(AwsError::client(
                "BatchEntryIdsNotDistinct",
                format!("Id {id} repeated."),
            ));
        }
        Ok(())
    })
}

/// Does the work of each entry, and returns the answer with the entries that succeeded and those that failed.
///
/// # Errors
///
/// A failure of the runtime itself, which fails the whole request.
pub(super) fn each<'a, T: 'a>(
    entries: impl Iterator<Item = &'a (String, T)>,
    mut act: impl FnMut(&T) -> Result<Map<String, Value>, AwsError>,
) -> Result<Value, AwsError> {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, entry) in entries {
        match act(entry) {
            Ok(mut result) => {
                result.insert("Id".to_owned(), id.clone().into());
                successful.push(Value::from(result));
            }
            Err(error) if error.status >= 500 => return Err(error),
            Err(error) => failed.push(json!({
                "Id": id,
                "SenderFault": true,
                "Code": query_code(&error.code),
                "Message": error.message,
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}
