//! The transition of a saga that the coordinator only watches: a choreography, or an execution of a state machine.

use alpes_ports::{Ending, Progress};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    Definition, Direction, Fact, Input, Meaning, Saga, SagaMode, Status, Step, StepNumber,
    StepStatus, Via, What,
    definition::EventRole,
    machine::execution_name,
    saga::{SOON, later},
    transition::{Work, earlier},
};

/// True if the next execution that a saga wants can be started, given the progress of the execution before it. While
/// the earlier execution runs, it may still fail at a step and undo everything itself. Two executions that undo for
/// different reasons would conflict: the participants refuse the commands of one of them.
pub(crate) fn makes_way(
    definition: &Definition,
    saga: &Saga,
    before: &Progress,
    now: Timestamp,
) -> bool {
    match before {
        Progress::Running => false,
        Progress::Unknown => !is_news(definition, saga, now),
        Progress::Ended(Ending::Succeeded { output }) => !has_undone(output),
        // An execution that has begun to undo must finish the undoing itself.
        Progress::Ended(Ending::Failed { .. }) => !saga.steps.contains(&StepStatus::Undone),
    }
}

/// True if a new execution may not be visible yet: reading its progress is not strongly consistent.
fn is_news(definition: &Definition, saga: &Saga, now: Timestamp) -> bool {
    saga.updated() > earlier(now, definition.patience)
}

/// True if a state machine runs the saga, and nothing has happened to the saga for so long that no client waits for it
/// any more.
pub(crate) fn is_given_up(definition: &Definition, saga: &Saga, now: Timestamp) -> bool {
    let waits = saga.next_look.is_some_and(|look| look <= now);
    let since = earlier(now, definition.expiry.after);
    waits && saga.mode == SagaMode::StepFunctions && saga.updated() < since
}

/// True if a state machine runs the saga and [`Saga::next_look`] is set, but the saga has no execution and wants none:
/// no execution could be started, and another sender has undone a step since.
pub(crate) fn has_no_execution(saga: &Saga) -> bool {
    saga.mode == SagaMode::StepFunctions
        && saga.next_look.is_some()
        && saga.wanted.is_none()
        && saga.executions().next().is_none()
}

/// True if this is the output of an execution that undid its steps.
fn has_undone(output: &Value) -> bool {
    output.pointer("/saga/reason").is_some()
}

