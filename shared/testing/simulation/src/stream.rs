//! A Kinesis stream, and the event source mappings that deliver its records to functions.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alpes_ports::{
    FunctionName, Log, LogBatch, LogError, LogReader, LogRecord, NewRecord, Objects, Position,
    SequenceNumber,
};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use source_mapping::{
    Change, Choice, DestinationRecord, Input, InvalidSettings, Invocation, Mapping, Millis,
    Outcome, Output, Record, Settings, ShardId, State,
};
use twins::MemoryLog;

use crate::{Dice, Ended, Kernel, Runtime, TimerId};

struct Source {
    name: FunctionName,
    mapping: Mapping,
    /// The timer that steps the mapping even if nothing happens.
    wakes: Option<TimerId>,
}

struct Inner {
    kernel: Kernel,
    log: Arc<MemoryLog>,
    runtime: Runtime,
    failures: Arc<dyn Objects>,
    sources: Mutex<Vec<Source>>,
    /// The splits and merges so far, in order.
    lineage: Mutex<Vec<Input>>,
    /// True while mappings retry as late as they may.
    slow: AtomicBool,
}

impl Source {
    fn is_settled(&self) -> bool {
        self.mapping.state() == State::Deleted || self.mapping.is_settled()
    }
}

/// The id of an event source mapping of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappingId(usize);

/// A log that delivers its own records: every event source mapping learns of each append and invokes its function. All
/// clones share one stream.
#[derive(Clone)]
pub struct Stream(Arc<Inner>);

/// Makes at random the choices that AWS leaves open. Three in four choices between waiting and delivering favour prompt
/// delivery.
fn chance(dice: &Dice, slow: bool) -> impl FnMut(Choice, u64) -> u64 {
    let dice = dice.clone();
    move |choice, options| {
        if slow && choice == Choice::BackOff {
            return options.saturating_sub(1);
        }
        let prompt = matches!(
            choice,
            Choice::BackOff | Choice::HeldBack | Choice::Consolidate
        );
        if prompt && !dice.one_in(4) {
            return 0;
        }
        match choice {
            // Back off for a few seconds at most, although AWS may take minutes.
            Choice::BackOff => dice.below(options.min(5_000)),
            _ => dice.below(options),
        }
    }
}

fn millis(at: Timestamp) -> Millis {
    Millis(u64::try_from(at.as_millisecond()).unwrap_or(0))
}

fn sequence(number: &SequenceNumber) -> Option<source_mapping::SequenceNumber> {
    source_mapping::SequenceNumber::parse(&number.0)
}

impl Stream {
    /// A stream over `log`, whose mappings invoke the functions of `runtime`. Messages about the records that a mapping
    /// discards are written to `failures`.
    #[must_use]
    pub fn new(
        kernel: Kernel,
        log: Arc<MemoryLog>,
        runtime: Runtime,
        failures: Arc<dyn Objects>,
    ) -> Self {
        Self(Arc::new(Inner {
            kernel,
            log,
            runtime,
            failures,
            sources: Mutex::default(),
            lineage: Mutex::default(),
            slow: AtomicBool::new(false),
        }))
    }

    fn sources(&self) -> MutexGuard<'_, Vec<Source>> {
        let sources = self.0.sources.lock();
        sources.unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates an event source mapping from the stream to a function. The mapping reads from now on.
    ///
    /// # Errors
    ///
    /// See [`attach`](Self::attach).
    pub fn map(&self, function: FunctionName, settings: Settings) -> Result<(), InvalidSettings> {
        let mapping = self.attach(function, settings)?;
        self.take_effect(mapping);
        Ok(())
    }

    /// Creates a mapping, which reads once its creation [takes effect](Self::take_effect).
    ///
    /// # Errors
    ///
    /// [`InvalidSettings`] if AWS would refuse the settings.
    pub fn attach(
        &self,
        function: FunctionName,
        settings: Settings,
    ) -> Result<MappingId, InvalidSettings> {
        let mapping = Mapping::new(settings, millis(self.0.kernel.now()))?;
        let place = {
            let mut sources = self.sources();
            sources.push(Source {
                name: function,
                mapping,
                wakes: None,
            });
            sources.len() - 1
        };
        self.tell_what_there_is(place);
        Ok(MappingId(place))
    }

