//! Conditions: when a statement counts, by the values of a request.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::pattern::{matches, matches_arn, matches_folded, texts};

/// The values of a request by the keys of conditions. Keys have no case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    values: BTreeMap<String, Vec<String>>,
}

impl Context {
    /// Sets a value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.values
            .insert(key.to_ascii_lowercase(), vec![value.into()]);
    }

    /// Sets all values of a key that may have several, for example `dynamodb:LeadingKeys`.
    pub fn set_all(&mut self, key: &str, values: Vec<String>) {
        self.values.insert(key.to_ascii_lowercase(), values);
    }

    fn get(&self, key: &str) -> Option<&[String]> {
        self.values.get(key).map(Vec::as_slice)
    }
}

/// All conditions of a statement, each of which must be met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions(Vec<Condition>);

#[derive(Clone, Debug)]
struct Condition {
    operator: Operator,
    /// The operator's `IfExists`: a request without the key meets the condition.
    if_exists: bool,
    quantifier: Option<Quantifier>,
    /// The key, in lower case.
    key: String,
    /// The policy's values, one of which must fit.
    wanted: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    All,
    Any,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    /// Whether the request lacks the key.
    Null,
    /// Whether a value of the request fits one of the policy.
    Compare {
        fits: fn(&str, &str) -> bool,
        /// An operator with `Not`, which is met where its positive form is not.
        negated: bool,
    },
}

impl Conditions {
    pub(crate) fn read(conditions: Option<&Value>) -> Result<Self, String> {
        let Some(conditions) = conditions else {
            return Ok(Self::default());
        };
        let operators = conditions
            .as_object()
            .ok_or("Condition must be an object")?;
        let mut all = vec![];
        for (operator, keys) in operators {
            let keys = keys
                .as_object()
                .ok_or_else(|| format!("Condition.{operator} must be an object"))?;
            for (key, wanted) in keys {
                all.push(Condition::read(operator, key, wanted)?);
            }
        }
        Ok(Self(all))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|condition| condition.key.as_str())
    }

    pub(crate) fn met(&self, context: &Context) -> bool {
        self.0.iter().all(|condition| condition.met(context))
    }
}

impl Condition {
    fn read(operator: &str, key: &str, wanted: &Value) -> Result<Self, String> {
        let place = || format!("Condition.{operator}.{key}");
        let wanted = scalars(wanted)
            .ok_or_else(|| format!("{} must be a value or a list of values", place()))?;
        if wanted.iter().any(|value| value.contains("${")) {
            return Err(format!("{} must have no policy variable", place()));
        }
        let (quantifier, name) = match operator.split_once(':') {
            Some(("ForAllValues", name)) => (Some(Quantifier::All), name),
            Some(("ForAnyValue", name)) => (Some(Quantifier::Any), name),
            _ => (None, operator),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let operator = Operator::of(name)
            .ok_or_else(|| format!("Condition must have no operator {operator}"))?;
        Ok(Self {
            operator,
            if_exists,
            quantifier,
            key: key.to_ascii_lowercase(),
            wanted,
        })
    }

    fn met(&self, context: &Context) -> bool {
        let given = context.get(&self.key);
        match (self.operator, given) {
            (Operator::Null, given) => {
                let lacks = if given.is_none() { "true" } else { "false" };
                self.wanted.iter().any(|wanted| wanted == lacks)
            }
            (_, None) if self.if_exists || self.quantifier == Some(Quantifier::All) => true,
            (_, None) if self.quantifier == Some(Quantifier::Any) => false,
            (Operator::Compare { negated, .. }, None) => negated,
            (Operator::Compare { fits, negated }, Some(given)) => {
                let fits = |given: &String| {
                    let mut wanted = self.wanted.iter();
                    wanted.any(|wanted| fits(wanted, given)) != negated
                };
                match self.quantifier {
                    Some(Quantifier::All) => given.iter().all(fits),
                    _ => given.iter().any(fits),
                }
            }
        }
    }
}

impl Operator {
    fn of(name: &str) -> Option<Self> {
        let compare = |fits| Self::Compare {
            fits,
            negated: false,
        };
        let not = |fits| Self::Compare {
            fits,
            negated: true,
        };
        Some(match name {
            "Null" => Self::Null,
            "StringEquals" => compare(same),
            "StringNotEquals" => not(same),
            "StringEqualsIgnoreCase" => compare(same_folded),
            "StringNotEqualsIgnoreCase" => not(same_folded),
            "StringLike" => compare(matches),
            "StringNotLike" => not(matches),
            "ArnEquals" | "ArnLike" => compare(matches_arn),
            "ArnNotEquals" | "ArnNotLike" => not(matches_arn),
            "Bool" => compare(matches_folded),
            "NumericEquals" => compare(|wanted, given| numbers(wanted, given, equal)),
            "NumericNotEquals" => not(|wanted, given| numbers(wanted, given, equal)),
            "NumericLessThan" => compare(|wanted, given| numbers(wanted, given, |a, b| b < a)),
            "NumericLessThanEquals" => {
                compare(|wanted, given| numbers(wanted, given, |a, b| b <= a))
            }
            "NumericGreaterThan" => compare(|wanted, given| numbers(wanted, given, |a, b| b > a)),
            "NumericGreaterThanEquals" => {
                compare(|wanted, given| numbers(wanted, given, |a, b| b >= a))
            }
            _ => return None,
        })
    }
}

fn same(wanted: &str, given: &str) -> bool {
    wanted == given
}

fn same_folded(wanted: &str, given: &str) -> bool {
    wanted.eq_ignore_ascii_case(given)
}

fn equal(wanted: f64, given: f64) -> bool {
    wanted.partial_cmp(&given) == Some(std::cmp::Ordering::Equal)
}

/// Compares numbers; a text that is no number fits nothing.
fn numbers(wanted: &str, given: &str, fits: fn(f64, f64) -> bool) -> bool {
    let (wanted, given) = (wanted.parse(), given.parse());
    matches!((wanted, given), (Ok(wanted), Ok(given)) if fits(wanted, given))
}

/// A text, a number, true or false, or a list of them, as texts.
fn scalars(value: &Value) -> Option<Vec<String>> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        one => scalar(one).map(|text| vec![text]).or_else(|| texts(one)),
    }
}
