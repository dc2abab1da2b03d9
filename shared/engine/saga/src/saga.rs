//! A saga: the fold of its log.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use alpes_messages::{Moment, mapping::OF_THE_SAGA};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{Definition, SagaMode, StepNumber};

/// The longest reason for undoing a saga, in characters; longer reasons are cut. Undoing commands carry the reason, and
/// a participant must not refuse a command because its reason is too long.
pub const LONGEST_REASON: usize = 200;

/// The longest text in an entry of a saga's log, in characters; longer texts are cut.
pub const LONGEST_TEXT: usize = 500;

/// The longest text about an attempt without an answer, in characters; longer texts are cut.
const LONGEST_FAILURE: usize = 80;

/// The largest number of unanswered attempts at one command that a saga logs, each with an entry of its own. A
/// definition may allow more attempts.
pub const TOLD_ATTEMPTS: u32 = 8;

/// The longest trace context, in bytes. A longer trace context is invalid, and the saga does not keep it.
const LONGEST_TRACE: usize = 512;

/// The size limit of a saga's item, in bytes. `DynamoDB`'s own limit is 409,600.
const ITEM_BYTES: usize = 384 * 1024;

/// The size in bytes of an item without its log.
const BARE_BYTES: usize = 1024;

/// The size in bytes up to which every received event is logged. Above this size, the saga does not log events that
/// change nothing.
const NOTES_BYTES: usize = 128 * 1024;

/// The room in bytes that one step's entries need, from the moment when a person resumes the saga until the step is
/// undone or marked as undone: two entries with a text of at most 4 KB, [`TOLD_ATTEMPTS`] entries with a text of at
/// most 800 bytes, and a few entries without text.
const STEP_BYTES: usize = 16 * 1024;

/// The time that an execution may take to end after its last event.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// The id of a saga, which is the correlation id of its messages.
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

/// The status of a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// The saga is doing its steps.
    Running,
    /// The saga is undoing its steps, the last one first.
    Compensating,
    /// Every step is done. The status is final, unless the saga is cancelled.
    Completed,
    /// Everything that was done is undone. The status is final.
    Compensated,
    /// A step could not be undone, and the saga waits for a person.
    NeedsIntervention,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Compensating,
        Self::Completed,
        Self::Compensated,
        Self::NeedsIntervention,
    ];

    /// The name of the status, as the table stores it.
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

    /// True if the saga has ended: it takes no further step on its own.
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

/// An event, with the properties that a saga uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// The mode of the saga that the event opens.
    pub mode: SagaMode,
    /// The type of the event.
    pub kind: String,
    /// The id of the event.
    pub id: Uuid,
    /// The id of the event's stream.
    pub stream: String,
    /// The version of the event in its event stream. Events are deduplicated on `stream` and `version`.
    pub version: u32,
    /// The subject of the event.
    pub subject: Uuid,
    /// The time at which the event was committed.
    pub time: Timestamp,
    /// The trace context, which the engine copies to every command that follows.
    pub trace: Option<String>,
    /// The data of the event.
    pub data: Value,
}

/// An event, as the saga's log keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The type of the event.
    #[serde(rename = "event")]
    pub kind: String,
    /// The id of the event.
    #[serde(rename = "event_id")]
    pub id: Uuid,
    /// The id of the event's stream.
    pub stream: String,
    /// The version of the event in its event stream.
    #[serde(rename = "streamversion")]
    pub version: u32,
    /// The time of the event itself. The saga may have received it much later.
    #[serde(rename = "event_time", with = "alpes_messages::moment::text")]
    pub time: Timestamp,
    /// The part of the event's data that later commands need.
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

/// The way in which an event reached the saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The event was the answer to a command.
    Answer,
    /// The event came through the event log.
    Stream,
}

/// The direction of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The command does its step.
    Do,
    /// The command undoes its step.
    Undo,
}

