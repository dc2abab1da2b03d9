//! A single execution, step by step.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    Ending, Happened, HistoryEvent, Machine,
    failure::{DATA_LIMIT, DATA_LIMIT_EXCEEDED, Failure, TIMEOUT, within_limit},
    machine::{FUNCTION_NAME, Filter, Kind, Next, PAYLOAD, Seconds, State, Task, Text},
    path::{Path, Sources},
};

/// The largest number of events in the history of an execution, including the one that ends it.
const HISTORY_LIMIT: u32 = 25_000;

/// The parameters of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The name of the execution.
    pub name: String,
    /// The ARN of the execution.
    pub id: String,
    /// The ARN of the machine.
    pub machine_id: String,
    /// The input of the execution.
    pub input: Value,
}

/// The next step of an execution, for its caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Call a function, then report the outcome by [`Run::answered`], [`Run::failed`] or [`Run::timed_out`].
    Call(Call),
    /// Do nothing until this time.
    Wait(Timestamp),
    /// The execution has ended.
    Ended(Ending),
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function, as the definition names it.
    pub function: String,
    /// The payload of the call.
    pub payload: Value,
    /// The time limit of the call; `None` for no limit.
    pub timeout: Option<Duration>,
}

/// The phase of an execution.
#[derive(Clone, Debug)]
enum Phase {
    /// The execution will enter its state next.
    Entering,
    /// The execution will call its function next, for the first time or again.
    Calling,
    /// The call is in flight.
    Called(Call),
    /// The outcome of the call is known.
    Heard(Result<Value, Failure>),
    /// The execution pauses until this time before a retry.
    Pausing(Timestamp),
    /// The execution is in a Wait state until this time.
    Waiting(Timestamp),
    Ended(Ending),
}

/// One execution of a machine. A run is plain data, without clock or randomness.
#[derive(Clone, Debug)]
pub struct Run {
    machine: Arc<Machine>,
    start: Start,
    began: Timestamp,
    phase: Phase,
    /// The state that the execution is in or will enter next.
    at: String,
    entered: Timestamp,
    /// The input of the state `at`.
    data: Value,
    /// The number of retries in the state `at`.
    retries: u32,
    /// The number of retries in the state `at`, for each retrier.
    retries_by: Vec<u32>,
    history: Vec<HistoryEvent>,
    /// The number of events as AWS counts them. `history` leaves out some of these events.
    events: u32,
    transitions: u64,
    /// The number of times the execution was stopped. The caller ignores answers to calls from before the last stop.
    stops: u32,
}

impl Run {
    /// An execution that begins at `now`.
    #[must_use]
    pub fn new(machine: Arc<Machine>, start: Start, now: Timestamp) -> Self {
        Self {
            at: machine.start_at.clone(),
            data: start.input.clone(),
            machine,
            start,
            began: now,
            phase: Phase::Entering,
            entered: now,
            retries: 0,
            retries_by: vec![],
            history: vec![],
            events: 1,
            transitions: 0,
            stops: 0,
        }
    }

    /// Advances the execution as far as possible at `now`. `chance`, a random number from 0 to 1, is for jitter in
    /// pauses. If no outcome was reported since the last call, this call returns the same step.
    pub fn next(&mut self, now: Timestamp, chance: f64) -> Step {
        loop {
            match self.advance(now, chance) {
                Ok(Some(step)) => return step,
                Ok(None) => {}
                Err(failure) => self.end(now, failure.into()),
            }
        }
    }

    /// Reports that the function answered. If no call is in flight, `answered`, `failed` and `timed_out` do nothing.
    pub fn answered(&mut self, payload: Value) {
        self.hear(Ok(payload));
    }

    /// Reports that the call failed.
    pub fn failed(&mut self, error: &str, cause: &str) {
        self.hear(Err(Failure::new(error, cause)));
    }

    /// Reports that the call reached its time limit.
    pub fn timed_out(&mut self) {
        self.hear(Err(Failure::new(TIMEOUT, "")));
    }

