//! A saga: the fold of its log.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use alpes_messages::{Moment, mapping::OF_THE_SAGA};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{Definition, SagaMode, StepNumber};

/// The longest reason that a saga gives for being undone, in characters; a longer one is cut. Commands carry it, and a participant
/// must not refuse to undo for what another had to say.
pub const LONGEST_REASON: usize = 200;

/// The longest text of a line, in characters; a longer one is cut.
pub const LONGEST_TEXT: usize = 500;

/// The longest text on an attempt that was not answered, in characters.
const LONGEST_FAILURE: usize = 80;

/// How many attempts at a command are logged, each with a line. A definition may have more.
pub const TOLD_ATTEMPTS: u32 = 8;

/// The longest trace, in bytes: a longer one is none, and is left out.
const LONGEST_TRACE: usize = 512;

/// How large a saga's item may get, in bytes. `DynamoDB`'s own limit is 409,600.
const ITEM_BYTES: usize = 384 * 1024;

/// The bytes of an item without its log.
const BARE_BYTES: usize = 1024;

/// Up to this size everything is logged that is heard. Above it, what changes nothing is passed over.
const NOTES_BYTES: usize = 128 * 1024;

/// What a step may still log after a person had the saga go on, until it is undone or marked as that: two lines with a text in them,
/// of at most 4 KB, [`TOLD_ATTEMPTS`] with a short one, of at most 800 bytes, and a handful without.
const STEP_BYTES: usize = 16 * 1024;

/// How long an execution may take to end once its last event is heard.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// A saga's identity: what ties together all that happens for one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SagaId(pub Uuid);

impl fmt::Display for SagaId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for SagaId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// How a saga stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// Its steps are being done.
    Running,
    /// What was done is being undone, last step first.
    Compensating,
    /// Every step is done. It ends so, unless somebody cancels it.
    Completed,
    /// All that was done is undone. It ends so.
    Compensated,
    /// Something could not be undone, and a person has to see to it.
    NeedsIntervention,
}

impl Status {
    /// Every one of them.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Compensating,
        Self::Completed,
        Self::Compensated,
        Self::NeedsIntervention,
    ];

    /// Its name, as it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Compensating => "Compensating",
            Self::Completed => "Completed",
            Self::Compensated => "Compensated",
            Self::NeedsIntervention => "NeedsIntervention",
        }
    }

    /// True if nothing more happens by itself.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// An event, as far as a saga cares.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Who moves the saga on that it opens.
    pub mode: SagaMode,
    /// Its type.
    pub kind: String,
    /// Its identity.
    pub id: Uuid,
    /// Its stream.
    pub stream: String,
    /// Its place there. With `stream` it tells duplicates.
    pub version: u32,
    /// What it is about.
    pub subject: Uuid,
    /// When it happened.
    pub time: Timestamp,
    /// Opaque to the engine: goes along with every command that follows.
    pub trace: Option<String>,
    /// Its particulars.
    pub data: Value,
}

/// An event, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// Its type.
    #[serde(rename = "event")]
    pub kind: String,
    /// Its identity.
    #[serde(rename = "event_id")]
    pub id: Uuid,
    /// Its stream.
    pub stream: String,
    /// Its place there.
    #[serde(rename = "streamversion")]
    pub version: u32,
    /// When it happened, as it says itself. Whoever logs it may hear of it much later.
    #[serde(rename = "event_time", with = "alpes_messages::moment::text")]
    pub time: Timestamp,
    /// What commands to come need of its data.
    #[serde(default = "nothing", skip_serializing_if = "is_nothing")]
    pub data: Value,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn usual(mode: &SagaMode) -> bool {
    *mode == SagaMode::Orchestration
}

pub(crate) fn nothing() -> Value {
    Value::Object(Map::new())
}

fn is_nothing(data: &Value) -> bool {
    data.as_object().is_some_and(Map::is_empty)
}

/// How an event came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// As the answer to a command.
    Answer,
    /// From the stream.
    Stream,
}

