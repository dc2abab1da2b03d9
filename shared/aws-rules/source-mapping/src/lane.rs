//! A lane of a shard. A lane queues the records of some keys, and delivers one batch at a time.

use std::{collections::VecDeque, time::Duration};

use crate::{
    InvocationId, Millis, Rule, Settings,
    batch::Batch,
    destination::GivenUp,
    event::{self, PAYLOAD_LIMIT},
    time::millis,
};

/// A record that was read and is not in a batch yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queued {
    pub place: usize,
    /// The size that the record adds to an event, in bytes.
    pub size: usize,
}

/// A lane of a shard.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub queue: VecDeque<Queued>,
    /// The size of the queued records in an event, in bytes.
    queued_size: usize,
    /// The current batch, or the parts into which it was split, in order. If `out` is set, the first of these batches
    /// is in flight.
    pub batches: VecDeque<Batch>,
    pub out: Option<InvocationId>,
    /// The number of failures and throttles since the lane last made progress.
    pub failures_in_a_row: u32,
    /// The time before which a failed batch is not delivered again.
    pub not_before: Millis,
    /// The beginning of the batching window.
    window_from: Millis,
    /// Discarded records whose report waits to be combined with the next report.
    pub held: Option<GivenUp>,
}

impl Lane {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            queue: VecDeque::new(),
            queued_size: 0,
            batches: VecDeque::new(),
            out: None,
            failures_in_a_row: 0,
            not_before: now,
            window_from: now,
            held: None,
        }
    }

    pub(crate) fn enqueue(&mut self, record: Queued, now: Millis, settings: &Settings) {
        if self.queue.is_empty() {
            self.skip_empty_windows(now, settings.batching_window);
        }
        self.queued_size += record.size;
        self.queue.push_back(record);
    }

    /// Moves the beginning of the batching window past the windows that ended without a record. Each window begins
    /// where the one before it ended.
    fn skip_empty_windows(&mut self, now: Millis, window: Duration) {
        let window = millis(window);
        if let Some(past) = millis(now.since(self.window_from)).checked_div(window) {
            self.window_from = Millis(self.window_from.0 + past * window);
        }
    }

    /// Begins a batching window at the end of an invocation.
    pub(crate) fn begin_window(&mut self, now: Millis) {
        self.window_from = now;
    }

    /// True if a batch can be delivered now.
    pub(crate) fn is_ready(&self, now: Millis, settings: &Settings) -> bool {
        self.ready_at(settings).is_some_and(|at| at <= now)
    }

    /// The time from which a batch can be delivered, if no further record arrives; `None` if the lane waits for a
    /// record or for the end of an invocation.
    pub(crate) fn ready_at(&self, settings: &Settings) -> Option<Millis> {
        if self.out.is_some() {
            None
        } else if !self.batches.is_empty() {
            Some(self.not_before)
        } else if self.queue.is_empty() {
            None
        } else if self.is_full(settings) {
            Some(self.window_from)
        } else {
            Some(self.window_from.plus(settings.batching_window))
        }
    }

    /// True if a batch need not wait for more records.
    fn is_full(&self, settings: &Settings) -> bool {
        self.queue.len() >= settings.batch_size
            || event::frame_size() + self.queued_size > PAYLOAD_LIMIT
    }

    /// Makes a batch of the queued records.
    pub(crate) fn gather(&mut self, settings: &Settings, rules: &mut Vec<Rule>) {
        let full = self.is_full(settings);
        rules.push(match settings.batching_window {
            Duration::ZERO => Rule::AtOnce,
            _ if full => Rule::BatchFull,
            _ => Rule::BatchingWindow,
        });
        let mut places = vec![];
        let mut size = event::frame_size();
        while let Some(record) = self.queue.front().copied() {
            if places.len() == settings.batch_size {
                rules.push(Rule::BatchSize);
                break;
            }
            // The size includes a comma after the last record, which is not written.
            if size + record.size > PAYLOAD_LIMIT + 1 && !places.is_empty() {
                rules.push(Rule::PayloadLimit);
                break;
            }
            size += record.size;
            places.push(record.place);
            self.queue.pop_front();
            self.queued_size -= record.size;
        }
        if !places.is_empty() {
            self.batches.push_back(Batch::new(places));
        }
    }

    /// Removes the records that the stream no longer has, except those in flight. Returns the positions of the removed
    /// records: first of the records that were never delivered, then of the records that were delivered before.
    pub(crate) fn take_before(&mut self, trimmed: usize) -> (Vec<usize>, Vec<usize>) {
        let (mut fresh, mut retried) = (vec![], vec![]);
        let mut size = 0;
        self.queue.retain(|record| {
            let keep = record.place >= trimmed;
            if keep {
                size += record.size;
            } else {
                fresh.push(record.place);
            }
            keep
        });
        self.queued_size = size;
        let out = usize::from(self.out.is_some());
        for batch in self.batches.iter_mut().skip(out) {
            let taken = if batch.invocations == 0 {
                &mut fresh
            } else {
                &mut retried
            };
            taken.extend(batch.places.extract_if(.., |place| *place < trimmed));
        }
        let mut at = 0;
        self.batches.retain(|batch| {
            at += 1;
            at <= out || !batch.places.is_empty()
        });
        (fresh, retried)
    }
}
