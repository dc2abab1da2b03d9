//! The choices that AWS leaves open, which the caller makes.

/// A kind of choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Choice {
    /// The lane to invoke next; one option for each lane that is ready.
    NextLane,
    /// The lane of a partition key that has no lane yet; one option for each lane of the shard.
    LaneOfKey,
    /// The pause between a failed or throttled invocation and the next invocation with the same batch, in milliseconds.
    BackOff,
    /// The delay of a shard's next read, in milliseconds.
    PollDelay,
    /// The number of readable records that are left for a later read.
    HeldBack,
    /// 1 if both parts of a split batch begin without the attempts that were counted for the batch.
    PartsBeginAnew,
    /// 1 if the other lanes of a shard wait until a failed batch is done or discarded.
    ShardPaused,
    /// 1 if the mapping reads nothing from the request of an update until the update takes effect.
    UpdatePauses,
    /// 1 if a mapping with the starting position LATEST misses the records that arrived during such a pause.
    UpdateMisses,
    /// 1 if the report on a discarded batch is held back, to be combined with the next report.
    Consolidate,
}

/// Makes the choices that AWS leaves open: at random, by a plan, or always the same.
///
/// Every `FnMut(Choice, u64) -> u64` is a chooser.
pub trait Chooser {
    /// Returns the number of the chosen option, from 0 to `options - 1`. The mapping takes a greater number modulo
    /// `options`. `options` is never 0.
    fn choose(&mut self, choice: Choice, options: u64) -> u64;
}

impl<F: FnMut(Choice, u64) -> u64> Chooser for F {
    fn choose(&mut self, choice: Choice, options: u64) -> u64 {
        self(choice, options)
    }
}

/// A chooser that always takes the first option. With this chooser a mapping reads and retries at once, leaves no
/// record for a later read, and puts all keys into the first lane. The mapping retries a batch that always fails
/// without any pause, so the caller itself must let time pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prompt;

impl Chooser for Prompt {
    fn choose(&mut self, _: Choice, _: u64) -> u64 {
        0
    }
}

/// Asks the chooser for a choice, and returns its answer modulo `options`.
pub(crate) fn choose(chooser: &mut dyn Chooser, choice: Choice, options: u64) -> u64 {
    let options = options.max(1);
    chooser.choose(choice, options) % options
}

/// The chosen index in a list of `options` entries.
pub(crate) fn choose_place(chooser: &mut dyn Chooser, choice: Choice, options: usize) -> usize {
    let chosen = choose(chooser, choice, u64::try_from(options).unwrap_or(u64::MAX));
    usize::try_from(chosen).unwrap_or(0)
}
