//! Parsing definitions.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{
    choice::Condition,
    fields::{DefinitionError, Fields, boolean, text, whole},
    path::{Path, Place},
    retry::{Catcher, Retrier, all_comes_last},
    template::Template,
};

/// The largest length of a state's name, in characters.
const NAME_LIMIT: usize = 80;
/// The only resource that tasks may use here.
const LAMBDA_INVOKE: &str = "arn:aws:states:::lambda:invoke";

/// A state machine that runs here as it would on AWS.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) name: String,
    pub(crate) start_at: String,
    states: BTreeMap<String, State>,
}

/// The part of the data that a state reads or passes on.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    /// The state reads or passes on an empty object instead of the data.
    Nothing,
    Path(Path),
}

#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) input: Filter,
    pub(crate) output: Filter,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Task(Box<Task>),
    Choice {
        rules: Vec<(Condition, String)>,
        default: Option<String>,
    },
    Pass {
        parameters: Option<Template>,
        result: Option<Value>,
        place: Place,
        next: Next,
    },
    Wait {
        seconds: Seconds,
        next: Next,
    },
    Succeed,
    Fail {
        error: Text,
        cause: Text,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) parameters: Template,
    pub(crate) timeout: Option<Duration>,
    pub(crate) selector: Option<Template>,
    pub(crate) place: Place,
    pub(crate) retry: Vec<Retrier>,
    pub(crate) catch: Vec<Catcher>,
    pub(crate) next: Next,
}

#[derive(Clone, Debug)]
pub(crate) enum Next {
    State(String),
    End,
}

#[derive(Clone, Debug)]
pub(crate) enum Seconds {
    Fixed(u32),
    Path(Path),
}

#[derive(Clone, Debug)]
pub(crate) enum Text {
    Fixed(String),
    Path(Path),
}

impl Machine {
    /// Parses a definition. `name` is the machine's name, for `$$.StateMachine.Name`.
    ///
    /// # Errors
    ///
    /// The definition is invalid, or uses a feature that this crate does not support. The error names the state and the
    /// field.
    pub fn parse(name: &str, definition: &Value) -> Result<Self, DefinitionError> {
        let mut fields = Fields::of(definition, None, "")?.without_comment()?;
        query_language(&mut fields)?;
        fields.read("Version", |value| match value.as_str() {
            Some("1.0") => Ok(()),
            _ => Err("is not 1.0".to_owned()),
        })?;
        let start_at = fields.required("StartAt", text)?;
        let listed = fields.required("States", |value| {
            let listed = value.as_object().filter(|listed| !listed.is_empty());
            listed.ok_or_else(|| "is not a non-empty object".to_owned())
        })?;
        let mut states = BTreeMap::new();
        for (name, state) in listed {
            states.insert(name.clone(), State::parse(name, state)?);
        }
        let machine = Self {
            name: name.to_owned(),
            start_at: start_at.to_owned(),
            states,
        };
        machine.must_know(start_at, |rule| fields.fault("StartAt", rule))?;
        for (name, state) in &machine.states {
            for (field, next) in state.leads_to() {
                machine.must_know(next, |rule| DefinitionError {
                    state: Some(name.clone()),
                    field,
                    rule,
                })?;
            }
        }
        fields.finish()?;
        Ok(machine)
    }

    fn must_know(
        &self,
        state: &str,
        fault: impl FnOnce(String) -> DefinitionError,
    ) -> Result<(), DefinitionError> {
        if self.states.contains_key(state) {
            return Ok(());
        }
        Err(fault(format!("names {state:?}, which does not exist")))
    }

    pub(crate) fn state(&self, name: &str) -> Option<&State> {
        self.states.get(name)
    }

    /// The functions that tasks name literally, without the functions that a path names.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.states.values().filter_map(|state| {
            let Kind::Task(task) = &state.kind else {
                return None;
            };
            let fields = task.parameters.fields().iter();
            fields.filter(|(name, _)| name == FUNCTION_NAME).find_map(
                |(_, template)| match template {
                    Template::Constant(name) => name.as_str(),
                    _ => None,
                },
            )
        })
    }
}

pub(crate) const FUNCTION_NAME: &str = "FunctionName";
pub(crate) const PAYLOAD: &str = "Payload";

