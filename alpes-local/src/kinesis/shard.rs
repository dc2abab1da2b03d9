//! Shards.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use source_mapping::ShardId;

use super::{
    errors::no_shard,
    hash::HashRange,
    number::{Number, Sequence},
};
use crate::{error::AwsError, input::put};

/// The greatest number of a shard, as on AWS.
const MOST: u32 = 0x7fff_ffff;

/// The number of a shard in its stream, in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub(super) struct ShardNumber(pub(super) u32);

impl ShardNumber {
    /// Parses an id as AWS does: only the digits after the first hyphen count, and `shard-5` is
    /// `shardId-000000000005`.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let after_hyphen = id.split('-').nth(1);
        let digits = after_hyphen.filter(|part| !part.is_empty()).unwrap_or(id);
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|number| *number <= MOST);
        number.filter(|_| all).map(Self)
    }

    /// The id for event source mappings.
    pub(super) fn id(self) -> ShardId {
        self.to_string().as_str().into()
    }
}

impl fmt::Display for ShardNumber {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "shardId-{:012}", self.0)
    }
}

/// The number in a shard's id, whether or not the shard exists; AWS's error if it is no id.
pub(super) fn shard_number(id: &str, stream: &str) -> Result<ShardNumber, AwsError> {
    ShardNumber::parse(id).ok_or_else(|| no_shard(id, stream))
}

/// A shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    /// The number in the stream.
    pub(super) number: ShardNumber,
    /// The hashes whose records it takes.
    pub(super) hashes: HashRange,
    /// The shard that it replaced, or the first of two.
    pub(super) parent: Option<ShardNumber>,
    /// The second shard that it replaced.
    pub(super) adjacent_parent: Option<ShardNumber>,
    /// All its records have greater numbers.
    pub(super) opened: Number,
    /// All its records have smaller numbers; `None` while it is open.
    pub(super) closed: Option<Number>,
}

impl Shard {
    /// The shards that it replaced.
    pub(super) fn parents(&self) -> impl Iterator<Item = ShardNumber> {
        self.parent.into_iter().chain(self.adjacent_parent)
    }

    /// False if all records that the shard ever had are older than `horizon`.
    pub(super) fn outlives(&self, horizon: Number) -> bool {
        self.closed.is_none_or(|closed| closed >= horizon)
    }

    /// The shard in JSON, as `ListShards` has it.
    pub(super) fn describe(&self, stream: Number) -> Value {
        let sequence = |number| {
            let shard = self.number;
            let sequence = Sequence {
                number,
                stream,
                shard,
            };
            sequence.to_string()
        };
        let mut range = json!({ "StartingSequenceNumber": sequence(self.opened) });
        if let Some(closed) = self.closed {
            put(&mut range, "EndingSequenceNumber", sequence(closed));
        }
        let mut described = json!({
            "ShardId": self.number.to_string(),
            "HashKeyRange": self.describe_hashes(),
            "SequenceNumberRange": range,
        });
        if let Some(parent) = self.parent {
            put(&mut described, "ParentShardId", parent.to_string());
        }
        if let Some(parent) = self.adjacent_parent {
            put(&mut described, "AdjacentParentShardId", parent.to_string());
        }
        described
    }

    /// The shard in JSON, as `GetRecords` has it at the end of a parent.
    pub(super) fn describe_as_child(&self) -> Value {
        let parents: Vec<_> = self.parents().map(|parent| parent.to_string()).collect();
        json!({
            "ShardId": self.number.to_string(),
            "ParentShards": parents,
            "HashKeyRange": self.describe_hashes(),
        })
    }

    fn describe_hashes(&self) -> Value {
        json!({
            "StartingHashKey": self.hashes.first.to_string(),
            "EndingHashKey": self.hashes.last.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_leniently_as_on_aws() {
        for id in ["shardId-000000000005", "shard-5", "x-5-9", "5", "-00005"] {
            assert_eq!(ShardNumber::parse(id), Some(ShardNumber(5)), "{id}");
        }
        for id in ["", "shardId-", "abc", "2147483648", "shardId-+5", "2.14E4"] {
            assert_eq!(ShardNumber::parse(id), None, "{id}");
        }
        assert_eq!(ShardNumber(5).to_string(), "shardId-000000000005");
    }
}
