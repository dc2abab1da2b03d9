//! A shard, as an event source mapping sees it: which of its records are read, delivered and done.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    Choice, Chooser, Millis, Misuse, Output, Reads, Record, Rule, Settings, ShardId,
    StartingPosition, Step,
    chooser::choose,
    lane::Lane,
    reads::{POLL_EVERY, ReadLimits},
    time::millis,
};

/// The size limit of a record's data, in bytes.
const RECORD_LIMIT: usize = 1024 * 1024;

/// The arguments that all operations on a shard share.
pub(crate) struct Turn<'a> {
    pub now: Millis,
    pub settings: &'a Settings,
    pub chooser: &'a mut dyn Chooser,
    pub step: &'a mut Step,
}

impl Turn<'_> {
    pub(crate) fn rule(&mut self, rule: Rule) {
        self.step.rules.push(rule);
    }
}

/// A shard. Positions count its records from the first one ever appended.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    pub(crate) id: ShardId,
    pub(crate) parents: Vec<ShardId>,
    pub(crate) closed: bool,
    pub(crate) records: Vec<Arc<Record>>,
    /// For each record, the latest arrival time of this record and all earlier ones. A Kinesis stream loses records in
    /// the order in which it received them.
    pub(crate) stored: Vec<Millis>,
    /// For each record, true if it is done, skipped or gone.
    pub(crate) settled: Vec<bool>,
    /// Records before this position are gone from the stream.
    pub(crate) trimmed: usize,
    /// All records before this position are settled.
    pub(crate) checkpoint: usize,
    pub(crate) earlier_checkpoint: usize,
    /// Records before this position are read.
    pub(crate) next: usize,
    /// Records before this position are before the mapping's starting position.
    pub(crate) first: usize,
    /// The records that an update with LATEST made the mapping miss. They stay settled when the lease is lost.
    pub(crate) missed: BTreeSet<usize>,
    /// True if the mapping has found its starting position.
    pub(crate) positioned: bool,
    /// True if the mapping holds the lease of this shard.
    pub(crate) leased: bool,
    pub(crate) lanes: Vec<Lane>,
    /// The lane whose failed batch pauses all other lanes, until the batch is done or discarded.
    pub(crate) paused_by: Option<usize>,
    pub(crate) lane_of: BTreeMap<Arc<str>, usize>,
    pub(crate) next_poll: Millis,
    pub(crate) limits: ReadLimits,
}

impl Shard {
    pub(crate) fn new(id: ShardId, parents: Vec<ShardId>, now: Millis) -> Self {
        Self {
            id,
            parents,
            closed: false,
            records: vec![],
            stored: vec![],
            settled: vec![],
            trimmed: 0,
            checkpoint: 0,
            earlier_checkpoint: 0,
            next: 0,
            first: 0,
            missed: BTreeSet::new(),
            positioned: false,
            leased: false,
            lanes: vec![],
            paused_by: None,
            lane_of: BTreeMap::new(),
            next_poll: now,
            limits: ReadLimits::default(),
        }
    }

    /// Appends all records, or none.
    pub(crate) fn append(
        &mut self,
        records: Vec<Record>,
        now: Millis,
        settings: &Settings,
    ) -> Result<(), Misuse> {
        if self.closed {
            return Err(Misuse::ShardClosed(self.id.clone()));
        }
        let mut last = self.records.last().map(|record| record.sequence.clone());
        for Record { sequence, data, .. } in &records {
            if last.as_ref().is_some_and(|last| last >= sequence) {
                return Err(Misuse::NotAscending(sequence.clone()));
            }
            if data.len() > RECORD_LIMIT {
                return Err(Misuse::TooLong(sequence.clone()));
            }
            last = Some(sequence.clone());
        }
        if settings.reads == Reads::Shared {
            self.skip_empty_polls(now);
        }
        for record in records {
            let before = self.stored.last().copied().unwrap_or_default();
            self.stored.push(record.arrived.max(before));
            self.settled.push(false);
            self.records.push(Arc::new(record));
        }
        Ok(())
    }

    /// Moves the time of the next poll past the polls, one a second, that found no new records.
    fn skip_empty_polls(&mut self, now: Millis) {
        if self.next == self.records.len() && self.next_poll < now {
            let every = millis(POLL_EVERY);
            let polls = millis(now.since(self.next_poll)).div_ceil(every);
            self.next_poll = Millis(self.next_poll.0 + polls * every);
        }
    }

    pub(crate) fn read_by_others(&mut self, now: Millis, bytes: u64) {
        self.limits.count(now, bytes);
    }

