//! The report on a discarded batch to the on-failure destination.

use std::sync::Arc;

use crate::{
    Destination, InvocationId, Millis, Names, Record, Rule, SequenceNumber, Settings, ShardId,
    batch::Response, event, json::quote,
};

/// The reason why records are discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// All `MaximumRetryAttempts` were used, and the last attempt failed too.
    RetryAttemptsExhausted,
    /// The records are older than `MaximumRecordAgeInSeconds`.
    RecordAgeExceeded,
}

impl Condition {
    /// The text in a destination record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Self::RecordAgeExceeded => "RecordAgeExceeded",
        }
    }
}

/// The report on discarded records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationRecord {
    /// The kind of destination that receives the report.
    pub destination: Destination,
    /// The invocation after which the records were discarded; `None` if they grew too old.
    pub invocation: Option<InvocationId>,
    /// The ARN of the function, with its alias if the mapping names one.
    pub function_arn: String,
    /// The version of the function that ran.
    pub executed_version: String,
    /// The reason for discarding.
    pub condition: Condition,
    /// The number of invocations with these records since their batch was made or last succeeded in part; 1 if the
    /// records grew too old before any invocation.
    pub approximate_invoke_count: u32,
    /// True if the last invocation with the records failed, false if the function answered, `None` if the records grew
    /// too old.
    pub function_failed: Option<bool>,
    /// The time of discarding.
    pub timestamp: Millis,
    /// The shard of the records.
    pub shard: ShardId,
    /// The sequence number of the first record.
    pub start_sequence_number: SequenceNumber,
    /// The sequence number of the last record.
    pub end_sequence_number: SequenceNumber,
    /// The arrival time of the first record.
    pub first_arrival: Millis,
    /// The arrival time of the last record.
    pub last_arrival: Millis,
    /// The number of records.
    pub batch_size: usize,
    /// The ARN of the stream.
    pub stream_arn: String,
    /// The event with the records; only for S3.
    pub payload: Option<String>,
}

impl DestinationRecord {
    /// The JSON text that Lambda writes.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Self {
            approximate_invoke_count: invoked,
            batch_size,
            shard,
            start_sequence_number: start,
            end_sequence_number: end,
            ..
        } = self;
        // On AWS, request ids are random. Here they are reproducible.
        let request = self.invocation.map_or(0, |invocation| invocation.0);
        let request = format!("00000000-0000-4000-8000-{request:012x}");
        let function = quote(&self.function_arn);
        let condition = self.condition.as_str();
        let response = match self.function_failed {
            None => String::new(),
            Some(failed) => {
                let error = if failed { "\"Unhandled\"" } else { "null" };
                let version = quote(&self.executed_version);
                format!(
                    "\"responseContext\":{{\"statusCode\":200,\"executedVersion\":{version},\
                     \"functionError\":{error}}},"
                )
            }
        };
        let timestamp = self.timestamp.to_rfc3339();
        let first = self.first_arrival.to_rfc3339();
        let last = self.last_arrival.to_rfc3339();
        let (shard, stream) = (quote(&shard.to_string()), quote(&self.stream_arn));
        let payload = self.payload.as_deref();
        let payload = payload.map_or(String::new(), |event| {
            format!(",\"payload\":{}", quote(event))
        });
        format!(
            "{{\"requestContext\":{{\"requestId\":\"{request}\",\"functionArn\":{function},\
             \"condition\":\"{condition}\",\"approximateInvokeCount\":{invoked}}},{response}\
             \"version\":\"1.0\",\"timestamp\":\"{timestamp}\",\"KinesisBatchInfo\":{{\
             \"shardId\":{shard},\"startSequenceNumber\":\"{start}\",\
             \"endSequenceNumber\":\"{end}\",\"approximateArrivalOfFirstRecord\":\"{first}\",\
             \"approximateArrivalOfLastRecord\":\"{last}\",\"batchSize\":{batch_size},\
             \"streamArn\":{stream}}}{payload}}}"
        )
    }
}

/// Discarded records before their report is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    pub records: Vec<Arc<Record>>,
    pub condition: Condition,
    pub invocation: Option<InvocationId>,
    pub attempts: u32,
    pub response: Option<Response>,
}

impl GivenUp {
    /// Combines these records and the next ones into one report.
    pub(crate) fn and(mut self, next: Self) -> Self {
        self.records.extend(next.records);
        self.attempts = self.attempts.max(next.attempts);
        self.invocation = next.invocation;
        self.response = next.response;
        self
    }

    /// The report to send; `None` if the mapping has no destination.
    pub(crate) fn word(
        self,
        shard: &ShardId,
        now: Millis,
        settings: &Settings,
        rules: &mut Vec<Rule>,
    ) -> Option<DestinationRecord> {
        let destination = settings.on_failure?;
        let (first, last) = (self.records.first()?, self.records.last()?);
        rules.extend([Rule::DestinationMetadata, Rule::DestinationCondition]);
        let payload = (destination == Destination::S3).then(|| {
            rules.push(Rule::DestinationPayload);
            event::write(&settings.names, shard, &self.records)
        });
        let Names {
            stream_arn,
            function_arn,
            executed_version,
            ..
        } = settings.names.clone();
        // The report on records that grew too old never tells of a response.
        let aged = self.condition == Condition::RecordAgeExceeded;
        let response = self.response.filter(|_| !aged);
        Some(DestinationRecord {
            destination,
            invocation: self.invocation,
            function_arn,
            executed_version,
            condition: self.condition,
            approximate_invoke_count: self.attempts.max(1),
            function_failed: response.map(|response| response == Response::Error),
            timestamp: now,
            shard: shard.clone(),
            start_sequence_number: first.sequence.clone(),
            end_sequence_number: last.sequence.clone(),
            first_arrival: first.arrived,
            last_arrival: last.arrived,
            batch_size: self.records.len(),
            stream_arn,
            payload,
        })
    }
}
