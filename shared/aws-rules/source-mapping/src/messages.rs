//! What goes into a mapping, and what comes out of it.

use std::{fmt, sync::Arc, time::Duration};

use thiserror::Error;

use crate::{
    Condition, DestinationRecord, InvalidSettings, Millis, Record, Rule, SequenceNumber, Settings,
    ShardId,
};

/// What happens to a mapping, or around it.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The stream has a shard that is no other's child.
    Opened(ShardId),
    /// A shard is closed, and two take its place.
    Split {
        /// The shard that is closed.
        parent: ShardId,
        /// Those that take its place.
        children: [ShardId; 2],
    },
    /// Two shards are closed, and one takes their place.
    Merged {
        /// The shards that are closed.
        parents: [ShardId; 2],
        /// The one that takes their place.
        child: ShardId,
    },
    /// Records arrived in a shard. What the stream had before the mapping was created is told in this way too.
    Appended {
        /// The shard.
        shard: ShardId,
        /// The records, in the order of their numbers.
        records: Vec<Record>,
    },
    /// It is that late now.
    TimePassed(Millis),
    /// Another consumer read a shard, now.
    ReadByOthers {
        /// The shard.
        shard: ShardId,
        /// Bytes that it was given.
        bytes: u64,
    },
    /// An invocation ended.
    Finished {
        /// Which one.
        invocation: InvocationId,
        /// How.
        outcome: Outcome,
    },
    /// Whatever reads a shard lost it to another of its kind, which goes on from the checkpoint. Invocations that are out go on,
    /// and what comes of them is not heard: the same records are delivered again meanwhile.
    LeaseLost {
        /// The shard.
        shard: ShardId,
        /// True if the last checkpoint was not kept, so that what succeeded is delivered once more.
        checkpoint_too: bool,
    },
    /// Somebody asks for a change; it takes effect with the next [`Input::ChangeTakesEffect`].
    ChangeAsked(Change),
    /// The change that was asked for takes effect; the first of them is that the mapping begins to read.
    ChangeTakesEffect,
}

/// A change of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Go on where it stopped.
    Enable,
    /// Stop.
    Disable,
    /// Other settings. Where it began stays as it is.
    Update(Box<Settings>),
    /// End.
    Delete,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function returned these bytes.
    Returned(Vec<u8>),
    /// The function raised an error.
    FunctionError,
    /// The function was not done in time.
    TimedOut,
    /// The function's process died.
    Killed,
    /// The function was not reached: too many run already, or the service failed.
    Throttled,
}

impl Outcome {
    /// The function returned nothing.
    #[must_use]
    pub fn done() -> Self {
        Self::Returned(vec![])
    }

    /// The function named these records as failed.
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

/// The name of an invocation: they are counted from 1 in each mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvocationId(pub u64);

impl fmt::Display for InvocationId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

/// The function is to be invoked. [`crate::Mapping::event`] writes what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Its name; how it ends is told under it.
    pub id: InvocationId,
    /// The shard of its records.
    pub shard: ShardId,
    /// Which lane of the shard, from 0.
    pub lane: usize,
    /// How often the function had these records before, in this batch or the one it was split from.
    pub earlier: u32,
    /// Its records, in order.
    pub records: Vec<Arc<Record>>,
}

/// What a mapping does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The function is to be invoked.
    Invoke(Invocation),
    /// Records are passed over, since no filter matches them.
    Filtered {
        /// Their shard.
        shard: ShardId,
        /// The records.
        records: Vec<Arc<Record>>,
    },
    /// Records are passed over, since they lie before the starting position, or were gone before the mapping began.
    Skipped {
        /// Their shard.
        shard: ShardId,
        /// The records.
        records: Vec<Arc<Record>>,
    },
    /// The stream has records no more that the function was not done with. Nobody is told.
    Expired {
        /// Their shard.
        shard: ShardId,
        /// The records.
        records: Vec<Arc<Record>>,
    },
    /// Records are delivered no more.
    Discarded {
        /// Their shard.
        shard: ShardId,
        /// The records.
        records: Vec<Arc<Record>>,
        /// Why.
        condition: Condition,
    },
    /// The destination is told of discarded records.
    Sent(DestinationRecord),
    /// Everything in a shard up to there is done, or passed over, or gone.
    Checkpointed {
        /// The shard.
        shard: ShardId,
        /// The last record of it.
        through: SequenceNumber,
    },
    /// The metric `IteratorAge`: how old the last record of a batch was when the function was done with the batch.
    IteratorAge {
        /// The shard.
        shard: ShardId,
        /// The age.
        age: Duration,
    },
    /// A shard was given up, and with it these invocations: what comes of them is not heard.
    GaveUp {
        /// The shard.
        shard: ShardId,
        /// The invocations.
        orphans: Vec<InvocationId>,
    },
}

/// What came of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What the mapping does, in order.
    pub outputs: Vec<Output>,
    /// The rules that decided it, as they were applied.
    pub rules: Vec<Rule>,
}

/// Where a mapping is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was created, and does not read yet.
    Creating,
    /// It reads.
    Enabled,
    /// It reads no more.
    Disabled,
    /// A change was asked for. It reads on if it did before.
    Changing,
    /// It is gone.
    Deleted,
}

/// An input that cannot happen. It changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misuse {
    /// No such shard was opened.
    #[error("there is no shard {0}")]
    UnknownShard(ShardId),
    /// A shard is opened once.
    #[error("the shard {0} was opened before")]
    ShardExists(ShardId),
    /// Nothing happens to a shard that was closed.
    #[error("the shard {0} is closed")]
    ShardClosed(ShardId),
    /// Numbers ascend within a shard.
    #[error("the record {0} does not come after those before it")]
    NotAscending(SequenceNumber),
    /// A record has 1 MiB at most.
    #[error("the record {0} is longer than 1 MiB")]
    TooLong(SequenceNumber),
    /// No such invocation is out.
    #[error("no invocation {0} is out")]
    UnknownInvocation(InvocationId),
    /// Time does not go back.
    #[error("it is later than {0:?} already")]
    TimeGoesBack(Millis),
    /// One change at a time, and none of what is gone.
    #[error("no change can be asked for, or take effect, now")]
    NoChange,
    /// An update with settings that AWS refuses.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
}