impl State {
    fn parse(name: &str, value: &Value) -> Result<Self, DefinitionError> {
        let mut fields = Fields::of(value, Some(name), "")?.without_comment()?;
        if name.is_empty() || name.chars().count() > NAME_LIMIT {
            return Err(fields.fault("", format!("the name needs 1 to {NAME_LIMIT} characters")));
        }
        query_language(&mut fields)?;
        let kind = fields.required("Type", text)?;
        let filters = kind != "Fail";
        let state = Self {
            input: filter(&mut fields, "InputPath", filters)?,
            output: filter(&mut fields, "OutputPath", filters)?,
            kind: match kind {
                "Task" => Kind::Task(Box::new(Task::parse(&mut fields)?)),
                "Choice" => choice(&mut fields)?,
                "Pass" => pass(&mut fields)?,
                "Wait" => wait(&mut fields)?,
                "Succeed" => Kind::Succeed,
                "Fail" => fail(&mut fields)?,
                other => return Err(fields.fault("Type", format!("{other:?} is not supported"))),
            },
        };
        fields.finish()?;
        Ok(state)
    }

    /// The fields that name a next state, each with the name of that state.
    fn leads_to(&self) -> Vec<(String, &str)> {
        match &self.kind {
            Kind::Task(task) => {
                let catch = (0..).zip(&task.catch);
                let catch = catch.map(|(place, catcher): (usize, _)| {
                    (format!("Catch[{place}].Next"), catcher.next.as_str())
                });
                catch
                    .chain(task.next.name().into_iter().map(named_next))
                    .collect()
            }
            Kind::Choice { rules, default } => {
                let rules = (0..).zip(rules);
                let rules = rules.map(|(place, (_, next)): (usize, _)| {
                    (format!("Choices[{place}].Next"), next.as_str())
                });
                let default = default
                    .iter()
                    .map(|name| ("Default".to_owned(), name.as_str()));
                rules.chain(default).collect()
            }
            Kind::Pass { next, .. } | Kind::Wait { next, .. } => {
                next.name().into_iter().map(named_next).collect()
            }
            Kind::Succeed | Kind::Fail { .. } => vec![],
        }
    }
}

fn named_next(name: &str) -> (String, &str) {
    ("Next".to_owned(), name)
}

fn query_language(fields: &mut Fields) -> Result<(), DefinitionError> {
    let read = fields.read("QueryLanguage", |value| match value.as_str() {
        Some("JSONPath") => Ok(()),
        _ => Err("is not JSONPath".to_owned()),
    });
    read.map(|_| ())
}

fn path(value: &Value) -> Result<Path, String> {
    Path::parse(text(value)?)
}

/// Takes a filter of a state that may have filters. In any other state, this function leaves the field, and
/// [`Fields::finish`] refuses it.
fn filter(fields: &mut Fields, name: &str, has_them: bool) -> Result<Filter, DefinitionError> {
    if !has_them {
        return Ok(Filter::Path(Path::whole()));
    }
    let given = fields.read(name, |value| match value {
        Value::Null => Ok(Filter::Nothing),
        value => path(value).map(Filter::Path),
    })?;
    Ok(given.unwrap_or_else(|| Filter::Path(Path::whole())))
}

fn place(fields: &mut Fields) -> Result<Place, DefinitionError> {
    let place = fields.read("ResultPath", Place::parse)?;
    Ok(place.unwrap_or_else(|| Place::At(Path::whole())))
}

fn next(fields: &mut Fields) -> Result<Next, DefinitionError> {
    let next = fields.text("Next")?;
    let end = fields.read("End", boolean)?.unwrap_or(false);
    match (next, end) {
        (Some(name), false) => Ok(Next::State(name.to_owned())),
        (None, true) => Ok(Next::End),
        _ => Err(fields.fault("Next", "must be present exactly if End is not true")),
    }
}

impl Next {
    fn name(&self) -> Option<&str> {
        match self {
            Self::State(name) => Some(name),
            Self::End => None,
        }
    }
}

