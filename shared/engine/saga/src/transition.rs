//! The transition of a saga: a function of its definition, its state and one input, without clock, I/O or randomness.

use std::time::Duration;

use alpes_ports::{Progress, jittered};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Definition, Direction, Entry, Fact, Heard, Meaning, Retry, Saga, SagaId, SagaMode, Status,
    StepNumber, TOLD_ATTEMPTS, Unknown, Via, What,
    definition::EventRole,
    saga::{later, nothing, trace},
};

/// An input of a saga.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// An event from the event log.
    Event(Fact),
    /// A participant answered a command.
    Reply {
        /// The id of the command.
        command: Uuid,
        /// The participant's answer.
        answer: Answer,
    },
    /// A participant did not answer a command, or answered with an error. The command may have taken effect.
    NoAnswer {
        /// The id of the command.
        command: Uuid,
        /// The error in words.
        why: String,
        /// A number from 0 to 1, for the jitter of the pause before the next attempt.
        chance: f64,
    },
    /// The wanted execution was started.
    Started(Direction),
    /// The progress of the execution that was started last.
    Execution(Direction, Progress),
    /// The progress of the saga's execution is unknown and no execution was started, for this reason.
    NoWord(String),
    /// Time has passed: a command that is due is sent, or is abandoned after its last attempt.
    Time,
    /// A request to undo the saga.
    Cancel {
        /// The reason.
        reason: String,
    },
    /// A person resumes a saga whose status is [`Status::NeedsIntervention`].
    Resume {
        /// The person's note.
        note: Option<String>,
    },
    /// A person states that the step which could not be undone is now undone.
    MarkDone {
        /// The step. The input is ignored unless the saga is stuck at this step.
        step: StepNumber,
        /// The person's account of how the step was undone.
        note: String,
    },
}

/// A participant's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The events of the command, committed now or earlier.
    Events(Vec<Fact>),
    /// A refusal in words. The command had no effect.
    Rejected(String),
}

/// A command to send: the only effect of a transition.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// The id of the saga.
    pub saga: SagaId,
    /// The subject of the saga.
    pub subject: Uuid,
    /// The participant that receives the command.
    pub participant: &'static str,
    /// The id of the command, the same for every attempt.
    pub command: Uuid,
    /// The type of the command.
    pub kind: &'static str,
    /// The data of the command.
    pub data: Value,
    /// The id of the event that led to the command.
    pub cause: Uuid,
    /// The trace context.
    pub trace: Option<String>,
    /// The number of the command's step.
    pub step: StepNumber,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The time within which the participant must answer.
    pub patience: Duration,
}

/// The id of a step's command. The id is the same for every attempt and every sender.
#[must_use]
pub fn command_id(saga: SagaId, step: StepNumber, direction: Direction) -> Uuid {
    let way = match direction {
        Direction::Do => "do",
        Direction::Undo => "undo",
    };
    Uuid::new_v5(&saga.0, format!("{step}:{way}").as_bytes())
}

/// The id of the command that undoes a step after the coordinator took the saga over. The id differs from
/// [`command_id`], since the state machine may have sent that command with another reason, or may still send it.
#[must_use]
pub fn taken_over_id(saga: SagaId, step: StepNumber) -> Uuid {
    Uuid::new_v5(&saga.0, format!("{step}:undo:taken over").as_bytes())
}

/// The saga that an event opens; `None` if the event does not open this definition.
#[must_use]
pub fn start(definition: &Definition, id: SagaId, fact: &Fact, now: Timestamp) -> Option<Saga> {
    if definition.opening() != Some(fact.kind.as_str()) {
        return None;
    }
    let expired = now.duration_since(fact.time) > signed(definition.expiry.after);
    let mode = match fact.mode {
        // A saga that is only undone does not need a state machine.
        SagaMode::StepFunctions if expired => SagaMode::Orchestration,
        mode => mode,
    };
    let what = What::Started {
        definition: definition.name.to_owned(),
        version: definition.version,
        subject: fact.subject,
        mode,
        trace: trace(fact),
        event: Heard::of(fact, definition),
    };
    let reason = expired.then_some(definition.expiry.reason);
    let first = Entry {
        when: now,
        actor: None,
        what,
    };
    begun(definition, id, first, reason)
}