/// The content of an entry of a saga's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum What {
    /// The saga begins, since its first step is done.
    Started {
        /// The name of the saga's definition.
        definition: String,
        /// The version of the definition.
        version: u32,
        /// The subject of the saga.
        subject: Uuid,
        /// The mode of the saga.
        #[serde(default, skip_serializing_if = "usual")]
        mode: SagaMode,
        /// The trace context, which every command carries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
        /// The opening event.
        #[serde(flatten)]
        event: Heard,
    },
    /// A step's command will be sent next.
    CommandSent {
        /// The number of the step.
        step: StepNumber,
        /// The type of the command.
        command: String,
        /// The id of the command, the same for every attempt.
        command_id: Uuid,
    },
    /// The saga received an event.
    EventReceived {
        /// The step that the event is about; `None` if the event is not about a single step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepNumber>,
        /// The meaning of the event for the saga.
        meaning: Meaning,
        /// The way in which the event arrived.
        via: Via,
        /// The number of attempts until the answer arrived; `None` if the first attempt was answered, or if the event
        /// is not an answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempts: Option<u32>,
        /// The event that arrived.
        #[serde(flatten)]
        event: Heard,
    },
    /// A participant refused a step's command.
    CommandRejected {
        /// The number of the step.
        step: StepNumber,
        /// The problem, as the participant states it.
        problem: String,
        /// True if an earlier attempt had no answer and may have taken effect.
        in_doubt: bool,
    },
    /// A step's command cannot be built, since the saga's events lack a field that the command needs.
    CommandImpossible {
        /// The number of the step.
        step: StepNumber,
        /// The missing field.
        problem: String,
    },
    /// An attempt at a step's command had no answer. At most [`TOLD_ATTEMPTS`] attempts are logged for one command.
    NoAnswer {
        /// The number of the step.
        step: StepNumber,
        /// The direction of the command.
        direction: Direction,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The time at which the attempt was sent.
        #[serde(with = "alpes_messages::moment::text")]
        sent: Timestamp,
        /// The error that arrived instead of an answer; `None` if neither an answer nor an error arrived before the
        /// timeout.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        /// The time from which the command is sent again; `None` after the last attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Moment>,
    },
    /// All attempts at a command went without an answer.
    TimedOut {
        /// The number of the step.
        step: StepNumber,
        /// The direction of the command.
        direction: Direction,
        /// The number of attempts.
        attempts: u32,
    },
    /// An execution of the state machine was started, now or earlier.
    ExecutionStarted {
        /// The direction of the execution: it does the steps, or undoes them.
        direction: Direction,
        /// The name of the execution.
        name: String,
    },
    /// A user or an operator asked for the saga to be undone.
    CancellationRequested {
        /// The reason for undoing the saga.
        reason: String,
        /// The step whose command was logged but not sent yet, if there is one. This step needs no undoing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unsent: Option<StepNumber>,
    },
    /// The command that undoes a step will be sent next.
    CompensationSent {
        /// The number of the step.
        step: StepNumber,
        /// The type of the command.
        command: String,
        /// The id of the command, the same for every attempt.
        command_id: Uuid,
    },
    /// A step could not be undone, and the saga waits for a person.
    NeedsIntervention {
        /// The number of the step.
        step: StepNumber,
        /// The problem in words.
        problem: String,
    },
    /// A person resumed the saga.
    Resumed {
        /// The person's note.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A person stated that a step is undone.
    StepMarked {
        /// The number of the step.
        step: StepNumber,
        /// The person's account of how the step was undone.
        note: String,
    },
    /// The coordinator takes the saga over, since its state machine has failed. The coordinator undoes every step that
    /// can be undone: the state machine may have begun a step whose event never arrived, and a participant refuses a
    /// step that was undone before it began.
    TakenOver {},
    /// The saga has not ended within its usual time, and the coordinator cannot advance it.
    Delayed {},
    /// The saga has ended.
    Ended {
        /// The final status.
        status: Status,
    },
}

impl What {
    /// True if a person asks with the entry.
    pub(crate) fn is_request(&self) -> bool {
        matches!(
            self,
            Self::CancellationRequested { .. } | Self::Resumed { .. } | Self::StepMarked { .. }
        )
    }

    /// Cuts long texts, so that the size of an entry is bounded.
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

/// Cuts a text that has more than `longest` characters, and ends it with `…`.
fn cut(text: &mut String, longest: usize) {
    if text.chars().count() > longest
        && let Some((end, _)) = text.char_indices().nth(longest.saturating_sub(1))
    {
        text.truncate(end);
        text.push('…');
    }
}

/// The meaning of an event for the saga that received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// The step has succeeded.
    Success,
    /// The step has failed without any effect.
    Failure,
    /// The step has failed, but an earlier attempt without an answer may have had an effect.
    Doubt,
    /// The step is undone.
    Reversal,
    /// The event changes nothing now, and is only logged.
    Note,
}

/// An entry of a saga's own log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The time at which the entry was logged.
    #[serde(with = "alpes_messages::moment::text")]
    pub when: Timestamp,
    /// The person who asked, if the entry is of a request and the person is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The content of the entry.
    #[serde(flatten)]
    pub what: What,
}

impl Entry {
    /// The event of the entry, if it has one.
    #[must_use]
    pub fn heard(&self) -> Option<&Heard> {
        match &self.what {
            What::Started { event, .. } | What::EventReceived { event, .. } => Some(event),
            _ => None,
        }
    }
}

/// The status of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepStatus {
    /// The step has not begun.
    Pending,
    /// The step may have been done: its command is in flight, or had no answer.
    Sent,
    /// The step was done.
    Done,
    /// The step was not done, and no attempt at it is in flight.
    Refused,
    /// The step was undone, or can no longer be done.
    Undone,
}

