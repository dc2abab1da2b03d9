//! Mappings as people see them: events as they happen, and the state of each shard.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use uuid::Uuid;

/// Something that a mapping did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MappingEvent {
    /// The id of the mapping.
    pub mapping: Uuid,
    /// The ARN of the function.
    pub function: String,
    /// The shard; `None` for a queue, and for what concerns the whole mapping.
    pub shard: Option<String>,
    /// The time in milliseconds since 1970.
    pub millis: u64,
    /// The `id`s of the rules behind the actions, each once, as in `rules.yaml` of `source-mapping`.
    pub rules: Vec<&'static str>,
    /// The actions, in order.
    pub acts: Vec<Act>,
}

/// An action of a mapping.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// The mapping was created, enabled, disabled or updated.
    Changed {
        /// The state of the mapping from now on.
        state: &'static str,
    },
    /// The function is invoked with a batch.
    Invoked(BatchView),
    /// An invocation ended.
    Ended {
        /// The request id of the invocation; `None` if it did not reach the function.
        request_id: Option<String>,
        /// The end: `returned`, `error`, `timed out`, `exited`, or the code of the error by which the invocation did
        /// not reach the function.
        end: String,
        /// The number of records or messages in the batch.
        size: usize,
    },
    /// The filters skipped records.
    Filtered {
        /// The number of records.
        records: usize,
    },
    /// The mapping skipped records from before its starting position.
    Skipped {
        /// The number of records.
        records: usize,
    },
    /// The stream lost records that were not done.
    Expired {
        /// The number of records.
        records: usize,
    },
    /// The mapping gave up records.
    Discarded {
        /// The number of records.
        records: usize,
        /// The reason: `RetryAttemptsExhausted` or `RecordAgeExceeded`.
        condition: &'static str,
    },
    /// A report on discarded records is on its way to the destination.
    Reported {
        /// The ARN of the destination.
        destination: String,
    },
    /// All records up to this one are settled.
    Checkpointed {
        /// The sequence number of the record.
        through: String,
    },
    /// The mapping stopped reading the shard.
    GaveUp {
        /// The number of invocations in flight, whose outcome no longer counts.
        in_flight: usize,
    },
    /// The mapping cannot do its work now, and tries again.
    Problem {
        /// The reason.
        message: String,
    },
}

/// A batch in flight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BatchView {
    /// The number of the invocation, counted by the mapping.
    pub number: u64,
    /// The lane in the shard, from 0.
    pub lane: usize,
    /// The sequence number or message id of the first record.
    pub first: String,
    /// The sequence number or message id of the last record.
    pub last: String,
    /// The number of records or messages.
    pub size: usize,
    /// 1 for the first delivery of these records.
    pub attempt: u32,
}

/// The metrics of `EventCount`, since the runtime began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records or messages that the mapping read.
    pub polled: u64,
    /// Records that no filter matched.
    pub filtered_out: u64,
    /// Records or messages with which the function was invoked, counted in each attempt.
    pub invoked: u64,
    /// Records or messages with which the function failed, counted in each attempt.
    pub failed_invoke: u64,
    /// Records that were lost without a report: expired, or discarded without a destination.
    pub dropped: u64,
    /// Reports that the destination received.
    pub on_failure_destination_delivered: u64,
}

impl Counts {
    /// Adds other counts.
    pub(super) fn add(&mut self, other: Self) {
        self.polled += other.polled;
        self.filtered_out += other.filtered_out;
        self.invoked += other.invoked;
        self.failed_invoke += other.failed_invoke;
        self.dropped += other.dropped;
        self.on_failure_destination_delivered += other.on_failure_destination_delivered;
    }
}

/// A shard, as a mapping reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShardView {
    /// The last settled record; `None` before the first one.
    pub position: Option<String>,
    /// The number of records in memory that are not settled.
    pub waiting: usize,
    /// True if the shard has more records than those in memory.
    pub more: bool,
    /// The arrival of the oldest unsettled record in memory, in milliseconds since 1970.
    pub oldest: Option<u64>,
    /// The batches in flight.
    pub in_flight: Vec<BatchView>,
    /// The number of deliveries that were retries.
    pub retries: u64,
    /// The number of batches that were split after a failure.
    pub bisections: u64,
    /// The number of discarded records.
    pub discarded: u64,
    /// True if the shard is closed and all its records are settled.
    pub finished: bool,
}

/// A mapping.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MappingView {
    /// The id of the mapping.
    pub uuid: Uuid,
    /// The ARN of the function.
    pub function: String,
    /// The ARN of the stream, the stream's consumer, or the queue.
    pub source: String,
    /// `Enabled` or `Disabled`.
    pub state: &'static str,
    /// `LastProcessingResult`.
    pub last_result: String,
    /// The metrics.
    pub counts: Counts,
    /// The shards by their ids. A queue has the one entry `queue`.
    pub shards: BTreeMap<String, ShardView>,
}

/// The state of a running mapping, which is made anew after a restart.
#[derive(Debug)]
pub(super) struct Status(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    last_result: String,
    counts: Counts,
    shards: BTreeMap<String, ShardView>,
}

impl Default for Status {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            last_result: "No records processed".to_owned(),
            counts: Counts::default(),
            shards: BTreeMap::new(),
        }))
    }
}

impl Status {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_result(&self, result: &str) {
        result.clone_into(&mut self.inner().last_result);
    }

    pub(super) fn last_result(&self) -> String {
        self.inner().last_result.clone()
    }

    pub(super) fn count(&self, counts: Counts) {
        self.inner().counts.add(counts);
    }

    /// Changes the view of a shard.
    pub(super) fn shard(&self, shard: &str, change: impl FnOnce(&mut ShardView)) {
        let mut inner = self.inner();
        if let Some(view) = inner.shards.get_mut(shard) {
            change(view);
        } else {
            change(inner.shards.entry(shard.to_owned()).or_default());
        }
    }

    /// Forgets a shard that the stream no longer has.
    pub(super) fn forget(&self, shard: &str) {
        self.inner().shards.remove(shard);
    }

    pub(super) fn counts(&self) -> Counts {
        self.inner().counts
    }

    pub(super) fn shards(&self) -> BTreeMap<String, ShardView> {
        self.inner().shards.clone()
    }
}