/// The saga that begins with this first entry of a log. If `undone` gives a reason, the saga is undone at once.
pub(crate) fn begun(
    definition: &Definition,
    id: SagaId,
    first: Entry,
    undone: Option<&str>,
) -> Option<Saga> {
    let now = first.when;
    let mut work = Work {
        definition,
        saga: Saga::opened(id, definition, first)?,
        actor: None,
        now,
    };
    if work.saga.is_watched() {
        return Some(work.saga);
    }
    if let Some(reason) = undone {
        work.log(What::CancellationRequested {
            reason: reason.to_owned(),
            unsent: None,
        });
    }
    work.proceed();
    Some(work.saga)
}

/// Applies an input to a saga. Returns the new saga, and the command to send after the saga is stored.
///
/// Only [`Input::Time`] returns a command. A process without participants applies the other inputs and stores the saga;
/// another process sends the command.
#[must_use]
pub fn transition(
    definition: &Definition,
    saga: &Saga,
    input: &Input,
    now: Timestamp,
) -> (Saga, Option<Dispatch>) {
    asked(definition, saga, input, None, now)
}

/// Applies an input that a person asked for, and names the person in the entries of the request.
pub(crate) fn asked(
    definition: &Definition,
    saga: &Saga,
    input: &Input,
    actor: Option<&str>,
    now: Timestamp,
) -> (Saga, Option<Dispatch>) {
    let mut work = Work {
        definition,
        saga: saga.clone(),
        actor,
        now,
    };
    let mut effect = None;
    if saga.is_watched() {
        work.watch(input);
        return (work.saga, None);
    }
    match input {
        Input::Event(fact) => work.event(fact),
        Input::Reply { command, answer } => work.reply(*command, answer),
        Input::NoAnswer {
            command,
            why,
            chance,
        } => work.no_answer(*command, why, *chance),
        Input::Time => effect = work.time(),
        Input::Cancel { reason } => work.cancel(reason),
        Input::Resume { note } => work.resume(note.as_deref()),
        Input::MarkDone { step, note } => work.mark_done(*step, note),
        Input::Started(_) | Input::Execution(..) | Input::NoWord(_) => {}
    }
    (work.saga, effect)
}

/// A saga during a transition, with the entries logged so far.
pub(crate) struct Work<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) saga: Saga,
    /// The person who asks, if the person is known.
    pub(crate) actor: Option<&'a str>,
    pub(crate) now: Timestamp,
}

