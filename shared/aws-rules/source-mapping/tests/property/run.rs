//! Runs a case: its events, then a quiet time in which every invocation succeeds.

use std::collections::BTreeMap;

use proptest::test_runner::{TestCaseError, TestCaseResult};
use source_mapping::{
    Change, Choice, Input, Invocation, InvocationId, Millis, Outcome, Output, Record, Settings,
    ShardId, State, Step,
};

use crate::{
    case::{Case, Event, How},
    model::Model,
    planted::{Bug, Subject},
};

/// Runs a case, and checks each step by the model.
pub fn run(case: &Case, bug: Option<Bug>) -> TestCaseResult {
    let mut run = Run::new(case, bug);
    run.play(case).map_err(TestCaseError::fail)
}

/// All steps of a mapping in a case.
pub fn trace(case: &Case) -> Vec<Step> {
    let mut run = Run::new(case, None);
    run.play(case).unwrap();
    run.steps
}

struct Run {
    subject: Subject,
    model: Model,
    out: BTreeMap<InvocationId, Invocation>,
    open: Vec<ShardId>,
    all: Vec<ShardId>,
    records: u64,
    asked: Option<Settings>,
    chance: Chance,
    steps: Vec<Step>,
}

impl Run {
    fn new(case: &Case, bug: Option<Bug>) -> Self {
        Self {
            subject: Subject::new(case.settings.clone(), bug),
            model: Model::new(case.settings.clone()),
            out: BTreeMap::new(),
            open: vec![],
            all: vec![],
            records: 0,
            asked: None,
            chance: Chance(case.seed),
            steps: vec![],
        }
    }

    fn play(&mut self, case: &Case) -> Result<(), String> {
        let first = self.new_shard();
        self.take(Input::Opened(first))?;
        let early = case.early.min(case.events.len());
        let (early, late) = case.events.split_at(early);
        for event in early {
            if !matches!(event, Event::Pause | Event::Update(_)) {
                self.happens(event)?;
            }
        }
        self.take(Input::ChangeTakesEffect)?;
        for event in late {
            self.happens(event)?;
        }
        self.quiet()?;
        self.model.at_the_end()
    }

    fn new_shard(&mut self) -> ShardId {
        let shard = ShardId::from(format!("shardId-{:012}", self.all.len()).as_str());
        self.all.push(shard.clone());
        self.open.push(shard.clone());
        shard
    }

    fn now(&self) -> Millis {
        self.subject.mapping.now()
    }

    fn take(&mut self, input: Input) -> Result<(), String> {
        self.model.before(&input);
        let step = self.subject.step(input, &mut self.chance);
        for output in &step.outputs {
            self.model.sees(output, self.subject.mapping.now())?;
            if let Output::Invoke(invocation) = output {
                self.out.insert(invocation.id, invocation.clone());
            }
        }
        self.steps.push(step);
        Ok(())
    }

