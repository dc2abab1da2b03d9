//! A model of the rules: it checks inputs and outputs without a look inside the mapping.

use std::collections::{BTreeMap, BTreeSet};

use source_mapping::{
    Change, Condition, Destination, Input, Invocation, InvocationId, Millis, Output, Record,
    Settings, ShardId, StartingPosition,
};

use crate::case::How;

/// The time at which runs begin.
pub const BEGIN: Millis = Millis(1_573_691_886_000);

type Number = u64;

fn number(record: &Record) -> Number {
    record.sequence.as_str().parse().unwrap()
}

/// The fate of a record, as the outputs report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The function is not done with the record.
    Waits,
    Done,
    Discarded,
    Filtered,
    Skipped,
    Expired,
}

struct Known {
    record: Record,
    fate: Fate,
    /// The number of failures with this record since the lease was taken, or since its batch last succeeded in part.
    failures: u32,
    /// True if the record arrived while an update was pending.
    during_update: bool,
}

#[derive(Default)]
struct Shard {
    parents: Vec<ShardId>,
    closed: bool,
    records: BTreeMap<Number, Known>,
    checkpoint: Number,
    earlier_checkpoint: Number,
    /// The number of failures with exactly these records since the lease was taken.
    failures: BTreeMap<Vec<Number>, u32>,
}

