//! The probe: a second Kinesis stream with an event source mapping whose settings are random. The probe reaches rules
//! of AWS that the system's own mappings never reach.
//!
//! The probe's function belongs to the simulation. The function records what it received, answers in every way in which
//! a function can, and fails until faults cease. In the end the function must have handled every record that the
//! settings promise, no other record, and the records of a key in order.

mod answers;
mod choice;
mod function;
mod told;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alpes_ports::{Clock, FunctionName, Log, NewRecord};
use jiff::{SignedDuration, Timestamp};
use simulation::{Kernel, MappingId, Runtime, Stream};
use source_mapping::{Change, Destination, Mapping, Millis, Settings, StartingPosition};
use twins::{MemoryLog, MemoryObjects};

use choice::{Data, Pattern};
use told::{Appended, Told};

/// The probe's function.
const PROBE: FunctionName = FunctionName("probe");
/// The bytes of a large record: a dozen of these records fill an event or a read.
const HUGE: usize = 900_000;
/// How long the stream keeps a record.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A clock that runs behind by `by`, so that new records count as having arrived that long ago.
struct Aged {
    kernel: Kernel,
    by: SignedDuration,
}

impl Clock for Aged {
    fn now(&self) -> Timestamp {
        let now = self.kernel.now().saturating_sub(self.by);
        now.unwrap_or(Timestamp::MIN)
    }
}

/// The stream, its event source mapping, and the history of the stream's records.
#[derive(Clone)]
pub struct Probe {
    kernel: Kernel,
    log: Arc<MemoryLog>,
    words: Arc<MemoryObjects>,
    stream: Stream,
    told: Told,
    /// How long ago new records count as having arrived.
    age: SignedDuration,
    pattern: Pattern,
    /// True if records are so large that a few fill an event.
    huge: bool,
    calm: Arc<AtomicBool>,
    busy: Arc<AtomicBool>,
}

impl Probe {
    /// Starts a probe in a running world. The probe runs until `calm` is true.
    pub fn begin(kernel: &Kernel, runtime: &Runtime, calm: &Arc<AtomicBool>) -> Self {
        let dice = kernel.dice();
        let age = if dice.one_in(6) {
            // Records appended now expire soon.
            let soon = i64::try_from(5 + dice.below(60)).unwrap_or(0);
            DAY - SignedDuration::from_secs(soon)
        } else {
            SignedDuration::ZERO
        };
        let clock = Arc::new(Aged {
            kernel: kernel.clone(),
            by: age,
        });
        let shards = usize::try_from(1 + dice.below(2)).unwrap_or(1);
        let log = Arc::new(MemoryLog::new(shards, clock));
        let words = Arc::new(MemoryObjects::new());
        let stream = Stream::new(kernel.clone(), log.clone(), runtime.clone(), words.clone());
        let probe = Self {
            kernel: kernel.clone(),
            log,
            words,
            stream,
            told: Told::default(),
            age,
            pattern: Pattern::by_chance(dice),
            huge: dice.one_in(30),
            calm: calm.clone(),
            busy: Arc::new(AtomicBool::new(true)),
        };
        let function = function::of(kernel, &probe.told, calm);
        runtime.deploy(PROBE, function);
        let own = probe.clone();
        kernel.spawn("probe", async move {
            let complaint = own.play().await.err();
            own.told.complain(complaint);
            own.busy.store(false, Ordering::SeqCst);
        });
        probe
    }

    /// The reason why the probe has not settled; `None` if it has settled.
    pub fn restless(&self) -> Option<String> {
        if self.busy.load(Ordering::SeqCst) {
            return Some("the probe is at work".to_owned());
        }
        (!self.stream.is_settled()).then(|| "the probe is behind".to_owned())
    }

    /// The violations, in words.
    pub fn check(&self) -> Vec<String> {
        // Records that arrived before this time have expired in the stream.
        let kept = self.kernel.now().saturating_sub(DAY).ok();
        let lost_before = kept.filter(|_| !self.age.is_zero());
        self.told.check(&self.words, lost_before)
    }

    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    async fn pause(&self, milliseconds: u64) {
        let pause = Duration::from_millis(self.kernel.dice().below(milliseconds));
        self.kernel.sleep(pause).await;
    }

    async fn play(&self) -> Result<(), String> {
        let dice = self.kernel.dice();
        self.ask_for_what_is_refused()?;
        for _ in 0..dice.below(4) {
            self.append(5).await?;
            self.pause(2_000).await;
        }
        let settings = self.settings()?;
        self.told.is_set_up(&settings);
        let mapping = self.stream.attach(PROBE, settings);
        let mapping = mapping.map_err(|error| error.to_string())?;
        while dice.one_in(2) {
            self.append(3).await?;
            self.pause(2_000).await;
        }
        self.told.begins();
        self.stream.take_effect(mapping);
        if self.huge {
            self.append_at_once(12).await?;
        }
        while !self.is_calm() {
            self.append(6).await?;
            self.disturb();
            if dice.one_in(12) {
                self.change(mapping).await?;
            }
            let pause = if dice.one_in(10) { 10_000 } else { 2_000 };
            self.pause(pause).await;
        }
        Ok(())
    }

