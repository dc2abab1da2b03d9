//! The twin of Step Functions, in memory.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alpes_ports::{
    CallError, Ending, ExecutionError, Executions, FunctionName, Functions, Happened, HistoryEvent,
    Progress, World,
};
use async_trait::async_trait;
use futures::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use serde_json::{Value, json};
use states_language::{Call, DATA_LIMIT, DefinitionError, Failure, Machine, Run, Start, Step};
use thiserror::Error;

/// The most characters in the name of an execution.
const NAME_LIMIT: usize = 80;
/// The name of the only state machine.
const MACHINE: &str = "memory";

/// The reason why a machine cannot run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MachineError {
    /// The interpreter refuses the definition.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A task names a function that is not known.
    #[error("a task calls {0:?}, which is not a function")]
    UnknownFunction(String),
}

struct State {
    /// The machine of new executions.
    machine: Arc<Machine>,
    runs: BTreeMap<String, Run>,
    /// Started executions that no process runs yet.
    started: Vec<String>,
    /// Calls that exceeded their timeout and still run.
    late: Vec<BoxFuture<'static, ()>>,
}

struct Inner {
    names: BTreeMap<String, FunctionName>,
    functions: Arc<dyn Functions>,
    world: World,
    state: Mutex<State>,
}

/// The twin of Step Functions: executions of one state machine, over the ports.
///
/// A started execution waits until a test runs it. Each of its calls and pauses goes through the ports, so the test
/// decides when it continues. Step Functions itself never dies, so run the futures of
/// [`take_started`](Self::take_started) to their ends and never kill them.
#[derive(Clone)]
pub struct MemoryExecutions(Arc<Inner>);

impl MemoryExecutions {
    /// Executions of the machine that `machine` defines. `names` maps the function names of its tasks, such as
    /// `${Function}`, to functions.
    ///
    /// # Errors
    ///
    /// See [`MachineError`].
    pub fn new(
        machine: &Value,
        names: BTreeMap<String, FunctionName>,
        functions: Arc<dyn Functions>,
        world: World,
    ) -> Result<Self, MachineError> {
        let state = Mutex::new(State {
            machine: parse(machine, &names)?,
            runs: BTreeMap::new(),
            started: vec![],
            late: vec![],
        });
        Ok(Self(Arc::new(Inner {
            names,
            functions,
            world,
            state,
        })))
    }

    /// Changes the machine of executions that start from now on, as `UpdateStateMachine` does. Running executions keep
    /// their machine.
    ///
    /// # Errors
    ///
    /// See [`MachineError`].
    pub fn update(&self, machine: &Value) -> Result<(), MachineError> {
        let machine = parse(machine, &self.0.names)?;
        self.0.lock().machine = machine;
        Ok(())
    }

