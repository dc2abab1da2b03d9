//! A state by itself, with the data that passes through it.
//!
//! A [`Run`] tells which states it enters and leaves, and not with which data. So a history runs each state a second
//! time, by itself: a machine of three states. The first hands the data to the state in question, and the last
//! succeeds with the state's output.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};
use states_language::{Ending, Machine, Run, Start};

use crate::states::journal::Entry;

/// Machines with one state of a definition each.
pub(super) struct Apart<'a> {
    name: &'a str,
    definition: &'a Value,
    machines: HashMap<String, Option<Arc<Machine>>>,
}

impl<'a> Apart<'a> {
    /// The states of this definition of the machine of this name.
    pub(super) fn new(name: &'a str, definition: &'a Value) -> Self {
        Self {
            name,
            definition,
            machines: HashMap::new(),
        }
    }

    /// The type of a state, as in `Task`.
    pub(super) fn kind(&self, state: &str) -> &'a str {
        let kind = self.state(state).and_then(|state| state.get("Type"));
        kind.and_then(Value::as_str).unwrap_or_default()
    }

    fn state(&self, name: &str) -> Option<&'a Value> {
        self.definition.get("States")?.get(name)
    }

    /// The state in the middle of a run that has just entered it.
    pub(super) fn enter(
        &mut self,
        state: &str,
        start: Start,
        began: Timestamp,
        entry: &Entry,
        data: Value,
    ) -> Option<Run> {
        let mut run = Run::new(self.machine(state)?, start, began);
        run.next(entry.at, entry.chance);
        run.answered(data);
        run.next(entry.at, entry.chance);
        Some(run)
    }

    fn machine(&mut self, state: &str) -> Option<Arc<Machine>> {
        if let Some(machine) = self.machines.get(state) {
            return machine.clone();
        }
        let machine = self.state(state).and_then(|own| {
            let definition = around(state, own.clone());
            Machine::parse(self.name, &definition).ok().map(Arc::new)
        });
        self.machines.insert(state.to_owned(), machine.clone());
        machine
    }
}

/// The output with which the state was left; `None` if it was not.
pub(super) fn output(run: &Run) -> Option<Value> {
    match run.ending()? {
        Ending::Succeeded { output } => Some(output.clone()),
        Ending::Failed { .. } => None,
    }
}

/// The machine of three states around a state.
fn around(name: &str, mut state: Value) -> Value {
    let before = other_than(name, "Before");
    let after = other_than(name, "After");
    lead_to(&mut state, &after);
    let hand_over = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "data", "Payload": null},
        "OutputPath": "$.Payload",
        "Next": name,
    });
    json!({
        "StartAt": before,
        "States": {before: hand_over, name: state, after: {"Type": "Succeed"}},
    })
}

fn other_than(name: &str, wanted: &str) -> String {
    if name == wanted {
        format!("{wanted}, too")
    } else {
        wanted.to_owned()
    }
}

/// Lets all ways out of a state lead to the same state.
fn lead_to(state: &mut Value, next: &str) {
    for field in ["Next", "Default"] {
        if let Some(target) = state.get_mut(field) {
            *target = next.into();
        }
    }
    for field in ["Catch", "Choices"] {
        let ways = state.get_mut(field).and_then(Value::as_array_mut);
        for way in ways.into_iter().flatten() {
            lead_to(way, next);
        }
    }
}