    /// Resumes a failed execution in the state that failed. If this state is a task, it calls its function again, with
    /// all its retries. Returns true if the execution had failed.
    pub fn redrive(&mut self) -> bool {
        let Phase::Ended(Ending::Failed { .. }) = self.phase else {
            return false;
        };
        let machine = self.machine.clone();
        let state = machine.state(&self.at).map(|state| &state.kind);
        self.phase = if let Some(Kind::Task(task)) = state {
            self.retries = 0;
            self.retries_by = vec![0; task.retry.len()];
            // The history has the state's entry already.
            Phase::Calling
        } else {
            Phase::Entering
        };
        true
    }

    /// Ends the execution with an error that no state catches. `StopExecution`, a timeout of the execution, and a
    /// failure of Step Functions all do this. Returns true if the execution was running.
    pub fn stop(&mut self, error: &str, cause: &str, now: Timestamp) -> bool {
        if self.ending().is_some() {
            return false;
        }
        self.stops += 1;
        let (error, cause) = (error.to_owned(), cause.to_owned());
        self.end(now, Ending::Failed { error, cause });
        true
    }

    /// The number of times the execution was stopped. Compare this number with the number at the time of a call: if the
    /// number has grown, the answer is too late.
    #[must_use]
    pub fn stops(&self) -> u32 {
        self.stops
    }

    /// The history of the execution, in order.
    #[must_use]
    pub fn history(&self) -> &[HistoryEvent] {
        &self.history
    }