/// Which way a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It does its step.
    Do,
    /// It undoes its step.
    Undo,
}

/// What a line of the log says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum What {
    /// The saga begins, since its first step is done.
    Started {
        /// Its definition.
        definition: String,
        /// The version it is pinned to.
        version: u32,
        /// What it is about.
        subject: Uuid,
        /// Who moves it on.
        #[serde(default, skip_serializing_if = "usual")]
        mode: SagaMode,
        /// Goes along with every command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
        /// The event that says so.
        #[serde(flatten)]
        event: Heard,
    },
    /// A step's command is about to be sent.
    CommandSent {
        /// The step.
        step: StepNumber,
        /// The command.
        command: String,
        /// Its identity: the same for every attempt.
        command_id: Uuid,
    },
    /// An event was heard.
    EventReceived {
        /// The step that it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepNumber>,
        /// What it means.
        meaning: Meaning,
        /// How it came.
        via: Via,
        /// After how many attempts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempts: Option<u32>,
        /// The event.
        #[serde(flatten)]
        event: Heard,
    },
    /// A step's command was refused.
    CommandRejected {
        /// The step.
        step: StepNumber,
        /// Why.
        problem: String,
        /// True if an earlier attempt was never answered, and may have taken effect.
        in_doubt: bool,
    },
    /// A step's command cannot be built: the definition asks for what nobody told.
    CommandImpossible {
        /// The step.
        step: StepNumber,
        /// Why.
        problem: String,
    },
    /// Nobody answered an attempt at a step's command. Of one command no more than [`TOLD_ATTEMPTS`] are logged.
    NoAnswer {
        /// The step.
        step: StepNumber,
        /// Which way it went.
        direction: Direction,
        /// Which attempt, from 1.
        attempt: u32,
        /// When it was sent.
        #[serde(with = "alpes_messages::moment::text")]
        sent: Timestamp,
        /// What came instead of an answer; none of one that nothing was heard of until it was due again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        /// From when on it is sent again; `None` of the last attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Moment>,
    },
    /// Nobody answered a command, and all attempts are spent.
    TimedOut {
        /// The step.
        step: StepNumber,
        /// Which way it went.
        direction: Direction,
        /// How many attempts.
        attempts: u32,
    },
    /// An execution of the state machine runs from now on, or did before.
    ExecutionStarted {
        /// Whether it does the steps, or undoes them.
        direction: Direction,
        /// Its name.
        name: String,
    },
    /// Somebody asked for the saga to be undone.
    CancellationRequested {
        /// Why.
        reason: String,
        /// The step whose command was logged and never sent, if there is one: it needs no undoing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unsent: Option<StepNumber>,
    },
    /// The command that undoes a step is about to be sent.
    CompensationSent {
        /// The step.
        step: StepNumber,
        /// The command.
        command: String,
        /// Its identity: the same for every attempt.
        command_id: Uuid,
    },
    /// A step cannot be undone without a person.
    NeedsIntervention {
        /// The step.
        step: StepNumber,
        /// Why.
        problem: String,
    },
    /// A person has the saga go on.
    Resumed {
        /// What they say about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A person says that a step is undone.
    StepMarked {
        /// The step.
        step: StepNumber,
        /// What they did.
        note: String,
    },
    /// The coordinator moves it on from here, since its state machine has failed. It undoes every step that can be undone: one that was
    /// not heard of may have been begun, and one that was not begun must not be any more.
    TakenOver {},
    /// It has not ended in the time that it should take, and nobody here can move it on.
    Delayed {},
    /// The saga has ended.
    Ended {
        /// As what.
        status: Status,
    },
}

impl What {
    /// Cuts the text that somebody else wrote, so that what a saga logs is bounded.
    pub(crate) fn shorten(&mut self) {
        let text = match self {
            Self::CancellationRequested { reason, .. } => reason,
            Self::CommandRejected { problem, .. }
            | Self::CommandImpossible { problem, .. }
            | Self::NeedsIntervention { problem, .. } => problem,
            Self::Resumed { note: Some(note) } | Self::StepMarked { note, .. } => note,
            Self::NoAnswer {
                problem: Some(problem),
                ..
            } => return cut(problem, LONGEST_FAILURE),
            _ => return,
        };
        cut(text, LONGEST_TEXT);
    }
}

