//! The inputs and outputs of an event source mapping.

use std::{fmt, sync::Arc, time::Duration};

use thiserror::Error;

use crate::{
    Condition, DestinationRecord, InvalidSettings, Millis, Record, Rule, SequenceNumber, Settings,
    ShardId,
};

/// An input of an event source mapping.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The stream has a new shard without a parent.
    Opened(ShardId),
    /// A shard is closed, and two shards replace it.
    Split {
        /// The shard that is closed.
        parent: ShardId,
        /// The shards that replace it.
        children: [ShardId; 2],
    },
    /// Two shards are closed, and one shard replaces them.
    Merged {
        /// The shards that are closed.
        parents: [ShardId; 2],
        /// The shard that replaces them.
        child: ShardId,
    },
    /// Records arrived in a shard. Use this input also for records from before the mapping was created.
    Appended {
        /// The shard.
        shard: ShardId,
        /// The records, in ascending order of their sequence numbers.
        records: Vec<Record>,
    },
    /// The current time.
    TimePassed(Millis),
    /// Another consumer read a shard at the current time.
    ReadByOthers {
        /// The shard.
        shard: ShardId,
        /// The size of the answer, in bytes.
        bytes: u64,
    },
    /// An invocation ended.
    Finished {
        /// The id of the invocation.
        invocation: InvocationId,
        /// The outcome of the invocation.
        outcome: Outcome,
    },
    /// The reader of a shard lost its lease to another reader, which continues from the checkpoint. Invocations in
    /// flight continue, but their outcomes no longer count. Meanwhile the other reader delivers the same records again.
    LeaseLost {
        /// The shard.
        shard: ShardId,
        /// True if the last checkpoint is lost too, so that records that succeeded are delivered once more.
        checkpoint_too: bool,
    },
    /// The owner of the mapping requests a change. The change takes effect with the next [`Input::ChangeTakesEffect`].
    ChangeAsked(Change),
    /// The requested change takes effect. The first input of this kind makes the mapping begin to read.
    ChangeTakesEffect,
}

/// A change of an event source mapping.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Enables the mapping: it continues where it stopped.
    Enable,
    /// Disables the mapping.
    Disable,
    /// New settings. The starting position stays as it was.
    Update(Box<Settings>),
    /// Deletes the mapping.
    Delete,
}

/// The outcome of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function returned these bytes.
    Returned(Vec<u8>),
    /// The function raised an error.
    FunctionError,
    /// The function ran out of time.
    TimedOut,
    /// The function's process died.
    Killed,
    /// The invocation did not reach the function: too many invocations were running, or the service failed.
    Throttled,
}

impl Outcome {
    /// The outcome of a function that returned nothing.
    #[must_use]
    pub fn done() -> Self {
        Self::Returned(vec![])
    }

    /// The outcome of a function that named these records as failed.
    #[must_use]
    pub fn failed_at<'a>(failures: impl IntoIterator<Item = &'a SequenceNumber>) -> Self {
        let failures: Vec<_> = failures
            .into_iter()
            .map(|sequence| format!("{{\"itemIdentifier\":\"{sequence}\"}}"))
            .collect();
        let failures = failures.join(",");
        Self::Returned(format!("{{\"batchItemFailures\":[{failures}]}}").into_bytes())
    }
}

/// The id of an invocation, counted from 1 in each mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvocationId(pub u64);

impl fmt::Display for InvocationId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

/// A request to invoke the function. [`crate::Mapping::event`] returns the event of the invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The id under which the caller reports the end of the invocation.
    pub id: InvocationId,
    /// The shard that has the records.
    pub shard: ShardId,
    /// The number of the lane in the shard, from 0.
    pub lane: usize,
    /// The number of earlier invocations with these records, in this batch or in the batch from which it was split.
    pub earlier: u32,
    /// The records, in order.
    pub records: Vec<Arc<Record>>,
}

/// An action of an event source mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The mapping invokes the function.
    Invoke(Invocation),
    /// The mapping skips records that no filter matches.
    Filtered {
        /// The shard of the records.
        shard: ShardId,
        /// The records.
        records: Vec<Arc<Record>>,
    },
    /// The mapping skips records that are before the starting position, or that were gone before the mapping began to
    /// read.
    Skipped {
        /// The shard of the records.
        shard: ShardId,
        /// The records.
        records: Vec<Arc<Record>>,
    },
    /// The stream no longer has these records, although the function was not done with them. No report is sent.
    Expired {
        /// The shard of the records.
        shard: ShardId,
        /// The records.
        records: Vec<Arc<Record>>,
    },
    /// The mapping stops delivering these records.
    Discarded {
        /// The shard of the records.
        shard: ShardId,
        /// The records.
        records: Vec<Arc<Record>>,
        /// The reason for discarding.
        condition: Condition,
    },
    /// The mapping sends a report on discarded records to the destination.
    Sent(DestinationRecord),
    /// All records of a shard up to this one are done, skipped or gone.
    Checkpointed {
        /// The shard.
        shard: ShardId,
        /// The last of these records.
        through: SequenceNumber,
    },
    /// The metric `IteratorAge`: the age of a batch's last record when the function was done with the batch.
    IteratorAge {
        /// The shard.
        shard: ShardId,
        /// The age of the record.
        age: Duration,
    },
    /// The mapping released the lease of a shard. The outcomes of these invocations no longer count.
    GaveUp {
        /// The shard.
        shard: ShardId,
        /// The invocations of the shard that were in flight.
        orphans: Vec<InvocationId>,
    },
}

/// The result of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The actions of the mapping, in order.
    pub outputs: Vec<Output>,
    /// The rules behind the actions, in the order in which they were applied.
    pub rules: Vec<Rule>,
}

/// The state of an event source mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The mapping was created, and does not read yet.
    Creating,
    /// The mapping reads.
    Enabled,
    /// The mapping does not read any more.
    Disabled,
    /// A change was requested. Until the change takes effect, the mapping works as before.
    Changing,
    /// The mapping is deleted.
    Deleted,
}

/// An impossible input, which changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misuse {
    /// The shard does not exist.
    #[error("there is no shard {0}")]
    UnknownShard(ShardId),
    /// The shard exists already.
    #[error("the shard {0} was opened before")]
    ShardExists(ShardId),
    /// The shard is closed, and takes no further input.
    #[error("the shard {0} is closed")]
    ShardClosed(ShardId),
    /// Sequence numbers must ascend within a shard.
    #[error("the number of record {0} does not ascend")]
    NotAscending(SequenceNumber),
    /// A record is larger than 1 MiB.
    #[error("the record {0} is longer than 1 MiB")]
    TooLong(SequenceNumber),
    /// No invocation with this id is in flight.
    #[error("no invocation {0} is in flight")]
    UnknownInvocation(InvocationId),
    /// Time must not go back.
    #[error("the time is already later than {0:?}")]
    TimeGoesBack(Millis),
    /// A change was requested while another change is pending or after the mapping was deleted, or a change should take
    /// effect although none is pending.
    #[error("no change can be requested or take effect now")]
    NoChange,
    /// The update has settings that AWS refuses.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
}
