//! A saga's definition as a state machine of Amazon States Language, for whoever runs such: `JSONPath`, Standard workflows.
//!
//! One machine has the states of every version that sagas in flight may have, so that each goes on in its own, and is undone in its own
//! long after it was done. It is deployed before the coordinator that begins sagas of its newest version.
//!
//! The data of an execution, in and between its states:
//!
//! | path | what |
//! | --- | --- |
//! | `$.saga` | `id`, `asunto`, `traza`; `causa`, the event that led to the next command that undoes; `motivo`, once it is undone |
//! | `$.definicion`, `$.version` | what the saga is pinned to; a machine that does not have it refuses it |
//! | `$.deshacer` | true in an execution that only undoes |
//! | `$.comandos.{command of the step}.hacer`, `.deshacer` | the identity of each command: the same that the coordinator gives it |
//! | `$.pasos.{command of the step}.respuesta` | the answer of each step that was done |
//!
//! A step is called once, and its answer is taken at its word. Where there is no answer it is called again, by another state with
//! retries: what that one is told of a failure is in doubt, since a call before it may have done something, so the step is undone too.

use std::time::Duration;

use alpes_messages::mapping::{Mapping, OF_THE_SAGA, Source};
use serde_json::{Map, Value, json};

use crate::{
    Answer, Call, Compensation, Definition, Definitions, Direction, Heard, Retry, Saga, SagaId,
    Step, command_id,
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
        Direction::Hacer => saga.to_string(),
        Direction::Deshacer => format!("{saga}-deshacer"),
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
        "id": saga.id, "asunto": saga.subject, "traza": saga.trace, "causa": saga.cause,
    });
    if let (Direction::Deshacer, Some(reason), Value::Object(own)) =
        (direction, &saga.reason, &mut own)
    {
        own.insert("motivo".to_owned(), reason.clone().into());
    }
    let (mut commands, mut steps) = (Map::new(), Map::new());
    for (place, step) in definition.steps.iter().enumerate() {
        let id = |direction| command_id(saga.id, place + 1, direction);
        let ids = json!({"hacer": id(Direction::Hacer), "deshacer": id(Direction::Deshacer)});
        commands.insert(step.command.to_owned(), ids);
        if let Some(heard) = saga.heard(step.success) {
            let answer = json!({ "respuesta": (wire.answer_of)(&heard) });
            steps.insert(step.command.to_owned(), answer);
        }
    }
    json!({
        "saga": own,
        "definicion": definition.name,
        "version": definition.version,
        "deshacer": direction == Direction::Deshacer,
        "comandos": commands,
        "pasos": steps,
    })
}

/// The state machine of a saga: `definitions` are the versions of its definition.
#[must_use]
pub fn state_machine(definitions: &Definitions, wire: &Wire) -> Value {
    let (mut begin, mut states) = (vec![], Map::new());
    for definition in definitions.iter() {
        let machine = Machine { definition, wire };
        begin.extend(machine.begin());
        for (place, step) in definition.steps.iter().enumerate() {
            if let Some(call) = &step.call {
                states.extend(machine.doing(place, step, call));
            }
            if let Some(undo) = &step.compensation {
                states.extend(machine.undoing(place, step, undo));
            }
        }
    }
    let begin = json!({"Type": "Choice", "Choices": begin, "Default": OTHER});
    states.insert(BEGIN.to_owned(), begin);
    let other = "la saga es de otra versión de la definición";
    states.insert(OTHER.into(), failure(OTHER, other));
    states.insert(DONE.into(), json!({"Type": "Succeed"}));
    states.insert(UNDONE.into(), json!({"Type": "Succeed"}));
    let name = definitions.iter().next().map_or("", |known| known.name);
    let versions = definitions.iter().map(|known| known.version.to_string());
    let versions = versions.collect::<Vec<_>>().join(", ");
    json!({
        "Comment": format!("Saga {name}, versión {versions}. Hecha de su definición; no se edita a mano."),
        "StartAt": BEGIN,
        "States": states,
    })
}

const BEGIN: &str = "Inicio";
const DONE: &str = "Completada";
const UNDONE: &str = "Compensada";
const OTHER: &str = "OtraVersion";

/// What a state is for, of those that call a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The first call that does a step.
    First,
    /// All others.
    Again,
    /// Those that undo it.
    Undo,
}

