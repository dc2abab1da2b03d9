//! Reading a function's response to a batch, with `ReportBatchItemFailures`.

use crate::{Rule, SequenceNumber, json::Json};

/// The meaning of a response for its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole batch is done.
    Done,
    /// The records before this position in the batch are done, and the others are not.
    DoneBefore(usize),
    /// No record of the batch is done.
    Failed,
}

/// Reads the response to a batch with these sequence numbers, in order. Returns the meaning of the response, and the
/// rule that gives it this meaning.
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
        Json::List(values) if values.is_empty() => {
            return (Verdict::Done, Rule::ReportEmptyResponse);
        }
        Json::Text(text) if text.is_empty() => {
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

/// The position in the batch of a failure's record. The error is the rule that the failure breaks.
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