impl Task {
    fn parse(fields: &mut Fields) -> Result<Self, DefinitionError> {
        fields.required("Resource", |value| match value.as_str() {
            Some(LAMBDA_INVOKE) => Ok(()),
            _ => Err(format!("is not {LAMBDA_INVOKE}")),
        })?;
        let timeout = fields.read("TimeoutSeconds", whole(1))?;
        let task = Self {
            parameters: fields.required("Parameters", parameters)?,
            timeout: timeout.map(|seconds| Duration::from_secs(seconds.into())),
            selector: fields.read("ResultSelector", object)?,
            place: place(fields)?,
            retry: fields.list("Retry", Retrier::parse)?,
            catch: fields.list("Catch", Catcher::parse)?,
            next: next(fields)?,
        };
        let retry = task.retry.iter().map(|retrier| &retrier.errors);
        all_comes_last(retry).map_err(|rule| fields.fault("Retry", rule))?;
        let catch = task.catch.iter().map(|catcher| &catcher.errors);
        all_comes_last(catch).map_err(|rule| fields.fault("Catch", rule))?;
        Ok(task)
    }
}

fn object(value: &Value) -> Result<Template, String> {
    match value {
        Value::Object(_) => Template::parse(value),
        _ => Err("is no object".into()),
    }
}

/// The parameters of a call: the function and its payload.
fn parameters(value: &Value) -> Result<Template, String> {
    let template = object(value)?;
    let fields = template.fields();
    let has = |name: &str| fields.iter().any(|(field, _)| field == name);
    for name in [FUNCTION_NAME, PAYLOAD] {
        if !has(name) {
            return Err(format!("has no {name}"));
        }
    }
    let known = |name: &str| name == FUNCTION_NAME || name == PAYLOAD;
    match fields.iter().find(|(name, _)| !known(name)) {
        Some((name, _)) => Err(format!("has {name}, which is not supported here")),
        None => Ok(template),
    }
}

fn choice(fields: &mut Fields) -> Result<Kind, DefinitionError> {
    let rules = fields.list("Choices", |mut rule| {
        let condition = Condition::take(&mut rule)?;
        let next = rule.required("Next", text)?;
        rule.finish()?;
        Ok((condition, next.to_owned()))
    })?;
    if rules.is_empty() {
        return Err(fields.fault("Choices", "is missing"));
    }
    let default = fields.text("Default")?.map(str::to_owned);
    Ok(Kind::Choice { rules, default })
}

fn pass(fields: &mut Fields) -> Result<Kind, DefinitionError> {
    Ok(Kind::Pass {
        parameters: fields.read("Parameters", object)?,
        result: fields.take("Result").cloned(),
        place: place(fields)?,
        next: next(fields)?,
    })
}

fn wait(fields: &mut Fields) -> Result<Kind, DefinitionError> {
    let seconds = fields.read("Seconds", whole(0))?.map(Seconds::Fixed);
    let looked_up = fields.read("SecondsPath", path)?.map(Seconds::Path);
    match (seconds, looked_up) {
        (Some(seconds), None) | (None, Some(seconds)) => Ok(Kind::Wait {
            seconds,
            next: next(fields)?,
        }),
        _ => Err(fields.fault("Seconds", "must be present exactly if SecondsPath is not")),
    }
}

fn fail(fields: &mut Fields) -> Result<Kind, DefinitionError> {
    Ok(Kind::Fail {
        error: fixed_or_path(fields, "Error")?,
        cause: fixed_or_path(fields, "Cause")?,
    })
}

