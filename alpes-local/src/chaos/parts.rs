//! Batches of which a service does only a part.
//!
//! - `BatchWriteItem` and `BatchGetItem` return the rest as unprocessed:
//!   <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>.
//! - `PutRecords` tells for each record whether it failed, and a failed record does not stop those after it:
//!   <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>.

use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, Either, Full};
use serde_json::{Map, Value, json};

use super::front::{Api, Call};
use crate::http::{Response, unanswered};

/// A batch in two parts.
pub(super) struct Parted {
    kind: Batch,
    /// The request with the entries that are done.
    done: Value,
    left_out: LeftOut,
}

/// The kinds of batches.
#[derive(Clone, Copy)]
enum Batch {
    Write,
    Get,
    Records,
}

/// The entries that are not done.
enum LeftOut {
    /// By table, as an answer returns them.
    Unprocessed(Map<String, Value>, usize),
    /// For each record of a request whether it fails.
    Failed(Vec<bool>),
}

impl Parted {
    /// True if the call is of a batch.
    pub(super) fn is_for(call: &Call) -> bool {
        batch(call).is_some()
    }

    /// Parts a request. `choose` chooses a number below another one. `None` if there is nothing to part.
    pub(super) fn of(call: &Call, body: &[u8], mut choose: impl FnMut(u64) -> u64) -> Option<Self> {
        let kind = batch(call)?;
        let mut done: Value = serde_json::from_slice(body).ok()?;
        let left_out = match kind {
            Batch::Records => fail_some(done.get_mut("Records")?.as_array_mut()?, &mut choose)?,
            Batch::Write | Batch::Get => leave_some(kind, &mut done, &mut choose)?,
        };
        Some(Self {
            kind,
            done,
            left_out,
        })
    }

    /// The body of the request with the entries that are done.
    pub(super) fn done(&self) -> Vec<u8> {
        self.done.to_string().into_bytes()
    }

    /// How many entries are not done.
    pub(super) fn left_out(&self) -> usize {
        match &self.left_out {
            LeftOut::Unprocessed(_, count) => *count,
            LeftOut::Failed(failed) => failed.iter().filter(|failed| **failed).count(),
        }
    }

    /// The answer to the whole request, from the answer to the part that was done.
    pub(super) async fn answer(self, answer: Response) -> Response {
        let count = self.left_out();
        let Self { kind, left_out, .. } = self;
        changed(answer, |answer| match left_out {
            LeftOut::Unprocessed(left, _) => {
                let name = match kind {
                    Batch::Get => "UnprocessedKeys",
                    _ => "UnprocessedItems",
                };
                add_unprocessed(answer, name, left);
            }
            LeftOut::Failed(failed) => add_failures(answer, &failed, count),
        })
        .await
    }
}

fn batch(call: &Call) -> Option<Batch> {
    match (call.api, call.operation.as_str()) {
        (Api::DynamoDb, "BatchWriteItem") => Some(Batch::Write),
        (Api::DynamoDb, "BatchGetItem") => Some(Batch::Get),
        (Api::Kinesis, "PutRecords") => Some(Batch::Records),
        _ => None,
    }
}