/// Cuts a text that has more characters, so that it ends with `…`.
fn cut(text: &mut String, longest: usize) {
    if text.chars().count() > longest
        && let Some((end, _)) = text.char_indices().nth(longest.saturating_sub(1))
    {
        text.truncate(end);
        text.push('…');
    }
}

/// What an event means to the saga that heard it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// The step is done.
    Success,
    /// The step cannot be done, and nothing of it was.
    Failure,
    /// The step cannot be done, and an attempt that was never answered may have done some of it.
    Doubt,
    /// The step is undone.
    Reversal,
    /// Nothing now: it is noted.
    Note,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was logged.
    #[serde(with = "alpes_messages::moment::text")]
    pub when: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

impl Entry {
    /// The event that it tells of, if it tells of one.
    #[must_use]
    pub fn heard(&self) -> Option<&Heard> {
        match &self.what {
            What::Started { event, .. } | What::EventReceived { event, .. } => Some(event),
            _ => None,
        }
    }
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepStatus {
    /// Nothing was asked yet.
    Pending,
    /// It may have been done: its command is out, or was never answered.
    Sent,
    /// It was done.
    Done,
    /// It was not done, and no attempt at it is open.
    Refused,
    /// It was undone, or can no longer be done.
    Undone,
}

impl StepStatus {
    /// True if something of the step may still stand.
    #[must_use]
    pub fn may_stand(self) -> bool {
        matches!(self, Self::Sent | Self::Done)
    }
}

/// The command whose answer is waited for. There is never more than one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// Its step.
    pub step: StepNumber,
    /// Which way it goes.
    pub direction: Direction,
    /// Its identity.
    pub command: Uuid,
    /// How often it was sent. A count, not lines of the log: those tell what was not answered.
    pub attempts: u32,
    /// True if an attempt before the last was not answered.
    pub unanswered: bool,
    /// When it is to be sent again; `None` while a person is waited for.
    pub due: Option<Timestamp>,
}

/// A saga.
#[derive(Clone, Debug, PartialEq)]
pub struct Saga {
    /// Its identity.
    pub id: SagaId,
    /// The name of its definition.
    pub definition: String,
    /// The version of it.
    pub version: u32,
    /// Who moves it on.
    pub mode: SagaMode,
    /// What it is about.
    pub subject: Uuid,
    /// Goes along with every command.
    pub trace: Option<String>,
    /// How it stands.
    pub status: Status,
    /// Why it is undone, if it is.
    pub reason: Option<String>,
    /// What was heard, as far as commands need it: type of event -> data.
    pub context: Map<String, Value>,
    /// Each step.
    pub steps: Vec<StepStatus>,
    /// What is waited for.
    pub outstanding: Option<Outstanding>,
    /// Of one that others move on: when to look at it next; `None` once it has ended, or nothing is to be seen any more.
    pub next_look: Option<Timestamp>,
    /// Of one that a state machine runs: the execution that is still to be started.
    pub wanted: Option<Direction>,
    /// The events it has heard, by stream and version.
    pub seen: BTreeSet<(String, u32)>,
    /// The last of them: what causes the next command.
    pub cause: Uuid,
    /// Its log.
    pub log: Vec<Entry>,
}

impl Saga {
    /// The saga that a log tells of; `None` for a log that does not begin with [`What::Started`].
    ///
    /// What is no line of the log (how often the outstanding command was sent, and when it is due) is as if it were just logged.
    #[must_use]
    pub fn replay(id: SagaId, definition: &Definition, log: Vec<Entry>) -> Option<Self> {
        let mut entries = log.into_iter();
        let mut saga = Self::opened(id, definition, entries.next()?)?;
        for entry in entries {
            saga.apply(definition, entry);
        }
        Some(saga)
    }

