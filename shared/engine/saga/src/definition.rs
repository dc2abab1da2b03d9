//! What a saga is: its steps, what each asks of whom, and how it is undone. Data, so that it can be checked, printed and exported.

use std::time::Duration;

use crate::{Direction, Mapping, StepNumber};

/// A kind of saga, in one version.
///
/// A saga is pinned to the version it began with: a version that sagas in flight may have is never changed, but followed by a
/// newer one.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its version, from 1.
    pub version: u32,
    /// How old the event that opens a saga may be.
    pub expiry: Expiry,
    /// How long one takes at most when all is well: what others move on, and takes longer, is noted to be late.
    pub patience: Duration,
    /// What is said of its sagas, in the language of those who read it.
    pub texts: Texts,
    /// Its steps, in order. The first is done before the saga begins: its success is what opens the saga.
    pub steps: Vec<Step>,
}

/// What becomes of a saga that would begin too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Nothing new is asked for an opening event older than this: what it made is undone.
    pub after: Duration,
    /// The reason that is given then, as `saga.reason`.
    pub reason: &'static str,
}

/// The texts that a saga gives as reasons and problems. Participants are sent them and people read them, so they are the domain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts {
    /// Of a command: no attempt at it was answered.
    pub no_answer: &'static str,
    /// Of a command that a state machine sent: it was refused.
    pub rejected: &'static str,
    /// Of a command: its answer has another event than the definition says.
    pub unexpected_answer: &'static str,
    /// Of a field of an event, which follows: a command needs it, and the event does not have it.
    pub unknown_field: &'static str,
    /// The number of a step follows.
    pub step: &'static str,
    /// Of a command: what it did could not be undone.
    pub not_undone: &'static str,
    /// Of a saga: its execution ended before every step was done.
    pub cut_short: &'static str,
    /// Of a saga: its execution is not there any more.
    pub execution_gone: &'static str,
    /// Of a saga: nobody could start an execution for it.
    pub no_execution: &'static str,
    /// Of an orchestrator: it has no state machine to ask.
    pub no_machine: &'static str,
    /// Of an execution: its machine does not have the version of the saga's definition.
    pub other_version: &'static str,
}

impl Texts {
    /// In English.
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

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The command that does it.
    pub command: &'static str,
    /// Who is asked, and how; `None` for the first step, which somebody else has done.
    pub call: Option<Call>,
    /// The event that says it is done.
    pub success: &'static str,
    /// The event that says it cannot be done.
    pub failure: Option<&'static str>,
    /// How it is undone; `None` where there is nothing to undo.
    pub compensation: Option<Compensation>,
}

/// How a command is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// To whom.
    pub participant: &'static str,
    /// Its data, from what the saga has heard.
    pub data: Mapping,
    /// How often.
    pub retry: Retry,
}

/// How a step is undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Compensation {
    /// The command. The participant must take it before, after and instead of the step's own, and twice.
    pub command: &'static str,
    /// How it is sent.
    pub call: Call,
    /// The event that says it is undone.
    pub success: &'static str,
}

/// How often a command is sent, and how long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often it is sent at most, the first time included.
    pub attempts: u32,
    /// How long an attempt may go without an answer before there is another.
    pub patience: Duration,
    /// The pause after the first attempt that failed; it doubles for each one after, with full jitter.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Step {
    /// The first step of a saga: somebody else does it, and its success opens the saga.
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

    /// A step that a participant does: the command, its data, and the event that says it is done.
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

    /// The same, where this event says that it cannot be done.
    #[must_use]
    pub fn failing_with(mut self, failure: &'static str) -> Self {
        self.failure = Some(failure);
        self
    }

    /// The same, which this command undoes, and this event says so.
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
    /// For doing. Soon given up: what is in doubt is undone, and the client knows where it stands.
    pub const DOING: Self = Self {
        attempts: 4,
        patience: Duration::from_secs(5),
        pause: Duration::from_millis(200),
        longest_pause: Duration::from_secs(10),
    };

    /// For undoing. Patient: what is given up here needs a person.
    pub const UNDOING: Self = Self {
        attempts: 8,
        longest_pause: Duration::from_mins(1),
        ..Self::DOING
    };
}