    fn happens(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Put(at, records) => self.put(at.get(&self.open).clone(), records),
            Event::Wait(duration) => self.take(Input::TimePassed(self.now().plus(*duration))),
            Event::End(_, _) if self.out.is_empty() => Ok(()),
            Event::End(at, how) => {
                let out: Vec<_> = self.out.keys().copied().collect();
                self.end(*at.get(&out), how)
            }
            Event::Lose(at, checkpoint_too) => self.take(Input::LeaseLost {
                shard: at.get(&self.all).clone(),
                checkpoint_too: *checkpoint_too,
            }),
            Event::Split(at) => {
                let parent = self.open.remove(at.index(self.open.len()));
                let children = [self.new_shard(), self.new_shard()];
                self.take(Input::Split { parent, children })
            }
            Event::Merge(_, _) if self.open.len() < 2 => Ok(()),
            Event::Merge(one, other) => {
                let one = self.open.remove(one.index(self.open.len()));
                let other = self.open.remove(other.index(self.open.len()));
                let child = self.new_shard();
                let parents = [one, other];
                self.take(Input::Merged { parents, child })
            }
            Event::Others(at, bytes) => self.take(Input::ReadByOthers {
                shard: at.get(&self.open).clone(),
                bytes: *bytes,
            }),
            Event::Pause => self.change(match self.subject.mapping.state() {
                State::Disabled => Change::Enable,
                _ => Change::Disable,
            }),
            Event::Update(settings) => self.change(Change::Update(settings.clone())),
        }
    }

    /// Requests a change. If a change is requested already, that earlier change takes effect instead.
    fn change(&mut self, change: Change) -> Result<(), String> {
        if self.subject.mapping.state() == State::Changing {
            if let Some(settings) = self.asked.take() {
                self.model.updates_to(settings);
            }
            return self.take(Input::ChangeTakesEffect);
        }
        if let Change::Update(settings) = &change {
            self.asked = Some((**settings).clone());
        }
        self.take(Input::ChangeAsked(change))
    }

    fn put(&mut self, shard: ShardId, records: &[(u8, bool)]) -> Result<(), String> {
        let arrived = self.now();
        let records = records.iter().map(|(key, matches)| {
            self.records += 1;
            let data: &[u8] = if *matches { br#"{"a":1}"# } else { b"{}" };
            Record {
                sequence: self.records.into(),
                partition_key: format!("key-{key}").as_str().into(),
                data: data.into(),
                arrived,
            }
        });
        let records = records.collect();
        self.take(Input::Appended { shard, records })
    }

    fn end(&mut self, invocation: InvocationId, how: &How) -> Result<(), String> {
        let ended = self.out.remove(&invocation).unwrap();
        let text = |text: &str| Outcome::Returned(text.into());
        let named: Vec<usize> = match how {
            How::Report(named) => {
                let places = named.iter().map(|at| at.index(ended.records.len()));
                places.collect()
            }
            _ => vec![],
        };
        let outcome = match how {
            How::Done => Outcome::done(),
            How::Empty => text("{}"),
            How::NullList => text(r#"{"batchItemFailures":null}"#),
            How::EmptyList => text(r#"{"batchItemFailures":[]}"#),
            How::Null => text("null"),
            How::Error => Outcome::FunctionError,
            How::TimedOut => Outcome::TimedOut,
            How::Killed => Outcome::Killed,
            How::Throttled => Outcome::Throttled,
            How::Report(_) => {
                let records = named.iter().map(|place| &ended.records[*place].sequence);
                Outcome::failed_at(records)
            }
            How::Unknown => Outcome::failed_at([&u64::MAX.into()]),
        };
        self.model.ends(&ended, how, named.into_iter().min());
        self.take(Input::Finished {
            invocation,
            outcome,
        })
    }

    /// Runs without new events, while every invocation succeeds.
    fn quiet(&mut self) -> Result<(), String> {
        if self.subject.mapping.state() == State::Changing {
            self.change(Change::Enable)?;
        }
        if self.subject.mapping.state() == State::Disabled {
            self.change(Change::Enable)?;
            self.change(Change::Enable)?;
        }
        for _ in 0..5000 {
            while let Some(invocation) = self.out.keys().next().copied() {
                self.end(invocation, &How::Done)?;
            }
            let Some(wakes_at) = self.subject.mapping.wakes_at() else {
                return Ok(());
            };
            if wakes_at <= self.now() {
                return Err("it wakes, and does nothing".to_owned());
            }
            self.take(Input::TimePassed(wakes_at))?;
        }
        Err("it does not come to rest".to_owned())
    }
}

/// Reproducible random numbers.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl source_mapping::Chooser for Chance {
    fn choose(&mut self, choice: Choice, options: u64) -> u64 {
        let prompt = matches!(
            choice,
            Choice::BackOff | Choice::PollDelay | Choice::HeldBack
        );
        if prompt && self.next().is_multiple_of(2) {
            return 0;
        }
        self.next() % options
    }
}