    /// The saga that the first line of a log tells of.
    pub(crate) fn opened(id: SagaId, definition: &Definition, entry: Entry) -> Option<Self> {
        let What::Started {
            definition: name,
            version,
            subject,
            mode,
            trace,
            event,
        } = &entry.what
        else {
            return None;
        };
        let next_look = match mode {
            SagaMode::Orchestration => None,
            SagaMode::Choreography => Some(later(entry.when, definition.patience)),
            SagaMode::StepFunctions => Some(entry.when),
        };
        let wanted = (*mode == SagaMode::StepFunctions).then_some(Direction::Do);
        let mut steps = vec![StepStatus::Pending; definition.steps.len()];
        if let Some(first) = steps.first_mut() {
            *first = StepStatus::Done;
        }
        let mut saga = Self {
            id,
            definition: name.clone(),
            version: *version,
            mode: *mode,
            subject: *subject,
            trace: trace.clone(),
            status: Status::Running,
            reason: None,
            context: Map::from_iter([(
                OF_THE_SAGA.to_owned(),
                json!({"id": id, "subject": subject}),
            )]),
            steps,
            outstanding: None,
            next_look,
            wanted,
            seen: BTreeSet::new(),
            cause: event.id,
            log: vec![],
        };
        saga.hear(&event.clone());
        saga.log.push(entry);
        Some(saga)
    }

    /// The first event of a type that it has heard.
    #[must_use]
    pub fn heard(&self, kind: &str) -> Option<Heard> {
        self.log.iter().find_map(|entry| match &entry.what {
            What::Started { event, .. } | What::EventReceived { event, .. }
                if event.kind == kind =>
            {
                Some(event.clone())
            }
            _ => None,
        })
    }

