//! The engine: one task for each execution that has not ended.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use rusqlite::Transaction;
use serde_json::Value;
use states_language::{Call, Machine, Run, Start, Step};
use tokio::task::AbortHandle;

use crate::{
    clock::{Clock, sleep_until},
    error::AwsError,
    iam::{Acting, Denied, Iam},
    invoke::{Invoker, ending},
    names::FunctionName,
    states::{
        arns::{execution_arn, machine_arn},
        journal::{self, Entry, Input},
        outcome::outcome,
        revisions,
        rows::{self, Execution},
    },
    store::Store,
    waiting::lock,
};

/// The pause after which an execution goes on if the store refused to write, for example because the disk is full.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// All that operations and executions share.
pub(super) struct Engine {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) iam: Arc<Iam>,
    invoker: Arc<dyn Invoker>,
    /// The parsed machines of revisions.
    machines: Mutex<HashMap<i64, Arc<Machine>>>,
    /// The executions that have a task.
    driven: Mutex<HashMap<i64, Arc<Live>>>,
}

/// An execution in memory.
pub(super) struct Live {
    id: i64,
    /// The task that drives the execution.
    task: OnceLock<AbortHandle>,
    /// `None` after the store refused to write: then the store, and not the memory, is right.
    progress: Mutex<Option<Progress>>,
}

/// The progress of an execution: its run, and the length of its journal.
struct Progress {
    run: Run,
    entries: i64,
    step: Step,
}

impl Live {
    /// An execution whose journal has one entry.
    pub(super) fn begun(id: i64, run: Run, step: Step) -> Arc<Self> {
        Self::of(
            id,
            Progress {
                run,
                entries: 1,
                step,
            },
        )
    }

    fn of(id: i64, progress: Progress) -> Arc<Self> {
        Arc::new(Self {
            id,
            task: OnceLock::new(),
            progress: Mutex::new(Some(progress)),
        })
    }
}