    /// Gives a new mapping the shards and their records. The records of a shard come before the split or merge that
    /// closes the shard.
    fn tell_what_there_is(&self, place: usize) {
        let mut records: BTreeMap<ShardId, Vec<LogRecord>> = BTreeMap::new();
        for record in self.0.log.records() {
            let shard = ShardId::from(record.shard.as_str());
            records.entry(shard).or_default().push(record);
        }
        let lineage = self.lineage().clone();
        let children: BTreeSet<_> = lineage.iter().flat_map(|change| ends(change).1).collect();
        for shard in self.0.log.all_shards() {
            let shard = ShardId::from(shard.as_str());
            if !children.contains(&shard) {
                self.take(place, Input::Opened(shard));
            }
        }
        let parents = lineage
            .into_iter()
            .map(|change| (ends(&change).0, Some(change)));
        let open = self.0.log.open_shards().into_iter();
        let open = open.map(|shard| (vec![ShardId::from(shard.as_str())], None));
        for (shards, closed) in parents.chain(open) {
            for shard in shards {
                let records = records.remove(&shard).unwrap_or_default();
                for appended in records.iter().filter_map(appended) {
                    self.take(place, appended);
                }
            }
            if let Some(closed) = closed {
                self.take(place, closed);
            }
        }
    }

    fn lineage(&self) -> MutexGuard<'_, Vec<Input>> {
        let lineage = self.0.lineage.lock();
        lineage.unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the function has a mapping that reads the stream.
    #[must_use]
    pub fn reads(&self, function: FunctionName) -> bool {
        let sources = self.sources();
        let mut of = sources.iter().filter(|source| source.name == function);
        of.any(|source| source.mapping.state() == State::Enabled)
    }

    /// Replaces the mapping of a function by a new one with the same settings, which begins at the position that the
    /// settings name. Returns `None` if the function has no mapping that reads. The new mapping reads once it [takes
    /// effect](Self::take_effect).
    ///
    /// # Errors
    ///
    /// See [`attach`](Self::attach).
    pub fn replace(&self, function: FunctionName) -> Result<Option<MappingId>, InvalidSettings> {
        let found = {
            let sources = self.sources();
            let mut of = sources.iter().enumerate();
            of.find_map(|(place, source)| {
                let reads = source.name == function && source.mapping.state() == State::Enabled;
                reads.then(|| (place, source.mapping.settings().clone()))
            })
        };
        let Some((place, settings)) = found else {
            return Ok(None);
        };
        let kernel = &self.0.kernel;
        kernel.count("mapping", "replaced");
        kernel.note(format_args!("the mapping of {} is replaced", function.0));
        self.take(place, Input::ChangeAsked(Change::Delete));
        self.take(place, Input::ChangeTakesEffect);
        self.attach(function, settings).map(Some)
    }

    /// Asks for a change of a mapping. No other change of the mapping may be pending.
    pub fn ask(&self, mapping: MappingId, change: Change) {
        self.take(mapping.0, Input::ChangeAsked(change));
    }

    /// Lets the pending change of a mapping take effect. The first change of a mapping is its creation.
    pub fn take_effect(&self, mapping: MappingId) {
        self.take(mapping.0, Input::ChangeTakesEffect);
    }

    /// Lets another reader read `bytes` bytes of every open shard. These bytes count against the shard's limit.
    pub fn read_by_others(&self, bytes: u64) {
        for shard in self.0.log.open_shards() {
            let shard = shard.as_str().into();
            self.each(&Input::ReadByOthers { shard, bytes });
        }
    }

