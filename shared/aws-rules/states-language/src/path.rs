//! Paths into data.

use std::{iter::Peekable, str::Chars};

use serde_json::{Map, Value};

use crate::failure::{Failure, REFERENCE_PATH_CONFLICT};

/// The fields under `$$`, which describe the execution. Paths may go into [`INPUT`].
const CONTEXT: [&str; 9] = [
    "Execution.Id",
    INPUT,
    "Execution.Name",
    "Execution.StartTime",
    "State.EnteredTime",
    "State.Name",
    "State.RetryCount",
    "StateMachine.Id",
    "StateMachine.Name",
];
const INPUT: &str = "Execution.Input";

/// The two values that paths are looked up in.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// The data of the execution, `$`.
    pub(crate) data: &'a Value,
    /// The description of the execution, `$$`.
    pub(crate) context: &'a Value,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Field(String),
    Index(usize),
}

/// A path into the data or, with `$$`, into the description of the execution.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    text: String,
    of_context: bool,
    parts: Vec<Part>,
}

impl Path {
    /// The path `$`: all of the data.
    pub(crate) fn whole() -> Self {
        Self {
            text: "$".into(),
            of_context: false,
            parts: vec![],
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (of_context, rest) = match (text.strip_prefix("$$"), text.strip_prefix('$')) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(format!("{text:?} is no path: it begins with $ or $$")),
        };
        let mut parts = vec![];
        let mut rest = rest.chars().peekable();
        while let Some(next) = rest.next() {
            let part = match next {
                '.' => dotted(&mut rest),
                '[' => bracketed(&mut rest),
                _ => None,
            };
            parts.push(part.ok_or_else(|| {
                format!("{text:?} is no path that is supported: only fields and places of lists")
            })?);
        }
        let path = Self {
            text: text.to_owned(),
            of_context,
            parts,
        };
        if of_context && !path.is_known() {
            return Err(format!(
                "{text:?} is not supported: of the context, only {}",
                CONTEXT.join(", ")
            ));
        }
        Ok(path)
    }

    fn is_known(&self) -> bool {
        let names = self.parts.iter().map_while(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Index(_) => None,
        });
        let names: Vec<_> = names.collect();
        let start = names.get(..2).map(|start| start.join("."));
        let Some(start) = start.filter(|start| CONTEXT.contains(&start.as_str())) else {
            return false;
        };
        self.parts.len() == 2 || start == INPUT
    }

    pub(crate) fn find<'a>(&self, sources: Sources<'a>) -> Option<&'a Value> {
        let root = if self.of_context {
            sources.context
        } else {
            sources.data
        };
        self.parts
            .iter()
            .try_fold(root, |value, part| match (part, value) {
                (Part::Field(name), Value::Object(fields)) => fields.get(name),
                (Part::Index(place), Value::Array(items)) => items.get(*place),
                _ => None,
            })
    }

    /// The value at the path, for a filter of a state.
    pub(crate) fn filter(&self, sources: Sources) -> Result<Value, Failure> {
        let found = self.find(sources).cloned();
        found.ok_or_else(|| {
            Failure::runtime(format!(
                "Invalid path '{}' : No results for path",
                self.text
            ))
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

type Rest<'a> = Peekable<Chars<'a>>;

fn dotted(rest: &mut Rest) -> Option<Part> {
    let mut name = String::new();
    while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || "_-".contains(*next)) {
        name.push(next);
    }
    (!name.is_empty()).then_some(Part::Field(name))
}

fn bracketed(rest: &mut Rest) -> Option<Part> {
    let quote = rest.next_if(|next| "'\"".contains(*next));
    let mut inside = String::new();
    while let Some(next) =
        rest.next_if(|next| Some(*next) != quote && (quote.is_some() || *next != ']'))
    {
        inside.push(next);
    }
    if quote.is_some() {
        rest.next()?;
    }
    if rest.next() != Some(']') || inside.is_empty() || inside.contains('\\') {
        return None;
    }
    if quote.is_some() {
        return Some(Part::Field(inside));
    }
    let is_number = inside.chars().all(|next| next.is_ascii_digit());
    let place = is_number.then(|| inside.parse().ok()).flatten()?;
    Some(Part::Index(place))
}

/// The place at which a state stores its result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// The result is dropped, and the state's input is its output.
    Nowhere,
    /// The result is stored at this path in the state's input.
    At(Path),
}

impl Place {
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        let text = match value {
            Value::Null => return Ok(Self::Nowhere),
            Value::String(text) => text,
            _ => return Err("is neither a path nor null".into()),
        };
        let path = Path::parse(text)?;
        if path.of_context {
            return Err(format!("{text:?} cannot be written to"));
        }
        Ok(Self::At(path))
    }

    /// `input` with `result` stored in it.
    pub(crate) fn put(&self, mut input: Value, result: Value) -> Result<Value, Failure> {
        let Self::At(path) = self else {
            return Ok(input);
        };
        *slot(&mut input, &path.parts)? = result;
        Ok(input)
    }
}

