//! Describing streams, and the account's limits.

use serde_json::{Value, json};

use super::{
    Kinesis, consumers,
    fields::{Fields, NAME},
    find_stream, limits,
    shard::{Shard, shard_number},
    stream::Stream,
    streams::named_stream,
};
use crate::{
    error::AwsError,
    input::{put, seconds},
    time::at_millis,
};

const MOST_DESCRIBED: u32 = 100;

impl Kinesis {
    pub(super) fn describe_stream(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamName", "StreamARN", "Limit", "ExclusiveStartShardId"])?;
        let name = named_stream(fields)?;
        let limit = fields
            .number("Limit", 1..=10_000)?
            .unwrap_or(MOST_DESCRIBED)
            .min(MOST_DESCRIBED);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let after = fields.text("ExclusiveStartShardId", &NAME)?;
        let after = after.map(|id| shard_number(id, name)).transpose()?;
        let streams = self.streams();
        let stream = find_stream(&streams, name)?;
        let (shards, more) = page(
            stream,
            self.now(),
            |shard| Some(shard.number) > after,
            limit,
        );
        let shards = shards.iter().map(|shard| shard.describe(stream.id));
        let mut description = common(stream);
        put(&mut description, "Shards", shards.collect::<Vec<_>>());
        put(&mut description, "HasMoreShards", more);
        Ok(json!({ "StreamDescription": description }))
    }

    pub(super) fn describe_stream_summary(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamName", "StreamARN"])?;
        let name = named_stream(fields)?;
        let streams = self.streams();
        let stream = find_stream(&streams, name)?;
        let consumers = self
            .store
            .read(|connection| consumers::names(connection, stream.id))?;
        let mut description = common(stream);
        put(&mut description, "OpenShardCount", stream.open_count());
        put(&mut description, "ConsumerCount", consumers.len());
        put(&mut description, "MaxRecordSizeInKiB", 1024);
        Ok(json!({ "StreamDescriptionSummary": description }))
    }

    pub(super) fn describe_limits(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&[])?;
        let streams = self.streams();
        Ok(json!({
            "ShardLimit": limits::SHARDS,
            "OpenShardCount": limits::open_shards(&streams),
            "OnDemandStreamCount": limits::on_demand_streams(&streams),
            "OnDemandStreamCountLimit": limits::ON_DEMAND_STREAMS,
        }))
    }
}

/// The first shards of those that `wanted` accepts, and whether there are more.
pub(super) fn page(
    stream: &Stream,
    now_millis: u64,
    wanted: impl Fn(&Shard) -> bool,
    limit: usize,
) -> (Vec<&Shard>, bool) {
    let mut shards = stream.visible(now_millis).filter(|shard| wanted(shard));
    let page = shards.by_ref().take(limit).collect();
    (page, shards.next().is_some())
}

/// The members that both descriptions of a stream have.
fn common(stream: &Stream) -> Value {
    let mut description = json!({
        "StreamName": stream.name,
        "StreamARN": stream.arn(),
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": { "StreamMode": stream.mode.as_str() },
        "RetentionPeriodHours": stream.retention_hours,
        "StreamCreationTimestamp": seconds(at_millis(stream.id.millis())),
        "EnhancedMonitoring": [{ "ShardLevelMetrics": [] }],
        "EncryptionType": "NONE",
    });
    if let Some(key) = &stream.encryption_key {
        put(&mut description, "EncryptionType", "KMS");
        put(&mut description, "KeyId", key.as_str());
    }
    description
}
