//! Faults at effects. An effect is a call of a process to a port; a plan says which effects fail, happen twice or kill
//! the process.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alpes_ports::{
    CallError, Consistency, ExecutionError, Executions, Found, FunctionName, Functions,
    HistoryEvent, IndexPage, IndexQuery, Key, KeyRange, Log, LogBatch, LogError, LogReader,
    NewRecord, Notice, ObjectError, Objects, Position, Progress, ScanPage, SequenceNumber,
    TableError, TableName, Tables, Topic, TopicError, TransactError, Write, WriteError,
};
use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::{Dice, scheduler::Yield};

/// A fault at an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The effect fails and changes nothing.
    FailBefore,
    /// The effect happens, and the caller gets an error.
    FailAfter,
    /// The effect happens twice, as when a client library retries because the first answer was late. The caller gets
    /// the second answer.
    Twice,
    /// The process dies before the effect: the call never returns.
    KillBefore,
    /// The process dies after the effect: the call never returns.
    KillAfter,
    /// The caller gets an error, and the effect happens later, after effects that the caller made afterwards.
    Late,
}

impl Fault {
    /// Every fault that one process alone can show. [`Fault::Late`] needs other processes.
    pub const ALL: [Self; 5] = [
        Self::FailBefore,
        Self::FailAfter,
        Self::Twice,
        Self::KillBefore,
        Self::KillAfter,
    ];
}

#[derive(Default)]
struct State {
    /// The effects so far, each in words.
    trace: Vec<String>,
    /// The planned faults, by the number of the effect, counted from 0.
    plan: BTreeMap<usize, Fault>,
    /// The work that other processes do just before an effect, by the number of the effect, counted from 0.
    meanwhile: BTreeMap<usize, BoxFuture<'static, ()>>,
    /// For random faults: the dice, and a number `n`, where one effect in `n` fails on average.
    chance: Option<(Dice, u64)>,
    /// True if other processes may run before each effect.
    yields: bool,
    /// In virtual time: the course that decides about each effect instead of the fields above.
    course: Option<Arc<dyn Course>>,
    /// Effects that were answered with an error and still have to happen.
    late: Vec<BoxFuture<'static, ()>>,
}

/// Decides about each effect, in virtual time.
#[async_trait]
pub trait Course: Send + Sync {
    /// Waits until the effect happens, and returns the fault that it meets.
    async fn before(&self, what: &str) -> Option<Fault>;

    /// Waits until the answer of the effect arrives.
    async fn after(&self);

    /// Ends the running process, if it can be killed.
    async fn die(&self);

    /// Lets an effect happen later.
    fn later(&self, work: BoxFuture<'static, ()>);
}

/// The plan of a run's faults, and the trace of its effects. Its methods wrap ports so that they fail as planned.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl Faults {
    /// A plan without faults.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Plans `fault` at effect number `at`, counted from 0.
    #[must_use]
    pub fn once(at: usize, fault: Fault) -> Self {
        let faults = Self::default();
        faults.lock().plan.insert(at, fault);
        faults
    }

    /// Runs `others` just before effect number `at`, counted from 0.
    #[must_use]
    pub fn meanwhile(at: usize, others: BoxFuture<'static, ()>) -> Self {
        let faults = Self::default();
        faults.lock().meanwhile.insert(at, others);
        faults
    }

    /// No faults. Each effect waits until its process is polled once more, so the caller that polls the processes
    /// decides the order of effects.
    #[must_use]
    pub fn in_steps() -> Self {
        let faults = Self::default();
        faults.lock().yields = true;
        faults
    }

    /// Random faults: one effect in `one_in` fails on average (0: none), and other processes may run before each
    /// effect.
    #[must_use]
    pub fn by_chance(dice: Dice, one_in: u64) -> Self {
        let faults = Self::in_steps();
        faults.lock().chance = Some((dice, one_in));
        faults
    }

    /// Ends the random faults: from now on only planned faults happen.
    pub fn cease(&self) {
        if let Some((_, one_in)) = &mut self.lock().chance {
            *one_in = 0;
        }
    }

    /// Lets `course` decide about each effect. Effects are neither counted nor traced.
    #[must_use]
    pub fn by(course: Arc<dyn Course>) -> Self {
        let faults = Self::default();
        faults.lock().course = Some(course);
        faults
    }