/// A text that is given directly or by a path; empty if there is neither.
fn fixed_or_path(fields: &mut Fields, name: &str) -> Result<Text, DefinitionError> {
    let fixed = fields.text(name)?;
    let looked_up = fields.read(&format!("{name}Path"), path)?;
    match (fixed, looked_up) {
        (Some(_), Some(_)) => Err(fields.fault(name, format!("is present beside {name}Path"))),
        (_, Some(path)) => Ok(Text::Path(path)),
        (text, None) => Ok(Text::Fixed(text.unwrap_or_default().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A machine with one state `Do` of these fields.
    fn of(state: &Value) -> Value {
        json!({"StartAt": "Do", "States": {"Do": state, "Other": {"Type": "Succeed"}}})
    }

    fn task(more: Value) -> Value {
        let mut task = json!({
            "Type": "Task", "Resource": LAMBDA_INVOKE, "End": true,
            "Parameters": {"FunctionName": "${F}", "Payload.$": "$"},
        });
        let (Value::Object(task), Value::Object(more)) = (&mut task, more) else {
            unreachable!()
        };
        task.extend(more);
        of(&Value::Object(task.clone()))
    }

    fn fault(definition: &Value) -> (Option<String>, String) {
        let error = Machine::parse("m", definition).unwrap_err();
        (error.state, error.field)
    }

    #[test]
    fn what_is_supported_is_understood() {
        let catch = json!([{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Other"}]);
        for definition in [
            task(
                json!({"Comment": "c", "TimeoutSeconds": 5, "InputPath": null, "OutputPath": "$.a"}),
            ),
            task(json!({"Retry": [{"ErrorEquals": ["A"], "Comment": "c"}], "Catch": catch})),
            task(json!({"ResultSelector": {"a.$": "$.Payload"}, "ResultPath": null})),
            of(&json!({"Type": "Pass", "Result": {"a.$": "as it is"}, "Next": "Other"})),
            of(&json!({"Type": "Pass", "Parameters": {"a.$": "$.a"}, "End": true})),
            of(&json!({"Type": "Wait", "Seconds": 0, "Next": "Other"})),
            of(&json!({"Type": "Wait", "SecondsPath": "$.n", "End": true})),
            of(&json!({"Type": "Succeed", "InputPath": "$.a", "OutputPath": null})),
            of(
                &json!({"Type": "Fail", "Error": "E", "CausePath": "$.why", "QueryLanguage": "JSONPath"}),
            ),
            of(&json!({"Type": "Fail"})),
            of(&json!({
                "Type": "Choice", "Default": "Other",
                "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "Do", "Comment": "c"}],
            })),
        ] {
            let parsed = Machine::parse("m", &definition);
            assert!(parsed.is_ok(), "{definition}: {parsed:?}");
        }
        let top = json!({
            "Comment": "c", "Version": "1.0", "QueryLanguage": "JSONPath", "StartAt": "A",
            "States": {"A": {"Type": "Succeed"}},
        });
        assert!(Machine::parse("m", &top).is_ok());
    }

    fn names_the_field<const N: usize>(cases: [(Value, &str); N]) {
        for (definition, field) in cases {
            let expected = (Some("Do".to_owned()), field.to_owned());
            assert_eq!(fault(&definition), expected, "{definition}");
        }
    }

    #[test]
    fn a_field_of_a_task_that_is_not_understood_is_named() {
        names_the_field([
            (task(json!({"HeartbeatSeconds": 5})), "HeartbeatSeconds"),
            (
                task(json!({"TimeoutSecondsPath": "$.t"})),
                "TimeoutSecondsPath",
            ),
            (task(json!({"Credentials": {}})), "Credentials"),
            (task(json!({"Assign": {}})), "Assign"),
            (task(json!({"QueryLanguage": "JSONata"})), "QueryLanguage"),
            (
                task(json!({"Resource": "arn:aws:states:::sqs:sendMessage"})),
                "Resource",
            ),
            (
                task(json!({"Resource": format!("{LAMBDA_INVOKE}.waitForTaskToken")})),
                "Resource",
            ),
            (task(json!({"TimeoutSeconds": 0})), "TimeoutSeconds"),
            (
                task(json!({"Parameters": {"FunctionName": "f"}})),
                "Parameters",
            ),
            (task(json!({"Parameters": {"Payload": 1}})), "Parameters"),
            (
                task(
                    json!({"Parameters": {"FunctionName": "f", "Payload": 1, "InvocationType": "Event"}}),
                ),
                "Parameters",
            ),
            (task(json!({"Parameters": "$"})), "Parameters"),
            (task(json!({"ResultSelector": [1]})), "ResultSelector"),
            (task(json!({"ResultPath": "$$.State.Name"})), "ResultPath"),
            (
                task(json!({"InputPath": "States.Format('a')"})),
                "InputPath",
            ),
            (task(json!({"InputPath": 1})), "InputPath"),
            (task(json!({"Next": "Other"})), "Next"),
            (task(json!({"End": false})), "Next"),
            (task(json!({"End": 1})), "End"),
            (task(json!({"Comment": 1})), "Comment"),
            (task(json!({"Retry": {}})), "Retry"),
            (
                task(json!({"Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["A"]}]})),
                "Retry",
            ),
            (
                task(json!({"Catch": [
                    {"ErrorEquals": ["States.ALL"], "Next": "Do"}, {"ErrorEquals": ["A"], "Next": "Do"},
                ]})),
                "Catch",
            ),
            (
                task(json!({"Catch": [{"ErrorEquals": ["A"]}]})),
                "Catch[0].Next",
            ),
            (
                task(json!({"Catch": [{"ErrorEquals": ["A"], "Next": "X"}]})),
                "Catch[0].Next",
            ),
            (
                task(json!({"Catch": [{"ErrorEquals": ["A"], "Next": "Do", "Output": 1}]})),
                "Catch[0].Output",
            ),
        ]);
    }

    #[test]
    fn a_field_of_another_state_that_is_not_understood_is_named() {
        names_the_field([
            (of(&json!({"Type": "Map"})), "Type"),
            (of(&json!({"Type": "Pass"})), "Next"),
            (of(&json!({"Type": "Pass", "Next": "X"})), "Next"),
            (
                of(&json!({"Type": "Pass", "End": true, "Retry": []})),
                "Retry",
            ),
            (
                of(&json!({"Type": "Wait", "Timestamp": "2026-01-31T10:00:00Z", "End": true})),
                "Seconds",
            ),
            (
                of(&json!({"Type": "Wait", "Seconds": 1, "SecondsPath": "$.n", "End": true})),
                "Seconds",
            ),
            (
                of(&json!({"Type": "Wait", "Seconds": -1, "End": true})),
                "Seconds",
            ),
            (of(&json!({"Type": "Succeed", "End": true})), "End"),
            (
                of(&json!({"Type": "Fail", "Error": "E", "ErrorPath": "$.e"})),
                "Error",
            ),
            (
                of(&json!({"Type": "Fail", "InputPath": "$.e"})),
                "InputPath",
            ),
            (of(&json!({"Type": "Choice"})), "Choices"),
            (
                of(&json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true}]})),
                "Choices[0].Next",
            ),
            (
                of(&json!({
                    "Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "X"}],
                })),
                "Choices[0].Next",
            ),
            (
                of(&json!({
                    "Type": "Choice", "Default": "X",
                    "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "Do"}],
                })),
                "Default",
            ),
            (
                of(&json!({
                    "Type": "Choice", "End": true,
                    "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "Do"}],
                })),
                "End",
            ),
        ]);
    }

    #[test]
    fn a_machine_has_states_and_a_start() {
        let states = json!({"A": {"Type": "Succeed"}});
        for (definition, field) in [
            (json!({"States": states}), "StartAt"),
            (json!({"StartAt": "B", "States": states}), "StartAt"),
            (json!({"StartAt": "A"}), "States"),
            (json!({"StartAt": "A", "States": {}}), "States"),
            (
                json!({"StartAt": "A", "States": states, "TimeoutSeconds": 5}),
                "TimeoutSeconds",
            ),
            (
                json!({"StartAt": "A", "States": states, "Version": "2.0"}),
                "Version",
            ),
            (
                json!({"StartAt": "A", "States": states, "QueryLanguage": "JSONata"}),
                "QueryLanguage",
            ),
            (json!([]), "the definition"),
        ] {
            assert_eq!(fault(&definition), (None, field.to_owned()), "{definition}");
        }
        let named = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Succeed"}}});
        assert!(Machine::parse("m", &named(&"ñ".repeat(80))).is_ok());
        assert!(Machine::parse("m", &named(&"n".repeat(81))).is_err());
    }

    #[test]
    fn an_error_says_where_it_is() {
        let definition = task(json!({"Retry": [{"ErrorEquals": ["A"], "MaxAttempts": -1}]}));
        let error = Machine::parse("m", &definition).unwrap_err();
        assert_eq!(
            error.to_string(),
            "state \"Do\", Retry[0].MaxAttempts: is no whole number from 0 to 99999999"
        );
    }
}
