//! The definition of a saga: its steps, their participants, and the commands that undo them. A definition is data, so
//! that it can be checked, printed and exported.

use std::time::Duration;

use crate::{Direction, Mapping, StepNumber};

/// A kind of saga, in one version.
///
/// A saga keeps the version with which it began. Never change a version that sagas in flight may have; add a newer
/// version instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The name of the definition.
    pub name: &'static str,
    /// The version of the definition, counted from 1.
    pub version: u32,
    /// The age limit of the event that opens a saga.
    pub expiry: Expiry,
    /// The time within which a saga ends when nothing fails. After this time, a saga that the coordinator only watches
    /// is logged as late.
    pub patience: Duration,
    /// The texts that sagas of this definition use in reasons and problems.
    pub texts: Texts,
    /// The steps, in order. The first step is done before the saga begins: its success event opens the saga.
    pub steps: Vec<Step>,
}

/// The rule for a saga that would begin too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// If the opening event is older than this duration, the saga only undoes the first step.
    pub after: Duration,
    /// The reason for undoing the first step, which commands can copy from `saga.reason`.
    pub reason: &'static str,
}

/// The texts that a saga uses in reasons and problems. Participants receive these texts and people read them, so the
/// domain supplies the texts in its own language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts {
    /// About a command: no attempt was answered.
    pub no_answer: &'static str,
    /// About a command that a state machine sent: the participant refused it.
    pub rejected: &'static str,
    /// About a command: its answer has an event that the definition does not expect.
    pub unexpected_answer: &'static str,
    /// About a field of an event: a command needs the field, and the event does not have it. The path of the field
    /// follows the text.
    pub unknown_field: &'static str,
    /// The word for a step. The number of the step follows the word.
    pub step: &'static str,
    /// About a command: its effect could not be undone.
    pub not_undone: &'static str,
    /// About a saga: its execution ended before every step was done.
    pub cut_short: &'static str,
    /// About a saga: its execution no longer exists.
    pub execution_gone: &'static str,
    /// About a saga: no execution could be started for it.
    pub no_execution: &'static str,
    /// About an orchestrator: it has no state machine to ask.
    pub no_machine: &'static str,
    /// About an execution: its machine does not have the version of the saga's definition.
    pub other_version: &'static str,
}

impl Texts {
    /// The texts in English.
    pub const ENGLISH: Self = Self {
        no_answer: "no answer",
        rejected: "rejected",
        unexpected_answer: "unexpected answer",
        unknown_field: "nothing is known of",
        step: "step",
        not_undone: "could not be undone",
        cut_short: "its execution ended too early",
        execution_gone: "its execution is gone",
        no_execution: "it has no execution",
        no_machine: "there is no state machine here",
        other_version: "the saga is of another version of the definition",
    };
}

/// A step of a saga.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The command that does the step.
    pub command: &'static str,
    /// The participant and the retries of the command; `None` for the first step, which is done before the saga begins.
    pub call: Option<Call>,
    /// The type of the event that says that the step succeeded.
    pub success: &'static str,
    /// The type of the event that says that the step failed, if the step has one.
    pub failure: Option<&'static str>,
    /// The undoing of the step; `None` if there is nothing to undo.
    pub compensation: Option<Compensation>,
}

/// The participant, data and retries of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The participant that receives the command.
    pub participant: &'static str,
    /// The command's data, copied from events that the saga has received.
    pub data: Mapping,
    /// The retries of the command.
    pub retry: Retry,
}

/// The undoing of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Compensation {
    /// The command that undoes the step. The participant must accept this command before the step's own command, after
    /// it, without it, and more than once.
    pub command: &'static str,
    /// The participant, data and retries of this command.
    pub call: Call,
    /// The type of the event that says that the step is undone.
    pub success: &'static str,
}

/// The retries of a command, and the timeout of each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The largest number of attempts, including the first.
    pub attempts: u32,
    /// The timeout of an attempt.
    pub patience: Duration,
    /// The pause after the first failed attempt. The pause doubles after each further attempt, with full jitter.
    pub pause: Duration,
    /// The upper limit of the pause.
    pub longest_pause: Duration,
}