    /// The number of state transitions, for which AWS charges: states entered, and retries.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    /// The ending of the execution; `None` if it still runs.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    fn hear(&mut self, what: Result<Value, Failure>) {
        if matches!(self.phase, Phase::Called(_)) {
            self.phase = Phase::Heard(what);
        }
    }

    fn advance(&mut self, now: Timestamp, chance: f64) -> Result<Option<Step>, Failure> {
        match &self.phase {
            Phase::Ended(ending) => return Ok(Some(Step::Ended(ending.clone()))),
            Phase::Called(call) => return Ok(Some(Step::Call(call.clone()))),
            Phase::Waiting(until) | Phase::Pausing(until) if now < *until => {
                return Ok(Some(Step::Wait(*until)));
            }
            _ => {}
        }
        let machine = self.machine.clone();
        let state = machine.state(&self.at).ok_or_else(|| {
            // The parser has checked every name of a next state.
            Failure::runtime(format!("there is no state {:?}", self.at))
        })?;
        match std::mem::replace(&mut self.phase, Phase::Entering) {
            Phase::Entering => self.enter(state, now)?,
            Phase::Pausing(_) => self.phase = Phase::Calling,
            Phase::Waiting(_) => self.waited(state, now)?,
            Phase::Calling => {
                let Kind::Task(task) = &state.kind else {
                    return Ok(None);
                };
                match self.call(state, task) {
                    Ok(call) => {
                        self.count(2)?;
                        self.phase = Phase::Called(call);
                    }
                    Err(failure) => self.recover(task, failure, now, chance)?,
                }
            }
            Phase::Heard(what) => {
                let Kind::Task(task) = &state.kind else {
                    return Ok(None);
                };
                match self.output_of(state, task, what, now)? {
                    Ok(output) => self.leave(output, &task.next, now)?,
                    Err(failure) => self.recover(task, failure, now, chance)?,
                }
            }
            unchanged @ (Phase::Called(_) | Phase::Ended(_)) => self.phase = unchanged,
        }
        Ok(None)
    }

    fn enter(&mut self, state: &State, now: Timestamp) -> Result<(), Failure> {
        self.note(Happened::Entered(self.at.clone()), now)?;
        self.transitions += 1;
        self.entered = now;
        self.retries = 0;
        self.retries_by.clear();
        let context = self.context(state);
        match &state.kind {
            Kind::Task(task) => {
                self.retries_by.resize(task.retry.len(), 0);
                self.phase = Phase::Calling;
                Ok(())
            }
            Kind::Choice { rules, default } => {
                let data = self.input(state, &context)?;
                let mut next = default.as_ref();
                for (condition, name) in rules {
                    if condition.holds(sources(&data, &context))? {
                        next = Some(name);
                        break;
                    }
                }
                let next = next.cloned().ok_or_else(|| {
                    Failure::runtime(
                        "Failed to transition out of the state. The state does not point to a next state.",
                    )
                })?;
                let output = state.output.apply(sources(&data, &context))?;
                self.leave(output, &Next::State(next), now)
            }
            Kind::Pass {
                parameters,
                result,
                place,
                next,
            } => {
                let mut data = self.input(state, &context)?;
                if let Some(parameters) = parameters {
                    data = parameters.fill(sources(&data, &context))?;
                }
                let result = result.clone().unwrap_or(data);
                let output = place.put(self.data.clone(), result)?;
                let output = state.output.apply(sources(&output, &context))?;
                self.leave(output, next, now)
            }
            Kind::Wait { seconds, .. } => {
                let data = self.input(state, &context)?;
                let seconds = seconds.in_data(sources(&data, &context))?;
                self.phase = Phase::Waiting(after(now, Duration::from_secs(seconds)));
                Ok(())
            }
            Kind::Succeed => {
                let data = self.input(state, &context)?;
                let output = state.output.apply(sources(&data, &context))?;
                self.leave(output, &Next::End, now)
            }
            Kind::Fail { error, cause } => {
                let sources = sources(&self.data, &context);
                let error = error.in_data(sources)?;
                let cause = cause.in_data(sources)?;
                self.end(now, Ending::Failed { error, cause });
                Ok(())
            }
        }
    }

    fn waited(&mut self, state: &State, now: Timestamp) -> Result<(), Failure> {
        let Kind::Wait { next, .. } = &state.kind else {
            return Ok(());
        };
        let context = self.context(state);
        let data = self.input(state, &context)?;
        let output = state.output.apply(sources(&data, &context))?;
        self.leave(output, next, now)
    }

    /// Builds the call of a task. Each retry builds the call anew, since the call's parameters may contain the retry
    /// count.
    fn call(&self, state: &State, task: &Task) -> Result<Call, Failure> {
        let context = self.context(state);
        let data = self.input(state, &context)?;
        let parameters = task.parameters.fill(sources(&data, &context))?;
        let mut parameters = within_limit(parameters, &self.at)?;
        let function = parameters.get(FUNCTION_NAME).and_then(Value::as_str);
        let function = function
            .ok_or_else(|| Failure::runtime(format!("{FUNCTION_NAME} is no text")))?
            .to_owned();
        let payload = parameters.get_mut(PAYLOAD).map(Value::take);
        Ok(Call {
            function,
            payload: payload.unwrap_or_default(),
            timeout: task.timeout,
        })
    }

    /// The output of a task after its call. The inner error is an error of the task, which the state may catch; the
    /// outer error ends the execution.
    fn output_of(
        &mut self,
        state: &State,
        task: &Task,
        heard: Result<Value, Failure>,
        now: Timestamp,
    ) -> Result<Result<Value, Failure>, Failure> {
        let heard = heard.and_then(|payload| {
            if payload.to_string().len() > DATA_LIMIT {
                let cause = "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.";
                return Err(Failure::new(DATA_LIMIT_EXCEEDED, cause));
            }
            Ok(payload)
        });
        match heard {
            Ok(payload) => {
                self.note(Happened::Answered(payload.clone()), now)?;
                Ok(self.with_result(state, task, &payload))
            }
            Err(failure) => {
                let Failure { error, cause } = failure.clone();
                self.note(Happened::CallFailed { error, cause }, now)?;
                Ok(Err(failure))
            }
        }
    }

    fn with_result(&self, state: &State, task: &Task, payload: &Value) -> Result<Value, Failure> {
        let context = self.context(state);
        let mut result =
            json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200});
        if let Some(selector) = &task.selector {
            result = selector.fill(sources(&result, &context))?;
        }
        let output = task.place.put(self.data.clone(), result)?;
        let output = state.output.apply(sources(&output, &context))?;
        within_limit(output, &self.at)
    }

    /// Retries the task, or enters the state of a catcher. The first matching retrier decides; when this retrier has no
    /// retries left, the catchers decide.
    fn recover(
        &mut self,
        task: &Task,
        failure: Failure,
        now: Timestamp,
        chance: f64,
    ) -> Result<(), Failure> {
        let mut retriers = task.retry.iter().zip(&mut self.retries_by);
        let retrier = retriers.find(|(retrier, _)| retrier.errors.matches(&failure.error));
        if let Some((retrier, made)) = retrier
            && *made < retrier.attempts
        {
            let pause = retrier.pause(*made, chance);
            *made += 1;
            self.retries += 1;
            self.transitions += 1;
            self.phase = Phase::Pausing(after(now, pause));
            return Ok(());
        }
        let mut catchers = task.catch.iter();
        let catcher = catchers.find(|catcher| catcher.errors.matches(&failure.error));
        let Some(catcher) = catcher else {
            return Err(failure);
        };
        let output = catcher.place.put(self.data.clone(), failure.output())?;
        self.leave(output, &Next::State(catcher.next.clone()), now)
    }

    fn leave(&mut self, output: Value, next: &Next, now: Timestamp) -> Result<(), Failure> {
        let output = within_limit(output, &self.at)?;
        self.note(Happened::Left(self.at.clone()), now)?;
        match next {
            Next::State(name) => {
                name.clone_into(&mut self.at);
                self.data = output;
                self.phase = Phase::Entering;
            }
            Next::End => self.end(now, Ending::Succeeded { output }),
        }
        Ok(())
    }

    fn end(&mut self, when: Timestamp, ending: Ending) {
        self.history.push(HistoryEvent {
            when,
            what: Happened::Ended(ending.clone()),
        });
        self.phase = Phase::Ended(ending);
    }

    fn note(&mut self, what: Happened, when: Timestamp) -> Result<(), Failure> {
        self.count(1)?;
        self.history.push(HistoryEvent { when, what });
        Ok(())
    }

    fn count(&mut self, events: u32) -> Result<(), Failure> {
        self.events += events;
        if self.events < HISTORY_LIMIT {
            return Ok(());
        }
        Err(Failure::runtime(format!(
            "The execution reached the maximum number of history events ({HISTORY_LIMIT})."
        )))
    }

    /// The part of the data that the state reads.
    fn input(&self, state: &State, context: &Value) -> Result<Value, Failure> {
        state.input.apply(sources(&self.data, context))
    }

    /// The description of the execution, which paths see as `$$`.
    fn context(&self, state: &State) -> Value {
        let mut at = json!({"EnteredTime": moment(self.entered), "Name": self.at});
        if let (Kind::Task(_), Value::Object(at)) = (&state.kind, &mut at) {
            at.insert("RetryCount".into(), self.retries.into());
        }
        json!({
            "Execution": {
                "Id": self.start.id,
                "Input": self.start.input,
                "Name": self.start.name,
                "StartTime": moment(self.began),
            },
            "State": at,
            "StateMachine": {"Id": self.start.machine_id, "Name": self.machine.name},
        })
    }
}

