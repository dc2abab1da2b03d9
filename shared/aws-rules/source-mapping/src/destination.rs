//! What the on-failure destination is told of a batch that is delivered no more.

use std::sync::Arc;

use crate::{
    Destination, InvocationId, Millis, Names, Record, Rule, SequenceNumber, Settings, ShardId,
    batch::Response, event, json::quote,
};

/// Why records are discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// `MaximumRetryAttempts` were made, and one more failed.
    RetryAttemptsExhausted,
    /// They are older than `MaximumRecordAgeInSeconds`.
    RecordAgeExceeded,
}

impl Condition {
    /// As it is written in a destination record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Self::RecordAgeExceeded => "RecordAgeExceeded",
        }
    }
}

/// What a destination is sent of discarded records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationRecord {
    /// Where it is sent.
    pub destination: Destination,
    /// The invocation after which they were discarded; none, if they grew too old.
    pub invocation: Option<InvocationId>,
    /// The function.
    pub function_arn: String,
    /// Why they were discarded.
    pub condition: Condition,
    /// How often the function was invoked with them.
    pub approximate_invoke_count: u32,
    /// True if the function failed when it had them last, false if it answered, none if it never had them.
    pub function_failed: Option<bool>,
    /// When they were discarded.
    pub timestamp: Millis,
    /// Their shard.
    pub shard: ShardId,
    /// The number of the first of them.
    pub start_sequence_number: SequenceNumber,
    /// The number of the last.
    pub end_sequence_number: SequenceNumber,
    /// When the first arrived.
    pub first_arrival: Millis,
    /// When the last arrived.
    pub last_arrival: Millis,
    /// How many they are.
    pub batch_size: usize,
    /// The stream.
    pub stream_arn: String,
    /// The event with the records, for a bucket alone.
    pub payload: Option<String>,
}

impl DestinationRecord {
    /// As Lambda writes it.
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
        // The ids of requests are random; these are the same each time.
        let request = self.invocation.map_or(0, |invocation| invocation.0);
        let request = format!("00000000-0000-4000-8000-{request:012x}");
        let function = quote(&self.function_arn);
        let condition = self.condition.as_str();
        let response = match self.function_failed {
            None => String::new(),
            Some(failed) => {
                let error = if failed {
                    ",\"functionError\":\"Unhandled\""
                } else {
                    ""
                };
                format!(
                    "\"responseContext\":{{\"statusCode\":200,\"executedVersion\":\"$LATEST\"{error}}},"
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

/// Records that are given up, before word of them is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    pub records: Vec<Arc<Record>>,
    pub condition: Condition,
    pub invocation: Option<InvocationId>,
    pub invocations: u32,
    pub response: Option<Response>,
}

impl GivenUp {
    /// These and those that follow them, as one.
    pub(crate) fn and(mut self, next: Self) -> Self {
        self.records.extend(next.records);
        self.invocations = self.invocations.max(next.invocations);
        self.invocation = next.invocation;
        self.response = next.response;
        self
    }

    /// The word that is sent, if there is somewhere to send it.
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
            ..
        } = settings.names.clone();
        Some(DestinationRecord {
            destination,
            invocation: self.invocation,
            function_arn,
            condition: self.condition,
            approximate_invoke_count: self.invocations,
            function_failed: self.response.map(|response| response == Response::Error),
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