impl StepStatus {
    /// True if effects of the step may remain.
    #[must_use]
    pub fn may_stand(self) -> bool {
        matches!(self, Self::Sent | Self::Done)
    }
}

/// The command whose answer the saga waits for. A saga never waits for more than one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The number of the command's step.
    pub step: StepNumber,
    /// The direction of the command.
    pub direction: Direction,
    /// The id of the command.
    pub command: Uuid,
    /// The number of attempts so far. The number is stored, since the log has entries only for attempts without an
    /// answer.
    pub attempts: u32,
    /// True if an attempt before the last had no answer.
    pub unanswered: bool,
    /// The time at which the command is sent again; `None` while the saga waits for a person.
    pub due: Option<Timestamp>,
}

/// A saga: its log, and the state that follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Saga {
    /// The id of the saga.
    pub id: SagaId,
    /// The name of the saga's definition.
    pub definition: String,
    /// The version of the saga's definition.
    pub version: u32,
    /// The mode of the saga.
    pub mode: SagaMode,
    /// The subject of the saga.
    pub subject: Uuid,
    /// The trace context, which every command carries.
    pub trace: Option<String>,
    /// The status of the saga.
    pub status: Status,
    /// The reason for which the saga is undone; `None` if it is not undone.
    pub reason: Option<String>,
    /// The event data that commands need, by the type of the event.
    pub context: Map<String, Value>,
    /// The status of each step.
    pub steps: Vec<StepStatus>,
    /// The command whose answer the saga waits for; `None` if it waits for none.
    pub outstanding: Option<Outstanding>,
    /// For a saga that the coordinator only watches: the time at which the coordinator next looks for missed events of
    /// a choreography, or for the progress of an execution. `None` if the saga has ended, waits for a person, or is a
    /// choreography that is logged as late.
    pub next_look: Option<Timestamp>,
    /// For a saga that a state machine runs: the execution that is still to be started.
    pub wanted: Option<Direction>,
    /// The events that the saga has received, by event stream and version.
    pub seen: BTreeSet<(String, u32)>,
    /// The id of the last event received, which causes the next command.
    pub cause: Uuid,
    /// The entries of the saga's log.
    pub log: Vec<Entry>,
}

impl Saga {
    /// The saga that a log describes; `None` if the log does not begin with [`What::Started`].
    ///
    /// The outstanding command's number of attempts and due time are not in the log. In the result, the command has no
    /// attempts and is due at the time of its log entry.
    #[must_use]
    pub fn replay(id: SagaId, definition: &Definition, log: Vec<Entry>) -> Option<Self> {
        let mut entries = log.into_iter();
        let mut saga = Self::opened(id, definition, entries.next()?)?;
        for entry in entries {
            saga.apply(definition, entry);
        }
        Some(saga)
    }

    /// The saga after the first entry of its log; `None` if the entry is not [`What::Started`].
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

    /// The first event of this type that the saga has received.
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