    /// The executions that were started for it, in order.
    pub fn executions(&self) -> impl Iterator<Item = Direction> + '_ {
        self.log.iter().filter_map(|entry| match &entry.what {
            What::ExecutionStarted { direction, .. } => Some(*direction),
            _ => None,
        })
    }

    /// When it began: when the event happened that opens it. Its log begins when that was heard.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        let event = self.log.first().and_then(Entry::heard);
        event.map_or_else(Timestamp::default, |event| event.time)
    }

    /// When something was last logged.
    #[must_use]
    pub fn updated(&self) -> Timestamp {
        self.log
            .last()
            .map_or_else(Timestamp::default, |entry| entry.when)
    }

    /// When it wants to be looked at; `None` if nothing happens by itself.
    #[must_use]
    pub fn wake(&self) -> Option<Timestamp> {
        let due = self.outstanding.as_ref().and_then(|out| out.due);
        due.or(self.next_look)
    }

    /// True if others move it on: the coordinator sends nothing for it.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.mode != SagaMode::Orchestration
    }

    /// True if it takes longer than it should, and others move it on.
    #[must_use]
    pub fn is_late(&self) -> bool {
        let noted = |entry: &Entry| matches!(entry.what, What::Delayed {});
        !self.status.has_ended() && self.is_watched() && self.log.iter().any(noted)
    }

    /// True if the coordinator moves on what a state machine began.
    #[must_use]
    pub fn is_taken_over(&self) -> bool {
        let taken = |entry: &Entry| matches!(entry.what, What::TakenOver {});
        self.log.iter().any(taken)
    }

    /// The bytes that its item takes in the table: never less than they are.
    #[must_use]
    pub fn size(&self) -> usize {
        let lines = self.log.iter().map(bytes_of_line);
        lines.fold(BARE_BYTES, usize::saturating_add)
    }

    /// True if a line can be added by a person's will, and all that may follow from it.
    pub(crate) fn has_room_for(&self, definition: &Definition, line: &Entry) -> bool {
        let follows = definition.steps.len().saturating_add(1) * STEP_BYTES;
        self.size() + bytes_of_line(line) + follows <= ITEM_BYTES
    }

    /// True if it logs no more notes: of an event of a type that it has heard before, it logs no other that changes nothing.
    pub(crate) fn passes_over(&self, kind: &str) -> bool {
        self.context.contains_key(kind) && self.size() > NOTES_BYTES
    }

    /// True if nothing came of what happened since, but for the log.
    pub(crate) fn stands_as(&self, since: &Self) -> bool {
        let stuck = self.status == Status::NeedsIntervention
            && since.status == Status::Compensating
            && since.outstanding.is_none();
        (self.status == since.status || stuck)
            && self.steps == since.steps
            && self.outstanding == since.outstanding
            && self.reason == since.reason
            && self.wanted == since.wanted
    }

    /// The type of the command whose answer is waited for: the log says it, since a command is logged before it is sent.
    #[must_use]
    pub fn awaited(&self) -> Option<&str> {
        let awaited = self.outstanding.as_ref()?.command;
        self.log.iter().rev().find_map(|entry| match &entry.what {
            What::CommandSent {
                command,
                command_id,
                ..
            }
            | What::CompensationSent {
                command,
                command_id,
                ..
            } if *command_id == awaited => Some(command.as_str()),
            _ => None,
        })
    }

    /// True if the log tells of the last attempt at the outstanding command that it was not answered.
    #[must_use]
    pub fn is_known_unanswered(&self) -> bool {
        let Some(out) = &self.outstanding else {
            return false;
        };
        let last = self.log.iter().rev().find_map(|entry| match entry.what {
            What::NoAnswer { attempt, .. } => Some(attempt),
            What::CommandSent { .. } | What::CompensationSent { .. } | What::Resumed { .. } => {
                Some(0)
            }
            _ => None,
        });
        last == Some(out.attempts)
    }

    /// How one of its steps stands; `None` where it has fewer.
    #[must_use]
    pub fn step(&self, number: StepNumber) -> Option<StepStatus> {
        self.steps.get(number.index()).copied()
    }

    /// The step that requires a person; `None` if none does.
    pub(crate) fn stuck_at(&self, definition: &Definition) -> Option<StepNumber> {
        let out = self.outstanding.as_ref().map(|out| out.step);
        let step = out.or_else(|| self.next_to_undo(definition));
        step.filter(|_| self.status == Status::NeedsIntervention)
    }

    /// The step that is to be undone next: the last of those that were done, or may have been.
    pub(crate) fn next_to_undo(&self, definition: &Definition) -> Option<StepNumber> {
        let steps = definition.numbered().zip(&self.steps);
        let stands =
            steps.filter(|((_, step), status)| step.compensation.is_some() && status.may_stand());
        stands.last().map(|((number, _), _)| number)
    }

    /// The step that is to be done next.
    pub(crate) fn next_to_do(&self) -> Option<StepNumber> {
        let mut steps = StepNumber::all().zip(&self.steps);
        let next = steps.find(|(_, status)| **status == StepStatus::Pending);
        next.map(|(number, _)| number)
    }

    fn hear(&mut self, heard: &Heard) {
        self.seen.insert((heard.stream.clone(), heard.version));
        self.cause = heard.id;
        // The first stands: a command is built from the same data however often it is sent.
        if !self.context.contains_key(&heard.kind) {
            self.context.insert(heard.kind.clone(), heard.data.clone());
        }
    }

    fn set(&mut self, step: StepNumber, status: StepStatus) {
        if let Some(found) = self.steps.get_mut(step.index()) {
            *found = status;
        }
    }

    /// From now on it is undone. The first reason stands.
    fn turn(&mut self, reason: &str) {
        self.status = Status::Compensating;
        self.outstanding = None;
        if self.reason.is_none() {
            let reason: String = reason.chars().take(LONGEST_REASON).collect();
            self.reason = Some(reason.clone());
            if let Some(Value::Object(own)) = self.context.get_mut(OF_THE_SAGA) {
                own.insert("reason".to_owned(), reason.into());
            }
        }
    }

    fn wait_for(&mut self, step: StepNumber, direction: Direction, command: Uuid, now: Timestamp) {
        self.outstanding = Some(Outstanding {
            step,
            direction,
            command,
            attempts: 0,
            unanswered: false,
            due: Some(now),
        });
    }

    /// Takes in one line of the log. This, and nothing else, is what a saga is.
    pub(crate) fn apply(&mut self, definition: &Definition, entry: Entry) {
        let now = entry.when;
        let texts = definition.texts;
        let named = |step: StepNumber, text: &str| {
            let command = definition.step(step).map_or("", |step| step.command);
            format!("{command}: {text}")
        };
        match &entry.what {
            What::Started { .. } | What::NoAnswer { .. } => {}
            What::CommandSent {
                step, command_id, ..
            } => {
                self.set(*step, StepStatus::Sent);
                self.wait_for(*step, Direction::Do, *command_id, now);
            }
            What::CompensationSent {
                step, command_id, ..
            } => self.wait_for(*step, Direction::Undo, *command_id, now),
            What::EventReceived {
                step,
                meaning,
                event,
                ..
            } => self.received(definition, *step, *meaning, event, now),
            What::CommandRejected {
                step,
                problem,
                in_doubt,
            } => {
                if !in_doubt {
                    self.set(*step, StepStatus::Refused);
                }
                self.turn(&named(*step, problem));
            }
            What::CommandImpossible { step, problem } => {
                self.set(*step, StepStatus::Refused);
                self.turn(&named(*step, problem));
            }
            What::TimedOut {
                step, direction, ..
            } => {
                if *direction == Direction::Do {
                    self.turn(&named(*step, texts.no_answer));
                }
            }
            What::ExecutionStarted { .. } => {
                self.wanted = None;
                self.next_look = Some(later(now, definition.patience));
            }
            What::CancellationRequested { reason, unsent } => {
                if let Some(step) = unsent {
                    self.set(*step, StepStatus::Refused);
                }
                self.turn(reason);
                if self.mode == SagaMode::StepFunctions {
                    self.wanted = Some(Direction::Undo);
                    self.next_look = Some(now);
                }
            }
            What::NeedsIntervention { .. } => {
                self.status = Status::NeedsIntervention;
                self.next_look = None;
                self.wanted = None;
                if let Some(outstanding) = &mut self.outstanding {
                    outstanding.due = None;
                }
            }
            What::Resumed { .. } => {
                self.status = Status::Compensating;
                if let Some(outstanding) = &mut self.outstanding {
                    outstanding.attempts = 0;
                    outstanding.due = Some(now);
                }
            }
            What::StepMarked { step, .. } => {
                self.status = Status::Compensating;
                self.outstanding = None;
                self.set(*step, StepStatus::Undone);
            }
            What::TakenOver {} => self.taken_over(definition),
            What::Delayed {} => {
                // Of the participants there is nobody to ask; an execution is looked at again.
                let again = later(now, definition.patience);
                self.next_look = (self.mode == SagaMode::StepFunctions).then_some(again);
            }
            What::Ended { status } => {
                self.status = *status;
                self.outstanding = None;
                self.next_look = None;
                self.wanted = None;
            }
        }
        self.log.push(entry);
    }

    fn received(
        &mut self,
        definition: &Definition,
        step: Option<StepNumber>,
        meaning: Meaning,
        event: &Heard,
        now: Timestamp,
    ) {
        let before = self.status;
        self.hear(event);
        if self.is_watched() && meaning == Meaning::Reversal {
            self.undone(definition, &event.kind);
        } else if let Some(step) = step {
            self.event(step, meaning, &event.kind);
        }
        self.look_again(definition, before, now);
    }

    /// Whatever can be undone may stand: what was not heard of, and what was not begun.
    fn taken_over(&mut self, definition: &Definition) {
        self.mode = SagaMode::Orchestration;
        self.wanted = None;
        self.next_look = None;
        self.turn(definition.texts.cut_short);
        for (status, step) in self.steps.iter_mut().zip(&definition.steps) {
            if step.compensation.is_some() && *status != StepStatus::Undone {
                *status = StepStatus::Sent;
            }
        }
    }

    /// When to look again at one that a state machine runs, once an event has turned it.
    fn look_again(&mut self, definition: &Definition, before: Status, now: Timestamp) {
        if self.mode != SagaMode::StepFunctions || self.status != Status::Compensating {
            return;
        }
        match before {
            // Nothing more is to be undone, as it seems: whether that is so, the execution tells when it has ended.
            Status::Running if self.next_to_undo(definition).is_none() => {
                self.next_look = Some(later(now, SOON));
            }
            // Nothing more is heard of an execution that has ended.
            Status::Completed => self.next_look = Some(now),
            // A person had the execution go on.
            Status::NeedsIntervention => self.next_look = Some(later(now, definition.patience)),
            _ => {}
        }
    }

    /// Participants have undone what this event is said of.
    fn undone(&mut self, definition: &Definition, kind: &str) {
        for (status, step) in self.steps.iter_mut().zip(&definition.steps) {
            let undo = step.compensation.as_ref();
            if undo.is_some_and(|undo| undo.success == kind) {
                *status = StepStatus::Undone;
            }
        }
        self.turn(kind);
    }

    fn event(&mut self, step: StepNumber, meaning: Meaning, kind: &str) {
        let answers = |direction: Direction| {
            let outstanding = self.outstanding.as_ref();
            outstanding.is_some_and(|out| out.step == step && out.direction == direction)
        };
        match meaning {
            Meaning::Success => {
                if answers(Direction::Do) {
                    self.outstanding = None;
                }
                // What is undone stays so: its participant keeps it from being done after.
                if self.step(step) != Some(StepStatus::Undone) {
                    self.set(step, StepStatus::Done);
                }
            }
            Meaning::Failure => {
                self.set(step, StepStatus::Refused);
                self.turn(kind);
            }
            Meaning::Doubt => self.turn(kind),
            Meaning::Reversal => {
                self.status = Status::Compensating;
                self.outstanding = None;
                self.set(step, StepStatus::Undone);
            }
            Meaning::Note => {}
        }
    }
}

