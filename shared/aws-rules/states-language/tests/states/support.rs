//! Helpers that run an execution step by step.

use std::{cell::Cell, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use states_language::{Call, Ending, Happened, Machine, Run, Start, Step};

/// A task that ends the machine, with fields added or replaced.
pub fn task(more: Value) -> Value {
    let mut task = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Parameters": {"FunctionName": "f", "Payload.$": "$"},
    });
    with(&mut task, more);
    task
}

pub fn with(state: &mut Value, more: Value) {
    let (Value::Object(state), Value::Object(more)) = (state, more) else {
        unreachable!("states are objects")
    };
    if more.contains_key("Next") {
        state.remove("End");
    }
    state.extend(more);
}

/// A machine that begins with the state `A`.
pub fn machine(states: &Value) -> Value {
    json!({"StartAt": "A", "States": states})
}

/// 2026-01-31T10:00:00Z
pub fn beginning() -> Timestamp {
    Timestamp::from_second(1_769_853_600).unwrap()
}

/// An execution, and the current time.
pub struct Hand {
    pub run: Run,
    pub now: Timestamp,
    pub chance: f64,
}

impl Hand {
    pub fn new(states: &Value, input: Value) -> Self {
        let machine = Machine::parse("saga", &machine(states)).unwrap();
        let start = Start {
            name: "x-1".into(),
            id: "arn:execution:saga:x-1".into(),
            machine_id: "arn:stateMachine:saga".into(),
            input,
        };
        Self {
            run: Run::new(Arc::new(machine), start, beginning()),
            now: beginning(),
            chance: 1.0,
        }
    }

    pub fn next(&mut self) -> Step {
        self.run.next(self.now, self.chance)
    }

    pub fn call(&mut self) -> Call {
        match self.next() {
            Step::Call(call) => call,
            other => panic!("no call: {other:?}"),
        }
    }

    pub fn payload(&mut self) -> Value {
        self.call().payload
    }

    /// Waits as long as the execution asks. Returns the duration.
    pub fn wait(&mut self) -> Duration {
        let Step::Wait(until) = self.next() else {
            panic!("no wait: {:?}", self.next());
        };
        let pause = Duration::try_from(until.duration_since(self.now)).unwrap();
        self.now += SignedDuration::try_from(pause).unwrap();
        pause
    }

    pub fn answer(&mut self, payload: Value) -> &mut Self {
        self.call();
        self.run.answered(payload);
        self
    }

    pub fn fail(&mut self, error: &str) -> &mut Self {
        self.call();
        self.run.failed(error, "why");
        self
    }

    pub fn output(&mut self) -> Value {
        match self.next() {
            Step::Ended(Ending::Succeeded { output }) => output,
            other => panic!("no success: {other:?}"),
        }
    }

    /// The name of the error with which the execution ended.
    pub fn error(&mut self) -> String {
        match self.next() {
            Step::Ended(Ending::Failed { error, .. }) => error,
            other => panic!("no failure: {other:?}"),
        }
    }

    /// The history in short form.
    pub fn story(&self) -> Vec<String> {
        let told = self.run.history().iter().map(|event| match &event.what {
            Happened::Entered(name) => format!("> {name}"),
            Happened::Left(name) => format!("< {name}"),
            Happened::Answered(payload) => format!("= {payload}"),
            Happened::CallFailed { error, .. } => format!("! {error}"),
            Happened::Ended(Ending::Succeeded { .. }) => "well".to_owned(),
            Happened::Ended(Ending::Failed { error, .. }) => format!("failed {error}"),
        });
        told.collect()
    }
}

/// The output of a machine with one state, which makes no call.
pub fn output(state: &Value, input: Value) -> Result<Value, String> {
    let mut hand = Hand::new(&json!({"A": state}), input);
    match hand.next() {
        Step::Ended(Ending::Succeeded { output }) => Ok(output),
        Step::Ended(Ending::Failed { error, .. }) => Err(error),
        other => panic!("no end: {other:?}"),
    }
}

/// Reproducible random numbers: `SplitMix64`.
pub struct Dice(Cell<u64>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub fn below(&self, bound: u64) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }
}
