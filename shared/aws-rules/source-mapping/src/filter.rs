//! Filter criteria: the choice of the records that a function receives.

use std::cmp::Ordering;

use thiserror::Error;

use crate::{Record, Rule, json::Json};

/// The longest pattern, in characters.
const PATTERN_LIMIT: usize = 4_096;

/// The reason why a filter is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidFilter {
    /// A pattern, and its value for `data`, must be JSON objects.
    #[error("a pattern must be a JSON object")]
    NotAnObject,
    /// A pattern is longer than 4,096 characters.
    #[error("a pattern must have at most 4,096 characters")]
    TooLong,
    /// An event source mapping of a Kinesis stream filters by `data` and `partitionKey` only.
    #[error("a filter can only use `data` and `partitionKey`, not `{0}`")]
    UnknownField(String),
    /// A field's pattern must be a list of values, or an object of fields.
    #[error("`{0}` needs a list of values")]
    NotAList(String),
    /// The pattern has a test that this crate does not support, or that does not exist.
    #[error("`{0}` is not a supported test")]
    UnknownTest(String),
}

/// A filter of an event source mapping, parsed from its pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pattern: String,
    /// The conditions on the data; `None` if the pattern has none.
    data: Option<Vec<Condition>>,
    /// The tests of the partition key; `None` if the pattern has none.
    key: Option<Expected>,
}

/// A condition on an object.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Field(String, Expected),
    /// One of these alternatives, each with all of its conditions.
    Or(Vec<Vec<Condition>>),
}

