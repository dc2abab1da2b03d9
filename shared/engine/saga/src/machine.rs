//! A saga's definition as a state machine of Amazon States Language, with `JSONPath`, for Standard workflows.
//!
//! One machine has the states of every version that sagas in flight may have. So each saga continues in its own
//! version, and can be undone in that version long after its end. Deploy the machine before the coordinator that begins
//! sagas of the newest version.
//!
//! The data of an execution, in and between its states:
//!
//! | path | content |
//! | --- | --- |
//! | `$.saga` | `id`, `subject`, `trace`; `cause`, the event that led to the next undoing command; `reason`, once the saga is being undone |
//! | `$.definition`, `$.version` | the definition with which the saga began; a machine without that version fails the execution |
//! | `$.undo` | true in an execution that only undoes steps |
//! | `$.commands.{command of the step}.do`, `.undo` | the id of each command: the same that the coordinator uses |
//! | `$.steps.{command of the step}.answer` | the answer of each step that was done |
//!
//! The first state of a step calls the participant once. If the participant answers this call with a failure, the step
//! certainly had no effect. If the participant does not answer, a second state repeats the call, with retries. A
//! failure that the second state receives is in doubt, since an earlier call may have had an effect. So a step that
//! fails in doubt is undone too.

use std::time::Duration;

use alpes_messages::mapping::{Mapping, OF_THE_SAGA, Source};
use serde_json::{Map, Value, json};

use crate::{
    Answer, Call, Compensation, Definition, Definitions, Direction, Heard, Retry, Saga, SagaId,
    Step, StepNumber, Texts, command_id,
};

/// The form of the messages between a state machine and the participants, as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// The name of a participant's function; a placeholder if the name is known only at deployment.
    pub function: fn(&str) -> String,
    /// The payload of a command. Keys that end in `.$` have paths as values.
    pub request: fn(&Ask<'_>) -> Value,
    /// The path of the event's type, in an answer that has an event.
    pub event_type: &'static str,
    /// The path of the event's id.
    pub event_id: &'static str,
    /// The path of the event's data.
    pub event_data: &'static str,
    /// An answer with this event. The answer needs only the fields at the paths `event_type`, `event_id` and
    /// `event_data`.
    pub answer_of: fn(&Heard) -> Value,
    /// Reads an answer; `None` if the payload is not an answer.
    pub answer: fn(&Value) -> Option<Answer>,
}

/// A command, as a state machine builds it. Everything except `kind` and the texts in `data` is a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask<'a> {
    /// The type of the command.
    pub kind: &'a str,
    /// The path of the command's id.
    pub id: String,
    /// The path of the saga's subject.
    pub subject: &'static str,
    /// The path of the saga's id.
    pub saga: &'static str,
    /// The path of the event that led to the command.
    pub cause: String,
    /// The path of the trace context.
    pub trace: &'static str,
    /// The data of the command, as a payload.
    pub data: Value,
}

/// The name of a saga's execution. Each name is used once. So one execution does a saga's steps, and at most one other
/// execution only undoes them.
#[must_use]
pub fn execution_name(saga: SagaId, direction: Direction) -> String {
    match direction {
        Direction::Do => saga.to_string(),
        Direction::Undo => format!("{saga}-undo"),
    }
}

/// The input of a saga's execution.
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

/// The state machine for all versions of a saga's definition.
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

/// The purpose of a state that calls a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallState {
    /// The first call of a step's command.
    First,
    /// The calls that repeat the command when it is retried.
    Again,
    /// The calls of the step's compensation.
    Undo,
}

impl CallState {
    /// The name of the state, for a version of the definition.
    pub(crate) fn name(self, version: u32, number: StepNumber, step: &Step) -> String {
        // The histories of executions contain these names, so the names of one version must not change when a newer
        // version is added.
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
    /// The rules of the first Choice state for sagas of this version: one for executions that do the steps, and one for
    /// executions that only undo them.
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

    /// The first state after a step.
    fn next(&self, number: StepNumber) -> String {
        let next = number.next();
        self.definition.step(next).map_or_else(
            || DONE.to_owned(),
            |step| self.state(CallState::First, next, step),
        )
    }

    /// The state that undoes the last of the steps for which `stands` is true.
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

    /// The states after an answer: they lead to the next step, or to the state `undo`.
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
        // The command had an effect, but not the one that the definition expects. The step is undone too.
        let too = self.undo_last(|other| other <= number);
        if doubt.is_empty() {
            let text = reason(texts.unexpected_answer);
            states.push((unexpected, turn(&text, cause, &too)));
        }
        states
    }

    /// The states that undo a step. A call that keeps failing fails the execution at that state, so that a person can
    /// resume it there.
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

    /// A field mapping, as the payload of a command.
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

/// The state that records the reason for undoing, and leads to the state `next`.
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

/// The duration in whole seconds, rounded up and at least 1: Amazon States Language has no fractions of a second.
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