impl Role {
    /// The name of the state, for a version of the definition.
    pub(crate) fn state(self, version: u32, place: usize, step: &Step) -> String {
        // The histories of executions have these names: a version's are the same whatever follows it.
        let of = match version {
            1 => String::new(),
            version => format!("v{version}, "),
        };
        let paso = place + 1;
        match (self, &step.compensation) {
            (Self::First, _) => format!("{of}{paso} {}", step.command),
            (Self::Again, _) => format!("{of}{paso} {}: otra vez", step.command),
            (Self::Undo, undo) => {
                let command = undo.as_ref().map_or("", |undo| undo.command);
                format!("{of}{paso} deshacer: {command}")
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
        let Definition {
            name,
            version,
            steps,
            ..
        } = self.definition;
        let place = |undone: bool, next: String| {
            json!({
                "And": [
                    {"Variable": "$.definicion", "StringEquals": name},
                    {"Variable": "$.version", "NumericEquals": version},
                    {"Variable": "$.deshacer", "BooleanEquals": undone},
                ],
                "Next": next,
            })
        };
        let undone = self.undo_below(steps.len());
        [place(false, self.next(0)), place(true, undone)]
    }

    fn state(&self, role: Role, place: usize, step: &Step) -> String {
        role.state(self.definition.version, place, step)
    }

    /// The state that does what comes after a step.
    fn next(&self, place: usize) -> String {
        let mut later = self.definition.steps.iter().enumerate().skip(place + 1);
        later.next().map_or_else(
            || DONE.to_owned(),
            |(place, step)| self.state(Role::First, place, step),
        )
    }

    /// The state that undoes the last of the steps before a place.
    fn undo_below(&self, place: usize) -> String {
        let mut earlier = self.definition.steps.iter().enumerate().take(place).rev();
        earlier
            .find(|(_, step)| step.compensation.is_some())
            .map_or_else(
                || UNDONE.to_owned(),
                |(place, step)| self.state(Role::Undo, place, step),
            )
    }

    /// The states that do a step.
    fn doing(&self, place: usize, step: &Step, call: &Call) -> States {
        let first = self.state(Role::First, place, step);
        let again = self.state(Role::Again, place, step);
        let state = |what: &str| format!("{first}: {what}");
        let (pause, told, unanswered) =
            (state("pausa"), state("respuesta"), state("sin respuesta"));
        let told_again = format!("{again}, respuesta");
        let cause = format!(
            "$.pasos.{}.respuesta.{}",
            self.command_before(place),
            self.wire.event_id
        );
        let ask = self.ask(step.command, step, Direction::Hacer, &cause, call);
        let result = format!("$.pasos.{}", step.command);
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
        let below = self.undo_below(place);
        let too = self.undo_below(place + 1);
        states.extend(self.outcomes(place, step, &told, "", &below));
        if rest.attempts > 0 {
            states.extend(self.outcomes(place, step, &told_again, ", en duda", &too));
        }
        let reason = format!("{}: sin respuesta", step.command);
        states.push((unanswered, turn(&reason, "$.saga.causa", &too)));
        states
    }

    /// What follows from an answer: the next step, or `undo`.
    fn outcomes(&self, place: usize, step: &Step, told: &str, doubt: &str, undo: &str) -> States {
        let first = self.state(Role::First, place, step);
        let answer = format!("$.pasos.{}.respuesta", step.command);
        let kind = format!("{answer}.{}", self.wire.event_type);
        let refused = format!("{first}: rechazo{doubt}");
        let unexpected = format!("{first}: respuesta inesperada");
        let mut choices = vec![
            json!({"Variable": kind, "IsPresent": false, "Next": refused}),
            json!({"Variable": kind, "StringEquals": step.success, "Next": self.next(place)}),
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
        let reason = |what: &str| format!("{}: {what}", step.command);
        let cause = "$.saga.causa";
        states.push((refused, turn(&reason("rechazado"), cause, undo)));
        // It did something, and not what the definition says: whatever it was is undone too.
        let too = self.undo_below(place + 1);
        if doubt.is_empty() {
            let text = reason("respuesta inesperada");
            states.push((unexpected, turn(&text, cause, &too)));
        }
        states
    }

    /// The states that undo a step. A call that keeps failing fails the execution right there, so that it can be gone on with there.
    fn undoing(&self, place: usize, step: &Step, undo: &Compensation) -> States {
        let name = self.state(Role::Undo, place, step);
        let (told, refused) = (format!("{name}, respuesta"), format!("{name}, rechazo"));
        let ask = self.ask(
            undo.command,
            step,
            Direction::Deshacer,
            "$.saga.causa",
            &undo.call,
        );
        let result = "$.respuesta";
        let task = with(
            self.task(&undo.call, &ask, result, &told),
            "Retry",
            retry(undo.call.retry),
        );
        let kind = format!("{result}.respuesta.{}", self.wire.event_type);
        let choice = json!({
            "Type": "Choice",
            "Choices": [
                {"Variable": kind, "IsPresent": false, "Next": refused},
                {"Variable": kind, "StringEquals": undo.success, "Next": self.undo_below(place)},
            ],
            "Default": refused,
        });
        let cause = format!("paso {}: {} no se pudo deshacer", place + 1, step.command);
        vec![
            (name, task),
            (told, choice),
            (refused, failure("RequiereIntervencion", &cause)),
        ]
    }

    fn command_before(&self, place: usize) -> &str {
        let before = place
            .checked_sub(1)
            .and_then(|place| self.definition.steps.get(place));
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
            Direction::Hacer => "hacer",
            Direction::Deshacer => "deshacer",
        };
        (self.wire.request)(&Ask {
            kind,
            id: format!("$.comandos.{}.{way}", step.command),
            subject: "$.saga.asunto",
            saga: "$.saga.id",
            cause: cause.to_owned(),
            trace: "$.saga.traza",
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
                    format!("$.pasos.{command}.respuesta.{}{rest}", self.wire.event_data)
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
            "ResultSelector": {"respuesta.$": "$.Payload"},
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
            "asunto.$": "$.saga.asunto",
            "traza.$": "$.saga.traza",
            "causa.$": cause,
            "motivo": reason,
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
