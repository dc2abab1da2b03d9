//! A saga that a state machine ran, rebuilt from the history of its executions.

use alpes_ports::{Ending, Happened, HistoryEvent};
use jiff::Timestamp;

use crate::{
    Answer, Definition, Direction, Entry, Input, Outstanding, Saga, SagaMode, Status, StepNumber,
    What, Wire, machine::CallState, transition, transition::begun,
};

/// Rebuilds a saga from the histories of its executions. `histories` has one history for each of [`Saga::executions`],
/// in their order.
///
/// The participants' answers go through [`transition`], as if the coordinator had sent the commands. So the log has the
/// same entries with the same meaning, whichever engine runs the saga. `watched` is the stored saga. The status
/// combines the stored saga with the histories. If both have ended, the rebuilt saga has ended. If one of them needs a
/// person, so does the rebuilt saga. If the histories need a person but the stored saga has ended, a person has acted
/// since, and the rebuilt saga has ended too.
#[must_use]
pub fn executed(
    definition: &Definition,
    watched: &Saga,
    histories: &[Vec<HistoryEvent>],
    wire: &Wire,
) -> Saga {
    if histories.is_empty() {
        return watched.clone();
    }
    let mut log = watched.log.iter();
    let Some(first) = log
        .next()
        .and_then(|entry| directed(entry, SagaMode::Orchestration))
    else {
        return watched.clone();
    };
    let Some(saga) = begun(definition, watched.id, first, None) else {
        return watched.clone();
    };
    let mut reader = Reader {
        definition,
        wire,
        saga,
    };
    let mut histories = histories.iter();
    for entry in log {
        match &entry.what {
            What::ExecutionStarted { .. } => {
                reader.saga.apply(definition, entry.clone());
                for event in histories.next().into_iter().flatten() {
                    reader.take(event);
                }
            }
            What::CancellationRequested { reason, .. } => {
                let reason = reason.clone();
                reader.input(&Input::Cancel { reason }, entry.when);
            }
            _ => {}
        }
    }
    let mut saga = reader.saga;
    if let Some(first) = saga.log.first_mut()
        && let Some(own) = directed(first, SagaMode::StepFunctions)
    {
        *first = own;
    }
    saga.mode = SagaMode::StepFunctions;
    let ended = saga.status.has_ended();
    let stuck = watched.status == Status::NeedsIntervention && !ended;
    // The execution failed and the saga has ended nevertheless, so a person has acted.
    let seen_to = saga.status == Status::NeedsIntervention && watched.status.has_ended();
    if stuck || seen_to || ended && saga.status != watched.status {
        saga.status = watched.status;
    }
    saga
}

/// The first entry of a saga's log, with another mode; `None` if the entry is not [`What::Started`].
fn directed(entry: &Entry, mode: SagaMode) -> Option<Entry> {
    let mut entry = entry.clone();
    let What::Started { mode: own, .. } = &mut entry.what else {
        return None;
    };
    *own = mode;
    Some(entry)
}

struct Reader<'a> {
    definition: &'a Definition,
    wire: &'a Wire,
    saga: Saga,
}

impl Reader<'_> {
    fn input(&mut self, input: &Input, when: Timestamp) {
        self.saga = transition(self.definition, &self.saga, input, when).0;
    }

    fn take(&mut self, event: &HistoryEvent) {
        let when = event.when;
        let out = self.saga.outstanding.clone();
        match (&event.what, out) {
            (Happened::Entered(state), Some(out)) if self.calls(state, &out) => {
                self.call(when);
            }
            (Happened::Answered(payload), Some(out)) => {
                let answer = (self.wire.answer)(payload);
                if answer.as_ref().is_some_and(|told| self.is_late(told, &out)) {
                    return;
                }
                // The execution had failed, and a person resumed it.
                if out.due.is_none() {
                    self.input(&Input::Resume { note: None }, when);
                    self.call(when);
                }
                if let Some(answer) = answer {
                    let command = out.command;
                    self.input(&Input::Reply { command, answer }, when);
                }
            }
            (Happened::CallFailed { error, cause }, Some(out)) => {
                let command = out.command;
                self.input(
                    &Input::NoAnswer {
                        command,
                        why: format!("{error}: {cause}"),
                        chance: 0.0,
                    },
                    when,
                );
                // If the saga has abandoned this command, another state calls the saga's next command.
                let next = self.saga.outstanding.as_ref();
                if next.is_some_and(|next| next.command == command) {
                    self.call(when);
                }
            }
            (Happened::Ended(Ending::Failed { error, cause }), _)
                if self.saga.status != Status::NeedsIntervention =>
            {
                self.fail(&format!("{error}: {cause}"), when);
            }
            _ => {}
        }
    }

    /// True for a late answer to a call that was abandoned and sent again. LocalStack reports this answer although the
    /// saga no longer waits for it.
    fn is_late(&self, answer: &Answer, out: &Outstanding) -> bool {
        let Answer::Events(facts) = answer else {
            return false;
        };
        let Some(step) = self.definition.step(out.step) else {
            return false;
        };
        let undone = step.compensation.as_ref().map(|undo| undo.success);
        let answers = |kind: &str| match out.direction {
            Direction::Do => kind == step.success || step.failure == Some(kind),
            Direction::Undo => undone == Some(kind),
        };
        facts.iter().all(|fact| {
            let known = (fact.stream.clone(), fact.version);
            self.saga.seen.contains(&known) && !answers(&fact.kind)
        })
    }

    /// True if this state makes the first call of the command that the saga waits for.
    fn calls(&self, state: &str, out: &Outstanding) -> bool {
        let called = match out.direction {
            Direction::Do => CallState::First,
            Direction::Undo => CallState::Undo,
        };
        let step = self.definition.step(out.step);
        step.is_some_and(|step| called.name(self.definition.version, out.step, step) == state)
    }

    /// Applies an attempt of the state machine at the command, the first one or a retry.
    fn call(&mut self, when: Timestamp) {
        if let Some(out) = &mut self.saga.outstanding
            && let Some(due) = &mut out.due
        {
            *due = (*due).min(when);
        }
        self.input(&Input::Time, when);
    }

    fn fail(&mut self, problem: &str, when: Timestamp) {
        let out = self.saga.outstanding.as_ref();
        let what = What::NeedsIntervention {
            step: out.map_or(StepNumber::FIRST, |out| out.step),
            problem: problem.to_owned(),
        };
        let entry = Entry {
            when,
            actor: None,
            what,
        };
        self.saga.apply(self.definition, entry);
    }
}