fn sources<'a>(data: &'a Value, context: &'a Value) -> Sources<'a> {
    Sources { data, context }
}

fn moment(when: Timestamp) -> String {
    format!("{when:.3}")
}

fn after(now: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

impl Filter {
    fn apply(&self, sources: Sources) -> Result<Value, Failure> {
        match self {
            Self::Nothing => Ok(json!({})),
            Self::Path(path) => path.filter(sources),
        }
    }
}

impl Seconds {
    fn in_data(&self, sources: Sources) -> Result<u64, Failure> {
        let path = match self {
            Self::Fixed(seconds) => return Ok(u64::from(*seconds)),
            Self::Path(path) => path,
        };
        let seconds = path.find(sources).and_then(Value::as_u64);
        seconds.ok_or_else(|| wrong("SecondsPath", path, "no whole number from 0"))
    }
}

impl Text {
    fn in_data(&self, sources: Sources) -> Result<String, Failure> {
        let path = match self {
            Self::Fixed(text) => return Ok(text.clone()),
            Self::Path(path) => path,
        };
        let text = path.find(sources).and_then(Value::as_str);
        let text = text.ok_or_else(|| wrong("ErrorPath or CausePath", path, "no text"))?;
        Ok(text.to_owned())
    }
}

fn wrong(field: &str, path: &Path, what: &str) -> Failure {
    Failure::runtime(format!(
        "The {field} parameter, '{}', references {what}",
        path.text()
    ))
}
