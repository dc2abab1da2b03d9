//! Kinesis's errors, in AWS's wording where a recording of it is known.

use super::shard::ShardNumber;
use crate::{error::AwsError, names::ACCOUNT};

pub(super) fn invalid_argument(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidArgumentException", message)
}

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::client("ValidationException", message)
}

pub(super) fn in_use(message: impl Into<String>) -> AwsError {
    AwsError::client("ResourceInUseException", message)
}

pub(super) fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::client("ResourceNotFoundException", message)
}

pub(super) fn limit_exceeded(message: impl Into<String>) -> AwsError {
    AwsError::client("LimitExceededException", message)
}

pub(super) fn no_stream(name: &str) -> AwsError {
    not_found(format!("Stream {name} under account {ACCOUNT} not found."))
}

/// The error of the operations that write about shards.
pub(super) fn no_shard(shard: &str, stream: &str) -> AwsError {
    not_found(format!(
        "Could not find shard {shard} in stream {stream} under account {ACCOUNT}."
    ))
}

/// The error of the operations that read from shards.
pub(super) fn no_shard_to_read(shard: ShardNumber, stream: &str) -> AwsError {
    not_found(format!(
        "Shard {shard} in stream {stream} under account {ACCOUNT} does not exist"
    ))
}

pub(super) fn on_demand(stream: &str) -> AwsError {
    invalid(format!(
        "Request is invalid. Stream {stream} under account {ACCOUNT} is in On-Demand mode."
    ))
}