    /// Takes the work that was started and has not run yet, in order. Run each future as a process of its own. The
    /// futures are executions, and calls whose execution stopped waiting while the function still runs.
    #[must_use]
    pub fn take_started(&self) -> Vec<BoxFuture<'static, ()>> {
        let (started, mut processes) = {
            let mut state = self.0.lock();
            let started = std::mem::take(&mut state.started).into_iter();
            let started = started.map(|name| {
                let stops = state.runs.get(&name).map_or(0, Run::stops);
                (name, stops)
            });
            let started: Vec<_> = started.collect();
            (started, std::mem::take(&mut state.late))
        };
        processes.extend(
            started
                .into_iter()
                .map(|(name, stops)| self.0.clone().carry_on(name, stops).boxed()),
        );
        processes
    }

    /// Resumes a failed execution where it failed, as `RedriveExecution` does. Returns true if an execution of this
    /// name had failed. The test must run the redriven execution to its end.
    pub fn redrive(&self, name: &str) -> bool {
        let mut state = self.0.lock();
        let State { runs, started, .. } = &mut *state;
        let redriven = runs.get_mut(name).is_some_and(Run::redrive);
        if redriven {
            started.push(name.to_owned());
        }
        redriven
    }

    /// Ends a running execution, as `StopExecution` does, and as Step Functions does when an execution exceeds its
    /// timeout. Returns true if an execution of this name was running. A call in flight continues, and its answer is
    /// dropped.
    #[must_use]
    pub fn stop(&self, name: &str, error: &str, cause: &str) -> bool {
        let now = self.0.world.clock.now();
        let mut state = self.0.lock();
        let run = state.runs.get_mut(name);
        run.is_some_and(|run| run.stop(error, cause, now))
    }

    /// Forgets an execution that has ended, as Step Functions does 90 days after the end. Returns true if an execution
    /// of this name had ended.
    pub fn forget(&self, name: &str) -> bool {
        let mut state = self.0.lock();
        let ended = state.runs.get(name).and_then(Run::ending).is_some();
        ended && state.runs.remove(name).is_some()
    }

    /// The names of the executions, each with whether it has ended.
    #[must_use]
    pub fn names(&self) -> Vec<(String, bool)> {
        let state = self.0.lock();
        let runs = state.runs.iter();
        runs.map(|(name, run)| (name.clone(), run.ending().is_some()))
            .collect()
    }

    /// The state transitions of an execution so far, which AWS charges for; 0 if no execution has this name.
    #[must_use]
    pub fn transitions(&self, name: &str) -> u64 {
        self.0.lock().runs.get(name).map_or(0, Run::transitions)
    }
}

fn parse(
    machine: &Value,
    names: &BTreeMap<String, FunctionName>,
) -> Result<Arc<Machine>, MachineError> {
    let machine = Machine::parse(MACHINE, machine)?;
    if let Some(name) = machine.functions().find(|name| !names.contains_key(*name)) {
        return Err(MachineError::UnknownFunction(name.to_owned()));
    }
    Ok(Arc::new(machine))
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an execution that was stopped `stops` times, until it ends or is stopped again. A redrive calls this method
    /// anew.
    async fn carry_on(self: Arc<Self>, name: String, stops: u32) {
        loop {
            let now = self.world.clock.now();
            let chance = self.world.randomness.fraction();
            let step = self.with(&name, |run| {
                (run.stops() == stops).then(|| run.next(now, chance))
            });
            match step.flatten() {
                Some(Step::Call(call)) => self.call(&name, call, stops).await,
                Some(Step::Wait(until)) => {
                    let pause = Duration::try_from(until.duration_since(now));
                    self.world.tasks.sleep(pause.unwrap_or_default()).await;
                }
                Some(Step::Ended(_)) | None => return,
            }
        }
    }

    fn with<T>(&self, name: &str, what: impl FnOnce(&mut Run) -> T) -> Option<T> {
        self.lock().runs.get_mut(name).map(what)
    }

    async fn call(&self, name: &str, call: Call, stops: u32) {
        let timeout = call.timeout;
        let answer = self.answer(call);
        let answer = match timeout {
            None => Some(answer.await),
            Some(timeout) => match select(answer, self.world.tasks.sleep(timeout)).await {
                Either::Left((answer, _)) => Some(answer),
                Either::Right(((), answer)) => {
                    self.lock().late.push(answer.map(|_| ()).boxed());
                    None
                }
            },
        };
        self.with(name, |run| match answer {
            _ if run.stops() != stops => {}
            Some(Ok(payload)) => run.answered(payload),
            Some(Err(Failure { error, cause })) => run.failed(&error, &cause),
            None => run.timed_out(),
        });
    }

    fn answer(&self, call: Call) -> BoxFuture<'static, Result<Value, Failure>> {
        let functions = self.functions.clone();
        let function = self.names.get(&call.function).copied();
        async move {
            let function = function.ok_or_else(|| not_found(&call.function))?;
            let payload = call.payload.to_string();
            match functions.call(function, payload.as_bytes()).await {
                Ok(answer) => Ok(read(&answer)),
                Err(error) => Err(failure(error)),
            }
        }
        .boxed()
    }
}