impl Work<'_> {
    pub(crate) fn log(&mut self, mut what: What) {
        what.shorten();
        let entry = self.entry(what);
        self.saga.apply(self.definition, entry);
    }

    fn entry(&self, what: What) -> Entry {
        let actor = self.actor.filter(|_| what.is_request());
        Entry {
            when: self.now,
            actor: actor.map(str::to_owned),
            what,
        }
    }

    pub(crate) fn hear(
        &mut self,
        fact: &Fact,
        step: Option<StepNumber>,
        meaning: Meaning,
        via: Via,
    ) {
        let attempts = self.saga.outstanding.as_ref().map(|out| out.attempts);
        let mut event = Heard::of(fact, self.definition);
        // The saga keeps the data of the first event of a type, so another event of that type is logged without data.
        if self.saga.context.contains_key(&fact.kind) {
            event.data = nothing();
        }
        self.log(What::EventReceived {
            step,
            meaning,
            via,
            // The number of attempts is logged only for an answer, and only above 1.
            attempts: attempts.filter(|count| via == Via::Answer && *count > 1),
            event,
        });
    }

    /// Logs the command of the next step to do or to undo, or the end of the saga.
    pub(crate) fn proceed(&mut self) {
        loop {
            match self.saga.status {
                Status::Running => match self.saga.next_to_do() {
                    None => self.log(What::Ended {
                        status: Status::Completed,
                    }),
                    Some(step) => match self.data(step, Direction::Do) {
                        Err(problem) => {
                            self.log(What::CommandImpossible { step, problem });
                            continue;
                        }
                        Ok(command) => {
                            let command_id = self.command_id(step, Direction::Do);
                            self.log(What::CommandSent {
                                step,
                                command,
                                command_id,
                            });
                        }
                    },
                },
                Status::Compensating => match self.saga.next_to_undo(self.definition) {
                    None => self.log(What::Ended {
                        status: Status::Compensated,
                    }),
                    Some(step) => match self.data(step, Direction::Undo) {
                        Err(problem) => {
                            self.log(What::NeedsIntervention { step, problem });
                        }
                        Ok(command) => {
                            let command_id = self.command_id(step, Direction::Undo);
                            self.log(What::CompensationSent {
                                step,
                                command,
                                command_id,
                            });
                        }
                    },
                },
                _ => {}
            }
            return;
        }
    }

    fn command_id(&self, step: StepNumber, direction: Direction) -> Uuid {
        if self.saga.is_taken_over() {
            return taken_over_id(self.saga.id, step);
        }
        command_id(self.saga.id, step, direction)
    }

    /// The type of a step's command, if the command can be built. The error says why it cannot.
    fn data(&self, step: StepNumber, direction: Direction) -> Result<String, String> {
        let Some((command, call)) = self.definition.call(step, direction) else {
            return Err("the definition has no such command".to_owned());
        };
        let built = call.data.build(&self.saga.context);
        built
            .map(|_| command.to_owned())
            .map_err(|Unknown(path)| format!("{} {path}", self.definition.texts.unknown_field))
    }

    /// True if the saga waits for the answer to this step's command.
    fn is_out(&self, step: StepNumber, direction: Direction) -> bool {
        let outstanding = self.saga.outstanding.as_ref();
        outstanding.is_some_and(|out| out.step == step && out.direction == direction)
    }

    /// Receives an event. A saga with a long log no longer logs events that change nothing.
    pub(crate) fn event(&mut self, fact: &Fact) {
        let known = (fact.stream.clone(), fact.version);
        if self.saga.seen.contains(&known) {
            return;
        }
        let before = self.saga.passes_over(&fact.kind).then(|| self.saga.clone());
        if self.saga.is_watched() {
            self.overhear(fact);
        } else {
            self.take_in(fact);
        }
        if let Some(before) = before
            && before.stands_as(&self.saga)
        {
            self.saga = before;
        }
    }

    fn take_in(&mut self, fact: &Fact) {
        let (status, via) = (self.saga.status, Via::Stream);
        match self.definition.role(&fact.kind) {
            None => {}
            // After the end of the saga, an event is logged and changes nothing, except an event that undoes a step.
            Some(EventRole::Success(step) | EventRole::Failure(step)) if status.has_ended() => {
                self.hear(fact, Some(step), Meaning::Note, via);
            }
            Some(EventRole::Success(step)) => {
                self.hear(fact, Some(step), Meaning::Success, via);
                if status == Status::Running && self.saga.outstanding.is_none() {
                    self.proceed();
                }
            }
            Some(EventRole::Failure(step)) => {
                // The attempt in flight is not answered yet, so it may have had an effect beyond this event.
                let fails = status == Status::Running && self.is_out(step, Direction::Do);
                let meaning = if fails { Meaning::Doubt } else { Meaning::Note };
                self.hear(fact, Some(step), meaning, via);
                if fails {
                    self.proceed();
                }
            }
            Some(EventRole::Undone) => self.undone(fact, via),
        }
    }

    /// Receives the event that a step was undone, by the command that the saga waits for or by another sender.
    fn undone(&mut self, fact: &Fact, via: Via) {
        let awaited = self.saga.outstanding.as_ref().and_then(|out| {
            let undo = self.definition.step(out.step)?.compensation.as_ref()?;
            (out.direction == Direction::Undo && undo.success == fact.kind).then_some(out.step)
        });
        if let Some(step) = awaited {
            self.hear(fact, Some(step), Meaning::Reversal, via);
            self.proceed();
            return;
        }
        self.hear(fact, None, Meaning::Note, via);
        if matches!(self.saga.status, Status::Running | Status::Completed) {
            self.cancel(&fact.kind.clone());
        }
    }

    fn reply(&mut self, command: Uuid, answer: &Answer) {
        let Some(out) = self
            .saga
            .outstanding
            .clone()
            .filter(|out| out.command == command)
        else {
            // The answer is late. Its events also arrive through the event log.
            if let Answer::Events(facts) = answer {
                for fact in facts {
                    self.event(fact);
                }
            }
            return;
        };
        let step = out.step;
        match (out.direction, answer) {
            (Direction::Do, Answer::Events(facts)) => {
                // An earlier attempt without an answer may have had an effect beyond this answer.
                let failed = if out.unanswered {
                    Meaning::Doubt
                } else {
                    Meaning::Failure
                };
                let found = facts
                    .iter()
                    .find_map(|fact| match self.definition.role(&fact.kind) {
                        Some(EventRole::Success(of)) if of == step => {
                            Some((fact, Meaning::Success))
                        }
                        Some(EventRole::Failure(of)) if of == step => Some((fact, failed)),
                        _ => None,
                    });
                match found {
                    Some((fact, meaning)) => {
                        self.hear(fact, Some(step), meaning, Via::Answer);
                    }
                    // The command had an effect, but not the one that the definition expects.
                    None => self.log(What::CommandRejected {
                        step,
                        problem: self.unexpected(facts),
                        in_doubt: true,
                    }),
                }
            }
            (Direction::Do, Answer::Rejected(problem)) => self.log(What::CommandRejected {
                step,
                problem: problem.clone(),
                in_doubt: out.unanswered,
            }),
            (Direction::Undo, Answer::Events(facts)) => {
                let undo = self.definition.step(step);
                let undo = undo.and_then(|step| step.compensation.as_ref());
                let found = facts
                    .iter()
                    .find(|fact| undo.is_some_and(|undo| undo.success == fact.kind));
                match found {
                    Some(fact) => self.hear(fact, Some(step), Meaning::Reversal, Via::Answer),
                    None => self.log(What::NeedsIntervention {
                        step,
                        problem: self.unexpected(facts),
                    }),
                }
            }
            (Direction::Undo, Answer::Rejected(problem)) => {
                if self.saga.status == Status::Compensating {
                    self.log(What::NeedsIntervention {
                        step,
                        problem: problem.clone(),
                    });
                }
            }
        }
        self.proceed();
    }

    /// The problem text for an answer with unexpected events.
    fn unexpected(&self, facts: &[Fact]) -> String {
        let kinds: Vec<_> = facts.iter().map(|fact| fact.kind.as_str()).collect();
        let text = self.definition.texts.unexpected_answer;
        format!("{text}: {}", kinds.join(", "))
    }

    fn retry(&self, step: StepNumber, direction: Direction) -> Option<Retry> {
        self.definition
            .call(step, direction)
            .map(|(_, call)| call.retry)
    }

    fn no_answer(&mut self, command: Uuid, why: &str, chance: f64) {
        let Some(out) = self.saga.outstanding.clone() else {
            return;
        };
        let Some(retry) = self.retry(out.step, out.direction) else {
            return;
        };
        if out.command != command || out.due.is_none() {
            return;
        }
        let pause = jittered(
            retry.pause,
            retry.longest_pause,
            out.attempts.saturating_sub(1),
            chance,
        );
        let due = later(self.now, pause);
        self.unanswered(retry, Some(why), due);
        if let Some(out) = &mut self.saga.outstanding {
            out.unanswered = true;
            out.due = Some(due);
        }
        if out.attempts >= retry.attempts {
            self.give_up();
        }
    }

    /// Logs that the last attempt had no answer, unless the log says so already. The outstanding command's due time is
    /// the timeout of that attempt.
    fn unanswered(&mut self, retry: Retry, why: Option<&str>, again: Timestamp) {
        let Some(out) = self.saga.outstanding.clone() else {
            return;
        };
        let known = self.saga.is_known_unanswered();
        if known || out.attempts == 0 || out.attempts > TOLD_ATTEMPTS {
            return;
        }
        let given_up = out.due.unwrap_or(self.now);
        self.log(What::NoAnswer {
            step: out.step,
            direction: out.direction,
            attempt: out.attempts,
            sent: earlier(given_up, retry.patience),
            problem: why.map(str::to_owned),
            next: (out.attempts < retry.attempts).then(|| again.into()),
        });
    }

    fn time(&mut self) -> Option<Dispatch> {
        loop {
            let out = self.saga.outstanding.clone()?;
            if out.due? > self.now {
                return None;
            }
            let retry = self.retry(out.step, out.direction)?;
            self.unanswered(retry, None, self.now);
            if out.attempts >= retry.attempts {
                self.give_up();
                continue;
            }
            return self.send();
        }
    }

    fn send(&mut self) -> Option<Dispatch> {
        let now = self.now;
        let out = self.saga.outstanding.as_mut()?;
        out.unanswered |= out.attempts > 0;
        out.attempts = out.attempts.saturating_add(1);
        let out = out.clone();
        let (kind, call) = self.definition.call(out.step, out.direction)?;
        let dispatch = Dispatch {
            saga: self.saga.id,
            subject: self.saga.subject,
            participant: call.participant,
            command: out.command,
            kind,
            data: call.data.build(&self.saga.context).ok()?,
            cause: self.saga.cause,
            trace: self.saga.trace.clone(),
            step: out.step,
            attempt: out.attempts,
            patience: call.retry.patience,
        };
        let due = later(now, call.retry.patience);
        self.saga.outstanding.as_mut()?.due = Some(due);
        Some(dispatch)
    }

    /// Abandons the outstanding command after its last attempt. If the command does a step, the step is in doubt and is
    /// undone too. If the command undoes a step, the saga waits for a person.
    fn give_up(&mut self) {
        let Some(out) = self.saga.outstanding.clone() else {
            return;
        };
        let step = out.step;
        self.log(What::TimedOut {
            step,
            direction: out.direction,
            attempts: out.attempts,
        });
        match out.direction {
            Direction::Do => self.proceed(),
            Direction::Undo => self.log(What::NeedsIntervention {
                step,
                problem: self.definition.texts.no_answer.to_owned(),
            }),
        }
    }

    fn cancel(&mut self, reason: &str) {
        if matches!(self.saga.status, Status::Running | Status::Completed) {
            let outstanding = self.saga.outstanding.as_ref();
            let unsent = outstanding
                .filter(|out| out.attempts == 0)
                .map(|out| out.step);
            self.log(What::CancellationRequested {
                reason: reason.to_owned(),
                unsent,
            });
            self.proceed();
        }
    }

    /// A person resumes the saga, if the saga's item has room for every entry that may follow. The item always has room
    /// for the entries that end the saga.
    pub(crate) fn resume(&mut self, note: Option<&str>) {
        let resumed = self.entry(What::Resumed {
            note: note.map(str::to_owned),
        });
        if self.saga.status != Status::NeedsIntervention
            || !self.saga.has_room_for(self.definition, &resumed)
        {
            return;
        }
        if self.can_be_taken_over() {
            self.log(What::TakenOver {});
        }
        self.log(resumed.what);
        if self.saga.outstanding.is_none() {
            self.proceed();
        }
    }

    fn mark_done(&mut self, step: StepNumber, note: &str) {
        if self.saga.stuck_at(self.definition) == Some(step) {
            self.mark(step, note);
        }
    }

    pub(crate) fn mark(&mut self, step: StepNumber, note: &str) {
        self.log(What::StepMarked {
            step,
            note: note.to_owned(),
        });
        self.proceed();
    }
}

pub(crate) fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_sub(signed(by)).unwrap_or(Timestamp::MIN)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