/// The place at the path `parts` in a value, for writing. Missing fields on the path are created.
fn slot<'a>(mut value: &'a mut Value, parts: &[Part]) -> Result<&'a mut Value, Failure> {
    for part in parts {
        let made = match part {
            Part::Field(name) => match value {
                Value::Object(fields) => Some(within(fields, name)),
                _ => None,
            },
            Part::Index(place) => value.get_mut(*place),
        };
        value = made.ok_or_else(|| {
            let step = match part {
                Part::Field(name) => name.clone(),
                Part::Index(place) => place.to_string(),
            };
            let cause = format!("Unable to apply step {step:?} to the state's input");
            Failure::new(REFERENCE_PATH_CONFLICT, cause)
        })?;
    }
    Ok(value)
}

fn within<'a>(fields: &'a mut Map<String, Value>, name: &str) -> &'a mut Value {
    fields
        .entry(name.to_owned())
        .or_insert_with(|| Value::Object(Map::new()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(path: &str, data: &Value) -> Option<Value> {
        let context = json!({"Execution": {"Input": {"a": [5]}}, "State": {"Name": "S"}});
        let sources = Sources {
            data,
            context: &context,
        };
        Path::parse(path).unwrap().find(sources).cloned()
    }

    #[test]
    fn a_path_goes_through_fields_and_lists() {
        let data = json!({"a": {"b": [{"c": 1}, {"c": null}]}, "x y": {"é-2": true}, "0": 3});
        for (path, expected) in [
            ("$", Some(data.clone())),
            ("$.a.b[0].c", Some(json!(1))),
            ("$.a.b[1].c", Some(Value::Null)),
            ("$['x y'].é-2", Some(json!(true))),
            ("$[\"x y\"]['é-2']", Some(json!(true))),
            ("$.0", Some(json!(3))),
            ("$.a.b[2]", None),
            ("$.a.b.c", None),
            ("$.a[0]", None),
            ("$.nobody", None),
            ("$$.State.Name", Some(json!("S"))),
            ("$$.Execution.Input.a[0]", Some(json!(5))),
            ("$$.State.RetryCount", None),
        ] {
            assert_eq!(find(path, &data), expected, "{path}");
        }
    }

    #[test]
    fn what_is_more_than_one_place_is_refused() {
        for path in [
            "",
            "a",
            "a.b",
            "$.",
            "$..a",
            "$a",
            "$.a[",
            "$.a[]",
            "$.a[*]",
            "$.a[-1]",
            "$.a[0:1]",
            "$.a[0,1]",
            "$.a[?(@.b)]",
            "$.*",
            "$['a",
            "$['']",
            "$['a'",
            "$['a\\'']",
            "$.a b",
            "$.a[+1]",
            "$$",
            "$$.Execution",
            "$$.Execution.RoleArn",
            "$$.Task.Token",
            "$$.State.Name.x",
            "$$.Execution[0]",
            "$$[0].Execution",
        ] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_filter_that_finds_nothing_is_an_error() {
        let (data, context) = (json!({"a": 1}), json!({}));
        let sources = Sources {
            data: &data,
            context: &context,
        };
        assert_eq!(Path::parse("$.a").unwrap().filter(sources), Ok(json!(1)));
        let error = Path::parse("$.b").unwrap().filter(sources).unwrap_err();
        assert_eq!(error.error, "States.Runtime");
        assert!(error.cause.contains("'$.b'"), "{error:?}");
    }

    fn put(place: &Value, input: Value) -> Result<Value, String> {
        let place = Place::parse(place).unwrap();
        place
            .put(input, json!("result"))
            .map_err(|failure| failure.error)
    }

    #[test]
    fn a_result_goes_to_its_place_and_leaves_the_rest() {
        let input = json!({"a": {"b": 1}, "list": [1, 2]});
        for (place, expected) in [
            (json!("$"), json!("result")),
            (Value::Null, input.clone()),
            (json!("$.a"), json!({"a": "result", "list": [1, 2]})),
            (
                json!("$.a.b"),
                json!({"a": {"b": "result"}, "list": [1, 2]}),
            ),
            (
                json!("$.a.c"),
                json!({"a": {"b": 1, "c": "result"}, "list": [1, 2]}),
            ),
            (
                json!("$.x.y.z"),
                json!({"a": {"b": 1}, "list": [1, 2], "x": {"y": {"z": "result"}}}),
            ),
            (
                json!("$.list[1]"),
                json!({"a": {"b": 1}, "list": [1, "result"]}),
            ),
        ] {
            assert_eq!(put(&place, input.clone()), Ok(expected), "{place}");
        }
    }

    #[test]
    fn a_result_goes_into_no_text_and_behind_no_list() {
        let conflict = Err(REFERENCE_PATH_CONFLICT.to_owned());
        for (place, input) in [
            ("$.a", json!("text")),
            ("$.a", json!(null)),
            ("$.a.b", json!({"a": 1})),
            ("$.a", json!([])),
            ("$.a[2]", json!({"a": [1, 2]})),
            ("$.a[0]", json!({})),
        ] {
            assert_eq!(put(&json!(place), input), conflict, "{place}");
        }
        for place in [json!("$$.State.Name"), json!(1), json!("$.a[*]")] {
            assert!(Place::parse(&place).is_err(), "{place}");
        }
    }
}
