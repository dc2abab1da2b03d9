//! AWS's quotas on shards.

use std::sync::{Arc, Mutex};

use quotas::{Millis, PerKey, Shard};

use super::{shard::ShardNumber, stream::Stream, tables::Place};
use crate::{
    error::AwsError,
    names::ACCOUNT,
    throttling::{Throttling, Work},
    waiting::lock,
};

/// The quotas of all shards.
pub(super) struct Quota {
    throttling: Arc<Throttling>,
    shards: Mutex<PerKey<Place, Shard>>,
}

impl Quota {
    pub(super) fn new(throttling: Arc<Throttling>) -> Self {
        Self {
            throttling,
            shards: Mutex::default(),
        }
    }

    /// Takes a record of this size, or refuses it.
    pub(super) fn put(
        &self,
        stream: &Stream,
        shard: ShardNumber,
        bytes: usize,
    ) -> Result<(), AwsError> {
        if self.with(stream, shard, |machine, now| machine.put(now, bytes)) {
            return Ok(());
        }
        self.note(stream, shard, Work::Writes);
        Err(exceeded(format!(
            "Rate exceeded for shard {shard} in stream {} under account {ACCOUNT}.",
            stream.name
        )))
    }

    /// Begins a read, or refuses it.
    pub(super) fn read(&self, stream: &Stream, shard: ShardNumber) -> Result<(), AwsError> {
        let begun = self.with(stream, shard, Shard::read);
        begun.map_err(|_| {
            self.note(stream, shard, Work::Reads);
            // AWS words this error otherwise than the one of a write.
            exceeded(format!(
                "Rate exceeded for Shard - {ACCOUNT}/{}/{shard}",
                stream.name
            ))
        })
    }

    /// Charges what a read returned.
    pub(super) fn returned(&self, stream: &Stream, shard: ShardNumber, bytes: usize) {
        self.with(stream, shard, |machine, now| machine.returned(now, bytes));
    }

    fn with<T>(
        &self,
        stream: &Stream,
        shard: ShardNumber,
        act: impl FnOnce(&mut Shard, Millis) -> T,
    ) -> T {
        let place = Place {
            stream: stream.id,
            shard,
        };
        let mut shards = lock(&self.shards);
        let now = self.throttling.now();
        act(shards.of(now, &place), now)
    }

    fn note(&self, stream: &Stream, shard: ShardNumber, work: Work) {
        self.throttling
            .note(format!("{}/{shard}", stream.arn()), work);
    }
}

/// The code of the error of a shard that is throttled.
pub(crate) const EXCEEDED: &str = "ProvisionedThroughputExceededException";

fn exceeded(message: String) -> AwsError {
    AwsError::client(EXCEEDED, message)
}