/// What an event means to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventRole {
    /// The step is done.
    Success(StepNumber),
    /// The step cannot be done.
    Failure(StepNumber),
    /// A step is undone; of which steps it is said, may be several.
    Undone,
}

impl Definition {
    /// The event that opens such a saga.
    #[must_use]
    pub fn opening(&self) -> Option<&'static str> {
        self.steps.first().map(|step| step.success)
    }

    /// One of its steps; `None` where it has fewer.
    #[must_use]
    pub fn step(&self, number: StepNumber) -> Option<&Step> {
        self.steps.get(number.index())
    }

    /// Its steps with their numbers, in order.
    pub fn numbered(&self) -> impl Iterator<Item = (StepNumber, &Step)> {
        StepNumber::all().zip(&self.steps)
    }

    /// How often a step's command is sent at most; `None` where there is no such command.
    #[must_use]
    pub fn attempts(&self, step: StepNumber, direction: Direction) -> Option<u32> {
        self.call(step, direction)
            .map(|(_, call)| call.retry.attempts)
    }

    /// The command that does a step, or undoes it, and how it is sent.
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

    /// What `kind` of event means here; `None` for one that means nothing.
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

    /// Every mapping that a saga of this kind may need.
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

    /// What is wrong with it, in words; nothing for a definition that can be run. For a test of each definition.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = vec![];
        if self.steps.is_empty() {
            faults.push("it has no steps".to_owned());
        }
        for (number, step) in self.numbered() {
            let mut fault = |text: String| faults.push(format!("{}: {text}", step.command));
            if (number == StepNumber::FIRST) != step.call.is_none() {
                fault("the first step is called by others, and no other is".into());
            }
            let earlier = self.numbered().take_while(|(other, _)| *other < number);
            let known: Vec<_> = earlier.map(|(_, step)| step.success).collect();
            for path in step.call.iter().flat_map(|call| call.data.paths()) {
                if !path.begins_with_one_of(&known) {
                    fault(format!("{path} is of no event before it"));
                }
            }
            if self.role(step.success) != Some(EventRole::Success(number)) {
                fault(format!("{} is the success of two steps", step.success));
            }
            if let Some(failure) = step.failure
                && self.role(failure) != Some(EventRole::Failure(number))
            {
                fault(format!("{failure} means two things"));
            }
            let Some(undo) = &step.compensation else {
                continue;
            };
            if self.role(undo.success) != Some(EventRole::Undone) {
                fault(format!("{} means two things", undo.success));
            }
            // A step may have to be undone though its own event was never heard.
            for path in undo.call.data.paths() {
                if !path.begins_with_one_of(&known) && number > StepNumber::FIRST {
                    fault(format!("{path} may not be known when it is undone"));
                }
            }
            let retries = step.call.iter().chain([&undo.call]);
            if retries.into_iter().any(|call| call.retry.attempts == 0) {
                fault("it is never sent".into());
            }
        }
        faults
    }
}

/// The definitions that a build can run: every version that sagas in flight may have.
#[derive(Clone, Debug, Default)]
pub struct Definitions(Vec<Definition>);

impl Definitions {
    /// These.
    #[must_use]
    pub fn new(definitions: Vec<Definition>) -> Self {
        Self(definitions)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.0.iter()
    }

    /// The one that a saga is pinned to; `None` where another build began it.
    #[must_use]
    pub fn find(&self, name: &str, version: u32) -> Option<&Definition> {
        self.0
            .iter()
            .find(|known| known.name == name && known.version == version)
    }

    /// The one that an event opens a saga of: the newest version.
    #[must_use]
    pub fn opened_by(&self, kind: &str) -> Option<&Definition> {
        let opened = self.0.iter().filter(|known| known.opening() == Some(kind));
        opened.max_by_key(|known| known.version)
    }
}