    /// Splits and merges shards, takes leases away, and reads the stream beside the mapping.
    fn disturb(&self) {
        let dice = self.kernel.dice();
        if dice.one_in(12) {
            self.stream.reshard();
        }
        if dice.one_in(12) {
            self.stream.lose_a_lease();
        }
        if dice.one_in(12) {
            for _ in 0..5 {
                self.stream.read_by_others(100);
            }
        }
        if dice.one_in(20) {
            self.stream.read_by_others(5 * 1024 * 1024);
        }
    }

    async fn change(&self, mapping: MappingId) -> Result<(), String> {
        let dice = self.kernel.dice();
        if self.told.is_deleted() {
            return Ok(());
        }
        match dice.below(7) {
            0 => {
                self.stream.ask(mapping, Change::Delete);
                self.pause(3_000).await;
                self.stream.take_effect(mapping);
                self.told.stops(self.kernel.elapsed(), true);
            }
            1..=3 => {
                self.stream.ask(mapping, Change::Disable);
                self.append(3).await?;
                self.pause(3_000).await;
                self.stream.take_effect(mapping);
                self.told.stops(self.kernel.elapsed(), false);
                for _ in 0..dice.below(3) {
                    self.append(3).await?;
                    self.pause(4_000).await;
                }
                self.stream.ask(mapping, Change::Enable);
                self.stream.take_effect(mapping);
                self.told.goes_on();
            }
            _ => {
                let settings = self.settings()?;
                self.told.is_set_up(&settings);
                let change = Change::Update(Box::new(settings));
                self.stream.ask(mapping, change);
                self.told.updates(true);
                self.append(3).await?;
                self.pause(3_000).await;
                self.stream.take_effect(mapping);
                self.told.updates(false);
            }
        }
        Ok(())
    }

    /// Random settings of the mapping. The settings that decide which records the mapping must deliver are the same
    /// each time.
    fn settings(&self) -> Result<Settings, String> {
        let dice = self.kernel.dice();
        let start = self.told.start(|| match dice.below(4) {
            0 => StartingPosition::Latest,
            1 => StartingPosition::AtTimestamp(self.arriving()),
            _ => StartingPosition::TrimHorizon,
        });
        let mut settings = choice::settings(dice, start);
        settings.retention = DAY.unsigned_abs();
        if self.huge {
            settings.batch_size = 100;
        }
        for filter in self.pattern.texts() {
            settings = settings.filter(filter).map_err(|error| error.to_string())?;
        }
        Ok(settings)
    }

    /// The arrival time of records that are appended now.
    fn arriving(&self) -> Millis {
        let at = self.kernel.now().saturating_sub(self.age);
        let at = at.map_or(0, Timestamp::as_millisecond);
        Millis(u64::try_from(at).unwrap_or(0))
    }

    async fn append(&self, most: u64) -> Result<(), String> {
        let count = self.kernel.dice().below(most + 1);
        for _ in 0..count {
            self.append_one(0).await?;
        }
        Ok(())
    }

    async fn append_at_once(&self, count: usize) -> Result<(), String> {
        for _ in 0..count {
            self.append_one(HUGE).await?;
        }
        Ok(())
    }

    async fn append_one(&self, padding: usize) -> Result<(), String> {
        let dice = self.kernel.dice();
        let data = Data::by_chance(dice);
        let bytes = data.written(padding);
        let number = self.stream.append(NewRecord::new(&data.key, &bytes)).await;
        let number = number.map_err(|error| error.to_string())?;
        let record = self.log.record(&number).ok_or("a record is gone")?;
        self.told.is_appended(Appended {
            passes: self.pattern.matches(&data),
            key: data.key,
            poisonous: dice.one_in(12),
            arrived: record.arrived,
            shard: record.shard,
            number: number.0,
        });
        Ok(())
    }

    /// Checks that settings which AWS refuses are refused.
    fn ask_for_what_is_refused(&self) -> Result<(), String> {
        let good = || Settings::new(StartingPosition::Latest);
        let now = Millis(0);
        let bad = [
            Settings {
                batch_size: 0,
                ..good()
            },
            Settings {
                parallelization_factor: 11,
                on_failure: Some(Destination::Sqs),
                ..good()
            },
        ];
        let refused = bad.map(|settings| Mapping::new(settings, now).map(|_| ()));
        let patterns = [r#"{"sequenceNumber":["1"]}"#, r#"{"data":{"kind":"a"}}"#];
        let unread = patterns.map(|pattern| good().filter(pattern).map(|_| ()));
        for refused in refused.into_iter().chain(unread) {
            match refused {
                Err(error) => self.kernel.count("rule", error.rule().id()),
                Ok(()) => return Err("settings that AWS refuses were accepted".to_owned()),
            }
        }
        Ok(())
    }
}