    /// The executions that were started for the saga, in order.
    pub fn executions(&self) -> impl Iterator<Item = Direction> + '_ {
        self.log.iter().filter_map(|entry| match &entry.what {
            What::ExecutionStarted { direction, .. } => Some(*direction),
            _ => None,
        })
    }

    /// The time at which the saga began, which is the time of its opening event. The first entry of the saga's log has
    /// the time at which that event was received.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        let event = self.log.first().and_then(Entry::heard);
        event.map_or_else(Timestamp::default, |event| event.time)
    }

    /// The time of the last entry of the log.
    #[must_use]
    pub fn updated(&self) -> Timestamp {
        self.log
            .last()
            .map_or_else(Timestamp::default, |entry| entry.when)
    }

    /// The time at which the saga is due; `None` if the saga waits for an event or a person.
    #[must_use]
    pub fn wake(&self) -> Option<Timestamp> {
        let due = self.outstanding.as_ref().and_then(|out| out.due);
        due.or(self.next_look)
    }

    /// True if the coordinator only watches the saga and sends no commands.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.mode != SagaMode::Orchestration
    }

    /// True if the saga takes longer than usual, and the coordinator only watches it.
    #[must_use]
    pub fn is_late(&self) -> bool {
        let noted = |entry: &Entry| matches!(entry.what, What::Delayed {});
        !self.status.has_ended() && self.is_watched() && self.log.iter().any(noted)
    }

    /// True if the coordinator has taken the saga over from a state machine.
    #[must_use]
    pub fn is_taken_over(&self) -> bool {
        let taken = |entry: &Entry| matches!(entry.what, What::TakenOver {});
        self.log.iter().any(taken)
    }

    /// An upper bound of the size of the saga's item in the table, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let lines = self.log.iter().map(bytes_of_line);
        lines.fold(BARE_BYTES, usize::saturating_add)
    }

    /// True if the saga's item has room for this entry of a person and for every entry that may follow.
    pub(crate) fn has_room_for(&self, definition: &Definition, line: &Entry) -> bool {
        let follows = definition.steps.len().saturating_add(1) * STEP_BYTES;
        self.size() + bytes_of_line(line) + follows <= ITEM_BYTES
    }

    /// True if the saga's log is long and has an event of this type. If a further event of this type changes nothing,
    /// the saga does not log it.
    pub(crate) fn passes_over(&self, kind: &str) -> bool {
        self.context.contains_key(kind) && self.size() > NOTES_BYTES
    }

    /// True if nothing but the log has changed between this saga and its later state `since`. A change from
    /// `NeedsIntervention` to `Compensating` without an outstanding command does not count.
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

    /// The type of the command whose answer the saga waits for. The log has the type, since a command is logged before
    /// it is sent.
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

    /// True if the log says that the last attempt at the outstanding command had no answer.
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

    /// The status of the step of this number; `None` if the saga has fewer steps.
    #[must_use]
    pub fn step(&self, number: StepNumber) -> Option<StepStatus> {
        self.steps.get(number.index()).copied()
    }

    /// The step that waits for a person; `None` if no step does.
    pub(crate) fn stuck_at(&self, definition: &Definition) -> Option<StepNumber> {
        let out = self.outstanding.as_ref().map(|out| out.step);
        let step = out.or_else(|| self.next_to_undo(definition));
        step.filter(|_| self.status == Status::NeedsIntervention)
    }

    /// The step to undo next: the last one that was done or may have been done.
    pub(crate) fn next_to_undo(&self, definition: &Definition) -> Option<StepNumber> {
        let steps = definition.numbered().zip(&self.steps);
        let stands =
            steps.filter(|((_, step), status)| step.compensation.is_some() && status.may_stand());
        stands.last().map(|((number, _), _)| number)
    }

    /// The step to do next.
    pub(crate) fn next_to_do(&self) -> Option<StepNumber> {
        let mut steps = StepNumber::all().zip(&self.steps);
        let next = steps.find(|(_, status)| **status == StepStatus::Pending);
        next.map(|(number, _)| number)
    }

    fn hear(&mut self, heard: &Heard) {
        self.seen.insert((heard.stream.clone(), heard.version));
        self.cause = heard.id;
        // The saga keeps the data of the first event of a type, since every attempt at a command must have the same
        // data.
        if !self.context.contains_key(&heard.kind) {
            self.context.insert(heard.kind.clone(), heard.data.clone());
        }
    }

    fn set(&mut self, step: StepNumber, status: StepStatus) {
        if let Some(found) = self.steps.get_mut(step.index()) {
            *found = status;
        }
    }

    /// Begins to undo the saga, for this reason unless the saga already has a reason.
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

    /// Applies an entry of the log. A saga is the result of applying all its entries in order.
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
                // The coordinator asks again for the progress of a late execution. A choreography has no progress to
                // ask for.
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

    /// Takes the saga over: every step that can be undone counts as one that may have effects, even if its event never
    /// arrived or the step was never begun.
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

    /// Sets the time at which the coordinator next asks for the progress of an execution, if an event has begun the
    /// undoing of its saga.
    fn look_again(&mut self, definition: &Definition, before: Status, now: Timestamp) {
        if self.mode != SagaMode::StepFunctions || self.status != Status::Compensating {
            return;
        }
        match before {
            // According to the events so far, no step remains to be undone. The end of the execution will confirm this.
            Status::Running if self.next_to_undo(definition).is_none() => {
                self.next_look = Some(later(now, SOON));
            }
            // The execution of a completed saga has ended and sends no further events.
            Status::Completed => self.next_look = Some(now),
            // A person resumed the execution.
            Status::NeedsIntervention => self.next_look = Some(later(now, definition.patience)),
            _ => {}
        }
    }

    /// Marks every step as undone whose compensation succeeds with this event type.
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
                // An undone step stays undone, since its participant refuses to do it afterwards.
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

/// The time `by` after `now`, with `by` rounded up to whole milliseconds; the largest timestamp if the sum overflows.
pub(crate) fn later(now: Timestamp, by: Duration) -> Timestamp {
    let milliseconds = by.as_micros().div_ceil(1_000);
    let by = SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// An upper bound of the size of an entry in the table, in bytes: the size of its JSON form in the table or the length
/// of that form, whichever is greater.
fn bytes_of_line(entry: &Entry) -> usize {
    // An entry has only text, numbers and objects, so it always has a JSON form.
    let line = serde_json::to_value(entry).unwrap_or_default();
    bytes(&line).max(line.to_string().len()) + 1
}

/// The size of a value in `DynamoDB`, in bytes: at most 21 for a number, one more for each entry of a list or map, and
/// three more for each list or map.
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

/// The trace context to keep; `None` if it is too long to be valid.
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
