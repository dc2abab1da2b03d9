//! A saga's definition as a state machine of Amazon States Language, for whoever runs such: `JSONPath`, Standard workflows.
//!
//! One machine has the states of every version that sagas in flight may have, so that each goes on in its own, and is undone in its own
//! long after it was done. It is deployed before the coordinator that begins sagas of its newest version.
//!
//! The data of an execution, in and between its states:
//!
//! | path | what |
//! | --- | --- |
//! | `$.saga` | `id`, `subject`, `trace`; `cause`, the event that led to the next command that undoes; `reason`, once it is undone |
//! | `$.definition`, `$.version` | what the saga is pinned to; a machine that does not have it refuses it |
//! | `$.undo` | true in an execution that only undoes |
//! | `$.commands.{command of the step}.do`, `.undo` | the identity of each command: the same that the coordinator gives it |
//! | `$.steps.{command of the step}.answer` | the answer of each step that was done |
//!
//! A step is called once, and its answer is taken at its word. Where there is no answer it is called again, by another state with
//! retries: what that one is told of a failure is in doubt, since a call before it may have done something, so the step is undone too.

use std::time::Duration;

use alpes_messages::mapping::{Mapping, OF_THE_SAGA, Source};
use serde_json::{Map, Value, json};

use crate::{
    Answer, Call, Compensation, Definition, Definitions, Direction, Heard, Retry, Saga, SagaId,
    Step, StepNumber, Texts, command_id,
};

/// How a state machine speaks with participants: the form of this system's messages in JSON.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// What names the function of a participant; a placeholder where that is known only when the machine is deployed.
    pub function: fn(&str) -> String,
    /// The payload that is a command. Keys that end in `.$` have paths for values.
    pub request: fn(&Ask<'_>) -> Value,
    /// Where the type of the event is, in an answer that has one.
    pub event_type: &'static str,
    /// Where its identity is.
    pub event_id: &'static str,
    /// Where its data are.
    pub event_data: &'static str,
    /// The answer that tells of this event, as far as the three paths go.
    pub answer_of: fn(&Heard) -> Value,
    /// What an answer says; `None` for what is no answer.
    pub answer: fn(&Value) -> Option<Answer>,
}

/// A command, as a state machine builds it: all but `kind` and the texts in `data` are paths.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask<'a> {
    /// The command.
    pub kind: &'a str,
    /// Its identity.
    pub id: String,
    /// What it is about.
    pub subject: &'static str,
    /// The saga.
    pub saga: &'static str,
    /// The event that led to it.
    pub cause: String,
    /// What goes along.
    pub trace: &'static str,
    /// Its data, as a payload.
    pub data: Value,
}

/// The name of a saga's execution: it is used once, so that a saga is done once and undone once.
#[must_use]
pub fn execution_name(saga: SagaId, direction: Direction) -> String {
    match direction {
        Direction::Do => saga.to_string(),
        Direction::Undo => format!("{saga}-undo"),
    }
}

/// What the execution of a saga begins with.
#[must_use]
pub fn execution_input(
    definition: &Definition,
    saga: &Saga,
    direction: Direction,
    wire: &Wire,
) -> Value {
    let mut own = json!({
        "id": saga.id, "subject": saga.subject, "trace": saga.trace, "cause": saga.cause,
    });
    if let (Direction::Undo, Some(reason), Value::Object(own)) = (direction, &saga.reason, &mut own)
    {
        own.insert("reason".to_owned(), reason.clone().into());
    }
    let (mut commands, mut steps) = (Map::new(), Map::new());
    for (number, step) in definition.numbered() {
        let id = |direction| command_id(saga.id, number, direction);
        let ids = json!({"do": id(Direction::Do), "undo": id(Direction::Undo)});
        commands.insert(step.command.to_owned(), ids);
        if let Some(heard) = saga.heard(step.success) {
            let answer = json!({ "answer": (wire.answer_of)(&heard) });
            steps.insert(step.command.to_owned(), answer);
        }
    }
    json!({
        "saga": own,
        "definition": definition.name,
        "version": definition.version,
        "undo": direction == Direction::Undo,
        "commands": commands,
        "steps": steps,
    })
}