    /// Takes the effects that [`Fault::Late`] put off. Run each effect as a process of its own.
    #[must_use]
    pub fn take_late(&self) -> Vec<BoxFuture<'static, ()>> {
        std::mem::take(&mut self.lock().late)
    }

    /// The effects so far, in order, each like `update streams order-…`.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        self.lock().trace.clone()
    }

    /// The number of effects so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().trace.len()
    }

    /// Wraps tables so that their calls fail as planned.
    #[must_use]
    pub fn tables(&self, inner: Arc<dyn Tables>) -> FaultyTables {
        FaultyTables {
            inner,
            faults: self.clone(),
        }
    }

    /// Wraps a log so that appends fail as planned.
    #[must_use]
    pub fn log(&self, inner: Arc<dyn Log>) -> FaultyLog {
        FaultyLog {
            inner,
            faults: self.clone(),
        }
    }

    /// Wraps a log so that reads fail as planned.
    #[must_use]
    pub fn reader(&self, inner: Arc<dyn LogReader>) -> FaultyReader {
        FaultyReader {
            inner,
            faults: self.clone(),
        }
    }

    /// Wraps functions so that calls to them fail as planned.
    #[must_use]
    pub fn functions(&self, inner: Arc<dyn Functions>) -> FaultyFunctions {
        FaultyFunctions {
            inner,
            faults: self.clone(),
        }
    }

    /// Wraps a topic so that publishing fails as planned.
    #[must_use]
    pub fn topic(&self, inner: Arc<dyn Topic>) -> FaultyTopic {
        FaultyTopic {
            inner,
            faults: self.clone(),
        }
    }

    /// Wraps executions so that calls about them fail as planned.
    #[must_use]
    pub fn executions(&self, inner: Arc<dyn Executions>) -> FaultyExecutions {
        FaultyExecutions {
            inner,
            faults: self.clone(),
        }
    }

    /// Wraps objects so that their calls fail as planned.
    #[must_use]
    pub fn objects(&self, inner: Arc<dyn Objects>) -> FaultyObjects {
        FaultyObjects {
            inner,
            faults: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an effect, runs the work that other processes do before the effect, and returns the effect's fault.
    async fn step(&self, what: String) -> Option<Fault> {
        if let Some(course) = self.course() {
            return course.before(&what).await;
        }
        // Release the lock before other processes run.
        let yields = self.lock().yields;
        if yields {
            Yield::default().await;
        }
        let (fault, others) = {
            let mut state = self.lock();
            let at = state.trace.len();
            state.trace.push(what);
            let by_chance = state
                .chance
                .as_ref()
                .filter(|(dice, one_in)| dice.one_in(*one_in))
                .and_then(|(dice, _)| {
                    // The scheduler kills processes, so the list has the faults that kill no process.
                    dice.pick(&[
                        Fault::FailBefore,
                        Fault::FailAfter,
                        Fault::Twice,
                        Fault::Late,
                    ])
                    .copied()
                });
            (
                state.plan.get(&at).copied().or(by_chance),
                state.meanwhile.remove(&at),
            )
        };
        if let Some(others) = others {
            others.await;
        }
        fault
    }

    /// With random faults, other processes may also run before the answer arrives.
    async fn answered(&self) {
        if let Some(course) = self.course() {
            return course.after().await;
        }
        if self.lock().chance.is_some() {
            Yield::default().await;
        }
    }

    fn course(&self) -> Option<Arc<dyn Course>> {
        self.lock().course.clone()
    }

    /// Kills the running process: this call never returns.
    async fn die<T>(&self) -> T {
        if let Some(course) = self.course() {
            course.die().await;
        }
        pending().await
    }

    fn later<T>(&self, work: impl Future<Output = T> + Send + 'static) {
        let work = Box::pin(async move {
            let _ = work.await;
        });
        if let Some(course) = self.course() {
            return course.later(work);
        }
        self.lock().late.push(work);
    }
}

/// Does `$work` as the plan says. `$work` is an expression that is evaluated each time the effect happens.
///
/// `$late` is the same work as a future of its own, for an effect that happens after the caller got its answer. `$late`
/// is missing for a read, because a late read has no effect.
macro_rules! effect {
    ($faults:expr, $what:expr, $work:expr) => {
        effect!($faults, $what, $work, async {})
    };
    ($faults:expr, $what:expr, $work:expr, $late:expr) => {
        effect!($faults, $what, $work, $late, Lost::lost())
    };
    ($faults:expr, $what:expr, $work:expr, $late:expr, $lost:expr) => {{
        let answer = match $faults.step($what).await {
            None => $work.await,
            Some(Fault::FailBefore) => Err($lost),
            Some(Fault::FailAfter) => {
                let _ = $work.await;
                Err($lost)
            }
            Some(Fault::Twice) => {
                let _ = $work.await;
                $work.await
            }
            Some(Fault::KillBefore) => $faults.die().await,
            Some(Fault::KillAfter) => {
                let _ = $work.await;
                $faults.die().await
            }
            Some(Fault::Late) => {
                $faults.later($late);
                Err($lost)
            }
        };
        $faults.answered().await;
        answer
    }};
}

impl Faults {
    /// Runs an effect that no wrapper covers under the plan. `work` makes the effect anew each time it happens; `lost`
    /// is the error for a lost answer.
    ///
    /// # Errors
    ///
    /// The errors of `work`, and `lost`.
    pub async fn effect<T: Send + 'static, E: Send + 'static>(
        &self,
        what: String,
        lost: E,
        work: impl Fn() -> BoxFuture<'static, Result<T, E>> + Send,
    ) -> Result<T, E> {
        effect!(self, what, work(), work(), lost)
    }
}

/// The error of a port whose answer was lost.
trait Lost {
    fn lost() -> Self;
}

macro_rules! lost {
    ($($error:ident),*) => {
        $(impl Lost for $error {
            fn lost() -> Self {
                Self::Unavailable("the answer was lost".into())
            }
        })*
    };
}

lost! { TableError, LogError, CallError, TopicError, ObjectError, ExecutionError }

impl Lost for WriteError {
    fn lost() -> Self {
        TableError::lost().into()
    }
}

impl Lost for TransactError {
    fn lost() -> Self {
        TableError::lost().into()
    }
}

/// Tables that fail as planned.
pub struct FaultyTables {
    inner: Arc<dyn Tables>,
    faults: Faults,
}

#[async_trait]
impl Tables for FaultyTables {
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        let what = keys
            .first()
            .map_or_else(String::new, |key| format!("get {} {}", key.table.0, key.pk));
        effect!(self.faults, what, self.inner.get(keys, consistency))
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let key = write.key();
        let what = format!("write {} {}", key.table.0, key.pk);
        let late = || {
            let (inner, write) = (self.inner.clone(), write.clone());
            async move { inner.write(&write).await }
        };
        effect!(self.faults, what, self.inner.write(write), late())
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        let what = format!("transact {}", writes.len());
        let late = || {
            let (inner, writes) = (self.inner.clone(), writes.to_vec());
            async move { inner.transact(&writes).await }
        };
        effect!(self.faults, what, self.inner.transact(writes), late())
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let what = format!("query {} {}", query.table.0, query.partition);
        effect!(self.faults, what, self.inner.query(query))
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        effect!(
            self.faults,
            format!("scan {}", table.0),
            self.inner.scan(table, after)
        )
    }
}