impl Work<'_> {
    /// Applies an input to a watched saga. The saga's log gets the events, and an entry if the saga is late. If a state
    /// machine runs the saga, some requests also take effect: a completed saga can be undone, and the coordinator can
    /// take over after a failed execution. It takes over when a person resumes the saga or marks a step, or when a
    /// request asks to undo a saga that is not being undone yet. Other requests change nothing.
    pub(crate) fn watch(&mut self, input: &Input) {
        let by_machine = self.saga.mode == SagaMode::StepFunctions;
        match input {
            Input::Event(fact) => self.event(fact),
            Input::Time if !by_machine => {
                if self.saga.next_look.is_some_and(|look| look <= self.now) {
                    self.log(What::Delayed {});
                }
            }
            Input::Cancel { reason } if by_machine && self.saga.status == Status::Completed => {
                self.undo_by_machine(reason);
            }
            Input::Cancel { reason } if self.can_be_taken_over() && self.saga.reason.is_none() => {
                self.undo_by_machine(reason);
                self.log(What::TakenOver {});
                self.proceed();
            }
            Input::Resume { note } if self.can_be_taken_over() => self.resume(note.as_deref()),
            Input::MarkDone { step, note } if self.can_be_taken_over() && self.is_left(*step) => {
                self.log(What::TakenOver {});
                self.mark(*step, note);
            }
            Input::NoWord(problem) => self.no_word(problem),
            Input::Started(direction) => self.started(*direction),
            Input::Execution(direction, progress) => self.execution(*direction, progress),
            Input::Time
            | Input::Reply { .. }
            | Input::NoAnswer { .. }
            | Input::Cancel { .. }
            | Input::Resume { .. }
            | Input::MarkDone { .. } => {}
        }
    }

    /// True if the saga's state machine has failed, so that the coordinator can undo the remaining steps.
    pub(crate) fn can_be_taken_over(&self) -> bool {
        self.saga.mode == SagaMode::StepFunctions && self.saga.status == Status::NeedsIntervention
    }

    /// True if a step must be undone after the saga is taken over.
    fn is_left(&self, number: StepNumber) -> bool {
        let (step, status) = (self.definition.step(number), self.saga.step(number));
        step.is_some_and(|step| step.compensation.is_some())
            && status.is_some_and(|status| status != StepStatus::Undone)
    }

    pub(crate) fn overhear(&mut self, fact: &Fact) {
        let status = self.saga.status;
        let Some(role) = self.definition.role(&fact.kind) else {
            return;
        };
        let by_machine = self.saga.mode == SagaMode::StepFunctions;
        // A person may have resumed a failed execution.
        let forward = status == Status::Running
            || by_machine && status == Status::NeedsIntervention && self.saga.reason.is_none();
        // If another sender undid a step, the state machine still continues, and the steps that it does must be undone
        // afterwards.
        let goes_on = forward || by_machine && !status.has_ended();
        let (step, meaning) = match role {
            EventRole::Success(step) if goes_on => (Some(step), Meaning::Success),
            EventRole::Failure(step) if forward => (Some(step), Meaning::Failure),
            // The step began before the saga began to undo, or its participant refuses it from now on. In both cases
            // the participant undoes the step.
            EventRole::Success(step) | EventRole::Failure(step) => (Some(step), Meaning::Note),
            EventRole::Undone if status == Status::Compensated => (None, Meaning::Note),
            EventRole::Undone => (None, Meaning::Reversal),
        };
        self.hear(fact, step, meaning, Via::Stream);
        // It is unclear whether the state machine or another sender undid the step. The progress of the execution must
        // be read: the execution may end with all steps done, or undo them. Another execution undoes the steps that
        // this execution leaves done.
        let stood = forward || status == Status::Completed;
        let unclear = by_machine && stood && meaning == Meaning::Reversal;
        if !unclear {
            self.end_if_it_has(false);
        }
    }

    fn started(&mut self, direction: Direction) {
        if self.saga.wanted == Some(direction) {
            self.log(What::ExecutionStarted {
                direction,
                name: execution_name(self.saga.id, direction),
            });
            // If the execution was started earlier and its start was not logged, all of its events may already have
            // arrived.
            self.end_if_it_has(false);
        }
    }

    fn end_if_it_has(&mut self, told: bool) -> bool {
        let ended = self.come_to_its_end(told);
        if let Some(status) = ended {
            self.log(What::Ended { status });
        }
        ended.is_some()
    }

    fn undo_by_machine(&mut self, reason: &str) {
        self.log(What::CancellationRequested {
            reason: reason.to_owned(),
            unsent: None,
        });
    }

    /// Applies the progress of an execution. Usually the saga's events have already shown the progress, since they
    /// arrive sooner.
    fn execution(&mut self, direction: Direction, progress: &Progress) {
        let asked_about = self.saga.executions().last() == Some(direction);
        // Since the coordinator asked for the progress, the saga may have ended, or have started another execution.
        if !asked_about || self.saga.next_look.is_none() {
            return;
        }
        let next_wanted = self.saga.wanted.is_some();
        if next_wanted && makes_way(self.definition, &self.saga, progress, self.now) {
            return;
        }
        let news = is_news(self.definition, &self.saga, self.now);
        let failed = match progress {
            Progress::Running => None,
            Progress::Unknown if news => None,
            // The execution has undone everything itself, so no other execution is needed.
            Progress::Ended(ending)
                if next_wanted
                    && self.nothing_stands(matches!(ending, Ending::Succeeded { .. })) =>
            {
                let status = Status::Compensated;
                self.log(What::Ended { status });
                return;
            }
            Progress::Ended(Ending::Succeeded { .. }) if next_wanted => None,
            Progress::Ended(Ending::Succeeded { output }) => {
                // The execution did every step while another sender undid one of the steps. The other steps still have
                // to be undone.
                if let Some(reason) = self.saga.reason.clone()
                    && direction == Direction::Do
                    && !has_undone(output)
                    && self.saga.status == Status::Compensating
                {
                    self.undo_by_machine(&reason);
                    return;
                }
                if self.end_if_it_has(true) {
                    return;
                }
                None
            }
            Progress::Ended(Ending::Failed { error, cause }) => Some(format!("{error}: {cause}")),
            Progress::Unknown => Some(self.definition.texts.execution_gone.to_owned()),
        };
        let patience = self.definition.patience;
        match failed {
            Some(problem) => self.require_a_person(problem),
            None if next_wanted && news => self.saga.next_look = Some(later(self.now, SOON)),
            None if self.saga.is_late() => self.saga.next_look = Some(later(self.now, patience)),
            None => self.log(What::Delayed {}),
        }
    }

    /// The final status of a watched saga, if it has reached one: every step is done, or all steps are undone. In a
    /// choreography, participants undo every step that can be undone. A state machine undoes only the steps that were
    /// done, and `told` is true if its execution has succeeded.
    fn come_to_its_end(&self, told: bool) -> Option<Status> {
        // The coordinator finds executions by the entries of the saga's log, so a saga does not end before its wanted
        // execution has an entry.
        if self.saga.wanted.is_some() {
            return None;
        }
        let mut steps = self.saga.steps.iter().zip(&self.definition.steps);
        match (self.saga.status, self.saga.mode) {
            (Status::Running, _) => self.all_done().then_some(Status::Completed),
            (Status::Compensating, SagaMode::StepFunctions) => {
                self.nothing_stands(told).then_some(Status::Compensated)
            }
            (Status::Compensating, _) => steps
                .all(|(status, step)| step.compensation.is_none() || *status == StepStatus::Undone)
                .then_some(Status::Compensated),
            // A saga with a request to undo it is not completed, even if no step is undone yet.
            (Status::NeedsIntervention, SagaMode::StepFunctions) => {
                let done = self.saga.reason.is_none() && self.all_done();
                done.then_some(Status::Completed)
            }
            _ => None,
        }
    }

    /// True if no step is left to undo: by the events alone if no event is missing, or because the execution has
    /// succeeded (`told`).
    fn nothing_stands(&self, told: bool) -> bool {
        let stands = self.saga.next_to_undo(self.definition).is_some();
        !stands && (told || !self.lacks_a_step())
    }

    /// True if the event of a step is missing although a later step was begun. The step without an event was certainly
    /// done. Its event may be published late, and until the event arrives, the step may need undoing.
    fn lacks_a_step(&self) -> bool {
        let undoes = |step: &Step| step.compensation.as_ref().map(|undo| undo.success);
        let heard = self.saga.log.iter().filter_map(|entry| match entry.what {
            What::EventReceived { step, .. } => step,
            _ => None,
        });
        let steps = || self.definition.numbered().zip(&self.saga.steps);
        let undone = steps().filter_map(|((number, step), status)| {
            // For an event that undoes several steps, this function counts only the first of these steps.
            let mut same = self.definition.numbered();
            let first = same.find(|(_, other)| undoes(other) == undoes(step))?.0;
            (*status == StepStatus::Undone && first == number).then_some(number)
        });
        let last = heard.chain(undone).max();
        let mut before = steps().take_while(|((number, _), _)| Some(*number) < last);
        before.any(|((_, step), status)| {
            *status == StepStatus::Pending && step.compensation.is_some()
        })
    }

    /// Handles a saga whose progress is unknown and for which no client waits any more, or a saga that has no execution
    /// and wants none.
    fn no_word(&mut self, problem: &str) {
        if !has_no_execution(&self.saga) && !is_given_up(self.definition, &self.saga, self.now) {
            return;
        }
        if self.saga.reason.is_none() && self.all_done() {
            // The execution was started, but its start was not logged.
            let status = Status::Completed;
            self.log(What::Ended { status });
        } else {
            self.require_a_person(problem.to_owned());
        }
    }

    /// Logs that a person must undo the steps that an execution left done.
    fn require_a_person(&mut self, problem: String) {
        let step = self.saga.next_to_undo(self.definition);
        let step = step.unwrap_or(StepNumber::FIRST);
        self.log(What::NeedsIntervention { step, problem });
    }

    fn all_done(&self) -> bool {
        let mut steps = self.saga.steps.iter();
        steps.all(|step| *step == StepStatus::Done)
    }
}
