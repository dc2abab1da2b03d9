//! What a saga makes of an input that others move on: the participants of a choreography, or an execution of a state machine.

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

/// True if the next execution that a saga wants can be started, as the one before it stands. While that one runs it may yet turn and undo
/// everything, if it is not told that the last step is done; and what two undo, each for a reason of its own, is refused to one of them.
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
        // What it began to undo is its own to go on with.
        Progress::Ended(Ending::Failed { .. }) => !saga.steps.contains(&StepStatus::Undone),
    }
}

/// True if what was begun may not be told yet: asking after an execution is not strongly consistent.
fn is_news(definition: &Definition, saga: &Saga, now: Timestamp) -> bool {
    saga.updated() > earlier(now, definition.patience)
}

/// True if nothing has happened to one that a state machine runs for so long that nobody waits for it any more.
pub(crate) fn is_given_up(definition: &Definition, saga: &Saga, now: Timestamp) -> bool {
    let waits = saga.next_look.is_some_and(|look| look <= now);
    let since = earlier(now, definition.expiry.after);
    waits && saga.mode == SagaMode::StepFunctions && saga.updated() < since
}

/// True of one that a state machine runs and is to look at, if it has no execution and wants none: nobody could start it, and somebody
/// else has undone something since.
pub(crate) fn has_no_execution(saga: &Saga) -> bool {
    saga.mode == SagaMode::StepFunctions
        && saga.next_look.is_some()
        && saga.wanted.is_none()
        && saga.executions().next().is_none()
}

/// True if this is the output of an execution that undid what it had done.
fn has_undone(output: &Value) -> bool {
    output.pointer("/saga/reason").is_some()
}

impl Work<'_> {
    /// What a saga makes of an input that others move on: it takes note, of events and of time. One that a state machine runs can be
    /// asked to be undone once it is completed, and is taken over from one that has failed: by a person, or by whoever asks for it to be
    /// undone where it was not turned yet. What else is asked changes nothing.
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

    /// True if its state machine has failed: what it left, the coordinator can undo.
    pub(crate) fn can_be_taken_over(&self) -> bool {
        self.saga.mode == SagaMode::StepFunctions && self.saga.status == Status::NeedsIntervention
    }

    /// True if a step is to be undone once its saga is taken over.
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
        // A person may have an execution go on that had failed.
        let forward = status == Status::Running
            || by_machine && status == Status::NeedsIntervention && self.saga.reason.is_none();
        // A state machine that is not the one who undid something goes on, and what it does has to be undone after.
        let goes_on = forward || by_machine && !status.has_ended();
        let (step, meaning) = match role {
            EventRole::Success(step) if goes_on => (Some(step), Meaning::Success),
            EventRole::Failure(step) if forward => (Some(step), Meaning::Failure),
            // What was begun before it was turned, or is refused from now on: its participant undoes it in any case.
            EventRole::Success(step) | EventRole::Failure(step) => (Some(step), Meaning::Note),
            EventRole::Undone if status == Status::Compensated => (None, Meaning::Note),
            EventRole::Undone => (None, Meaning::Reversal),
        };
        self.hear(fact, step, meaning, Via::Stream);
        // Was it the state machine that undid this, or somebody else? It has to be looked at: though every step is done, it may not have
        // been told so, and undo them. What nobody undoes is asked of another execution.
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
            // Where it was started before and nobody took note, all of its events may have been heard.
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

    /// What is learned of an execution: mostly nothing, since its events tell it sooner.
    fn execution(&mut self, direction: Direction, progress: &Progress) {
        let asked_about = self.saga.executions().last() == Some(direction);
        // Others may have been told more, and gone on, since it was asked for.
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
            // It has undone everything itself: no other has to.
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
                // It did every step while somebody undid one: nobody else undoes the others.
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

    /// What a saga that others move on has come to, if it has: every step is done, or everything is undone that they undo. Participants
    /// undo whatever can be; a state machine undoes what was done, and `told` says that it has.
    fn come_to_its_end(&self, told: bool) -> Option<Status> {
        // What a saga log says of the executions is what they are found by: none may be missing.
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
            // What somebody has asked to be undone is not done, though nothing of it is undone yet.
            (Status::NeedsIntervention, SagaMode::StepFunctions) => {
                let done = self.saga.reason.is_none() && self.all_done();
                done.then_some(Status::Completed)
            }
            _ => None,
        }
    }

    /// True if nothing is left to undo, as far as was heard, or as the execution `told`.
    fn nothing_stands(&self, told: bool) -> bool {
        let stands = self.saga.next_to_undo(self.definition).is_some();
        !stands && (told || !self.lacks_a_step())
    }

    /// True if nothing is heard yet of a step that was done for certain, since a later one was begun: what is published late is heard late,
    /// and until then that step may stand.
    fn lacks_a_step(&self) -> bool {
        let undoes = |step: &Step| step.compensation.as_ref().map(|undo| undo.success);
        let heard = self.saga.log.iter().filter_map(|entry| match entry.what {
            What::EventReceived { step, .. } => step,
            _ => None,
        });
        let steps = || self.definition.numbered().zip(&self.saga.steps);
        let undone = steps().filter_map(|((number, step), status)| {
            // What undoes several steps tells of the first of them alone.
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

    /// Nobody tells how its execution stands, and whoever waited for it has given it up; or there is none, and none is wanted.
    fn no_word(&mut self, problem: &str) {
        if !has_no_execution(&self.saga) && !is_given_up(self.definition, &self.saga, self.now) {
            return;
        }
        if self.saga.reason.is_none() && self.all_done() {
            // It was started, and nobody could take note.
            let status = Status::Completed;
            self.log(What::Ended { status });
        } else {
            self.require_a_person(problem.to_owned());
        }
    }

    /// What an execution left undone is for a person.
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