    /// True if every mapping that is not deleted has finished every record and has no invocation in flight.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let sources = self.sources();
        sources
            .iter()
            .all(|source| source.is_settled() && source.mapping.out().next().is_none())
    }

    /// The functions whose mappings have unfinished records.
    #[must_use]
    pub fn unsettled(&self) -> Vec<&'static str> {
        let sources = self.sources();
        let behind = sources.iter().filter(|source| !source.is_settled());
        behind.map(|source| source.name.0).collect()
    }

    fn each(&self, input: &Input) {
        let count = self.sources().len();
        for place in 0..count {
            self.take(place, input.clone());
        }
    }

    /// Steps a mapping with an input, and carries out its outputs.
    fn take(&self, place: usize, input: Input) {
        let kernel = &self.0.kernel;
        let now = millis(kernel.now());
        let slow = self.0.slow.load(Ordering::SeqCst);
        let mut chooser = chance(kernel.dice(), slow);
        let (name, outputs, events) = {
            let mut sources = self.sources();
            let Some(source) = sources.get_mut(place) else {
                return;
            };
            let passed = source.mapping.step(Input::TimePassed(now), &mut chooser);
            let taken = source.mapping.step(input, &mut chooser);
            let mut outputs = vec![];
            for step in [passed, taken] {
                match step {
                    Ok(step) => {
                        for rule in step.rules {
                            kernel.count("rule", rule.id());
                        }
                        outputs.extend(step.outputs);
                    }
                    Err(misuse) => kernel.note(format_args!("{}: {misuse}", source.name.0)),
                }
            }
            let events: Vec<_> = outputs
                .iter()
                .map(|output| match output {
                    Output::Invoke(invocation) => Some(source.mapping.event(invocation)),
                    _ => None,
                })
                .collect();
            (source.name, outputs, events)
        };
        for (output, event) in outputs.into_iter().zip(events) {
            self.see_to(place, name, output, event);
        }
        self.set_alarm(place);
    }

    fn set_alarm(&self, place: usize) {
        let kernel = &self.0.kernel;
        let now = millis(kernel.now());
        let mut sources = self.sources();
        let Some(source) = sources.get_mut(place) else {
            return;
        };
        if let Some(timer) = source.wakes.take() {
            kernel.cancel(timer);
        }
        let Some(at) = source.mapping.wakes_at() else {
            return;
        };
        // An overdue mapping waits for an input, not for time, so wait at least 1 ms.
        let pause = at.since(now).max(Duration::from_millis(1));
        let own = self.clone();
        source.wakes = Some(kernel.schedule(pause, move || {
            let now = millis(own.0.kernel.now());
            own.take(place, Input::TimePassed(now));
        }));
    }

    fn see_to(&self, place: usize, name: FunctionName, output: Output, event: Option<String>) {
        let kernel = &self.0.kernel;
        match output {
            Output::Invoke(invocation) => {
                self.invoke(place, name, &invocation, event.unwrap_or_default());
            }
            Output::Sent(record) => self.send(name, &record),
            Output::Expired { records, .. } => {
                kernel.count("mapping", "expired");
                kernel.note(format_args!("{}: {} expired", name.0, records.len()));
            }
            Output::Discarded {
                records, condition, ..
            } => {
                kernel.count("mapping", "discarded");
                let (count, why) = (records.len(), condition.as_str());
                kernel.note(format_args!("{}: {count} discarded: {why}", name.0));
            }
            Output::GaveUp { shard, orphans } => {
                kernel.count("mapping", "gave up a shard");
                let count = orphans.len();
                kernel.note(format_args!(
                    "{} gave up {shard}, with {count} invocations in flight",
                    name.0
                ));
            }
            Output::Filtered { .. }
            | Output::Skipped { .. }
            | Output::Checkpointed { .. }
            | Output::IteratorAge { .. } => {}
        }
    }

    fn invoke(&self, place: usize, name: FunctionName, invocation: &Invocation, event: String) {
        let kernel = &self.0.kernel;
        let (count, again) = (invocation.records.len(), invocation.earlier);
        let first = invocation.records.first();
        let first = first.map_or("", |record| record.sequence.as_str());
        // The last 4 digits of a sequence number identify the record in the trace.
        let first = first.get(first.len().saturating_sub(4)..).unwrap_or(first);
        let shard = &invocation.shard;
        kernel.note(format_args!(
            "{} gets {count} records of {shard} from {first}, after {again} earlier attempts",
            name.0
        ));
        let (own, id) = (self.clone(), invocation.id);
        let runtime = self.0.runtime.clone();
        let label = format!("mapping of {}", name.0);
        kernel.spawn(&label, async move {
            let outcome = match runtime.invoke(name, event.into_bytes()).await {
                Ended::Returned(answer) => Outcome::Returned(answer),
                Ended::Failed(..) => Outcome::FunctionError,
                Ended::TimedOut => Outcome::TimedOut,
                Ended::Died => Outcome::Killed,
                Ended::Throttled | Ended::Unknown => Outcome::Throttled,
            };
            own.take(
                place,
                Input::Finished {
                    invocation: id,
                    outcome,
                },
            );
        });
    }

    /// Writes the message about discarded records, as an object of the bucket for failures.
    fn send(&self, name: FunctionName, record: &DestinationRecord) {
        let kernel = &self.0.kernel;
        let shard = &record.shard;
        let key = format!(
            "aws/lambda/{}/{shard}/{}-{}",
            name.0,
            record.timestamp.to_rfc3339(),
            record.start_sequence_number
        );
        let (failures, text) = (self.0.failures.clone(), record.to_json());
        kernel.note(format_args!("{}: {key}", name.0));
        kernel.spawn("mapping", async move {
            let put = failures.put(&key, text.as_bytes()).await;
            debug_assert!(put.is_ok(), "{put:?}");
        });
    }

    /// Takes the lease of a random shard away from a random mapping's worker. The worker that gets the lease may not
    /// know the last checkpoint.
    pub fn lose_a_lease(&self) {
        let kernel = &self.0.kernel;
        let count = u64::try_from(self.sources().len()).unwrap_or(0);
        let place = usize::try_from(kernel.dice().below(count)).unwrap_or(0);
        let shards = self.0.log.all_shards();
        let Some(shard) = kernel.dice().pick(&shards) else {
            return;
        };
        let input = Input::LeaseLost {
            shard: shard.as_str().into(),
            checkpoint_too: kernel.dice().one_in(2),
        };
        kernel.count("mapping", "lease lost");
        self.take(place, input);
    }

    /// Splits a random shard, or merges two.
    pub fn reshard(&self) {
        let kernel = &self.0.kernel;
        let (dice, log) = (kernel.dice(), &self.0.log);
        let mut open = log.open_shards();
        dice.shuffle(&mut open);
        let id = |name: &String| ShardId::from(name.as_str());
        match open.as_slice() {
            [one, other, ..] if open.len() > 3 || dice.one_in(2) => {
                if let Ok(child) = log.merge([one, other]) {
                    kernel.count("mapping", "merge");
                    kernel.note(format_args!("{one} and {other} become {child}"));
                    let merged = Input::Merged {
                        parents: [id(one), id(other)],
                        child: id(&child),
                    };
                    self.lineage().push(merged.clone());
                    self.each(&merged);
                }
            }
            [one, ..] => {
                if let Ok(children) = log.split(one) {
                    kernel.count("mapping", "split");
                    let [left, right] = &children;
                    kernel.note(format_args!("{one} becomes {left} and {right}"));
                    let split = Input::Split {
                        parent: id(one),
                        children: [id(left), id(right)],
                    };
                    self.lineage().push(split.clone());
                    self.each(&split);
                }
            }
            [] => {}
        }
    }
}

