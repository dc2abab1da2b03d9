//! Streams, as they are in memory.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use tokio::sync::watch;

use super::{
    errors::{no_shard, no_shard_to_read},
    number::Number,
    shard::{Shard, ShardNumber, shard_number},
};
use crate::{
    error::AwsError,
    names::{ACCOUNT, arn},
};

/// The mode in which a stream gets its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Mode {
    /// The owner sets the count of shards.
    Provisioned,
    /// AWS sets the count of shards. Here it stays at four.
    OnDemand,
}

impl Mode {
    /// The mode as AWS writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioned => "PROVISIONED",
            Self::OnDemand => "ON_DEMAND",
        }
    }
}

/// A stream without its records. A change makes a changed clone, saves it, and puts it in the place of this one.
#[derive(Clone)]
pub(super) struct Stream {
    /// The id, which is also the time of creation. A stream that is created again has another id.
    pub(super) id: Number,
    pub(super) name: String,
    pub(super) mode: Mode,
    pub(super) retention_hours: u32,
    /// The KMS key that encrypts new records; `None` if they are not encrypted.
    pub(super) encryption_key: Option<String>,
    pub(super) shards: BTreeMap<ShardNumber, Shard>,
    /// The open shards by their first hashes, which is how records find theirs.
    open: BTreeMap<u128, ShardNumber>,
    changes: Arc<watch::Sender<u64>>,
}

impl Stream {
    /// A stream without shards.
    pub(super) fn new(id: Number, name: &str, mode: Mode, retention_hours: u32) -> Self {
        Self {
            id,
            name: name.to_owned(),
            mode,
            retention_hours,
            encryption_key: None,
            shards: BTreeMap::new(),
            open: BTreeMap::new(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Adds a shard, open or closed.
    pub(super) fn add(&mut self, shard: Shard) {
        if shard.closed.is_none() {
            self.open.insert(shard.hashes.first, shard.number);
        }
        self.shards.insert(shard.number, shard);
    }

    /// Closes a shard: all its records have numbers below `at`.
    pub(super) fn close(&mut self, number: ShardNumber, at: Number) {
        if let Some(shard) = self.shards.get_mut(&number) {
            shard.closed = Some(at);
            self.open.remove(&shard.hashes.first);
        }
    }

    /// Removes the shards all of whose records are older than `horizon`.
    pub(super) fn expire(&mut self, horizon: Number) {
        self.shards.retain(|_, shard| shard.outlives(horizon));
    }

    pub(super) fn arn(&self) -> String {
        stream_arn(&self.name)
    }

    /// The number before which records are older than the retention.
    pub(super) fn horizon(&self, now_millis: u64) -> Number {
        let retention = u64::from(self.retention_hours) * 3_600_000;
        Number::first_at(now_millis.saturating_sub(retention))
    }

    /// The number of the next shard. The newest shard is always open, or has younger children, so that no number is
    /// used twice.
    pub(super) fn next_shard(&self) -> ShardNumber {
        let last = self.shards.last_key_value();
        ShardNumber(last.map_or(0, |(number, _)| number.0 + 1))
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// The open shard that takes records with this hash.
    ///
    /// # Errors
    ///
    /// Never, since the open shards cover all hashes.
    pub(super) fn shard_for(&self, hash: u128) -> Result<&Shard, AwsError> {
        let found = self.open.range(..=hash).next_back();
        let shard = found.and_then(|(_, number)| self.shards.get(number));
        shard.ok_or_else(|| {
            AwsError::internal(format!("no shard of {} takes the hash {hash}", self.name))
        })
    }

    /// The shards whose records may still be within the retention, in order of creation.
    pub(super) fn visible(&self, now_millis: u64) -> impl Iterator<Item = &Shard> {
        let horizon = self.horizon(now_millis);
        self.shards
            .values()
            .filter(move |shard| shard.outlives(horizon))
    }

    /// The shard with this id.
    pub(super) fn named(&self, id: &str, now_millis: u64) -> Result<&Shard, AwsError> {
        let number = shard_number(id, &self.name)?;
        let shard = self.kept(number, now_millis);
        shard.ok_or_else(|| no_shard(&number.to_string(), &self.name))
    }

    /// The shard with this number, for reading.
    pub(super) fn readable(
        &self,
        number: ShardNumber,
        now_millis: u64,
    ) -> Result<&Shard, AwsError> {
        let shard = self.kept(number, now_millis);
        shard.ok_or_else(|| no_shard_to_read(number, &self.name))
    }

    fn kept(&self, number: ShardNumber, now_millis: u64) -> Option<&Shard> {
        let shard = self.shards.get(&number);
        shard.filter(|shard| shard.outlives(self.horizon(now_millis)))
    }

    /// Tells the listeners that records arrived or that the stream changed. Call it after the commit.
    pub(super) fn announce(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// `stream NAME under account ACCOUNT`, as it is in many messages.
    pub(super) fn in_messages(&self) -> String {
        format!("stream {} under account {ACCOUNT}", self.name)
    }
}

/// The ARN of the stream with this name.
pub(super) fn stream_arn(name: &str) -> String {
    arn("kinesis", &format!("stream/{name}"))
}