/// The moment a while after, in whole milliseconds as all that is stored; the last there is, where that is beyond it.
pub(crate) fn later(now: Timestamp, by: Duration) -> Timestamp {
    let milliseconds = by.as_micros().div_ceil(1_000);
    let by = SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The bytes that a line takes in the table, or as JSON if that is more.
fn bytes_of_line(entry: &Entry) -> usize {
    // A line has text, numbers and objects alone: it always has a JSON form.
    let line = serde_json::to_value(entry).unwrap_or_default();
    bytes(&line).max(line.to_string().len()) + 1
}

/// The bytes of a value in `DynamoDB`: a number takes 21 at most, each entry of a list or map one more, and each list or map three.
fn bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(_) => 21,
        Value::String(text) => text.len(),
        Value::Array(list) => 3 + list.iter().map(|one| 1 + bytes(one)).sum::<usize>(),
        Value::Object(map) => {
            let entries = map.iter().map(|(name, one)| 1 + name.len() + bytes(one));
            3 + entries.sum::<usize>()
        }
    }
}

/// A trace as it is kept: what is longer than any is none.
pub(crate) fn trace(fact: &Fact) -> Option<String> {
    let trace = fact.trace.as_ref();
    trace.filter(|it| it.len() <= LONGEST_TRACE).cloned()
}

impl Heard {
    pub(crate) fn of(fact: &Fact, definition: &Definition) -> Self {
        Self {
            kind: fact.kind.clone(),
            id: fact.id,
            stream: fact.stream.clone(),
            version: fact.version,
            time: Moment::from(fact.time).timestamp(),
            data: alpes_messages::mapping::needed(definition.mappings(), &fact.kind, &fact.data),
        }
    }
}
