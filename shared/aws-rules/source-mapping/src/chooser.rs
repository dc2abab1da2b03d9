//! What AWS leaves open is chosen by the caller.

/// What is being chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Choice {
    /// Which of the lanes that are ready is invoked first; one option a lane.
    NextLane,
    /// The lane of a partition key that has none yet; one option a lane.
    LaneOfKey,
    /// Milliseconds from an invocation that failed, or was throttled, to the next of the same batch.
    BackOff,
    /// Milliseconds by which the next read of a shard comes late.
    PollDelay,
    /// How many of the records that could be read are held back for a later read.
    HeldBack,
    /// 1 if word of a discarded batch waits, to be sent as one with the next one.
    Consolidate,
}

/// Decides what AWS leaves open: by chance, by a plan, or always the same.
///
/// Any `FnMut(Choice, u64) -> u64` is one.
pub trait Chooser {
    /// One of `options`: a number below it. Greater ones are taken modulo `options`, which is never zero.
    fn choose(&mut self, choice: Choice, options: u64) -> u64;
}

impl<F: FnMut(Choice, u64) -> u64> Chooser for F {
    fn choose(&mut self, choice: Choice, options: u64) -> u64 {
        self(choice, options)
    }
}

/// Always takes the first option: reads and retries at once, holds nothing back, and gives all keys to the first lane. So what
/// fails without end is retried without end at one moment; a caller of such a function has to let time pass by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prompt;

impl Chooser for Prompt {
    fn choose(&mut self, _: Choice, _: u64) -> u64 {
        0
    }
}

/// What was chosen, below `options` whatever the chooser says.
pub(crate) fn choose(chooser: &mut dyn Chooser, choice: Choice, options: u64) -> u64 {
    let options = options.max(1);
    chooser.choose(choice, options) % options
}

/// One of `options` places of a list.
pub(crate) fn choose_place(chooser: &mut dyn Chooser, choice: Choice, options: usize) -> usize {
    let chosen = choose(chooser, choice, u64::try_from(options).unwrap_or(u64::MAX));
    usize::try_from(chosen).unwrap_or(0)
}