impl Step {
    /// The first step of a saga. The step is done before the saga begins, and its success event opens the saga.
    ///
    /// ```
    /// use alpes_saga::{Mapping, Step};
    ///
    /// let nothing = Mapping::empty;
    /// let steps = [
    ///     Step::opening("PlaceOrder", "OrderPlaced").undone_by(
    ///         "orders",
    ///         "CancelOrder",
    ///         nothing(),
    ///         "OrderCancelled",
    ///     ),
    ///     Step::asking("stock", "ReserveStock", nothing(), "StockReserved")
    ///         .failing_with("StockShort")
    ///         .undone_by("stock", "ReleaseStock", nothing(), "StockReleased"),
    /// ];
    /// assert_eq!(steps[1].failure, Some("StockShort"));
    /// ```
    #[must_use]
    pub fn opening(command: &'static str, success: &'static str) -> Self {
        Self {
            command,
            call: None,
            success,
            failure: None,
            compensation: None,
        }
    }

    /// A step that a participant does: the participant, the command, the command's data, and the type of the step's
    /// success event.
    #[must_use]
    pub fn asking(
        participant: &'static str,
        command: &'static str,
        data: Mapping,
        success: &'static str,
    ) -> Self {
        let retry = Retry::DOING;
        Self {
            call: Some(Call {
                participant,
                data,
                retry,
            }),
            ..Self::opening(command, success)
        }
    }

    /// The same step with the type of its failure event.
    #[must_use]
    pub fn failing_with(mut self, failure: &'static str) -> Self {
        self.failure = Some(failure);
        self
    }

    /// The same step with a command that undoes it, and the type of the event that says that the step is undone.
    #[must_use]
    pub fn undone_by(
        mut self,
        participant: &'static str,
        command: &'static str,
        data: Mapping,
        success: &'static str,
    ) -> Self {
        let retry = Retry::UNDOING;
        self.compensation = Some(Compensation {
            command,
            call: Call {
                participant,
                data,
                retry,
            },
            success,
        });
        self
    }
}

impl Retry {
    /// The retries of a command that does a step. The attempts are few, so that a step in doubt is soon undone and the
    /// client soon learns the outcome.
    pub const DOING: Self = Self {
        attempts: 4,
        patience: Duration::from_secs(5),
        pause: Duration::from_millis(200),
        longest_pause: Duration::from_secs(10),
    };

    /// The retries of a command that undoes a step. The attempts are many, since the saga needs a person when the last
    /// one fails.
    pub const UNDOING: Self = Self {
        attempts: 8,
        longest_pause: Duration::from_mins(1),
        ..Self::DOING
    };
}

/// The role of an event type in a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventRole {
    /// The step has succeeded.
    Success(StepNumber),
    /// The step has failed.
    Failure(StepNumber),
    /// The event says that one step or several are undone: several steps may share this event.
    Undone,
}

