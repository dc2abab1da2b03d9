//! `SplitShard`, `MergeShards` and `UpdateShardCount`.

use serde_json::{Value, json};

use super::{
    Kinesis,
    errors::{invalid_argument, limit_exceeded, on_demand},
    fields::{Fields, HASH_KEY, NAME},
    reshard::{Reshard, check_open},
    shard::Shard,
    stream::{Mode, Stream, stream_arn},
    streams::named_stream,
};
use crate::error::AwsError;

/// The most open shards that `UpdateShardCount` gives a stream.
const MOST_SHARDS: usize = 10_000;

impl Kinesis {
    pub(super) fn split_shard(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&[
            "StreamName",
            "StreamARN",
            "ShardToSplit",
            "NewStartingHashKey",
        ])?;
        let name = named_stream(fields)?;
        let shard = fields.required_text("ShardToSplit", &NAME)?;
        let at = fields.required_text("NewStartingHashKey", &HASH_KEY)?;
        self.reshard(name, |reshard| {
            let stream = &*reshard.stream;
            let shard = stream.named(shard, reshard.now_millis)?.clone();
            check_open(stream, &shard)?;
            let at = split_point(stream, &shard, at)?;
            reshard.split(&shard, at);
            Ok(())
        })?;
        Ok(json!({}))
    }

    pub(super) fn merge_shards(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&[
            "StreamName",
            "StreamARN",
            "ShardToMerge",
            "AdjacentShardToMerge",
        ])?;
        let name = named_stream(fields)?;
        let left = fields.required_text("ShardToMerge", &NAME)?;
        let right = fields.required_text("AdjacentShardToMerge", &NAME)?;
        self.reshard(name, |reshard| {
            let stream = &*reshard.stream;
            let left = stream.named(left, reshard.now_millis)?.clone();
            let right = stream.named(right, reshard.now_millis)?.clone();
            check_open(stream, &left)?;
            check_open(stream, &right)?;
            check_adjacent(stream, &left, &right)?;
            reshard.merge(&left, &right);
            Ok(())
        })?;
        Ok(json!({}))
    }

    pub(super) fn update_shard_count(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamName", "StreamARN", "TargetShardCount", "ScalingType"])?;
        let name = named_stream(fields)?;
        let target = fields.number("TargetShardCount", 1..=u32::MAX)?;
        let target = fields.required("TargetShardCount", target)?;
        let scaling = fields.choice("ScalingType", &[("UNIFORM_SCALING", ())])?;
        fields.required("ScalingType", scaling)?;
        let current = self.reshard(name, |reshard| {
            let current = reshard.stream.open_count();
            scale_within_limits(reshard, target)?;
            Ok(current)
        })?;
        Ok(json!({
            "StreamName": name,
            "StreamARN": stream_arn(name),
            "CurrentShardCount": current,
            "TargetShardCount": target,
        }))
    }

    /// Replaces shards of a provisioned stream.
    fn reshard<T>(
        &self,
        name: &str,
        reshard: impl FnOnce(&mut Reshard<'_>) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let now_millis = self.now();
        self.change(name, |stream| {
            if stream.mode == Mode::OnDemand {
                return Err(on_demand(&stream.name));
            }
            let numbers = &self.numbers;
            reshard(&mut Reshard {
                stream,
                numbers,
                now_millis,
            })
        })
    }
}

/// Scales as `UpdateShardCount` does: to at most twice and at least half the open shards.
pub(super) fn scale_within_limits(reshard: &mut Reshard<'_>, target: u32) -> Result<(), AwsError> {
    let open = reshard.stream.open_count();
    let wanted = usize::try_from(target).unwrap_or(usize::MAX);
    let counts = format!("Current open shard count: {open}, Target shard count: {target}");
    if wanted > MOST_SHARDS {
        return Err(limit_exceeded(format!(
            "Target shard count or number of open shards cannot be greater than {MOST_SHARDS}. {counts}"
        )));
    }
    if wanted > open * 2 {
        return Err(limit_exceeded(format!(
            "UpdateShardCount cannot scale up over double your current open shard count. {counts}"
        )));
    }
    if wanted * 2 < open {
        return Err(limit_exceeded(format!(
            "UpdateShardCount cannot scale down below half your current open shard count. {counts}"
        )));
    }
    reshard.scale(target)
}

fn split_point(stream: &Stream, shard: &Shard, digits: &str) -> Result<u128, AwsError> {
    let (first, last) = (shard.hashes.first, shard.hashes.last);
    let at = digits.parse().ok();
    at.filter(|at| *at > first.saturating_add(1) && *at < last).ok_or_else(|| {
        invalid_argument(format!(
            "NewStartingHashKey {digits} used in SplitShard() on shard {} in {} is not both greater than one plus the \
             shard's StartingHashKey {first} and less than the shard's EndingHashKey {last}.",
            shard.number,
            stream.in_messages()
        ))
    })
}

fn check_adjacent(stream: &Stream, left: &Shard, right: &Shard) -> Result<(), AwsError> {
    if left.hashes.last.checked_add(1) == Some(right.hashes.first) {
        return Ok(());
    }
    Err(invalid_argument(format!(
        "Shards {} and {} in {} are not an adjacent pair of shards eligible for merging",
        left.number,
        right.number,
        stream.in_messages()
    )))
}