impl Shard {
    fn is_settled(&self) -> bool {
        self.records.values().all(|known| known.fate != Fate::Waits)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No invocation was seen yet.
    Creating,
    Begun,
    /// An update is pending.
    Updating,
}

/// The state of a mapping, as the model knows it from inputs and outputs.
pub struct Model {
    settings: Settings,
    shards: BTreeMap<ShardId, Shard>,
    /// Invocations in flight whose outcome counts.
    out: BTreeMap<InvocationId, Invocation>,
    phase: Phase,
    lost_checkpoint: bool,
    /// True if the last failure splits its batch.
    splits: bool,
    /// The number of records that were discarded while there was a destination; `told` counts the records that were
    /// reported to the destination.
    discarded: usize,
    told: usize,
}

macro_rules! ensure {
    ($holds:expr, $($why:tt)*) => {
        if !$holds {
            return Err(format!($($why)*));
        }
    };
}

impl Model {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            shards: BTreeMap::new(),
            out: BTreeMap::new(),
            phase: Phase::Creating,
            lost_checkpoint: false,
            splits: false,
            discarded: 0,
            told: 0,
        }
    }

    /// These settings take effect with the next input.
    pub fn updates_to(&mut self, settings: Settings) {
        self.settings = Settings {
            starting_position: self.settings.starting_position,
            ..settings
        };
    }

    /// Applies an input before the mapping does.
    pub fn before(&mut self, input: &Input) {
        match input {
            Input::Opened(shard) => self.open(shard, &[]),
            Input::Split { parent, children } => {
                self.shards.get_mut(parent).unwrap().closed = true;
                for child in children {
                    self.open(child, std::slice::from_ref(parent));
                }
            }
            Input::Merged { parents, child } => {
                for parent in parents {
                    self.shards.get_mut(parent).unwrap().closed = true;
                }
                self.open(child, parents);
            }
            Input::Appended { shard, records } => {
                let shard = self.shards.get_mut(shard).unwrap();
                for record in records {
                    let known = Known {
                        record: record.clone(),
                        fate: Fate::Waits,
                        failures: 0,
                        during_update: self.phase == Phase::Updating,
                    };
                    shard.records.insert(number(record), known);
                }
            }
            Input::LeaseLost { checkpoint_too, .. } => self.lost_checkpoint = *checkpoint_too,
            Input::ChangeAsked(Change::Update(_)) => self.phase = Phase::Updating,
            Input::ChangeTakesEffect => {
                self.lost_checkpoint = false;
                if self.phase == Phase::Updating {
                    self.phase = Phase::Begun;
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, shard: &ShardId, parents: &[ShardId]) {
        let opened = Shard {
            parents: parents.to_vec(),
            ..Shard::default()
        };
        self.shards.insert(shard.clone(), opened);
    }

    /// Applies the end of an invocation before the mapping does. `named` is the first record that the response names.
    pub fn ends(&mut self, ended: &Invocation, how: &How, named: Option<usize>) {
        if self.out.remove(&ended.id).is_none() {
            return;
        }
        let reports = self.settings.report_batch_item_failures;
        let all = ended.records.len();
        let done = match how {
            How::Throttled => return,
            How::Error | How::TimedOut | How::Killed => 0,
            How::Unknown if reports => 0,
            How::Report(_) if reports => named.unwrap(),
            _ => all,
        };
        self.splits = !matches!(how, How::Report(_));
        let shard = self.shards.get_mut(&ended.shard).unwrap();
        let numbers: Vec<_> = ended.records.iter().map(|record| number(record)).collect();
        for (place, number) in numbers.iter().enumerate() {
            let known = shard.records.get_mut(number).unwrap();
            if place < done {
                known.fate = Fate::Done;
            } else if done > 0 {
                known.failures = 0;
            } else {
                known.failures += 1;
            }
        }
        if done == 0 {
            *shard.failures.entry(numbers).or_default() += 1;
        }
    }

    /// Checks an output.
    pub fn sees(&mut self, output: &Output, now: Millis) -> Result<(), String> {
        match output {
            Output::Invoke(invocation) => self.invoked(invocation, now),
            Output::Filtered { shard, records } => {
                ensure!(!self.settings.filters.is_empty(), "there is no filter");
                let passes = |record: &Record| *record.data != *b"{}";
                self.settled(shard, records, Fate::Filtered, |record| !passes(record))
            }
            Output::Skipped { shard, records } => {
                let (start, phase) = (self.settings.starting_position, self.phase);
                let retention = self.settings.retention;
                let known = &self.shards[shard].records;
                let missed = known.values().filter(|known| known.during_update);
                let missed: BTreeSet<_> = missed.map(|known| number(&known.record)).collect();
                self.settled(shard, records, Fate::Skipped, |record| {
                    let gone = record.arrived.plus(retention) <= now;
                    gone || match start {
                        StartingPosition::TrimHorizon => false,
                        StartingPosition::Latest => {
                            phase == Phase::Creating || missed.contains(&number(record))
                        }
                        StartingPosition::AtTimestamp(from) => record.arrived < from,
                    }
                })
            }
            Output::Expired { shard, records } => {
                let retention = self.settings.retention;
                self.settled(shard, records, Fate::Expired, |record| {
                    record.arrived.plus(retention) <= now
                })
            }
            Output::Discarded {
                shard,
                records,
                condition,
            } => self.discarded(shard, records, *condition, now),
            Output::Sent(record) => {
                self.told += record.batch_size;
                let whole = record.destination == Destination::S3;
                ensure!(whole == record.payload.is_some(), "payload of {record:?}");
                Ok(())
            }
            Output::Checkpointed { shard, through } => {
                let shard = self.shards.get_mut(shard).unwrap();
                let through = through.as_str().parse().unwrap();
                ensure!(through > shard.checkpoint, "a checkpoint goes back");
                shard.earlier_checkpoint = shard.checkpoint;
                shard.checkpoint = through;
                Ok(())
            }
            Output::IteratorAge { .. } => Ok(()),
            Output::GaveUp { shard, orphans } => self.gave_up(shard, orphans, now),
        }
    }

    /// Records the fate of records. Each record must have been waiting until now, and `holds` must be true for it.
    fn settled(
        &mut self,
        shard: &ShardId,
        records: &[std::sync::Arc<Record>],
        fate: Fate,
        holds: impl Fn(&Record) -> bool,
    ) -> Result<(), String> {
        let shard = self.shards.get_mut(shard).unwrap();
        for record in records {
            let known = shard.records.get_mut(&number(record)).unwrap();
            ensure!(holds(record), "{record:?} is not to be {fate:?}");
            ensure!(
                known.fate == Fate::Waits,
                "{record:?} is {:?} already, and now {fate:?}",
                known.fate
            );
            known.fate = fate;
        }
        Ok(())
    }

    fn discarded(
        &mut self,
        id: &ShardId,
        records: &[std::sync::Arc<Record>],
        condition: Condition,
        now: Millis,
    ) -> Result<(), String> {
        if self.settings.on_failure.is_some() {
            self.discarded += records.len();
        }
        let shard = &self.shards[id];
        match condition {
            Condition::RetryAttemptsExhausted => {
                let most = self.settings.maximum_retry_attempts;
                let most = most.ok_or("discarded though retries have no limit")?;
                for record in records {
                    let failures = shard.records[&number(record)].failures;
                    ensure!(failures > most, "{record:?} failed {failures} times only");
                }
                let splits = self.settings.bisect_batch_on_function_error && self.splits;
                ensure!(!splits || records.len() == 1, "given up unsplit");
            }
            Condition::RecordAgeExceeded => {
                let most = self.settings.maximum_record_age;
                let most = most.ok_or("discarded though age has no limit")?;
                let young = records
                    .iter()
                    .find(|record| now.since(record.arrived) <= most);
                ensure!(young.is_none(), "{young:?} is not too old");
            }
        }
        self.settled(id, records, Fate::Discarded, |_| true)
    }

    fn gave_up(
        &mut self,
        id: &ShardId,
        orphans: &[InvocationId],
        now: Millis,
    ) -> Result<(), String> {
        let of_shard = self.out.values().filter(|out| out.shard == *id);
        let of_shard: BTreeSet<_> = of_shard.map(|out| out.id).collect();
        let orphans: BTreeSet<_> = orphans.iter().copied().collect();
        ensure!(
            of_shard == orphans,
            "{orphans:?} given up, {of_shard:?} out"
        );
        self.out.retain(|id, _| !orphans.contains(id));
        let shard = self.shards.get_mut(id).unwrap();
        shard.failures.clear();
        let finished = shard.closed && shard.is_settled();
        let mut kept = shard.checkpoint;
        if self.lost_checkpoint && !finished {
            kept = shard.earlier_checkpoint;
        }
        // A lost checkpoint does not go back to records that are gone or that the mapping skipped.
        let never = shard.records.iter().rev().find(|(_, known)| {
            let gone = known.record.arrived.plus(self.settings.retention) <= now;
            gone || known.fate == Fate::Skipped
        });
        kept = kept.max(never.map_or(0, |(number, _)| *number).min(shard.checkpoint));
        for (number, known) in &mut shard.records {
            known.failures = 0;
            let again = matches!(known.fate, Fate::Done | Fate::Discarded | Fate::Filtered);
            let gone = known.record.arrived.plus(self.settings.retention) <= now;
            if again && !gone && *number > kept {
                known.fate = Fate::Waits;
            }
        }
        shard.checkpoint = kept;
        shard.earlier_checkpoint = kept;
        Ok(())
    }

    fn invoked(&mut self, invocation: &Invocation, now: Millis) -> Result<(), String> {
        let Settings {
            batch_size,
            parallelization_factor,
            ..
        } = self.settings;
        let Invocation {
            id, shard, records, ..
        } = invocation;
        ensure!(!records.is_empty(), "{id} has no records");
        ensure!(records.len() <= batch_size, "{id} has too many records");
        ensure!(invocation.lane < parallelization_factor, "no such lane");
        for other in self.out.values().filter(|other| other.shard == *shard) {
            ensure!(
                other.lane != invocation.lane,
                "{id}, {} in a lane",
                other.id
            );
            for record in records {
                let mut of_other = other.records.iter();
                ensure!(
                    of_other.all(|other| other.partition_key != record.partition_key),
                    "{id} and {} have one key",
                    other.id
                );
            }
        }
        self.ancestors_are_settled(shard)?;
        let known = &self.shards[shard];
        let numbers: Vec<_> = records.iter().map(|record| number(record)).collect();
        ensure!(
            numbers.is_sorted_by(|one, next| one < next),
            "{id} is out of order"
        );
        for (place, record) in records.iter().enumerate() {
            self.may_be_delivered(record, now)?;
            let fate = known.records[&numbers[place]].fate;
            ensure!(fate == Fate::Waits, "{record:?} is {fate:?}, and delivered");
            let before = known.records.range(..numbers[place]);
            for (earlier, other) in before {
                let same = other.record.partition_key == record.partition_key;
                let skipped = same && other.fate == Fate::Waits && !numbers.contains(earlier);
                ensure!(!skipped, "{earlier} is left out before {}", numbers[place]);
            }
        }
        if let Some(most) = self.settings.maximum_retry_attempts {
            let failures = known.failures.get(&numbers).copied().unwrap_or(0);
            ensure!(failures <= most, "{id} is retried {failures} times");
        }
        if self.phase == Phase::Creating {
            self.phase = Phase::Begun;
        }
        self.out.insert(*id, invocation.clone());
        Ok(())
    }

    fn may_be_delivered(&self, record: &Record, now: Millis) -> Result<(), String> {
        let filtered = !self.settings.filters.is_empty() && *record.data == *b"{}";
        ensure!(!filtered, "{record:?} should be filtered out");
        let age = now.since(record.arrived);
        let aged = self
            .settings
            .maximum_record_age
            .is_some_and(|most| age > most);
        ensure!(!aged, "{record:?} is too old");
        ensure!(age < self.settings.retention, "{record:?} is gone");
        Ok(())
    }

    fn ancestors_are_settled(&self, shard: &ShardId) -> Result<(), String> {
        for parent in &self.shards[shard].parents {
            ensure!(self.shards[parent].is_settled(), "{shard} before {parent}");
            self.ancestors_are_settled(parent)?;
        }
        Ok(())
    }

    /// Checks the end of a run, after the quiet time.
    pub fn at_the_end(&self) -> Result<(), String> {
        for (id, shard) in &self.shards {
            for (number, known) in &shard.records {
                ensure!(known.fate != Fate::Waits, "{number} of {id} is lost");
            }
        }
        let (told, discarded) = (self.told, self.discarded);
        ensure!(
            told == discarded,
            "{told} of {discarded} discarded are told of"
        );
        let all = self.shards.values().flat_map(|shard| shard.records.keys());
        let all = all.count();
        let checkpoints = self.shards.values().map(|shard| {
            let passed = shard.records.range(..=shard.checkpoint);
            passed.count()
        });
        let passed: usize = checkpoints.sum();
        ensure!(passed == all, "checkpoints pass {passed} of {all}");
        Ok(())
    }
}