#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Object(Vec<Condition>),
    OneOf(Vec<Test>),
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exactly(Json),
    Prefix(String),
    Suffix(String),
    /// The text in lower case.
    EqualsIgnoreCase(String),
    AnythingBut(Vec<Json>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// True if a record passes: it matches at least one filter, or there are no filters.
pub(crate) fn passes(filters: &[Filter], record: &Record, rules: &mut Vec<Rule>) -> bool {
    if filters.is_empty() {
        return true;
    }
    let data = Json::parse(&record.data);
    let key = Json::Text(record.partition_key.to_string());
    if filters.len() > 1 {
        rules.push(Rule::FilterAnyOf);
    }
    filters
        .iter()
        .any(|filter| filter.matches(data.as_ref(), &key, rules))
}

impl Filter {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// [`InvalidFilter`] if the pattern is invalid for Kinesis, or uses a test that this crate does not support.
    pub fn parse(pattern: &str) -> Result<Self, InvalidFilter> {
        if pattern.chars().count() > PATTERN_LIMIT {
            return Err(InvalidFilter::TooLong);
        }
        let parsed = Json::parse(pattern.as_bytes());
        let Some(Json::Object(fields)) = parsed else {
            return Err(InvalidFilter::NotAnObject);
        };
        let (mut data, mut key) = (None, None);
        for (name, expected) in fields {
            match (name.as_str(), expected) {
                ("data", Json::Object(fields)) => data = Some(conditions(fields)?),
                ("data", _) => return Err(InvalidFilter::NotAnObject),
                ("partitionKey", Json::List(tests)) => key = Some(one_of(tests)?),
                ("partitionKey", _) => return Err(InvalidFilter::NotAList(name)),
                _ => return Err(InvalidFilter::UnknownField(name)),
            }
        }
        let pattern = pattern.to_owned();
        Ok(Self { pattern, data, key })
    }

    /// The pattern from which the filter was parsed.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// True if data and partition key match the pattern. `None` stands for data that are not JSON.
    fn matches(&self, data: Option<&Json>, key: &Json, rules: &mut Vec<Rule>) -> bool {
        if let Some(expected) = &self.key {
            rules.push(Rule::FilterFields);
            if !expected.matches(Some(key), rules) {
                return false;
            }
        }
        let Some(conditions) = &self.data else {
            return true;
        };
        let Some(data) = data else {
            rules.push(Rule::FilterNotJson);
            return false;
        };
        all(conditions, Some(data), rules)
    }
}

fn conditions(fields: Vec<(String, Json)>) -> Result<Vec<Condition>, InvalidFilter> {
    fields
        .into_iter()
        .map(|(name, expected)| match expected {
            Json::List(ways) if name == "$or" => Ok(Condition::Or(alternatives(ways)?)),
            Json::List(tests) => Ok(Condition::Field(name, one_of(tests)?)),
            Json::Object(fields) => Ok(Condition::Field(
                name,
                Expected::Object(conditions(fields)?),
            )),
            _ => Err(InvalidFilter::NotAList(name)),
        })
        .collect()
}

fn one_of(tests: Vec<Json>) -> Result<Expected, InvalidFilter> {
    let tests: Result<_, _> = tests.into_iter().map(test).collect();
    tests.map(Expected::OneOf)
}

fn alternatives(ways: Vec<Json>) -> Result<Vec<Vec<Condition>>, InvalidFilter> {
    ways.into_iter()
        .map(|way| match way {
            Json::Object(fields) => conditions(fields),
            _ => Err(InvalidFilter::NotAnObject),
        })
        .collect()
}

fn test(test: Json) -> Result<Test, InvalidFilter> {
    let Json::Object(mut fields) = test else {
        return scalar(test).map(Test::Exactly);
    };
    let unknown = |name: String| Err(InvalidFilter::UnknownTest(name));
    let (Some((name, operand)), true) = (fields.pop(), fields.is_empty()) else {
        return unknown("an object of several tests, or none".to_owned());
    };
    match (name.as_str(), operand) {
        ("prefix", Json::Text(prefix)) => Ok(Test::Prefix(prefix)),
        ("suffix", Json::Text(suffix)) => Ok(Test::Suffix(suffix)),
        ("equals-ignore-case", Json::Text(word)) => Ok(Test::EqualsIgnoreCase(word.to_lowercase())),
        ("exists", Json::Bool(exists)) => Ok(Test::Exists(exists)),
        ("anything-but", Json::List(values)) => {
            let values: Result<_, _> = values.into_iter().map(scalar).collect();
            values.map(Test::AnythingBut)
        }
        ("anything-but", value) => Ok(Test::AnythingBut(vec![scalar(value)?])),
        ("numeric", Json::List(parts)) => match comparisons(&parts) {
            Some(comparisons) => Ok(Test::Numeric(comparisons)),
            None => unknown(name),
        },
        _ => unknown(name),
    }
}

fn scalar(value: Json) -> Result<Json, InvalidFilter> {
    match value {
        Json::List(_) => Err(InvalidFilter::UnknownTest("a list in a list".to_owned())),
        Json::Object(_) => Err(InvalidFilter::UnknownTest("a test in a test".to_owned())),
        scalar => Ok(scalar),
    }
}

/// Splits a list like `[">", 0, "<=", 5]` into pairs of a comparison and a number.
fn comparisons(parts: &[Json]) -> Option<Vec<(Comparison, f64)>> {
    let pairs = parts.chunks(2).map(|pair| {
        let [Json::Text(sign), Json::Number(number)] = pair else {
            return None;
        };
        let comparison = match sign.as_str() {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        Some((comparison, number.parse().ok()?))
    });
    let pairs: Option<Vec<_>> = pairs.collect();
    pairs.filter(|pairs| !pairs.is_empty())
}

/// True if an object meets all conditions. If the object itself is missing (`None`), each of its fields counts as
/// missing.
fn all(conditions: &[Condition], object: Option<&Json>, rules: &mut Vec<Rule>) -> bool {
    if conditions.len() > 1 {
        rules.push(Rule::FilterAllFields);
    }
    conditions.iter().all(|condition| match condition {
        Condition::Field(name, expected) => {
            let value = object.and_then(|object| object.field(name));
            expected.matches(value, rules)
        }
        Condition::Or(ways) => {
            rules.push(Rule::FilterOr);
            ways.iter().any(|way| all(way, object, rules))
        }
    })
}

impl Expected {
    fn matches(&self, value: Option<&Json>, rules: &mut Vec<Rule>) -> bool {
        if let Some(Json::List(values)) = value
            && !values.is_empty()
        {
            rules.push(Rule::FilterArray);
            return values.iter().any(|value| self.matches(Some(value), rules));
        }
        match self {
            Self::Object(conditions) => all(conditions, value, rules),
            Self::OneOf(tests) => {
                if tests.len() > 1 {
                    rules.push(Rule::FilterAnyValue);
                }
                let leaf = value.filter(|value| !matches!(value, Json::List(_) | Json::Object(_)));
                tests.iter().any(|test| test.matches(leaf, rules))
            }
        }
    }
}

impl Test {
    fn matches(&self, leaf: Option<&Json>, rules: &mut Vec<Rule>) -> bool {
        rules.push(match self {
            Self::Exactly(Json::Null) => Rule::FilterNull,
            Self::Exactly(Json::Number(_)) => Rule::FilterNumberText,
            Self::Exactly(_) => Rule::FilterExact,
            Self::Prefix(_) => Rule::FilterPrefix,
            Self::Suffix(_) => Rule::FilterSuffix,
            Self::EqualsIgnoreCase(_) => Rule::FilterEqualsIgnoreCase,
            Self::AnythingBut(_) => Rule::FilterAnythingBut,
            Self::Numeric(_) => Rule::FilterNumeric,
            Self::Exists(_) => Rule::FilterExists,
        });
        match (self, leaf) {
            (Self::Exists(exists), leaf) => *exists == leaf.is_some(),
            (Self::Exactly(expected), Some(leaf)) => expected == leaf,
            (Self::AnythingBut(excluded), Some(leaf)) => !excluded.contains(leaf),
            (Self::Prefix(prefix), Some(Json::Text(text))) => text.starts_with(prefix),
            (Self::Suffix(suffix), Some(Json::Text(text))) => text.ends_with(suffix),
            (Self::EqualsIgnoreCase(lower), Some(Json::Text(text))) => {
                text.to_lowercase() == *lower
            }
            (Self::Numeric(comparisons), Some(Json::Number(number))) => {
                let number = number.parse().unwrap_or(f64::NAN);
                comparisons
                    .iter()
                    .all(|(comparison, limit)| comparison.holds(number, *limit))
            }
            _ => false,
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, limit: f64) -> bool {
        match self {
            Self::Equal => number.partial_cmp(&limit).is_some_and(Ordering::is_eq),
            Self::Less => number < limit,
            Self::LessOrEqual => number <= limit,
            Self::Greater => number > limit,
            Self::GreaterOrEqual => number >= limit,
        }
    }
}
