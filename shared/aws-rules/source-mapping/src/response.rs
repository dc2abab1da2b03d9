//! What a function's response says of its batch, with `ReportBatchItemFailures`.

use crate::{Rule, SequenceNumber, json::Json};

/// What a response says of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is done.
    Done,
    /// What lies before this place in the batch is done, the rest is not.
    DoneBefore(usize),
    /// Nothing of it is done.
    Failed,
}

/// Reads the response to a batch with these sequence numbers, in their order; and tells the rule by which it was read.
#[must_use]
pub fn judge(response: &[u8], batch: &[&SequenceNumber]) -> (Verdict, Rule) {
    if response.trim_ascii().is_empty() {
        return (Verdict::Done, Rule::ReportEmptyResponse);
    }
    let Some(response) = Json::parse(response) else {
        return (Verdict::Failed, Rule::ReportMalformed);
    };
    match &response {
        Json::Null => return (Verdict::Done, Rule::ReportNullResponse),
        Json::Object(fields) if fields.is_empty() => {
            return (Verdict::Done, Rule::ReportEmptyResponse);
        }
        Json::Object(_) => {}
        _ => return (Verdict::Failed, Rule::ReportMalformed),
    }
    match response.field("batchItemFailures") {
        None => (Verdict::Done, Rule::ReportListMisnamed),
        Some(Json::Null) => (Verdict::Done, Rule::ReportNullList),
        Some(Json::List(failures)) if failures.is_empty() => (Verdict::Done, Rule::ReportEmptyList),
        Some(Json::List(failures)) => judge_failures(failures, batch),
        Some(_) => (Verdict::Failed, Rule::ReportMalformed),
    }
}

fn judge_failures(failures: &[Json], batch: &[&SequenceNumber]) -> (Verdict, Rule) {
    let mut first = batch.len();
    for failure in failures {
        match place_of(failure, batch) {
            Ok(place) => first = first.min(place),
            Err(rule) => return (Verdict::Failed, rule),
        }
    }
    if first == 0 {
        (Verdict::Failed, Rule::ReportFirstRecord)
    } else {
        (Verdict::DoneBefore(first), Rule::ReportLowest)
    }
}

/// Where in the batch the record of a failure is, or the rule that it breaks.
fn place_of(failure: &Json, batch: &[&SequenceNumber]) -> Result<usize, Rule> {
    match failure.field("itemIdentifier") {
        None => Err(Rule::ReportBadKey),
        Some(Json::Null) => Err(Rule::ReportNullIdentifier),
        Some(Json::Text(text)) if text.is_empty() => Err(Rule::ReportEmptyIdentifier),
        Some(Json::Text(text)) => {
            let mut batch = batch.iter();
            let place = batch.position(|sequence| sequence.as_str() == text);
            place.ok_or(Rule::ReportUnknownIdentifier)
        }
        Some(_) => Err(Rule::ReportUnknownIdentifier),
    }
}