impl Definition {
    /// The event type that opens a saga of this definition.
    #[must_use]
    pub fn opening(&self) -> Option<&'static str> {
        self.steps.first().map(|step| step.success)
    }

    /// The step of this number; `None` if the definition has fewer steps.
    #[must_use]
    pub fn step(&self, number: StepNumber) -> Option<&Step> {
        self.steps.get(number.index())
    }

    /// The steps with their numbers, in order.
    pub fn numbered(&self) -> impl Iterator<Item = (StepNumber, &Step)> {
        StepNumber::all().zip(&self.steps)
    }

    /// The largest number of attempts at a step's command; `None` if there is no such command.
    #[must_use]
    pub fn attempts(&self, step: StepNumber, direction: Direction) -> Option<u32> {
        self.call(step, direction)
            .map(|(_, call)| call.retry.attempts)
    }

    /// The command that does or undoes a step, with its participant and retries.
    pub(crate) fn call(
        &self,
        step: StepNumber,
        direction: Direction,
    ) -> Option<(&'static str, &Call)> {
        let step = self.step(step)?;
        match direction {
            Direction::Do => Some((step.command, step.call.as_ref()?)),
            Direction::Undo => {
                let undo = step.compensation.as_ref()?;
                Some((undo.command, &undo.call))
            }
        }
    }

    /// The role of the event type `kind`; `None` if the type has no role.
    pub(crate) fn role(&self, kind: &str) -> Option<EventRole> {
        let first = |such: &dyn Fn(&Step) -> bool| {
            let mut steps = self.numbered();
            steps.find(|(_, step)| such(step)).map(|(number, _)| number)
        };
        if let Some(step) = first(&|step| step.success == kind) {
            return Some(EventRole::Success(step));
        }
        if let Some(step) = first(&|step| step.failure == Some(kind)) {
            return Some(EventRole::Failure(step));
        }
        first(&|step| {
            step.compensation
                .as_ref()
                .is_some_and(|compensation| compensation.success == kind)
        })
        .map(|_| EventRole::Undone)
    }

    /// Every field mapping that a saga of this definition may use.
    pub(crate) fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.steps.iter().flat_map(|step| {
            let undo = step.compensation.as_ref().map(|undo| &undo.call);
            step.call
                .iter()
                .chain(undo)
                .map(|call| &call.data)
                .collect::<Vec<_>>()
        })
    }

    /// The faults of the definition, in words; empty if the definition can be run. Assert in a test that the list is
    /// empty.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = vec![];
        if self.steps.is_empty() {
            faults.push("it has no steps".to_owned());
        }
        for (number, step) in self.numbered() {
            let mut fault = |text: String| faults.push(format!("{}: {text}", step.command));
            if (number == StepNumber::FIRST) != step.call.is_none() {
                fault("only the first step, and always the first, has no call".into());
            }
            let earlier = self.numbered().take_while(|(other, _)| *other < number);
            let known: Vec<_> = earlier.map(|(_, step)| step.success).collect();
            for path in step.call.iter().flat_map(|call| call.data.paths()) {
                if !path.begins_with_one_of(&known) {
                    fault(format!("{path} is not a field of an earlier event"));
                }
            }
            if self.role(step.success) != Some(EventRole::Success(number)) {
                fault(format!("{} is the success of two steps", step.success));
            }
            if let Some(failure) = step.failure
                && self.role(failure) != Some(EventRole::Failure(number))
            {
                fault(format!("{failure} has two roles"));
            }
            let Some(undo) = &step.compensation else {
                continue;
            };
            if self.role(undo.success) != Some(EventRole::Undone) {
                fault(format!("{} has two roles", undo.success));
            }
            // The saga may have to undo a step without having received the step's own event.
            for path in undo.call.data.paths() {
                if !path.begins_with_one_of(&known) && number > StepNumber::FIRST {
                    fault(format!("{path} may be missing when the step is undone"));
                }
            }
            let retries = step.call.iter().chain([&undo.call]);
            if retries.into_iter().any(|call| call.retry.attempts == 0) {
                fault("a command has no attempts".into());
            }
        }
        faults
    }
}

/// The definitions that a build can run. The set must include every version that sagas in flight may have.
#[derive(Clone, Debug, Default)]
pub struct Definitions(Vec<Definition>);

impl Definitions {
    /// A set of definitions.
    #[must_use]
    pub fn new(definitions: Vec<Definition>) -> Self {
        Self(definitions)
    }

    /// Every definition of the set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.0.iter()
    }

    /// The definition that a saga began with; `None` if this build does not have it.
    #[must_use]
    pub fn find(&self, name: &str, version: u32) -> Option<&Definition> {
        self.0
            .iter()
            .find(|known| known.name == name && known.version == version)
    }

    /// The newest definition that this event type opens.
    #[must_use]
    pub fn opened_by(&self, kind: &str) -> Option<&Definition> {
        let opened = self.0.iter().filter(|known| known.opening() == Some(kind));
        opened.max_by_key(|known| known.version)
    }
}
