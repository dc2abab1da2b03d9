//! The requests of the operations. A field that is not here is refused.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::invalid;
use crate::error::AwsError;

/// Reads a request.
pub(super) fn read<T: DeserializeOwned>(input: &Value) -> Result<T, AwsError> {
    T::deserialize(input).map_err(|error| invalid(error.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GroupRequest {
    pub(super) log_group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CreateGroup {
    pub(super) log_group_name: String,
    pub(super) log_group_class: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StreamRequest {
    pub(super) log_group_name: String,
    pub(super) log_stream_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) log_group_name: String,
    pub(super) retention_in_days: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DescribeGroups {
    pub(super) log_group_name_prefix: Option<String>,
    pub(super) log_group_name_pattern: Option<String>,
    pub(super) next_token: Option<String>,
    pub(super) limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DescribeStreams {
    pub(super) log_group_name: Option<String>,
    pub(super) log_group_identifier: Option<String>,
    pub(super) log_stream_name_prefix: Option<String>,
    #[serde(default)]
    pub(super) order_by: StreamOrder,
    #[serde(default)]
    pub(super) descending: bool,
    pub(super) next_token: Option<String>,
    pub(super) limit: Option<usize>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
pub(super) enum StreamOrder {
    #[default]
    LogStreamName,
    LastEventTime,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PutEvents {
    pub(super) log_group_name: String,
    pub(super) log_stream_name: String,
    pub(super) log_events: Vec<InputEvent>,
    /// AWS ignores sequence tokens.
    #[serde(rename = "sequenceToken")]
    _sequence_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputEvent {
    pub(super) timestamp: u64,
    pub(super) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GetEvents {
    pub(super) log_group_name: Option<String>,
    pub(super) log_group_identifier: Option<String>,
    pub(super) log_stream_name: String,
    pub(super) start_time: Option<u64>,
    pub(super) end_time: Option<u64>,
    pub(super) next_token: Option<String>,
    pub(super) limit: Option<usize>,
    #[serde(default)]
    pub(super) start_from_head: bool,
    /// Nothing here is masked.
    #[serde(rename = "unmask")]
    _unmask: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FilterEvents {
    pub(super) log_group_name: Option<String>,
    pub(super) log_group_identifier: Option<String>,
    pub(super) log_stream_names: Option<Vec<String>>,
    pub(super) log_stream_name_prefix: Option<String>,
    pub(super) start_time: Option<u64>,
    pub(super) end_time: Option<u64>,
    #[serde(default)]
    pub(super) filter_pattern: String,
    pub(super) next_token: Option<String>,
    pub(super) limit: Option<usize>,
    pub(super) start_from_head: Option<bool>,
    /// AWS ignores this.
    #[serde(rename = "interleaved")]
    _interleaved: Option<bool>,
    /// Nothing here is masked.
    #[serde(rename = "unmask")]
    _unmask: Option<bool>,
}