    /// True if the shard is closed, and all its records are settled.
    pub(crate) fn is_finished(&self) -> bool {
        self.closed && self.is_settled()
    }

    /// True if all records of the shard are settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.checkpoint == self.records.len()
    }

    pub(crate) fn record(&self, place: usize) -> Option<&Arc<Record>> {
        self.records.get(place)
    }

    pub(crate) fn records_at(&self, places: &[usize]) -> Vec<Arc<Record>> {
        let records = places.iter().filter_map(|place| self.record(*place));
        records.cloned().collect()
    }

    /// Begins at the starting position of the settings, when the mapping begins to read.
    pub(crate) fn begin(&mut self, turn: &mut Turn<'_>) {
        self.trim(turn);
        // The mapping skips records that are already gone from the stream.
        let mut first = self.trimmed;
        turn.rule(match turn.settings.starting_position {
            StartingPosition::TrimHorizon => Rule::StartTrimHorizon,
            StartingPosition::AtTimestamp(_) => Rule::StartAtTimestamp,
            StartingPosition::Latest => {
                first = self.records.len();
                Rule::StartLatest
            }
        });
        self.positioned = !looks_for_a_time(turn.settings);
        (self.next, self.first) = (first, first);
        let places: Vec<_> = (0..first).collect();
        self.pass_over(&places, turn, |shard, records| Output::Skipped {
            shard,
            records,
        });
    }

    /// Begins at the first record, since the shard was opened after the mapping began.
    pub(crate) fn begin_as_child(&mut self, turn: &mut Turn<'_>) {
        turn.rule(Rule::StartChild);
        self.positioned = !looks_for_a_time(turn.settings);
    }

    /// Skips the records from this position on, which arrived while an update paused the reading.
    pub(crate) fn miss_from(&mut self, place: usize, turn: &mut Turn<'_>) {
        let places: Vec<_> = (place..self.records.len()).collect();
        if !places.is_empty() {
            // The mapping begins anew at the latest record, so a lost checkpoint does not go back before it.
            self.first = self.records.len();
            self.missed.extend(&places);
        }
        self.pass_over(&places, turn, |shard, records| Output::Skipped {
            shard,
            records,
        });
    }

    /// Takes the lease of the shard, and continues from its checkpoint.
    pub(crate) fn lease(&mut self, turn: &mut Turn<'_>) {
        let lanes = turn.settings.parallelization_factor;
        self.lanes = (0..lanes).map(|_| Lane::new(turn.now)).collect();
        self.paused_by = None;
        self.lane_of.clear();
        self.leased = true;
        let delay = choose(turn.chooser, Choice::PollDelay, millis(POLL_EVERY));
        self.next_poll = Millis(turn.now.0 + delay);
    }

    /// Releases the lease. The next holder reads the records after the checkpoint again.
    pub(crate) fn give_up(&mut self, checkpoint_too: bool, turn: &mut Turn<'_>) {
        if !self.leased {
            return;
        }
        self.leased = false;
        let mut orphans = vec![];
        for mut lane in std::mem::take(&mut self.lanes) {
            orphans.extend(lane.out);
            if let Some(held) = lane.held.take() {
                self.send(held, turn);
            }
        }
        let earlier = self.earlier_checkpoint.max(self.trimmed);
        let earlier = earlier.max(self.first);
        if checkpoint_too && !self.is_finished() && earlier < self.checkpoint {
            turn.rule(Rule::CheckpointLost);
            self.checkpoint = earlier;
        }
        self.earlier_checkpoint = self.checkpoint;
        // The next holder delivers all records after the checkpoint that the stream still has. Records in flight that
        // the stream no longer has are reported as expired, like records that were never read.
        self.next = self.checkpoint;
        let there = self.checkpoint.max(self.trimmed);
        for (place, settled) in self.settled.iter_mut().enumerate().skip(there) {
            *settled = self.missed.contains(&place);
        }
        let shard = self.id.clone();
        turn.step.outputs.push(Output::GaveUp { shard, orphans });
    }

    /// Finds the records that are older than the retention.
    fn trim(&mut self, turn: &Turn<'_>) {
        let mut stored = self.stored.iter().skip(self.trimmed);
        while stored
            .next()
            .is_some_and(|at| at.plus(turn.settings.retention) <= turn.now)
        {
            self.trimmed += 1;
        }
    }

    /// Removes records that are gone from the stream. Reports the removed records with which the function was not done.
    pub(crate) fn expire(&mut self, turn: &mut Turn<'_>) {
        self.trim(turn);
        if self.checkpoint >= self.trimmed {
            return;
        }
        let unread = self.next..self.trimmed;
        let unread = unread.filter(|place| self.settled.get(*place) == Some(&false));
        let mut places: Vec<_> = unread.collect();
        self.next = self.next.max(self.trimmed);
        let mut retried = vec![];
        for at in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get_mut(at) else {
                break;
            };
            let (fresh, delivered) = lane.take_before(self.trimmed);
            places.extend(fresh);
            retried.extend(delivered);
            if lane.batches.is_empty() {
                self.send_held(at, turn);
            }
        }
        if !places.is_empty() {
            turn.rule(Rule::RetentionUnread);
        }
        if !retried.is_empty() {
            turn.rule(Rule::RetentionRetried);
        }
        places.extend(retried);
        places.sort_unstable();
        self.pass_over(&places, turn, |shard, records| Output::Expired {
            shard,
            records,
        });
    }

    /// Settles records with which the function was not done, and reports them.
    pub(crate) fn pass_over(
        &mut self,
        places: &[usize],
        turn: &mut Turn<'_>,
        tell: impl FnOnce(ShardId, Vec<Arc<Record>>) -> Output,
    ) {
        let places: Vec<_> = places
            .iter()
            .copied()
            .filter(|place| self.settled.get(*place) == Some(&false))
            .collect();
        if places.is_empty() {
            return;
        }
        let records = self.records_at(&places);
        turn.step.outputs.push(tell(self.id.clone(), records));
        self.settle(&places, turn);
    }

    pub(crate) fn settle(&mut self, places: &[usize], turn: &mut Turn<'_>) {
        for place in places {
            if let Some(settled) = self.settled.get_mut(*place) {
                *settled = true;
            }
        }
        let unsettled = self.settled.iter().skip(self.checkpoint);
        let passed = unsettled.take_while(|settled| **settled).count();
        if passed == 0 {
            return;
        }
        self.earlier_checkpoint = self.checkpoint;
        self.checkpoint += passed;
        if let Some(last) = self.record(self.checkpoint - 1) {
            let (shard, through) = (self.id.clone(), last.sequence.clone());
            let told = Output::Checkpointed { shard, through };
            turn.step.outputs.push(told);
        }
    }

    /// The lanes that may deliver, with their positions: all lanes, or the lane whose failed batch pauses the others.
    pub(crate) fn open_lanes(&self) -> impl Iterator<Item = (usize, &Lane)> {
        let failed = |at: &usize| {
            let lane = self.lanes.get(*at);
            lane.is_some_and(|lane| !lane.batches.is_empty())
        };
        let paused_by = self.paused_by.filter(failed);
        let lanes = self.lanes.iter().enumerate();
        lanes.filter(move |(at, _)| paused_by.is_none_or(|lane| lane == *at))
    }

    /// The number of records that were read and are not in a batch yet.
    pub(crate) fn queued(&self) -> usize {
        self.lanes.iter().map(|lane| lane.queue.len()).sum()
    }

    /// True if the lanes have room for more records.
    pub(crate) fn has_room(&self, settings: &Settings) -> bool {
        self.queued() < settings.batch_size * settings.parallelization_factor
    }

    /// True if the shard has unread records, and the next read is due.
    pub(crate) fn is_due(&self, now: Millis) -> bool {
        self.leased && self.next < self.records.len() && self.next_poll <= now
    }

    /// The next time at which the mapping acts on the shard without further input.
    pub(crate) fn wakes_at(
        &self,
        may_read: impl FnOnce() -> bool,
        settings: &Settings,
    ) -> Option<Millis> {
        let unread = self.leased && self.next < self.records.len();
        let reads = unread && self.has_room(settings) && may_read();
        let read = reads.then_some(self.next_poll);
        let lanes = self
            .open_lanes()
            .filter_map(|(_, lane)| lane.ready_at(settings));
        lanes.chain(read).chain(self.expires_at(settings)).min()
    }

    /// The time at which the stream loses the next unsettled record.
    pub(crate) fn expires_at(&self, settings: &Settings) -> Option<Millis> {
        let stored = self.stored.get(self.trimmed.max(self.checkpoint))?;
        Some(stored.plus(settings.retention))
    }
}

/// True if the mapping must read records to find its first one, the first record that arrived at the given time or
/// later.
fn looks_for_a_time(settings: &Settings) -> bool {
    matches!(settings.starting_position, StartingPosition::AtTimestamp(_))
}