impl Engine {
    pub(super) fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        invoker: Arc<dyn Invoker>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            iam,
            invoker,
            machines: Mutex::default(),
            driven: Mutex::default(),
        })
    }

    /// The parsed machine of a revision.
    pub(super) fn machine(
        &self,
        name: &str,
        revision: &revisions::Revision,
    ) -> Result<Arc<Machine>, AwsError> {
        if let Some(machine) = lock(&self.machines).get(&revision.id) {
            return Ok(machine.clone());
        }
        let definition: Value =
            serde_json::from_str(&revision.definition).map_err(AwsError::internal)?;
        let machine = Machine::parse(name, &definition).map_err(AwsError::internal)?;
        let machine = Arc::new(machine);
        lock(&self.machines).insert(revision.id, machine.clone());
        Ok(machine)
    }

    /// The execution at its beginning.
    pub(super) fn at_start(&self, execution: &Execution) -> Result<Run, AwsError> {
        let revision = self
            .store
            .read(|connection| revisions::revision(connection, execution.revision))?;
        let machine = self.machine(&execution.machine, &revision)?;
        let input = serde_json::from_str(&execution.input).map_err(AwsError::internal)?;
        let start = start(&execution.machine, &execution.name, input);
        Ok(Run::new(machine, start, execution.started))
    }

    /// The journal of an execution.
    pub(super) fn journal(&self, execution: &Execution) -> Result<Vec<Entry>, AwsError> {
        self.store
            .read(|connection| journal::load(connection, execution.id))
    }

    /// Rebuilds an execution from its journal; `None` if it was deleted with its machine.
    fn replay(&self, id: i64) -> Result<Option<Progress>, AwsError> {
        let found = self.store.read(|connection| rows::by_id(connection, id))?;
        let Some(execution) = found else {
            return Ok(None);
        };
        let mut run = self.at_start(&execution)?;
        let mut step = Step::Wait(execution.started);
        let mut entries = 0;
        for entry in self.journal(&execution)? {
            step = entry.apply(&mut run);
            entries += 1;
        }
        Ok(Some(Progress { run, entries, step }))
    }

    /// The execution in memory; rebuilt from its journal if no task drives it.
    pub(super) fn live(&self, id: i64) -> Result<Arc<Live>, AwsError> {
        if let Some(live) = self.driven(id) {
            return Ok(live);
        }
        self.rebuilt(id)
    }

    /// The execution, rebuilt from its journal.
    pub(super) fn rebuilt(&self, id: i64) -> Result<Arc<Live>, AwsError> {
        let progress = self.replay(id)?;
        let progress = progress.ok_or_else(|| deleted(id))?;
        Ok(Live::of(id, progress))
    }

    /// The execution, if a task drives it.
    pub(super) fn driven(&self, id: i64) -> Option<Arc<Live>> {
        lock(&self.driven).get(&id).cloned()
    }

    /// Starts the task that drives an execution.
    pub(super) fn drive(self: &Arc<Self>, live: &Arc<Live>) {
        let mut driven = lock(&self.driven);
        let task = tokio::spawn(self.clone().carry_on(live.clone()));
        live.task.get_or_init(|| task.abort_handle());
        driven.insert(live.id, live.clone());
    }

    /// Ends the task that drives an execution. A call in flight goes on, and its outcome is dropped.
    pub(super) fn halt(&self, live: &Arc<Live>) {
        if let Some(task) = live.task.get() {
            task.abort();
        }
        self.release(live);
    }

    fn release(&self, live: &Arc<Live>) {
        let mut driven = lock(&self.driven);
        if driven
            .get(&live.id)
            .is_some_and(|known| Arc::ptr_eq(known, live))
        {
            driven.remove(&live.id);
        }
    }

    async fn carry_on(self: Arc<Self>, live: Arc<Live>) {
        loop {
            match self.advance(&live).await {
                Ok(true) => {}
                Ok(false) => break self.release(&live),
                Err(error) => {
                    eprintln!("execution {} waits for the store: {error}", live.id);
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    /// Takes the next step of an execution. Returns false if the execution has ended or was deleted.
    async fn advance(&self, live: &Live) -> Result<bool, AwsError> {
        let input = match self.step(live)? {
            None | Some(Step::Ended(_)) => return Ok(false),
            Some(Step::Wait(until)) => {
                sleep_until(&*self.clock, until).await;
                Input::Waited
            }
            Some(Step::Call(call)) => match self.may_call(live.id, &call.function)? {
                Ok(()) => self.call(call).await,
                Err(denied) => outcome(Err(denied.error())),
            },
        };
        self.record(live, input)
    }

    /// Checks that the role of an execution's machine may call a function. An execution that was deleted may: its call
    /// has no effect on it.
    fn may_call(&self, id: i64, function: &str) -> Result<Result<(), Denied>, AwsError> {
        let found = self.store.read(|connection| rows::by_id(connection, id))?;
        let Some(execution) = found else {
            return Ok(Ok(()));
        };
        let revision = self
            .store
            .read(|connection| revisions::revision(connection, execution.revision))?;
        let (role, session) = (&*revision.role, &*execution.name);
        let function = FunctionName::parse(function).map_or(function.to_owned(), |name| name.arn());
        let acting = Acting::Role { role, session };
        Ok(self.iam.check(&acting, "lambda:InvokeFunction", &function))
    }

    /// The step of an execution; `None` if it was deleted.
    fn step(&self, live: &Live) -> Result<Option<Step>, AwsError> {
        let mut held = lock(&live.progress);
        if held.is_none() {
            *held = self.replay(live.id)?;
        }
        Ok(held.as_ref().map(|progress| progress.step.clone()))
    }

    /// Calls a function. The call has a task of its own, so that it goes on after its time limit, and after the
    /// execution was stopped.
    async fn call(&self, call: Call) -> Input {
        let invoker = self.invoker.clone();
        let Call {
            function,
            payload,
            timeout,
        } = call;
        let invocation = tokio::spawn(async move {
            let payload = Bytes::from(payload.to_string());
            invoker.invoke(&function, payload).await
        });
        let ended = match timeout {
            None => invocation.await,
            Some(limit) => match tokio::time::timeout(limit, invocation).await {
                Ok(ended) => ended,
                Err(_) => return Input::TimedOut,
            },
        };
        match ended {
            // The runtime shuts down. The call has no outcome, so it will be made again.
            Ok(Err(error)) if error == ending() => std::future::pending().await,
            Err(error) if error.is_cancelled() => std::future::pending().await,
            Ok(ended) => outcome(ended),
            Err(error) => outcome(Err(AwsError::internal(error))),
        }
    }

    /// Writes an entry to the journal of an execution that runs, and advances it. Returns false if the execution had
    /// ended before.
    pub(super) fn record(&self, live: &Live, input: Input) -> Result<bool, AwsError> {
        let mut held = lock(&live.progress);
        let mut progress = match held.take() {
            Some(progress) => progress,
            None => self.replay(live.id)?.ok_or_else(|| deleted(live.id))?,
        };
        if progress.run.ending().is_some() && !matches!(input, Input::Redriven(_)) {
            *held = Some(progress);
            return Ok(false);
        }
        let entry = self.entry(input)?;
        progress.step = entry.apply(&mut progress.run);
        self.store.write(|transaction| {
            write(
                transaction,
                live.id,
                progress.entries,
                &entry,
                &progress.step,
            )
        })?;
        progress.entries += 1;
        *held = Some(progress);
        Ok(true)
    }

    /// An entry of a journal, at this time.
    pub(super) fn entry(&self, input: Input) -> Result<Entry, AwsError> {
        Ok(Entry {
            input,
            at: self.clock.now(),
            chance: chance()?,
        })
    }
}

/// Writes an entry of a journal, and what it has changed.
pub(super) fn write(
    transaction: &Transaction<'_>,
    execution: i64,
    place: i64,
    entry: &Entry,
    step: &Step,
) -> Result<(), AwsError> {
    journal::append(transaction, execution, place, entry)?;
    rows::update(transaction, execution, entry, step)
}

/// The parameters of an execution.
pub(super) fn start(machine: &str, name: &str, input: Value) -> Start {
    Start {
        name: name.to_owned(),
        id: execution_arn(machine, name),
        machine_id: machine_arn(machine),
        input,
    }
}

fn deleted(execution: i64) -> AwsError {
    AwsError::internal(format!("execution {execution} was deleted"))
}

/// A random number from 0 to 1.
fn chance() -> Result<f64, AwsError> {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).map_err(AwsError::internal)?;
    Ok(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}