/// Changes the JSON of an answer, if it is no error.
pub(super) async fn changed(answer: Response, change: impl FnOnce(&mut Value)) -> Response {
    if !answer.status().is_success() {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    // An answer that breaks off has no end that could be sent.
    let Ok(body) = body.collect().await else {
        return unanswered();
    };
    let body = body.to_bytes();
    let mut value: Value = serde_json::from_slice(&body).unwrap_or_default();
    change(&mut value);
    // The checksum is of the body as it was.
    head.headers.remove("x-amz-crc32");
    head.headers.remove(header::CONTENT_LENGTH);
    let body = Bytes::from(value.to_string());
    Response::from_parts(head, Either::Left(Full::new(body)))
}

/// Takes records out of a request: at least one, and not all.
fn fail_some(records: &mut Vec<Value>, choose: &mut impl FnMut(u64) -> u64) -> Option<LeftOut> {
    let failed = some_of(records.len(), choose)?;
    let mut fails = failed.iter();
    records.retain(|_| fails.next() != Some(&true));
    Some(LeftOut::Failed(failed))
}

/// Takes entries out of a request to DynamoDB: at least one, and not all.
fn leave_some(
    kind: Batch,
    request: &mut Value,
    choose: &mut impl FnMut(u64) -> u64,
) -> Option<LeftOut> {
    let tables = request.get_mut("RequestItems")?.as_object_mut()?;
    let count = |entries: &Value| of_table(kind, entries).map_or(0, Vec::len);
    let total = tables.values().map(count).sum();
    let leaves = some_of(total, choose)?;
    let mut fate = leaves.iter();
    let mut left = Map::new();
    for (table, entries) in tables.iter_mut() {
        let mut others = entries.clone();
        let all = std::mem::take(of_table_mut(kind, entries)?);
        let (mut done, mut not) = (vec![], vec![]);
        for entry in all {
            let is_left = fate.next() == Some(&true);
            if is_left { &mut not } else { &mut done }.push(entry);
        }
        *of_table_mut(kind, entries)? = done;
        if !not.is_empty() {
            *of_table_mut(kind, &mut others)? = not;
            left.insert(table.clone(), others);
        }
    }
    tables.retain(|_, entries| count(entries) > 0);
    let count = leaves.iter().filter(|leaves| **leaves).count();
    Some(LeftOut::Unprocessed(left, count))
}

/// For each of so many entries whether it is chosen: at least one is, and one is not. `None` if there are too few.
fn some_of(count: usize, choose: &mut impl FnMut(u64) -> u64) -> Option<Vec<bool>> {
    let options = u64::try_from(count).ok().filter(|count| *count > 1)?;
    let (one, other) = (choose(options), 1 + choose(options - 1));
    let kept = (one + other) % options;
    let chosen = (0..options).map(|at| at == one || (at != kept && choose(3) == 0));
    Some(chosen.collect())
}

/// The entries of a table.
fn of_table(kind: Batch, entries: &Value) -> Option<&Vec<Value>> {
    match kind {
        Batch::Get => entries.get("Keys")?.as_array(),
        _ => entries.as_array(),
    }
}

fn of_table_mut(kind: Batch, entries: &mut Value) -> Option<&mut Vec<Value>> {
    match kind {
        Batch::Get => entries.get_mut("Keys")?.as_array_mut(),
        _ => entries.as_array_mut(),
    }
}

/// Adds entries to those that the service itself has left out.
fn add_unprocessed(answer: &mut Value, name: &str, left: Map<String, Value>) {
    let Some(answer) = answer.as_object_mut() else {
        return;
    };
    let known = answer
        .entry(name)
        .or_insert_with(|| Value::Object(Map::new()));
    for (table, mut entries) in left {
        let kind = if name == "UnprocessedKeys" {
            Batch::Get
        } else {
            Batch::Write
        };
        let own = known.get_mut(&table);
        match own.and_then(|own| of_table_mut(kind, own)) {
            Some(own) => own.append(of_table_mut(kind, &mut entries).unwrap_or(&mut vec![])),
            None => {
                if let Some(known) = known.as_object_mut() {
                    known.insert(table, entries);
                }
            }
        }
    }
}

/// Puts the failed records between those that were written, in the order of the request.
fn add_failures(answer: &mut Value, failed: &[bool], count: usize) {
    let written = answer.get_mut("Records").map(Value::take);
    let mut written = match written {
        Some(Value::Array(written)) => written.into_iter(),
        _ => return,
    };
    let failure = || {
        json!({
            "ErrorCode": "ProvisionedThroughputExceededException",
            "ErrorMessage": "Rate exceeded for shard.",
        })
    };
    let records = failed.iter().map(|failed| {
        let own = if *failed { None } else { written.next() };
        own.unwrap_or_else(failure)
    });
    let records: Vec<_> = records.collect();
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("Records".to_owned(), records.into());
        answer.insert("FailedRecordCount".to_owned(), count.into());
    }
}