/// Reads an answer. An answer that is not JSON becomes a string.
fn read(answer: &[u8]) -> Value {
    let read = serde_json::from_slice(answer);
    read.unwrap_or_else(|_| Value::String(String::from_utf8_lossy(answer).into_owned()))
}

fn not_found(what: &str) -> Failure {
    let cause = format!("Function not found: {what}");
    Failure::new("Lambda.ResourceNotFoundException", cause)
}

/// The name that Step Functions gives to the error of a call.
fn failure(error: CallError) -> Failure {
    match error {
        CallError::Failed {
            error_type,
            message,
        } if error_type.is_empty() => Failure::new("Lambda.Unknown", message),
        CallError::Failed {
            error_type,
            message,
        } => {
            let cause = json!({"errorType": error_type, "errorMessage": message});
            Failure::new(&error_type, cause.to_string())
        }
        CallError::Unavailable(why) => Failure::new("Lambda.ServiceException", why),
        CallError::Refused(why) => not_found(&why),
    }
}

/// Converts an ending to the port's type.
fn ended(ending: &states_language::Ending) -> Ending {
    use states_language::Ending as Told;
    match ending.clone() {
        Told::Succeeded { output } => Ending::Succeeded { output },
        Told::Failed { error, cause } => Ending::Failed { error, cause },
    }
}

/// Converts a history event to the port's type.
fn happened(event: &states_language::HistoryEvent) -> HistoryEvent {
    use states_language::Happened as Told;
    let what = match event.what.clone() {
        Told::Entered(state) => Happened::Entered(state),
        Told::Left(state) => Happened::Left(state),
        Told::Answered(payload) => Happened::Answered(payload),
        Told::CallFailed { error, cause } => Happened::CallFailed { error, cause },
        Told::Ended(ending) => Happened::Ended(ended(&ending)),
    };
    HistoryEvent {
        when: event.when,
        what,
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |next: char| next.is_ascii_alphanumeric() || "-_".contains(next);
    (1..=NAME_LIMIT).contains(&name.len()) && name.chars().all(is_part)
}

#[async_trait]
impl Executions for MemoryExecutions {
    async fn start(&self, name: &str, input: &Value) -> Result<(), ExecutionError> {
        if !is_name(name) {
            let why = format!("{name:?} is not a valid name of an execution");
            return Err(ExecutionError::Refused(why));
        }
        if input.to_string().len() > DATA_LIMIT {
            return Err(ExecutionError::Refused("the input is too large".into()));
        }
        let now = self.0.world.clock.now();
        let mut state = self.0.lock();
        let State {
            machine,
            runs,
            started,
            ..
        } = &mut *state;
        if let Entry::Vacant(place) = runs.entry(name.to_owned()) {
            let arn = |kind| format!("arn:aws:states:memory:000000000000:{kind}:{MACHINE}");
            let start = Start {
                name: name.to_owned(),
                id: format!("{}:{name}", arn("execution")),
                machine_id: arn("stateMachine"),
                input: input.clone(),
            };
            place.insert(Run::new(machine.clone(), start, now));
            started.push(name.to_owned());
        }
        Ok(())
    }

    async fn progress(&self, name: &str) -> Result<Progress, ExecutionError> {
        let state = self.0.lock();
        Ok(match state.runs.get(name).map(Run::ending) {
            None => Progress::Unknown,
            Some(None) => Progress::Running,
            Some(Some(ending)) => Progress::Ended(ended(ending)),
        })
    }

    async fn history(&self, name: &str) -> Result<Option<Vec<HistoryEvent>>, ExecutionError> {
        let state = self.0.lock();
        Ok(state.runs.get(name).map(|run| {
            let history = run.history().iter();
            history.map(happened).collect()
        }))
    }
}