/// The state machine of a saga: `definitions` are the versions of its definition.
#[must_use]
pub fn state_machine(definitions: &Definitions, wire: &Wire) -> Value {
    let (mut begin, mut states) = (vec![], Map::new());
    for definition in definitions.iter() {
        let machine = Machine { definition, wire };
        begin.extend(machine.begin());
        for (number, step) in definition.numbered() {
            if let Some(call) = &step.call {
                states.extend(machine.doing(number, step, call));
            }
            if let Some(undo) = &step.compensation {
                states.extend(machine.undoing(number, step, undo));
            }
        }
    }
    let begin = json!({"Type": "Choice", "Choices": begin, "Default": OTHER});
    states.insert(BEGIN.to_owned(), begin);
    let texts = definitions.iter().next().map(|known| known.texts);
    let other = texts.unwrap_or(Texts::ENGLISH).other_version;
    states.insert(OTHER.into(), failure(OTHER, other));
    states.insert(DONE.into(), json!({"Type": "Succeed"}));
    states.insert(UNDONE.into(), json!({"Type": "Succeed"}));
    let name = definitions.iter().next().map_or("", |known| known.name);
    let versions = definitions.iter().map(|known| known.version.to_string());
    let versions = versions.collect::<Vec<_>>().join(", ");
    json!({
        "Comment": format!("Saga {name}, version {versions}. Made from its definition; do not edit it by hand."),
        "StartAt": BEGIN,
        "States": states,
    })
}

const BEGIN: &str = "Begin";
const DONE: &str = "Completed";
const UNDONE: &str = "Compensated";
const OTHER: &str = "OtherVersion";
/// The error of an execution that could not undo a step.
const NOT_UNDONE: &str = "NeedsIntervention";

/// What a state is for, of those that call a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallState {
    /// The first call that does a step.
    First,
    /// All others.
    Again,
    /// Those that undo it.
    Undo,
}

impl CallState {
    /// The name of the state, for a version of the definition.
    pub(crate) fn name(self, version: u32, number: StepNumber, step: &Step) -> String {
        // The histories of executions have these names: a version's are the same whatever follows it.
        let of = match version {
            1 => String::new(),
            version => format!("v{version}, "),
        };
        match (self, &step.compensation) {
            (Self::First, _) => format!("{of}{number} {}", step.command),
            (Self::Again, _) => format!("{of}{number} {}: again", step.command),
            (Self::Undo, undo) => {
                let command = undo.as_ref().map_or("", |undo| undo.command);
                format!("{of}{number} undo: {command}")
            }
        }
    }
}

struct Machine<'a> {
    definition: &'a Definition,
    wire: &'a Wire,
}

type States = Vec<(String, Value)>;

