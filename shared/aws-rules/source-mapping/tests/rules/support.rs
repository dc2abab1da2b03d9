//! An event source mapping, its stream, and a clock that the test controls.

use std::{collections::BTreeSet, time::Duration};

use source_mapping::{
    Change, Choice, Input, InvalidSettings, Invocation, Mapping, Millis, Outcome, Output, Record,
    Rule, SequenceNumber, Settings, ShardId, StartingPosition, Step,
};

/// The time at which tests begin.
pub const BEGIN: Millis = Millis(1_573_691_886_000);
/// The shard that always exists.
pub const SHARD: &str = "shardId-000000000000";

/// AWS's default settings, for a mapping that begins at the oldest record.
pub fn settings() -> Settings {
    Settings::new(StartingPosition::TrimHorizon)
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A stream with a mapping, and all its outputs.
pub struct World {
    pub mapping: Mapping,
    fired: BTreeSet<Rule>,
    invoked: Vec<Invocation>,
    outputs: Vec<Output>,
    chooser: Box<dyn FnMut(Choice, u64) -> u64>,
    last: u64,
}

impl World {
    /// A mapping that reads a stream of one shard.
    pub fn new(settings: Settings) -> Self {
        let mut world = Self::creating(settings);
        world.take(Input::ChangeTakesEffect);
        world
    }

    /// A mapping with the default settings, except for this change.
    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        Self::new(settings)
    }

    /// A mapping with the default settings, and its invocation with one record.
    pub fn delivering() -> (Self, Invocation) {
        let mut world = Self::new(settings());
        world.put("key", b"{}");
        let invocation = world.one();
        (world, invocation)
    }

    /// A mapping that is still being created.
    pub fn creating(settings: Settings) -> Self {
        let mut world = Self {
            mapping: Mapping::new(settings, BEGIN).unwrap(),
            fired: BTreeSet::new(),
            invoked: vec![],
            outputs: vec![],
            chooser: Box::new(|_, _| 0),
            last: 0,
        };
        world.take(Input::Opened(SHARD.into()));
        world
    }

    /// Makes all choices of the kind `what` with the function `chosen`. All other choices take the first option.
    pub fn choose(&mut self, what: Choice, mut chosen: impl FnMut(u64) -> u64 + 'static) {
        self.choose_all(move |choice, options| if choice == what { chosen(options) } else { 0 });
    }

    pub fn choose_all(&mut self, chosen: impl FnMut(Choice, u64) -> u64 + 'static) {
        self.chooser = Box::new(chosen);
    }

    pub fn take(&mut self, input: Input) {
        let Step { outputs, rules } = self.mapping.step(input, &mut self.chooser).unwrap();
        self.fired.extend(rules);
        for output in outputs {
            match output {
                Output::Invoke(invocation) => self.invoked.push(invocation),
                other => self.outputs.push(other),
            }
        }
    }

    /// Appends the next records of a shard at once, each given by key and data. Returns their numbers.
    pub fn put_all_in(&mut self, shard: &str, records: &[(&str, &[u8])]) -> Vec<SequenceNumber> {
        let arrived = self.mapping.now();
        let mut numbers = vec![];
        let records = records.iter().map(|(key, data)| {
            self.last += 1;
            numbers.push(self.last.into());
            Record {
                sequence: self.last.into(),
                partition_key: (*key).into(),
                data: (*data).into(),
                arrived,
            }
        });
        let records = records.collect();
        let shard = shard.into();
        self.take(Input::Appended { shard, records });
        numbers
    }

    pub fn put_in(&mut self, shard: &str, key: &str, data: &[u8]) -> SequenceNumber {
        self.put_all_in(shard, &[(key, data)]).remove(0)
    }

    pub fn put(&mut self, key: &str, data: &[u8]) -> SequenceNumber {
        self.put_in(SHARD, key, data)
    }

    /// Appends `count` records of one key at once. Returns their numbers.
    pub fn put_some(&mut self, count: usize) -> Vec<SequenceNumber> {
        self.put_all_in(SHARD, &vec![("key", b"{}".as_slice()); count])
    }

    pub fn wait(&mut self, duration: Duration) {
        self.take(Input::TimePassed(self.mapping.now().plus(duration)));
    }

    /// The invocations since the last call.
    pub fn invoked(&mut self) -> Vec<Invocation> {
        std::mem::take(&mut self.invoked)
    }

    /// The only invocation since the last call.
    pub fn one(&mut self) -> Invocation {
        let mut invoked = self.invoked();
        assert_eq!(invoked.len(), 1, "{invoked:?}");
        invoked.remove(0)
    }

    /// The outputs since the last call, without invocations.
    pub fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    pub fn end(&mut self, invocation: &Invocation, outcome: Outcome) {
        let invocation = invocation.id;
        self.take(Input::Finished {
            invocation,
            outcome,
        });
    }

    /// Ends the only invocation. Returns the numbers of its records.
    pub fn end_one(&mut self, outcome: Outcome) -> Vec<u64> {
        let one = self.one();
        self.end(&one, outcome);
        numbers(&one)
    }

    pub fn ask(&mut self, change: Change) {
        self.take(Input::ChangeAsked(change));
    }

    pub fn lose_lease(&mut self, checkpoint_too: bool) {
        let shard = ShardId::from(SHARD);
        self.take(Input::LeaseLost {
            shard,
            checkpoint_too,
        });
    }

    /// Fails unless the rule was applied.
    pub fn proves(&self, rule: Rule) {
        assert!(self.fired.contains(&rule), "{rule:?} was not applied");
    }
}

/// The numbers of an invocation's records.
pub fn numbers(invocation: &Invocation) -> Vec<u64> {
    let numbers = invocation.records.iter();
    numbers
        .map(|record| record.sequence.as_str().parse().unwrap())
        .collect()
}

/// The numbers of several invocations' records.
pub fn all_numbers(invocations: &[Invocation]) -> Vec<Vec<u64>> {
    invocations.iter().map(numbers).collect()
}

/// The numbers of the records in outputs of this kind.
pub fn told(outputs: &[Output], kind: &str) -> Vec<u64> {
    let mut found = vec![];
    for output in outputs {
        let (name, records) = match output {
            Output::Filtered { records, .. } => ("filtered", records),
            Output::Skipped { records, .. } => ("skipped", records),
            Output::Expired { records, .. } => ("expired", records),
            Output::Discarded { records, .. } => ("discarded", records),
            _ => continue,
        };
        if name == kind {
            found.extend(records.iter().map(|record| {
                let number: u64 = record.sequence.as_str().parse().unwrap();
                number
            }));
        }
    }
    found
}

/// The last checkpoint.
pub fn checkpoint(outputs: &[Output]) -> Option<u64> {
    let mut all = outputs.iter().rev().filter_map(|output| match output {
        Output::Checkpointed { through, .. } => through.as_str().parse().ok(),
        _ => None,
    });
    all.next()
}

/// The rule that settings break.
pub struct Refused(Rule);

pub fn refused_by(refused: &InvalidSettings) -> Refused {
    Refused(refused.rule())
}

impl Refused {
    pub fn proves(&self, rule: Rule) {
        assert_eq!(self.0, rule);
    }
}
