//! Reports on discarded records, as the destination receives them.

use source_mapping::{DestinationRecord, InvocationId};
use uuid::Uuid;

use super::journal::Report;

/// The last invocation of a shard that reached the function.
#[derive(Clone, Debug)]
pub(super) struct LastRun {
    pub(super) invocation: InvocationId,
    pub(super) request_id: String,
    pub(super) executed_version: String,
}

/// The report for a destination. Names the last invocation with the records, if they were discarded after one.
pub(super) fn written(
    mapping: Uuid,
    destination: &str,
    mut record: DestinationRecord,
    last: Option<&LastRun>,
) -> Report {
    let run = last.filter(|last| record.invocation == Some(last.invocation));
    let request_id = run.map_or_else(|| Uuid::new_v4().to_string(), |run| run.request_id.clone());
    if let Some(run) = run {
        record.executed_version.clone_from(&run.executed_version);
    }
    let number = record.invocation.map_or(0, |invocation| invocation.0);
    // The machine knows no request ids, so it writes the number of the invocation in their place.
    let placeholder = format!("00000000-0000-4000-8000-{number:012x}");
    Report {
        destination: destination.to_owned(),
        body: record.to_json().replacen(&placeholder, &request_id, 1),
        object_key: object_key(mapping, &record),
    }
}

/// The key of the object: `aws/lambda/MAPPING/SHARD/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-RANDOM`.
fn object_key(mapping: Uuid, record: &DestinationRecord) -> String {
    let time = record.timestamp.to_rfc3339();
    let second = time.split('.').next().unwrap_or(&time);
    let day = second.split('T').next().unwrap_or(second).replace('-', "/");
    let second = second.replace(':', ".");
    let (shard, random) = (&record.shard, Uuid::new_v4());
    format!("aws/lambda/{mapping}/{shard}/{day}/{second}-{random}")
}

#[cfg(test)]
mod tests {
    use source_mapping::{Condition, Destination, Millis};

    use super::*;

    #[test]
    fn a_report_names_the_last_invocation_and_the_time() {
        let record = DestinationRecord {
            destination: Destination::S3,
            invocation: Some(InvocationId(7)),
            function_arn: "function".to_owned(),
            executed_version: "$LATEST".to_owned(),
            condition: Condition::RetryAttemptsExhausted,
            approximate_invoke_count: 2,
            function_failed: Some(true),
            timestamp: Millis(1_573_691_886_021),
            shard: "shardId-000000000006".into(),
            start_sequence_number: 1.into(),
            end_sequence_number: 2.into(),
            first_arrival: Millis(0),
            last_arrival: Millis(0),
            batch_size: 2,
            stream_arn: "stream".to_owned(),
            payload: None,
        };
        let last = LastRun {
            invocation: InvocationId(7),
            request_id: "the-real-one".to_owned(),
            executed_version: "3".to_owned(),
        };
        let mapping = Uuid::nil();
        let report = written(mapping, "bucket", record.clone(), Some(&last));
        let body: serde_json::Value = serde_json::from_str(&report.body).unwrap();
        assert_eq!(body["requestContext"]["requestId"], "the-real-one");
        assert_eq!(body["responseContext"]["executedVersion"], "3");
        let begin = "aws/lambda/00000000-0000-0000-0000-000000000000/shardId-000000000006/\
                     2019/11/14/2019-11-14T00.38.06-";
        let random = report.object_key.strip_prefix(begin).unwrap();
        assert!(Uuid::parse_str(random).is_ok());

        let aged = DestinationRecord {
            invocation: None,
            ..record
        };
        let body = written(mapping, "bucket", aged, Some(&last)).body;
        assert!(!body.contains("the-real-one"));
    }
}