/// A log whose appends fail as planned.
pub struct FaultyLog {
    inner: Arc<dyn Log>,
    faults: Faults,
}

#[async_trait]
impl Log for FaultyLog {
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        let late = || {
            let (inner, key, data) = (
                self.inner.clone(),
                record.partition_key.to_owned(),
                record.data.to_vec(),
            );
            async move { inner.append(NewRecord::new(&key, &data)).await }
        };
        let what = format!("append {}", record.partition_key);
        effect!(self.faults, what, self.inner.append(record), late())
    }
}

#[async_trait]
impl LogReader for FaultyReader {
    async fn shards(&self) -> Result<Vec<String>, LogError> {
        effect!(self.faults, "shards".to_owned(), self.inner.shards())
    }

    async fn read(&self, shard: &str, from: &Position) -> Result<LogBatch, LogError> {
        effect!(
            self.faults,
            format!("read {shard}"),
            self.inner.read(shard, from)
        )
    }
}

/// A log whose reads fail as planned.
pub struct FaultyReader {
    inner: Arc<dyn LogReader>,
    faults: Faults,
}

/// Functions that fail as planned.
pub struct FaultyFunctions {
    inner: Arc<dyn Functions>,
    faults: Faults,
}

#[async_trait]
impl Functions for FaultyFunctions {
    async fn call(&self, function: FunctionName, payload: &[u8]) -> Result<Vec<u8>, CallError> {
        let late = || {
            let (inner, payload) = (self.inner.clone(), payload.to_vec());
            async move { inner.call(function, &payload).await }
        };
        let what = format!("call {}", function.0);
        effect!(
            self.faults,
            what,
            self.inner.call(function, payload),
            late()
        )
    }