impl Machine<'_> {
    /// Where its sagas begin, and where they are undone.
    fn begin(&self) -> [Value; 2] {
        let Definition { name, version, .. } = self.definition;
        let place = |undone: bool, next: String| {
            json!({
                "And": [
                    {"Variable": "$.definition", "StringEquals": name},
                    {"Variable": "$.version", "NumericEquals": version},
                    {"Variable": "$.undo", "BooleanEquals": undone},
                ],
                "Next": next,
            })
        };
        [
            place(false, self.next(StepNumber::FIRST)),
            place(true, self.undo_last(|_| true)),
        ]
    }

    fn state(&self, call: CallState, number: StepNumber, step: &Step) -> String {
        call.name(self.definition.version, number, step)
    }

    /// The state that does what comes after a step.
    fn next(&self, number: StepNumber) -> String {
        let next = number.next();
        self.definition.step(next).map_or_else(
            || DONE.to_owned(),
            |step| self.state(CallState::First, next, step),
        )
    }

    /// The state that undoes the last of the steps that `stands` is true of.
    fn undo_last(&self, stands: impl Fn(StepNumber) -> bool) -> String {
        let steps = self.definition.numbered();
        let undone = steps.filter(|(number, step)| stands(*number) && step.compensation.is_some());
        undone.last().map_or_else(
            || UNDONE.to_owned(),
            |(number, step)| self.state(CallState::Undo, number, step),
        )
    }

    /// The states that do a step.
    fn doing(&self, number: StepNumber, step: &Step, call: &Call) -> States {
        let first = self.state(CallState::First, number, step);
        let again = self.state(CallState::Again, number, step);
        let state = |what: &str| format!("{first}: {what}");
        let (pause, told, unanswered) = (state("pause"), state("answer"), state("no answer"));
        let told_again = format!("{again}, answer");
        let cause = format!(
            "$.steps.{}.answer.{}",
            self.command_before(number),
            self.wire.event_id
        );
        let ask = self.ask(step.command, step, Direction::Do, &cause, call);
        let result = format!("$.steps.{}", step.command);
        let once = self.task(call, &ask, &result, &told);
        let more = self.task(call, &ask, &result, &told_again);
        let rest = Retry {
            attempts: call.retry.attempts.saturating_sub(1),
            ..call.retry
        };
        let caught = |next: &str| json!([{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": next}]);
        let next_if_silent = if rest.attempts == 0 {
            &unanswered
        } else {
            &pause
        };
        let mut states = vec![(first.clone(), with(once, "Catch", caught(next_if_silent)))];
        if rest.attempts > 0 {
            let wait = seconds(rest.pause);
            states.push((
                pause,
                json!({"Type": "Wait", "Seconds": wait, "Next": again}),
            ));
            let more = with(more, "Retry", retry(rest));
            states.push((again, with(more, "Catch", caught(&unanswered))));
        }
        let below = self.undo_last(|other| other < number);
        let too = self.undo_last(|other| other <= number);
        states.extend(self.outcomes(number, step, &told, "", &below));
        if rest.attempts > 0 {
            states.extend(self.outcomes(number, step, &told_again, ", in doubt", &too));
        }
        let reason = format!("{}: {}", step.command, self.definition.texts.no_answer);
        states.push((unanswered, turn(&reason, "$.saga.cause", &too)));
        states
    }

    /// What follows from an answer: the next step, or `undo`.
    fn outcomes(
        &self,
        number: StepNumber,
        step: &Step,
        told: &str,
        doubt: &str,
        undo: &str,
    ) -> States {
        let first = self.state(CallState::First, number, step);
        let answer = format!("$.steps.{}.answer", step.command);
        let kind = format!("{answer}.{}", self.wire.event_type);
        let refused = format!("{first}: refusal{doubt}");
        let unexpected = format!("{first}: unexpected answer");
        let mut choices = vec![
            json!({"Variable": kind, "IsPresent": false, "Next": refused}),
            json!({"Variable": kind, "StringEquals": step.success, "Next": self.next(number)}),
        ];
        let mut states = vec![];
        if let Some(failure) = step.failure {
            let failed = format!("{first}: {failure}{doubt}");
            choices.push(json!({"Variable": kind, "StringEquals": failure, "Next": failed}));
            let cause = format!("{answer}.{}", self.wire.event_id);
            states.push((failed, turn(failure, &cause, undo)));
        }
        let choice = json!({"Type": "Choice", "Choices": choices, "Default": unexpected});
        states.push((told.to_owned(), choice));
        let texts = self.definition.texts;
        let reason = |what: &str| format!("{}: {what}", step.command);
        let cause = "$.saga.cause";
        states.push((refused, turn(&reason(texts.rejected), cause, undo)));
        // It did something, and not what the definition says: whatever it was is undone too.
        let too = self.undo_last(|other| other <= number);
        if doubt.is_empty() {
            let text = reason(texts.unexpected_answer);
            states.push((unexpected, turn(&text, cause, &too)));
        }
        states
    }

    /// The states that undo a step. A call that keeps failing fails the execution right there, so that it can be gone on with there.
    fn undoing(&self, number: StepNumber, step: &Step, undo: &Compensation) -> States {
        let name = self.state(CallState::Undo, number, step);
        let (told, refused) = (format!("{name}, answer"), format!("{name}, refusal"));
        let ask = self.ask(
            undo.command,
            step,
            Direction::Undo,
            "$.saga.cause",
            &undo.call,
        );
        let result = "$.answer";
        let task = with(
            self.task(&undo.call, &ask, result, &told),
            "Retry",
            retry(undo.call.retry),
        );
        let kind = format!("{result}.answer.{}", self.wire.event_type);
        let choice = json!({
            "Type": "Choice",
            "Choices": [
                {"Variable": kind, "IsPresent": false, "Next": refused},
                {"Variable": kind, "StringEquals": undo.success, "Next": self.undo_last(|other| other < number)},
            ],
            "Default": refused,
        });
        let texts = self.definition.texts;
        let cause = format!(
            "{} {number}: {} {}",
            texts.step, step.command, texts.not_undone
        );
        vec![
            (name, task),
            (told, choice),
            (refused, failure(NOT_UNDONE, &cause)),
        ]
    }

    fn command_before(&self, number: StepNumber) -> &str {
        let before = number.before();
        let before = before.and_then(|before| self.definition.step(before));
        before.map_or("", |step| step.command)
    }

    /// The payload of a command.
    fn ask(
        &self,
        kind: &str,
        step: &Step,
        direction: Direction,
        cause: &str,
        call: &Call,
    ) -> Value {
        let way = match direction {
            Direction::Do => "do",
            Direction::Undo => "undo",
        };
        (self.wire.request)(&Ask {
            kind,
            id: format!("$.commands.{}.{way}", step.command),
            subject: "$.saga.subject",
            saga: "$.saga.id",
            cause: cause.to_owned(),
            trace: "$.saga.trace",
            data: self.data(&call.data),
        })
    }

    /// A mapping, as a payload.
    fn data(&self, mapping: &Mapping) -> Value {
        let field = |(name, source): &(&str, Source)| match source {
            Source::Text(text) => ((*name).to_owned(), Value::from(*text)),
            Source::Path(path) => {
                let rest = path.below_root();
                let place = if path.root() == OF_THE_SAGA {
                    format!("$.saga{rest}")
                } else {
                    let mut steps = self.definition.steps.iter();
                    let told = steps.find(|step| step.success == path.root());
                    let command = told.map_or("", |step| step.command);
                    format!("$.steps.{command}.answer.{}{rest}", self.wire.event_data)
                };
                (format!("{name}.$"), Value::from(place))
            }
        };
        Value::Object(mapping.0.iter().map(field).collect())
    }

    fn task(&self, call: &Call, payload: &Value, result: &str, next: &str) -> Value {
        json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": (self.wire.function)(call.participant), "Payload": payload},
            "ResultSelector": {"answer.$": "$.Payload"},
            "ResultPath": result,
            "TimeoutSeconds": seconds(call.retry.patience),
            "Next": next,
        })
    }
}

/// From here on it is undone.
fn turn(reason: &str, cause: &str, next: &str) -> Value {
    json!({
        "Type": "Pass",
        "Parameters": {
            "id.$": "$.saga.id",
            "subject.$": "$.saga.subject",
            "trace.$": "$.saga.trace",
            "cause.$": cause,
            "reason": reason,
        },
        "ResultPath": "$.saga",
        "Next": next,
    })
}

fn failure(error: &str, cause: &str) -> Value {
    json!({"Type": "Fail", "Error": error, "Cause": cause})
}

fn retry(retry: Retry) -> Value {
    let pause = seconds(retry.pause);
    json!([{
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": pause,
        "MaxAttempts": retry.attempts.saturating_sub(1),
        "BackoffRate": 2,
        "MaxDelaySeconds": seconds(retry.longest_pause).max(pause + 1),
        "JitterStrategy": "FULL",
    }])
}

/// Whole seconds, at least one: the language has no less.
fn seconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis().div_ceil(1_000))
        .unwrap_or(u64::MAX)
        .max(1)
}

fn with(mut state: Value, field: &str, value: Value) -> Value {
    if let Value::Object(state) = &mut state {
        state.insert(field.to_owned(), value);
    }
    state
}
