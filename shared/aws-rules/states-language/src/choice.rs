//! Conditions of a Choice state.

use std::cmp::Ordering;

use serde_json::Value;

use crate::{
    failure::Failure,
    fields::{DefinitionError, Fields, boolean, text},
    path::{Path, Sources},
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Test(Path, Test),
}

/// A test of a variable. A value of another type than the operand is unequal to the operand. Comparing the two is no
/// error.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    IsPresent(bool),
    IsNull(bool),
    StringEquals(String),
    NumericEquals(f64),
    BooleanEquals(bool),
}

const OPERATORS: [&str; 8] = [
    "And",
    "Or",
    "Not",
    "IsPresent",
    "IsNull",
    "StringEquals",
    "NumericEquals",
    "BooleanEquals",
];

impl Condition {
    /// Takes the one operator of a rule, with its operand.
    pub(crate) fn take(fields: &mut Fields) -> Result<Self, DefinitionError> {
        let mut operators = OPERATORS.into_iter().filter(|name| fields.has(name));
        let (Some(operator), None) = (operators.next(), operators.next()) else {
            let rule = format!("must have exactly one of {}", OPERATORS.join(", "));
            return Err(fields.fault("", rule));
        };
        match operator {
            "And" => fields.list("And", Self::nested).map(Self::And),
            "Or" => fields.list("Or", Self::nested).map(Self::Or),
            "Not" => {
                let at = fields.path_of("Not");
                let inner = fields.take("Not").unwrap_or(&Value::Null);
                let inner = Fields::of(inner, fields.state(), &at)?;
                let inner = Self::nested(inner.without_comment()?)?;
                Ok(Self::Not(Box::new(inner)))
            }
            _ => {
                let variable = fields.required("Variable", |value| Path::parse(text(value)?))?;
                let test = fields.required(operator, |value| Test::parse(operator, value))?;
                Ok(Self::Test(variable, test))
            }
        }
    }

    fn nested(mut fields: Fields) -> Result<Self, DefinitionError> {
        let condition = Self::take(&mut fields)?;
        fields.finish()?;
        Ok(condition)
    }