    async fn start(&self, function: FunctionName, payload: &[u8]) -> Result<(), CallError> {
        let late = || {
            let (inner, payload) = (self.inner.clone(), payload.to_vec());
            async move { inner.start(function, &payload).await }
        };
        let what = format!("start {}", function.0);
        effect!(
            self.faults,
            what,
            self.inner.start(function, payload),
            late()
        )
    }
}

/// A topic that fails as planned. Each message is an effect of its own, because SNS may accept only some messages of a
/// call.
pub struct FaultyTopic {
    inner: Arc<dyn Topic>,
    faults: Faults,
}

#[async_trait]
impl Topic for FaultyTopic {
    async fn publish(&self, notices: &[Notice]) -> Vec<Result<(), TopicError>> {
        let mut results = Vec::with_capacity(notices.len());
        for notice in notices {
            let lost = TopicError::lost();
            let work = || -> BoxFuture<'static, Result<(), TopicError>> {
                let (inner, notice) = (self.inner.clone(), notice.clone());
                Box::pin(async move {
                    let answers = inner.publish(&[notice]).await;
                    answers.into_iter().collect()
                })
            };
            let what = format!("publish {}", notice.id);
            results.push(self.faults.effect(what, lost, work).await);
        }
        results
    }
}

/// Objects that fail as planned.
pub struct FaultyObjects {
    inner: Arc<dyn Objects>,
    faults: Faults,
}

#[async_trait]
impl Objects for FaultyObjects {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        let late = || {
            let (inner, key, data) = (self.inner.clone(), key.to_owned(), data.to_vec());
            async move { inner.put(&key, &data).await }
        };
        effect!(
            self.faults,
            format!("put {key}"),
            self.inner.put(key, data),
            late()
        )
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        effect!(self.faults, format!("get {key}"), self.inner.get(key))
    }

    async fn list(&self, range: KeyRange<'_>) -> Result<Vec<String>, ObjectError> {
        effect!(
            self.faults,
            format!("list {}", range.prefix),
            self.inner.list(range)
        )
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        let late = || {
            let (inner, key) = (self.inner.clone(), key.to_owned());
            async move { inner.delete(&key).await }
        };
        effect!(
            self.faults,
            format!("delete {key}"),
            self.inner.delete(key),
            late()
        )
    }
}

/// Executions on which calls fail as planned. The executions themselves run without faults.
pub struct FaultyExecutions {
    inner: Arc<dyn Executions>,
    faults: Faults,
}

#[async_trait]
impl Executions for FaultyExecutions {
    async fn start(&self, name: &str, input: &Value) -> Result<(), ExecutionError> {
        let late = || {
            let (inner, name, input) = (self.inner.clone(), name.to_owned(), input.clone());
            async move { inner.start(&name, &input).await }
        };
        effect!(
            self.faults,
            format!("execute {name}"),
            self.inner.start(name, input),
            late()
        )
    }

    async fn progress(&self, name: &str) -> Result<Progress, ExecutionError> {
        effect!(
            self.faults,
            format!("progress {name}"),
            self.inner.progress(name)
        )
    }

    async fn history(&self, name: &str) -> Result<Option<Vec<HistoryEvent>>, ExecutionError> {
        effect!(
            self.faults,
            format!("history {name}"),
            self.inner.history(name)
        )
    }
}