/// How functions that do not use `alpes-lambda` read and answer a batch.
impl Stream {
    /// The records of the batch that a mapping gave to a function as `payload`.
    #[must_use]
    pub fn records(&self, payload: &[u8]) -> Vec<LogRecord> {
        let batch: Value = serde_json::from_slice(payload).unwrap_or_default();
        let records = batch.get("Records").and_then(Value::as_array);
        let numbers = records.into_iter().flatten().filter_map(|record| {
            let number = record.get("kinesis")?.get("sequenceNumber")?.as_str()?;
            self.0.log.record(&SequenceNumber(number.to_owned()))
        });
        numbers.collect()
    }

    /// The function's answer to a batch when the mapping has partial batch responses: the first record that must be
    /// redelivered, or none.
    #[must_use]
    pub fn report(failed: Option<&SequenceNumber>) -> Vec<u8> {
        let failed = failed.map(|SequenceNumber(number)| json!({ "itemIdentifier": number }));
        let failures: Vec<_> = failed.into_iter().collect();
        json!({ "batchItemFailures": failures })
            .to_string()
            .into_bytes()
    }
}

impl Stream {
    /// Drops the records older than `retention`. Mappings know the retention from their settings.
    pub fn trim(&self, retention: Duration) {
        let kernel = &self.0.kernel;
        let retention = SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX);
        let kept_since = kernel.now().saturating_sub(retention);
        let trimmed = self.0.log.trim(kept_since.unwrap_or(Timestamp::MIN));
        if trimmed > 0 {
            kernel.count("stream", "forgot records");
            kernel.note(format_args!("the stream drops {trimmed} records"));
        }
    }

    /// While `slow`, mappings wait as long as they may before they retry. Use this method where hours must pass without
    /// progress.
    pub fn slow_down(&self, slow: bool) {
        self.0.slow.store(slow, Ordering::SeqCst);
    }
}

/// The shards that a split or a merge closes, and the shards that it opens.
fn ends(change: &Input) -> (Vec<ShardId>, Vec<ShardId>) {
    match change {
        Input::Split { parent, children } => (vec![parent.clone()], children.to_vec()),
        Input::Merged { parents, child } => (parents.to_vec(), vec![child.clone()]),
        _ => (vec![], vec![]),
    }
}

/// The input by which mappings learn of a record.
fn appended(record: &LogRecord) -> Option<Input> {
    let told = Record {
        sequence: sequence(&record.sequence)?,
        partition_key: record.partition_key.as_str().into(),
        data: record.data.as_slice().into(),
        arrived: millis(record.arrived),
    };
    Some(Input::Appended {
        shard: record.shard.as_str().into(),
        records: vec![told],
    })
}

#[async_trait]
impl Log for Stream {
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        let log = &self.0.log;
        let number = log.append(record).await?;
        if let Some(appended) = log.record(&number).as_ref().and_then(appended) {
            self.each(&appended);
        }
        Ok(number)
    }
}

#[async_trait]
impl LogReader for Stream {
    async fn shards(&self) -> Result<Vec<String>, LogError> {
        self.0.log.shards().await
    }

    async fn read(&self, shard: &str, from: &Position) -> Result<LogBatch, LogError> {
        self.0.log.read(shard, from).await
    }
}