    /// Tests run in their order and stop as soon as the result is certain, so one test may guard the next.
    pub(crate) fn holds(&self, sources: Sources) -> Result<bool, Failure> {
        match self {
            Self::And(all) => {
                for condition in all {
                    if !condition.holds(sources)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(any) => {
                for condition in any {
                    if condition.holds(sources)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(condition) => condition.holds(sources).map(|holds| !holds),
            Self::Test(variable, test) => match (variable.find(sources), test) {
                (found, Test::IsPresent(expected)) => Ok(found.is_some() == *expected),
                (Some(value), test) => Ok(test.holds(value)),
                (None, _) => Err(Failure::runtime(format!(
                    "Invalid path '{}': The choice state's condition path references an invalid value.",
                    variable.text()
                ))),
            },
        }
    }
}

impl Test {
    fn parse(operator: &str, value: &Value) -> Result<Self, String> {
        match operator {
            "IsPresent" => boolean(value).map(Self::IsPresent),
            "IsNull" => boolean(value).map(Self::IsNull),
            "BooleanEquals" => boolean(value).map(Self::BooleanEquals),
            "StringEquals" => text(value).map(|text| Self::StringEquals(text.to_owned())),
            _ => value
                .as_f64()
                .map(Self::NumericEquals)
                .ok_or_else(|| "is no number".into()),
        }
    }

    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::IsPresent(expected) => *expected,
            Self::IsNull(expected) => value.is_null() == *expected,
            Self::StringEquals(text) => value.as_str() == Some(text),
            Self::BooleanEquals(boolean) => value.as_bool() == Some(*boolean),
            Self::NumericEquals(number) => {
                let order = value.as_f64().and_then(|value| value.partial_cmp(number));
                order == Some(Ordering::Equal)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(rule: &Value) -> Result<Condition, DefinitionError> {
        Condition::nested(Fields::of(rule, Some("Which"), "Choices[0]")?)
    }

    fn holds(rule: &Value) -> Result<bool, String> {
        let data = json!({"text": "a", "n": 1, "f": 1.0, "yes": true, "none": null});
        let context = json!({"State": {"Name": "Which"}});
        let sources = Sources {
            data: &data,
            context: &context,
        };
        let holds = parse(rule).unwrap().holds(sources);
        holds.map_err(|failure| failure.error)
    }

    #[test]
    fn tests_look_at_type_and_value() {
        for (variable, operator, value, expected) in [
            ("$.text", "StringEquals", json!("a"), true),
            ("$.text", "StringEquals", json!("b"), false),
            ("$.n", "StringEquals", json!("1"), false),
            ("$.n", "NumericEquals", json!(1), true),
            ("$.n", "NumericEquals", json!(1.0), true),
            ("$.f", "NumericEquals", json!(1), true),
            ("$.n", "NumericEquals", json!(2), false),
            ("$.text", "NumericEquals", json!(1), false),
            ("$.yes", "BooleanEquals", json!(true), true),
            ("$.yes", "BooleanEquals", json!(false), false),
            ("$.text", "BooleanEquals", json!(true), false),
            ("$.none", "IsNull", json!(true), true),
            ("$.none", "IsNull", json!(false), false),
            ("$.n", "IsNull", json!(false), true),
            ("$.none", "IsPresent", json!(true), true),
            ("$.none", "IsPresent", json!(false), false),
            ("$.nobody", "IsPresent", json!(true), false),
            ("$.nobody.x", "IsPresent", json!(false), true),
            ("$$.State.Name", "StringEquals", json!("Which"), true),
        ] {
            let rule = json!({"Variable": variable, operator: value});
            assert_eq!(holds(&rule), Ok(expected), "{rule}");
        }
    }

    #[test]
    fn a_variable_that_is_not_there_can_only_be_asked_whether_it_is() {
        for (operator, value) in [
            ("IsNull", json!(true)),
            ("StringEquals", json!("a")),
            ("NumericEquals", json!(1)),
            ("BooleanEquals", json!(true)),
        ] {
            let rule = json!({"Variable": "$.nobody", operator: value});
            assert_eq!(holds(&rule), Err("States.Runtime".into()), "{rule}");
        }
    }

    #[test]
    fn and_or_and_not_look_no_further_than_needed() {
        let yes = json!({"Variable": "$.n", "NumericEquals": 1});
        let no = json!({"Variable": "$.n", "NumericEquals": 2});
        let bad = json!({"Variable": "$.nobody", "NumericEquals": 2});
        let error = Err("States.Runtime".to_owned());
        for (rule, expected) in [
            (json!({"And": [yes, yes]}), Ok(true)),
            (json!({"And": [yes, no]}), Ok(false)),
            (json!({"And": [no, bad]}), Ok(false)),
            (json!({"And": [yes, bad]}), error.clone()),
            (json!({"Or": [no, yes]}), Ok(true)),
            (json!({"Or": [no, no]}), Ok(false)),
            (json!({"Or": [yes, bad]}), Ok(true)),
            (json!({"Or": [no, bad]}), error.clone()),
            (json!({"Not": yes}), Ok(false)),
            (json!({"Not": {"Or": [no, {"Not": yes}]}}), Ok(true)),
            (json!({"Not": bad}), error),
        ] {
            assert_eq!(holds(&rule), expected, "{rule}");
        }
    }

    #[test]
    fn rules_that_are_not_understood_are_refused() {
        for (rule, field) in [
            (json!({"Variable": "$.n"}), "Choices[0]"),
            (
                json!({"Variable": "$.n", "StringGreaterThan": "a"}),
                "Choices[0]",
            ),
            (
                json!({"Variable": "$.n", "IsNull": true, "IsPresent": true}),
                "Choices[0]",
            ),
            (json!({"IsNull": true}), "Choices[0].Variable"),
            (
                json!({"Variable": "$.n[*]", "IsNull": true}),
                "Choices[0].Variable",
            ),
            (json!({"Variable": "$.n", "IsNull": 1}), "Choices[0].IsNull"),
            (
                json!({"Variable": "$.n", "NumericEquals": "1"}),
                "Choices[0].NumericEquals",
            ),
            (
                json!({"Variable": "$.n", "IsNull": true, "Next": "X"}),
                "Choices[0].Next",
            ),
            (json!({"And": []}), "Choices[0].And"),
            (json!({"Or": [{"Variable": "$.n"}]}), "Choices[0].Or[0]"),
            (json!({"Or": [1]}), "Choices[0].Or[0]"),
            (json!({"Not": []}), "Choices[0].Not"),
            (
                json!({"Not": {"Variable": "$.n", "IsNull": 1}}),
                "Choices[0].Not.IsNull",
            ),
        ] {
            let error = parse(&rule).unwrap_err();
            assert_eq!(error.field, field, "{rule}");
            assert_eq!(error.state.as_deref(), Some("Which"));
        }
    }
}
